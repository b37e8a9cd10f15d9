package unread

import "sync"

// cache is a bounded map of what is made from the database, and forgotten when that changes.
type cache[K comparable, V any] struct {
	mu     sync.Mutex
	m      map[K]V
	weight int
	max    int
	// weigh is how much of max a value takes; nil means 1.
	weigh func(V) int
	// forgets counts the calls of forget; see put.
	forgets int64
}

func newCache[K comparable, V any](most int, weigh func(V) int) *cache[K, V] {
	if weigh == nil {
		weigh = func(V) int { return 1 }
	}
	return &cache[K, V]{m: map[K]V{}, max: most, weigh: weigh}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.m[k]
	return v, ok
}

// mark is to be taken before a value is read from the database; see put.
func (c *cache[K, V]) mark() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgets
}

// put keeps a value, unless something was forgotten since the mark was taken: it may have been
// this.
func (c *cache[K, V]) put(k K, v V, mark int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgets == mark {
		c.set(k, v)
	}
}

// set keeps a value. What goes for it is left to chance: that costs nothing to keep track of.
func (c *cache[K, V]) set(k K, v V) {
	c.drop(k)
	c.m[k] = v
	c.weight += c.weigh(v)
	for other := range c.m {
		if c.weight <= c.max {
			return
		}
		if other != k {
			c.drop(other)
		}
	}
}

func (c *cache[K, V]) drop(k K) {
	if v, ok := c.m[k]; ok {
		c.weight -= c.weigh(v)
		delete(c.m, k)
	}
}

// forget forgets a value.
func (c *cache[K, V]) forget(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgets++
	c.drop(k)
}
