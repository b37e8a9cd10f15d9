package joins

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

const (
	// atOnce is how many servers are asked side by side for the same.
	atOnce = 3
	// serversMax is how many are tried at all.
	serversMax = 20
	// patience bounds the search for a server that helps.
	patience = 60 * time.Second
)

// race asks servers for the same, a few at once, and gives each good answer to use, in the order in
// which they come, until use is content. permanent tells which of its errors end the race.
func race[T any](ctx context.Context, servers []string, ask func(context.Context, string) (T, error), use func(server string, v T) error, permanent func(error) bool) error {
	type result struct {
		server string
		v      T
		err    error
	}
	asking, stop := context.WithTimeout(fclient.Urgent(ctx), patience)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	left := servers[:min(len(servers), serversMax)]
	results := make(chan result, atOnce)
	running := 0
	next := func() {
		if len(left) == 0 {
			return
		}
		server := left[0]
		left = left[1:]
		running++
		wg.Go(func() {
			v, err := ask(asking, server)
			select {
			case results <- result{server, v, err}:
			case <-asking.Done():
			}
		})
	}
	for range atOnce {
		next()
	}
	var failed error
	for running > 0 {
		var r result
		select {
		case r = <-results:
		case <-asking.Done():
			if failed == nil {
				failed = asking.Err()
			}
			return failed
		}
		running--
		if r.err == nil {
			if r.err = use(r.server, r.v); r.err == nil {
				return nil
			}
			if permanent(r.err) {
				return r.err
			}
		}
		failed = worse(failed, r.err)
		next()
	}
	return failed
}

// worse is the error that tells more: what a server said is worth more than that none answered.
func worse(a, b error) error {
	rank := func(err error) int {
		var e *fclient.Error
		switch _, public := mxerror.As(err); {
		case err == nil:
			return 0
		case public:
			return 4
		case !errors.As(err, &e):
			return 1
		case e.Code == "M_FORBIDDEN" || e.Code == "M_INCOMPATIBLE_ROOM_VERSION":
			return 3
		}
		return 2
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// public is what a client is told of why other servers did not help.
func public(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := mxerror.As(err); ok {
		return err
	}
	var e *fclient.Error
	if errors.As(err, &e) {
		switch e.Code {
		case "M_FORBIDDEN", "M_UNABLE_TO_AUTHORISE_JOIN", "M_UNABLE_TO_GRANT_JOIN":
			return mxerror.Forbidden("%s", clip(e.Message, "The room's servers do not allow it.")).Because(err)
		case "M_INCOMPATIBLE_ROOM_VERSION":
			out := mxerror.New(400, e.Code, "The room is of a version that this server does not speak.").Because(err)
			if v := gjson.GetBytes(e.Body, "room_version"); v.Type == gjson.String {
				out = out.With("room_version", fmt.Sprintf("%.32s", v.Str))
			}
			return out
		case "M_NOT_FOUND":
			return mxerror.NotFound("%s", clip(e.Message, "There is no such room.")).Because(err)
		}
		if passable(e) {
			return mxerror.New(e.Status, e.Code, "%s", clip(e.Message, "The room's servers refuse it.")).Because(err)
		}
		if e.Status == 403 {
			return mxerror.Forbidden("The room's servers do not allow it.").Because(err)
		}
	}
	return mxerror.New(502, "M_UNKNOWN", "None of the room's servers could be reached, or none could help.").Because(err)
}

// passable tells whether a client may be told what another server said, word for word: "The error should
// be passed through to clients so that they may give better feedback to users." Codes that are about the
// client's own session are not another server's to give, and "If M_MISSING_PARAM or M_INVALID_PARAM is
// returned ... the Client-Server API request SHOULD fail with a 5xx error".
func passable(e *fclient.Error) bool {
	if e.Status != 400 && e.Status != 403 && e.Status != 404 || len(e.Code) > 64 {
		return false
	}
	switch e.Code {
	case "", "M_MISSING_PARAM", "M_INVALID_PARAM", "M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_UNAUTHORIZED", "M_USER_LOCKED", "M_USER_SUSPENDED",
		"M_USER_DEACTIVATED", "M_GUEST_ACCESS_FORBIDDEN", "M_CONSENT_NOT_GIVEN", "M_UNRECOGNIZED", "M_BAD_JSON", "M_NOT_JSON":
		return false
	}
	return strings.Trim(e.Code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

func clip(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return fmt.Sprintf("%.300s", s)
}

// errNoServers: nothing is known of who is in the room.
var errNoServers = mxerror.NotFound("No server is known that is in this room.")
