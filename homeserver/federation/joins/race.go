package joins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

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
	// headStart is what the servers have that were named before all others are asked as well.
	headStart = 3 * time.Second
)

// field are the servers of a race: those that were named for it, and others that may help too.
type field struct{ named, others []string }

// race asks servers for the same, a few at once, and gives each good answer to use, in the order in
// which they come, until use is content. permanent tells which of its errors end the race.
func race[T any](ctx context.Context, servers field, ask func(context.Context, string) (T, error), use func(server string, v T) error, permanent func(error) bool) error {
	type result struct {
		server string
		v      T
		err    error
	}
	asking, stop := context.WithTimeout(fclient.Urgent(ctx), patience)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	left := slices.Concat(servers.named, servers.others)
	left = left[:min(len(left), serversMax)]
	early := min(atOnce, len(servers.named))
	if early == 0 {
		early = atOnce
	}
	late := time.NewTimer(headStart)
	defer late.Stop()
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
	for range early {
		next()
	}
	var failed error
	for running > 0 {
		var r result
		select {
		case r = <-results:
		case <-late.C:
			for running < atOnce && len(left) > 0 {
				next()
			}
			continue
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
			return mxerror.New(400, e.Code, "The room is of a version that this server does not speak.").Because(err)
		case "M_NOT_FOUND":
			return mxerror.NotFound("%s", clip(e.Message, "There is no such room.")).Because(err)
		}
		if e.Status == 403 {
			return mxerror.Forbidden("The room's servers do not allow it.").Because(err)
		}
	}
	return mxerror.New(502, "M_UNKNOWN", "None of the room's servers could be reached, or none could help.").Because(err)
}

func clip(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return fmt.Sprintf("%.300s", s)
}

// errNoServers: nothing is known of who is in the room.
var errNoServers = mxerror.NotFound("No server is known that is in this room.")
