package sync

import (
	"context"
	"errors"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

const ignoredType = "m.ignored_user_list"

// ignoredCache remembers whom users ignore, as of a position of their account data.
type ignoredCache = lru.Cache[int64, ignoredList]

type ignoredList struct {
	at    int64
	users map[string]bool
}

// ignoredMax is how many users' lists are remembered.
const ignoredMax = 4096

func newIgnoredCache() *ignoredCache {
	c, _ := lru.New[int64, ignoredList](ignoredMax)
	return c
}

// Ignored lists whom a user ignores. newest is the position of the user's newest account data.
func (s *Syncer) Ignored(ctx context.Context, user, newest int64) (map[string]bool, error) {
	if have, ok := s.ignored.Get(user); ok && have.at >= newest {
		return have.users, nil
	}
	d, err := s.o.Store.AccountData(ctx, user, 0, ignoredType)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	users := map[string]bool{}
	gjson.Get(d.Content, "ignored_users").ForEach(func(k, _ gjson.Result) bool {
		users[k.Str] = true
		return true
	})
	s.ignored.Add(user, ignoredList{newest, users})
	return users, nil
}

// hides tells whether an event is by somebody whom the user ignores: specification, "Ignoring
// Users": "the client will no longer receive events sent by that user, with the exception of state
// events."
func (b *builder) hides(e *event.Event) bool {
	return !e.IsState() && b.ignored[string(e.Sender)]
}
