package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
)

// StateKey is the (type, state_key) pair under which state is kept.
type StateKey struct{ Type, Key string }

// nameCache bounds the names kept in memory, of each sort.
const nameCache = 32768

// names are the caches of user names and state keys, both ways.
type names struct {
	// mu is held while a name is being numbered. The writer never takes it: it would wait for
	// somebody who waits for room in the writer's queue.
	mu      sync.Mutex
	users   *lru.Cache[string, int64]
	userIDs *lru.Cache[int64, string]
	keys    *lru.Cache[StateKey, int64]
	keyIDs  *lru.Cache[int64, StateKey]
	// unused are pairs that no event ever had, such as the policy server of most rooms, which every send asks for. allotted counts
	// the pairs that have got a number.
	unused   *lru.Cache[StateKey, struct{}]
	allotted atomic.Int64
	// servers are those of committed transactions only.
	servers   *lru.Cache[string, int64]
	serverIDs *lru.Cache[int64, string]
}

func (n *names) init() {
	// New fails only for a size that is not positive.
	n.users, _ = lru.New[string, int64](nameCache)
	n.userIDs, _ = lru.New[int64, string](nameCache)
	n.keys, _ = lru.New[StateKey, int64](nameCache)
	n.keyIDs, _ = lru.New[int64, StateKey](nameCache)
	n.unused, _ = lru.New[StateKey, struct{}](nameCache)
	n.servers, _ = lru.New[string, int64](nameCache)
	n.serverIDs, _ = lru.New[int64, string](nameCache)
}

func (n *names) purge() {
	n.users.Purge()
	n.unused.Purge()
	n.userIDs.Purge()
	n.keys.Purge()
	n.keyIDs.Purge()
}

func (n *names) addServer(id string, nid int64) { n.servers.Add(id, nid); n.serverIDs.Add(nid, id) }
func (n *names) addUser(id string, nid int64)   { n.users.Add(id, nid); n.userIDs.Add(nid, id) }
func (n *names) addKey(k StateKey, nid int64)   { n.keys.Add(k, nid); n.keyIDs.Add(nid, k) }

// UserNID finds a user's number; ErrNotFound if the user was never heard of.
func (s *Store) UserNID(ctx context.Context, id string) (int64, error) {
	if nid, ok := s.names.users.Get(id); ok {
		return nid, nil
	}
	var nid int64
	if err := s.row(ctx, "user_by_id", id).Scan(&nid); err != nil {
		return 0, err
	}
	s.names.addUser(id, nid)
	return nid, nil
}

// UserID is the user of a number.
func (s *Store) UserID(ctx context.Context, nid int64) (string, error) {
	if id, ok := s.names.userIDs.Get(nid); ok {
		return id, nil
	}
	var id string
	if err := s.row(ctx, "user_by_nid", nid).Scan(&id); err != nil {
		return "", fmt.Errorf("user %d: %w", nid, err)
	}
	s.names.addUser(id, nid)
	return id, nil
}

// StateKeyNID finds the number of a pair; ErrNotFound if no event ever had it.
func (s *Store) StateKeyNID(ctx context.Context, k StateKey) (int64, error) {
	if nid, ok := s.names.keys.Get(k); ok {
		return nid, nil
	}
	allotted := s.names.allotted.Load()
	if _, ok := s.names.unused.Get(k); ok {
		return 0, ErrNotFound
	}
	var nid int64
	err := s.row(ctx, "state_key_by_name", k.Type, k.Key).Scan(&nid)
	if errors.Is(err, ErrNotFound) && s.names.mu.TryLock() { // whoever holds it may have to wait for whoever asks
		if s.names.allotted.Load() == allotted && !s.names.keys.Contains(k) {
			s.names.unused.Add(k, struct{}{})
		}
		s.names.mu.Unlock()
	}
	if err != nil {
		return 0, err
	}
	s.names.addKey(k, nid)
	return nid, nil
}

// StateKey is the pair of a number.
func (s *Store) StateKey(ctx context.Context, nid int64) (StateKey, error) {
	if k, ok := s.names.keyIDs.Get(nid); ok {
		return k, nil
	}
	var k StateKey
	if err := s.row(ctx, "state_key_by_nid", nid).Scan(&k.Type, &k.Key); err != nil {
		return k, fmt.Errorf("state key %d: %w", nid, err)
	}
	s.names.addKey(k, nid)
	return k, nil
}

// NameUser finds or allots a user's number. A fresh one is written ahead of whatever the caller
// submits next; if that fails, a new epoch begins and the caller's write fails as stale.
func (s *Store) NameUser(ctx context.Context, id string) (int64, error) {
	if nid, err := s.UserNID(ctx, id); !errors.Is(err, ErrNotFound) {
		return nid, err
	}
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	if nid, err := s.UserNID(ctx, id); !errors.Is(err, ErrNotFound) {
		return nid, err
	}
	epoch, nid := s.Epoch(), s.counters.user.Add(1)
	if err := s.Submit(ctx, epoch, func(t *Tx) error { return t.putName("user", nid, id) }, func(error) {}); err != nil {
		return 0, err
	}
	s.names.addUser(id, nid)
	if s.Epoch() != epoch {
		s.names.purge() // the purge at the start of the epoch may have come before the addition
		return 0, ErrStale
	}
	return nid, nil
}

// NameStateKey finds or allots the number of a pair, as NameUser does.
func (s *Store) NameStateKey(ctx context.Context, k StateKey) (int64, error) {
	if nid, err := s.StateKeyNID(ctx, k); !errors.Is(err, ErrNotFound) {
		return nid, err
	}
	s.names.mu.Lock()
	defer s.names.mu.Unlock()
	if nid, err := s.StateKeyNID(ctx, k); !errors.Is(err, ErrNotFound) {
		return nid, err
	}
	epoch, nid := s.Epoch(), s.counters.key.Add(1)
	if err := s.Submit(ctx, epoch, func(t *Tx) error { return t.putName("state_key", nid, k.Type, k.Key) }, func(error) {}); err != nil {
		return 0, err
	}
	s.names.addKey(k, nid)
	s.names.unused.Remove(k)
	s.names.allotted.Add(1)
	if s.Epoch() != epoch {
		s.names.purge()
		return 0, ErrStale
	}
	return nid, nil
}

// NameUser is Store.NameUser within a transaction.
func (t *Tx) NameUser(id string) (int64, error) {
	var nid int64
	if err := t.row("user_by_id", id).Scan(&nid); !errors.Is(err, ErrNotFound) {
		return nid, err
	}
	// The name may have a number already whose own write is still in the queue behind us.
	nid, ok := t.w.s.names.users.Get(id)
	if !ok {
		nid = t.w.s.counters.user.Add(1)
	}
	return nid, t.putName("user", nid, id)
}

// putName writes a name under its number, unless a write that overtook this one has. Two
// numbers for one name can't be: the second fails, which begins a new epoch.
func (t *Tx) putName(table string, nid int64, name ...any) error {
	var have int64
	query := map[string]string{"user": "user_by_id", "state_key": "state_key_by_name"}[table]
	switch err := t.row(query, name...).Scan(&have); {
	case errors.Is(err, ErrNotFound):
		return t.exec(table+"_insert", append([]any{nid}, name...)...)
	case err != nil:
		return err
	case have != nid:
		return fmt.Errorf("%s %v has number %d, not %d", table, name, have, nid)
	}
	return nil
}
