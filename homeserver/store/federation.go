package store

import (
	"context"
	"errors"
)

// ServerKeys are the signing keys of another server.
type ServerKeys struct {
	Server string
	// Response is what the server said last, as JSON, and FetchedTS when, in milliseconds.
	Response  []byte
	FetchedTS int64
	Keys      []ServerKey
}

// ServerKey is one of them. An expired key is only good for events until ValidUntilTS.
type ServerKey struct {
	ID           string
	Public       []byte
	ValidUntilTS int64
	Expired      bool
	// Response is what the server said when it last named the key, if it names it no more; else nil.
	Response []byte
}

// ServerKeys reads what is known of a server's keys; ErrNotFound if that is nothing.
func (s *Store) ServerKeys(ctx context.Context, server string) (ServerKeys, error) {
	k := ServerKeys{Server: server}
	if err := s.row(ctx, "server_key_response_get", server).Scan(&k.Response, &k.FetchedTS); err != nil {
		return k, err
	}
	var err error
	k.Keys, err = collect(ctx, s, "server_keys_get", func(r scanner) (key ServerKey, err error) {
		var expired int
		err = r.Scan(&key.ID, &key.Public, &key.ValidUntilTS, &expired, &key.Response)
		key.Expired = expired != 0
		return key, err
	}, server)
	return k, err
}

// SetServerKeys keeps a server's keys. Those that it had before and that aren't given stay.
func (t *Tx) SetServerKeys(k ServerKeys) error {
	for _, key := range k.Keys {
		expired := 0
		if key.Expired {
			expired = 1
		}
		if err := t.exec("server_key_put", k.Server, key.ID, key.Public, key.ValidUntilTS, expired, key.Response); err != nil {
			return err
		}
	}
	return t.exec("server_key_response_put", k.Server, k.Response, k.FetchedTS)
}

// Backoff tells that a server could not be reached: how often in a row, since when, and when to
// try again, in milliseconds. The zero Backoff is that of a server that answers.
type Backoff struct{ Failures, SinceTS, RetryTS int64 }

// Backoff reads a server's.
func (s *Store) Backoff(ctx context.Context, server string) (b Backoff, err error) {
	err = s.row(ctx, "destination_backoff_get", server).Scan(&b.Failures, &b.SinceTS, &b.RetryTS)
	if errors.Is(err, ErrNotFound) {
		return Backoff{}, nil
	}
	return b, err
}

// SetBackoff keeps a server's.
func (t *Tx) SetBackoff(server string, b Backoff) error {
	if b == (Backoff{}) {
		return t.exec("destination_backoff_delete", server)
	}
	return t.exec("destination_backoff_put", server, b.Failures, b.SinceTS, b.RetryTS)
}
