package keyring

import (
	"context"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/landbridge-im/landbridge/internal/flight"
)

// Key is a key of a server.
type Key struct {
	Public ed25519.PublicKey
	// ValidUntil, in milliseconds, is until when things may have been signed with it. A key that
	// has Expired is good for events alone.
	ValidUntil int64
	Expired    bool
}

// ErrUnknownKey: the server can be asked, or there is nobody to ask, and it has no such key.
var ErrUnknownKey = errors.New("the server has no such key")

// ErrUnavailable: nobody could be asked just now. It may be otherwise later.
var ErrUnavailable = errors.New("the server's keys can't be had at present")

// maxValidity bounds valid_until_ts.
const maxValidity = 7 * 24 * time.Hour

// Stored is what a Cache keeps of a server.
type Stored struct {
	Server string
	// Response is what the server said of its keys last, and FetchedTS when, in milliseconds.
	Response  jsontext.Value
	FetchedTS int64
	// Keys are all that it ever said, by id.
	Keys map[string]Key
	// Past is what it said when it last named a key, for those that Response doesn't name.
	Past map[string]jsontext.Value
}

// Cache keeps keys durably.
type Cache interface {
	// LoadKeys reads what is kept of a server; nil if that is nothing.
	LoadKeys(ctx context.Context, server string) (*Stored, error)
	// SaveKeys keeps what is newly known of a server. Keys that it had before stay.
	SaveKeys(ctx context.Context, s *Stored) error
}

// Fetcher asks other servers.
type Fetcher interface {
	// ServerKeys is GET /_matrix/key/v2/server.
	ServerKeys(ctx context.Context, server string) (jsontext.Value, error)
	// QueryKeys is POST /_matrix/key/v2/query.
	QueryKeys(ctx context.Context, notary string, body any) ([]jsontext.Value, error)
}

// Notary is a server that is trusted to tell the keys of others.
type Notary struct {
	Server string
	// Keys, by id, are the ones with which it must sign. Empty means the ones that it has by its
	// own account.
	Keys map[string]ed25519.PublicKey
}

// Options say what a Ring needs.
type Options struct {
	Own      *Own
	Cache    Cache
	Fetcher  Fetcher
	Notaries []Notary
	Log      *slog.Logger
	Now      func() time.Time // nil means time.Now
	// Servers is how many servers' keys are kept in memory; 0 means 4,096.
	Servers int
	// Timeout bounds the search for a server's keys; 0 means 20 seconds.
	Timeout time.Duration
}

// Ring has the keys of all servers. It is safe for concurrent use. Close ends it.
type Ring struct {
	o      Options
	known  *lru.Cache[string, *Stored]
	silent *lru.Cache[string, silence]
	flight *flight.Group[*Stored]
	// room bounds how many servers are asked at once.
	room chan struct{}
	mu   sync.Mutex // of silent and urged
	// urged bounds how often others can have a server asked that was asked just now.
	urged *lru.Cache[string, *rate.Limiter]
}

// silence is how often in a row a server's keys could not be had, and when to try again.
type silence struct {
	failures int
	until    time.Time
}

