package keyring

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/gjson"
	"golang.org/x/time/rate"

	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
)

const (
	// parallel is how many servers are asked for their keys at once.
	parallel = 32
	// recent is how long a server that was just asked isn't asked for another key.
	recent = time.Minute
	// urgeBurst is how often it is asked all the same for those who ask us as a notary.
	urgeBurst = 10
	// A server whose keys can't be had is left alone for these times, which double: what keeps it from answering
	// once, a start or a loaded machine, is soon over.
	silenceMin = time.Second
	silenceMax = time.Hour
	// chunk is how many servers are asked for in one query of a notary.
	chunk = 100
)

// fetch asks for a server's keys, once for all who want them. It returns what is known in the end,
// also when there is an error.
func (r *Ring) fetch(ctx context.Context, n Need, have *Stored) (*Stored, error) {
	now := r.o.Now()
	if have != nil && now.Sub(time.UnixMilli(have.FetchedTS)).Abs() < recent {
		return have, nil
	}
	return r.fetchNow(ctx, n, have)
}

// urge is fetch for who asks us as a notary: "minimum_valid_until_ts ... indicating when the returned certificates
// will need to be valid until to be useful to the requesting server" has a server asked that was asked just now, but not often.
func (r *Ring) urge(ctx context.Context, n Need, have *Stored) (*Stored, error) {
	now := r.o.Now()
	if have == nil || now.Sub(time.UnixMilli(have.FetchedTS)).Abs() >= recent {
		return r.fetchNow(ctx, n, have)
	}
	r.mu.Lock()
	l, ok := r.urged.Get(n.Server)
	if !ok {
		l = rate.NewLimiter(rate.Every(recent), urgeBurst)
		r.urged.Add(n.Server, l)
	}
	r.mu.Unlock()
	if !l.AllowN(now, 1) {
		return have, nil
	}
	// It was there a minute ago, so it is tried although it may just have failed to answer.
	return r.seek(ctx, n, have)
}

// fetchNow asks for a server's keys, unless it has not answered of late.
func (r *Ring) fetchNow(ctx context.Context, n Need, have *Stored) (*Stored, error) {
	if r.isSilent(n.Server) {
		return have, ErrUnavailable
	}
	return r.seek(ctx, n, have)
}

// seek is one search for all who want a server's keys at once. Who comes just after the end of one, having looked before it
// what is known (have), takes what it found.
func (r *Ring) seek(ctx context.Context, n Need, have *Stored) (*Stored, error) {
	key := n.Server
	if n.Urgent {
		key += " " // no part of a name: those who can't wait don't share the fate of those who must
	}
	s, err := r.flight.Do(ctx, key, func(ctx context.Context) (*Stored, error) {
		if now, ok := r.known.Get(n.Server); ok && (have == nil || now.FetchedTS > have.FetchedTS) {
			return now, nil
		}
		return r.search(ctx, n)
	})
	if err != nil {
		return have, err
	}
	return s, nil
}

