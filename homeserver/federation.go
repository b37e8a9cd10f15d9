package homeserver

import (
	"context"
	"crypto/x509"
	"net/netip"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/federation/inbound"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/federation/policy"
	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

// Federation says how other servers are reached.
type Federation struct {
	// Enabled allows calling other servers at all.
	Enabled bool
	// RootCAs vouch for them; nil means the system's.
	RootCAs *x509.CertPool
	// AllowPrivate are ranges that aren't public and where servers may be nevertheless.
	AllowPrivate []netip.Prefix
	// Notaries are servers that are asked for the keys of those that don't answer.
	Notaries []keyring.Notary
}

// outside is what connects the server with others.
type outside struct {
	finder  *discovery.Finder
	backoff *fclient.Backoff
	client  *fclient.Client
	ring    *keyring.Ring
	policy  *policy.Policy
}

// openOutside makes the parts that know other servers.
func (s *Server) openOutside(own *keyring.Own) (o *outside, err error) {
	f := s.o.Federation
	o = &outside{}
	dial := safedial.Policy{Allow: f.AllowPrivate}.DialContext
	if o.finder, err = discovery.New(discovery.Options{Dial: dial, RootCAs: f.RootCAs, Log: s.o.Log, Now: s.o.Now}); err != nil {
		return nil, err
	}
	if o.backoff, err = fclient.NewBackoff(s.store, s.o.Log, s.o.Now); err != nil {
		return nil, err
	}
	o.client = fclient.New(fclient.Options{Finder: o.finder, Signer: own.Signer(), Backoff: o.backoff, Dial: dial, RootCAs: f.RootCAs, Tracer: s.o.Tracer, Log: s.o.Log})
	o.policy = &policy.Policy{Store: s.store, Remote: o.client, Log: s.o.Log}
	o.ring, err = keyring.New(keyring.Options{Own: own, Cache: keyring.StoreCache{Store: s.store}, Fetcher: o.client, Notaries: f.Notaries, Log: s.o.Log, Now: s.o.Now})
	return o, err
}

// close ends what is under way and waits for it.
func (o *outside) close() {
	o.ring.Close()
	o.finder.Close()
	o.client.Close()
}

// openInbound makes what answers other servers.
func (s *Server) openInbound(devices *keys.Keys) *inbound.API {
	return inbound.New(inbound.Options{Server: s.o.Name, Version: "dev", Signer: s.signer, Store: s.store, Rooms: s.rooms, Remote: s.outside.client,
		Keys: s.outside.ring, Policy: s.outside.policy, Invite: s.joins.Invite, Heard: s.heard, Accounts: s.accounts, Devices: devices, Directory: s.client, Media: s.media,
		Typing: s.typing, Presence: s.presence, Closed: !s.o.Federation.Enabled, Log: s.o.Log, Now: s.o.Now})
}

// heard tells that another server has made a request.
func (s *Server) heard(ctx context.Context, server string) {
	s.outside.backoff.Heard(ctx, server)
	if s.senders != nil {
		s.senders.Heard(server)
	}
}

// history fetches what isn't here of rooms of other servers, by what answers those, which is made later.
type history struct{ s *Server }

var _ client.History = history{}

// history is nil where other servers are not called.
func (s *Server) history() client.History {
	if !s.o.Federation.Enabled {
		return nil
	}
	return history{s}
}

func (h history) Backfill(ctx context.Context, r store.RoomName, low, high int64) (bool, error) {
	return h.s.inbound.Backfill(ctx, r, low, high)
}

func (h history) Nearest(ctx context.Context, r store.RoomName, ts int64, back bool, better func(int64) bool) (*event.Event, error) {
	return h.s.inbound.Nearest(ctx, r, ts, back, better)
}
