package console

import (
	"crypto/rand"
	"sync"
	"time"
)

// Bounds of what is kept in memory of what people are in the middle of.
const (
	keptLife = time.Hour
	keptMax  = 100
)

// kept are things that must not go into pages, because of secrets in them; each is of one user, and is
// named by a key that can't be guessed. It is safe for concurrent use.
type kept[T any] struct {
	mu sync.Mutex
	of map[string]keptOne[T]
}

type keptOne[T any] struct {
	value T
	user  int64
	until time.Time
}

func (k *kept[T]) put(now time.Time, user int64, value T) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, old := range k.of {
		if now.After(old.until) || len(k.of) >= keptMax {
			delete(k.of, key)
		}
	}
	if k.of == nil {
		k.of = map[string]keptOne[T]{}
	}
	key := rand.Text()
	k.of[key] = keptOne[T]{value, user, now.Add(keptLife)}
	return key
}

// get finds what a user has put.
func (k *kept[T]) get(now time.Time, key string, user int64) (value T, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	one, ok := k.of[key]
	if !ok || one.user != user || now.After(one.until) {
		return value, false
	}
	return one.value, true
}

func (k *kept[T]) drop(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.of, key)
}
