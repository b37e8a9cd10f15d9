package store

import (
	"context"
	"errors"
)

// DeviceName names a device as other users know it; the keys of devices are kept by it, since
// devices of other servers have no row.
type DeviceName struct {
	User int64
	ID   string
}

// OneTimeKey is a key that is handed out once (or, for a fallback key, while no other is left).
type OneTimeKey struct {
	Algorithm, ID string
	// JSON is the key as it was uploaded.
	JSON string
}

// AddOneTimeKey adds a key behind the others of its algorithm. If the device has a key of this
// id already, nothing is written and the JSON of that one is returned; so it is with the same key where
// it has been given out, which must not happen twice. Another key may have the id of one that was given out.
func (t *Tx) AddOneTimeKey(d DeviceName, k OneTimeKey) (have string, err error) {
	var seq, taken int64
	err = t.row("one_time_key_get", d.User, d.ID, k.Algorithm, k.ID).Scan(&seq, &have, &taken)
	switch {
	case err == nil && (taken == 0 || have == k.JSON):
		return have, nil
	case err == nil:
		if err := t.exec("one_time_key_drop", seq); err != nil {
			return "", err
		}
	case !errors.Is(err, ErrNotFound):
		return "", err
	}
	return "", t.exec("one_time_key_put", t.w.s.counters.otk.Add(1), d.User, d.ID, k.Algorithm, k.ID, k.JSON)
}

// TakeOneTimeKey returns the oldest key of an algorithm, and counts it as given out at a time, in milliseconds;
// ErrNotFound if none is left.
func (t *Tx) TakeOneTimeKey(d DeviceName, algorithm string, now int64) (OneTimeKey, error) {
	k := OneTimeKey{Algorithm: algorithm}
	var seq int64
	if err := t.row("one_time_key_next", d.User, d.ID, algorithm).Scan(&seq, &k.ID, &k.JSON); err != nil {
		return k, err
	}
	return k, t.exec("one_time_key_take", seq, now)
}

// ForgetTakenKeys forgets which of a device's keys were given out before a time, in milliseconds.
func (t *Tx) ForgetTakenKeys(d DeviceName, before int64) error {
	return t.exec("one_time_key_forget", d.User, d.ID, before)
}

// OneTimeKeyCounts counts a device's keys by algorithm.
func (s *Store) OneTimeKeyCounts(ctx context.Context, d DeviceName) (map[string]int, error) {
	counts := map[string]int{}
	err := s.each(ctx, "one_time_key_count", scanCount(counts), d.User, d.ID)
	return counts, err
}

// OneTimeKeyCounts is Store.OneTimeKeyCounts as the transaction sees it.
func (t *Tx) OneTimeKeyCounts(d DeviceName) (map[string]int, error) {
	counts := map[string]int{}
	err := t.each("one_time_key_count", scanCount(counts), d.User, d.ID)
	return counts, err
}

func scanCount(into map[string]int) func(scanner) error {
	return func(r scanner) error {
		var name string
		var n int
		err := r.Scan(&name, &n)
		into[name] = n
		return err
	}
}

// SetFallbackKey replaces a device's fallback key of an algorithm; it counts as unused, unless
// it is the very key that is there already.
func (t *Tx) SetFallbackKey(d DeviceName, k OneTimeKey) error {
	have, _, err := t.fallbackKey(d, k.Algorithm)
	if err == nil && have == k {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return t.exec("fallback_key_put", d.User, d.ID, k.Algorithm, k.ID, k.JSON)
}

func (t *Tx) fallbackKey(d DeviceName, algorithm string) (k OneTimeKey, used int, err error) {
	k.Algorithm = algorithm
	err = t.row("fallback_key_get", d.User, d.ID, algorithm).Scan(&k.ID, &k.JSON, &used)
	return k, used, err
}

// UseFallbackKey returns a device's fallback key of an algorithm and marks it as used;
// ErrNotFound if it has none.
func (t *Tx) UseFallbackKey(d DeviceName, algorithm string) (OneTimeKey, error) {
	k, used, err := t.fallbackKey(d, algorithm)
	if err != nil || used != 0 {
		return k, err
	}
	return k, t.exec("fallback_key_used", d.User, d.ID, algorithm)
}

// UnusedFallbackKeys lists the algorithms for which a device has a fallback key that nobody has
// been given yet.
func (s *Store) UnusedFallbackKeys(ctx context.Context, d DeviceName) ([]string, error) {
	return collect(ctx, s, "fallback_key_unused", func(r scanner) (a string, err error) { return a, r.Scan(&a) }, d.User, d.ID)
}

// KeyChanges counts the changes of anybody's one-time and fallback keys since the start: what was
// read after it was taken is as good as long as it has not moved.
func (s *Store) KeyChanges() int64 { return s.counters.keyChanges.Load() }