// New makes a Ring.
func New(o Options) (*Ring, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Servers == 0 {
		o.Servers = 4096
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	r := &Ring{o: o, room: make(chan struct{}, parallel), flight: flight.NewGroup[*Stored](o.Timeout)}
	var err error
	if r.known, err = lru.New[string, *Stored](o.Servers); err == nil {
		r.silent, err = lru.New[string, silence](4 * o.Servers)
	}
	if err == nil {
		r.urged, err = lru.New[string, *rate.Limiter](o.Servers)
	}
	if err != nil {
		return nil, fmt.Errorf("making the key ring: %w", err)
	}
	return r, nil
}

// Close ends searches under way and waits for them.
func (r *Ring) Close() { r.flight.Close() }

// Need is a key that is wanted, and the time in milliseconds at which something was signed with it.
type Need struct {
	Server, KeyID string
	At            int64
	// Urgent tells that the server itself calls: it is asked also if it did not answer other calls of late.
	Urgent bool
}

// Find finds a key that is valid at a time, or else the newest state of that key, which the caller
// has to judge by its ValidUntil. ErrUnknownKey and ErrUnavailable tell whether asking again makes
// sense.
func (r *Ring) Find(ctx context.Context, n Need) (Key, error) {
	if n.Server == r.o.Own.Server {
		if k := r.o.Own.Find(n.KeyID, r.o.Now()); k.Public != nil {
			return k, nil
		}
		return Key{}, fmt.Errorf("key %.64s of this server: %w", n.KeyID, ErrUnknownKey)
	}
	s, err := r.load(ctx, n.Server)
	if err != nil {
		return Key{}, err
	}
	key, enough := r.look(s, n)
	if enough {
		return key, nil
	}
	s, err = r.fetch(ctx, n, s)
	if k, _ := r.look(s, n); k.Public != nil {
		return k, nil
	}
	if err == nil {
		err = ErrUnknownKey
	}
	return Key{}, fmt.Errorf("key %.64s of %s: %w", n.KeyID, n.Server, err)
}

// look finds a key in what is known, and tells whether asking the server could improve it.
func (r *Ring) look(s *Stored, n Need) (k Key, enough bool) {
	if s == nil {
		return Key{}, false
	}
	k, ok := s.Keys[n.KeyID]
	// What claims to come from the future is good enough with a key of today.
	at := min(n.At, r.o.Now().UnixMilli())
	return k, ok && (k.Expired || k.ValidUntil >= at)
}

// RequestKey is a key with which a server may sign requests now; it makes Ring an xmatrix.Keys.
func (r *Ring) RequestKey(ctx context.Context, server, keyID string) (ed25519.PublicKey, error) {
	now := r.o.Now().UnixMilli()
	k, err := r.Find(ctx, Need{Server: server, KeyID: keyID, At: now, Urgent: true})
	if err != nil {
		return nil, err
	}
	// "verify_keys that are valid for signing federation requests made by the homeserver and for
	// signing events. [...] old_verify_keys which are only valid for signing events."
	if k.Expired || k.ValidUntil < now {
		return nil, fmt.Errorf("key %.64s of %s has expired", keyID, server)
	}
	return k.Public, nil
}

// load reads what is known of a server; nil if that is nothing.
func (r *Ring) load(ctx context.Context, server string) (*Stored, error) {
	if s, ok := r.known.Get(server); ok {
		return s, nil
	}
	s, err := r.o.Cache.LoadKeys(ctx, server)
	if err != nil {
		return nil, fmt.Errorf("reading the keys of %s: %w", server, err)
	}
	if s != nil {
		r.known.Add(server, s)
	}
	return s, nil
}

// keep adds what a server said to what is known of it.
func (r *Ring) keep(ctx context.Context, resp *response, raw jsontext.Value) *Stored {
	now := r.o.Now().UnixMilli()
	fresh := &Stored{Server: resp.Server, Response: raw, FetchedTS: now, Keys: resp.keys(now), Past: map[string]jsontext.Value{}}
	if was, err := r.load(ctx, resp.Server); err == nil && was != nil {
		all := maps.Clone(was.Keys)
		for keyID, k := range fresh.Keys {
			// A notary may have older news than we do.
			if old, ok := all[keyID]; !ok || k.Expired || (!old.Expired && k.ValidUntil > old.ValidUntil) {
				all[keyID] = k
			}
		}
		// What a server no longer names stays good for what was signed while it did; but not
		// without end.
		for keyID := range all {
			if len(all) > 4*maxKeys {
				if _, named := fresh.Keys[keyID]; !named {
					delete(all, keyID)
				}
			}
		}
		fresh.Keys = all
		r.remember(fresh, was, resp)
	}
	r.known.Add(resp.Server, fresh)
	if err := r.o.Cache.SaveKeys(ctx, fresh); err != nil {
		r.o.Log.Warn("keeping the keys of a server", "server", resp.Server, "err", err)
	}
	return fresh
}

// remember keeps what a server said of keys that it names no more: as a notary we are asked for those as well.
func (r *Ring) remember(fresh, was *Stored, resp *response) {
	if before, err := parseResponse(was.Response, was.Server); err == nil {
		for keyID := range fresh.Keys {
			if before.names(keyID) {
				fresh.Past[keyID] = was.Response
			}
		}
	}
	for keyID, raw := range was.Past {
		if _, kept := fresh.Keys[keyID]; kept && fresh.Past[keyID] == nil {
			fresh.Past[keyID] = raw
		}
	}
	maps.DeleteFunc(fresh.Past, func(keyID string, _ jsontext.Value) bool { return resp.names(keyID) })
}