// search asks the server itself, then the notaries.
func (r *Ring) search(ctx context.Context, n Need) (*Stored, error) {
	asking := ctx
	if n.Urgent {
		asking = fclient.Urgent(ctx)
	}
	s, err := r.ask(asking, n.Server)
	if err == nil {
		r.spoke(n.Server)
		return s, nil
	}
	if found := r.askNotaries(ctx, []Need{n}); found[n.Server] != nil {
		r.spoke(n.Server)
		return found[n.Server], nil
	}
	r.failed(n.Server)
	r.o.Log.Debug("the keys of a server can't be had", "server", n.Server, "err", err)
	return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// ask asks a server for its own keys.
func (r *Ring) ask(ctx context.Context, server string) (*Stored, error) {
	select {
	case r.room <- struct{}{}:
		defer func() { <-r.room }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	// Half the time is for the notaries.
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout/2)
	defer cancel()
	raw, err := r.o.Fetcher.ServerKeys(ctx, server)
	if err != nil {
		return nil, err
	}
	resp, err := parseResponse(raw, server)
	if err != nil {
		return nil, err
	}
	return r.keep(ctx, resp, raw), nil
}

// askNotaries asks the notaries, one after the other, for what the one before did not know.
func (r *Ring) askNotaries(ctx context.Context, needs []Need) map[string]*Stored {
	found := map[string]*Stored{}
	for _, notary := range r.o.Notaries {
		left := slices.DeleteFunc(slices.Clone(needs), func(n Need) bool {
			return found[n.Server] != nil || n.Server == notary.Server || n.Server == r.o.Own.Server
		})
		for part := range slices.Chunk(left, chunk) {
			if err := r.askNotary(ctx, notary, part, found); err != nil {
				r.o.Log.Info("asking a notary for keys", "notary", notary.Server, "err", err)
				break
			}
		}
	}
	return found
}

func (r *Ring) askNotary(ctx context.Context, notary Notary, needs []Need, found map[string]*Stored) error {
	type criteria struct {
		MinValidUntil int64 `json:"minimum_valid_until_ts"`
	}
	asked := map[string]map[string]criteria{}
	for _, n := range needs {
		if asked[n.Server] == nil {
			asked[n.Server] = map[string]criteria{}
		}
		if n.KeyID == "" {
			continue // all of them
		}
		// "When using the /query endpoint, servers MUST set the minimum_valid_until_ts property to
		// prompt the notary server to attempt to refresh the key if appropriate."
		asked[n.Server][n.KeyID] = criteria{max(asked[n.Server][n.KeyID].MinValidUntil, min(n.At, r.o.Now().UnixMilli()))}
	}
	list, err := r.o.Fetcher.QueryKeys(ctx, notary.Server, map[string]any{"server_keys": asked})
	if err != nil {
		return err
	}
	var bad []error
	for _, raw := range list[:min(len(list), 4*chunk)] {
		server := gjson.GetBytes(raw, "server_name").Str
		if asked[server] == nil {
			continue
		}
		resp, err := parseResponse(raw, server)
		if err == nil {
			err = r.checkNotary(ctx, notary, raw)
		}
		if err != nil {
			bad = append(bad, err)
			continue
		}
		found[server] = r.keep(ctx, resp, raw)
	}
	return errors.Join(bad...)
}

// checkNotary checks that a notary has signed what it passes on.
func (r *Ring) checkNotary(ctx context.Context, notary Notary, raw jsontext.Value) error {
	for keyID := range signatureBy(raw, notary.Server) {
		public, ok := notary.Keys[keyID]
		if len(notary.Keys) == 0 {
			k, err := r.RequestKey(ctx, notary.Server, keyID)
			public, ok = k, err == nil
		}
		if ok {
			return verify(raw, notary.Server, keyID, encode(public))
		}
	}
	return fmt.Errorf("%s has not signed the keys that it gave", notary.Server)
}

// Prefetch gets keys that will be needed, so that they can be found at once then: the servers are
// asked side by side, and the notaries for many at a time. What can't be had is left out.
func (r *Ring) Prefetch(ctx context.Context, needs []Need) {
	byServer := map[string]Need{}
	for _, n := range needs {
		if n.Server == r.o.Own.Server {
			continue
		}
		s, err := r.load(ctx, n.Server)
		if err != nil || r.isSilent(n.Server) {
			continue
		}
		if _, enough := r.look(s, n); !enough {
			byServer[n.Server] = n
		}
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		left []Need
	)
	for _, n := range byServer {
		wg.Go(func() {
			s, err := r.ask(ctx, n.Server)
			if err == nil {
				r.spoke(n.Server)
			}
			if _, enough := r.look(s, n); !enough {
				mu.Lock()
				defer mu.Unlock()
				left = append(left, n)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return
	}
	found := r.askNotaries(ctx, left)
	for _, n := range left {
		if found[n.Server] == nil {
			r.failed(n.Server)
		}
	}
}

func (r *Ring) isSilent(server string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.silent.Get(server)
	return ok && r.o.Now().Before(s.until)
}

func (r *Ring) failed(server string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, _ := r.silent.Get(server)
	s.until = r.o.Now().Add(min(silenceMin<<min(s.failures, 12), silenceMax))
	s.failures++
	r.silent.Add(server, s)
}

func (r *Ring) spoke(server string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent.Remove(server)
}
