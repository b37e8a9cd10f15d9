package keyring

import (
	"context"
	"encoding/json/jsontext"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// StoreCache keeps keys in the database.
type StoreCache struct{ Store *store.Store }

var _ Cache = StoreCache{}

// LoadKeys implements Cache.
func (c StoreCache) LoadKeys(ctx context.Context, server string) (*Stored, error) {
	k, err := c.Store.ServerKeys(ctx, server)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &Stored{Server: server, Response: k.Response, FetchedTS: k.FetchedTS, Keys: map[string]Key{}, Past: map[string]jsontext.Value{}}
	for _, key := range k.Keys {
		s.Keys[key.ID] = Key{Public: key.Public, ValidUntil: key.ValidUntilTS, Expired: key.Expired}
		if key.Response != nil {
			s.Past[key.ID] = key.Response
		}
	}
	return s, nil
}

// SaveKeys implements Cache.
func (c StoreCache) SaveKeys(ctx context.Context, s *Stored) error {
	k := store.ServerKeys{Server: s.Server, Response: s.Response, FetchedTS: s.FetchedTS}
	for id, key := range s.Keys {
		k.Keys = append(k.Keys, store.ServerKey{ID: id, Public: key.Public, ValidUntilTS: key.ValidUntil, Expired: key.Expired, Response: s.Past[id]})
	}
	return c.Store.Write(ctx, func(t *store.Tx) error { return t.SetServerKeys(k) })
}
