package console

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/web/page"
)

// Bounds of sign-ins: how long they are good at most and without use, and how many there are.
const (
	signInIdle = time.Hour
	signIns    = 1000
)

// Keeper keeps who is signed in, in memory: a restart signs everybody out. Whether somebody is an
// administrator, or shut out, is looked up each time.
type Keeper struct {
	store *store.Store
	now   func() time.Time

	mu sync.Mutex
	of map[string]*signedIn
}

type signedIn struct {
	user         int64
	since, until time.Time // until it is used again
}

var _ page.Keeper = (*Keeper)(nil)

// NewKeeper makes a Keeper. now may be nil.
func NewKeeper(s *store.Store, now func() time.Time) *Keeper {
	if now == nil {
		now = time.Now
	}
	return &Keeper{store: s, now: now, of: map[string]*signedIn{}}
}

// BeginSession implements page.Keeper.
func (k *Keeper) BeginSession(_ context.Context, user int64) (string, time.Duration, error) {
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	var oldest string
	for token, s := range k.of {
		if now.After(s.until) {
			delete(k.of, token)
		} else if oldest == "" || s.since.Before(k.of[oldest].since) {
			oldest = token
		}
	}
	if len(k.of) >= signIns {
		delete(k.of, oldest)
	}
	token := rand.Text() + rand.Text()
	k.of[token] = &signedIn{user, now, now.Add(signInIdle)}
	return token, signInLife, nil
}

// FindSession implements page.Keeper.
func (k *Keeper) FindSession(ctx context.Context, token string) (*page.Session, error) {
	now := k.now()
	k.mu.Lock()
	s, ok := k.of[token]
	if ok && (now.After(s.until) || now.Sub(s.since) > signInLife) {
		delete(k.of, token)
		ok = false
	}
	if !ok {
		k.mu.Unlock()
		return nil, page.ErrNoSession
	}
	s.until = now.Add(signInIdle)
	found := &page.Session{User: s.user, Since: s.since}
	k.mu.Unlock()
	account, err := k.store.Account(ctx, found.User)
	if errors.Is(err, store.ErrNotFound) || err == nil && (account.DeactivatedTS != 0 || account.Locked || account.Suspended) {
		return nil, errors.Join(page.ErrNoSession, k.EndSession(ctx, token))
	}
	if err != nil {
		return nil, err
	}
	found.Admin = account.Admin
	found.UserID, err = k.store.UserID(ctx, found.User)
	return found, err
}

// EndSession implements page.Keeper.
func (k *Keeper) EndSession(_ context.Context, token string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.of, token)
	return nil
}
