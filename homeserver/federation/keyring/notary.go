package keyring

import (
	"bytes"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// maxQueried is how many servers can be asked for in one query, and maxQuery how long it may be.
const (
	maxQueried = 200
	maxQuery   = 256 << 10
)

// ServeServer answers GET /_matrix/key/v2/server with our own keys.
func (r *Ring) ServeServer() (jsontext.Value, error) { return r.o.Own.Response(r.o.Now()) }

// answer is what the notary endpoints say.
type answer struct {
	Keys []jsontext.Value `json:"server_keys"`
}

// ServeQuery answers GET /_matrix/key/v2/query/{serverName}.
func (r *Ring) ServeQuery(req *http.Request, server string) (any, error) {
	now := r.o.Now().UnixMilli()
	at := now
	if s := req.URL.Query().Get("minimum_valid_until_ts"); s != "" {
		var err error
		if at, err = strconv.ParseInt(s, 10, 64); err != nil {
			return nil, mxerror.InvalidParam("minimum_valid_until_ts must be an integer.")
		}
	}
	return r.query(req.Context(), map[string]map[string]int64{server: {"": at}})
}

// ServeQueries answers POST /_matrix/key/v2/query. "If no key IDs are given to be queried, the
// notary server should query for all keys. If no servers are given, the notary server must return
// an empty server_keys array in the response."
func (r *Ring) ServeQueries(req *http.Request) (any, error) {
	raw, err := io.ReadAll(io.LimitReader(req.Body, maxQuery+1))
	if err != nil {
		return nil, mxerror.NotJSON("The request could not be read.").Because(err)
	}
	if len(raw) > maxQuery {
		return nil, mxerror.TooLarge("The query is longer than %d bytes.", maxQuery)
	}
	var q struct {
		Servers map[string]map[string]struct {
			At *int64 `json:"minimum_valid_until_ts"`
		} `json:"server_keys"`
	}
	if err := json.Unmarshal(raw, &q); err != nil {
		if !jsontext.Value(raw).IsValid() {
			return nil, mxerror.NotJSON("The request's body is not valid JSON.").Because(err)
		}
		return nil, mxerror.BadJSON("server_keys must be an object of servers, each with an object of keys.").Because(err)
	}
	if q.Servers == nil {
		return nil, mxerror.BadJSON("server_keys is missing.")
	}
	if len(q.Servers) > maxQueried {
		return nil, mxerror.TooLarge("At most %d servers can be asked for at once.", maxQueried)
	}
	now := r.o.Now().UnixMilli()
	asked := map[string]map[string]int64{}
	for server, keys := range q.Servers {
		asked[server] = map[string]int64{}
		for keyID, c := range keys {
			// "If not supplied, the notary server MUST use the current time."
			asked[server][keyID] = now
			if c.At != nil {
				asked[server][keyID] = *c.At
			}
		}
		if len(keys) == 0 {
			asked[server][""] = now
		}
	}
	return r.query(req.Context(), asked)
}

// query collects the keys of servers, signed by us too. The times by key say until when they should
// be valid; the key "" is any.
func (r *Ring) query(ctx context.Context, asked map[string]map[string]int64) (any, error) {
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		out = answer{Keys: []jsontext.Value{}}
	)
	for server, keys := range asked {
		wg.Go(func() {
			list := r.passOn(ctx, server, keys)
			mu.Lock()
			defer mu.Unlock()
			out.Keys = append(out.Keys, list...)
		})
	}
	wg.Wait()
	return out, ctx.Err()
}

// passOn is what a server said of its keys, with our signature: its newest answer, or for keys which it names no more
// the one from before that does. None if nothing is known.
func (r *Ring) passOn(ctx context.Context, server string, keys map[string]int64) []jsontext.Value {
	if server == r.o.Own.Server {
		raw, err := r.o.Own.Response(r.o.Now())
		if err != nil {
			r.o.Log.Error("signing our own keys", "err", err)
			return nil
		}
		return []jsontext.Value{raw}
	}
	if _, err := discovery.ParseName(server); err != nil {
		return nil
	}
	s, err := r.load(ctx, server)
	if err != nil {
		r.o.Log.Warn("reading the keys of a server", "server", server, "err", err)
		return nil
	}
	if r.stale(s, keys) {
		// Also "for servers that are offline or having issues serving their own keys" there may be
		// an answer from before.
		s, _ = r.urge(ctx, Need{Server: server}, s)
	}
	if s == nil {
		return nil
	}
	var said []jsontext.Value
	for _, keyID := range slices.Sorted(maps.Keys(keys)) {
		raw, past := s.Past[keyID]
		if !past {
			raw = s.Response
		}
		if !slices.ContainsFunc(said, func(x jsontext.Value) bool { return bytes.Equal(x, raw) }) {
			said = append(said, raw)
		}
	}
	for i, raw := range said {
		if said[i], err = addSignature(raw, r.o.Own.Signer()); err != nil {
			r.o.Log.Error("signing the keys of a server", "server", server, "err", err)
			return nil
		}
	}
	return said
}

// stale tells whether a notary should ask a server again. Specification, GET /server: "Intermediate
// notary servers should cache a response for half of its lifetime to avoid serving a stale
// response."
func (r *Ring) stale(s *Stored, keys map[string]int64) bool {
	if s == nil {
		return true
	}
	now := r.o.Now()
	resp, err := parseResponse(s.Response, s.Server)
	if err != nil {
		return true
	}
	if r.good(s, keys) {
		return false
	}
	fetched := time.UnixMilli(s.FetchedTS)
	if now.After(fetched.Add(time.UnixMilli(resp.ValidUntil).Sub(fetched) / 2)) {
		return true
	}
	for keyID, at := range keys {
		if keyID == "" {
			if resp.ValidUntil < at {
				return true
			}
			continue
		}
		k, ok := s.Keys[keyID]
		if !ok && strings.HasPrefix(keyID, "ed25519:") || ok && !k.Expired && k.ValidUntil < at {
			return true
		}
	}
	return false
}

// good tells that keys are asked for by their ids for something of the past, for which what is known is enough,
// however old it is.
func (r *Ring) good(s *Stored, keys map[string]int64) bool {
	now := r.o.Now().UnixMilli()
	for keyID, at := range keys {
		if k, ok := s.Keys[keyID]; !ok || at >= now || k.ValidUntil < at {
			return false
		}
	}
	return true
}
