package media

import (
	"context"
	"errors"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Tally is what an act of an administrator touched.
type Tally struct {
	Files int64
	Bytes int64
}

func (t *Tally) add(media []store.Media) {
	for _, m := range media {
		t.Files++
		t.Bytes += m.Size
	}
}

// Info reads what is known of a piece of media, also where it is quarantined or only announced.
func (r *Repo) Info(ctx context.Context, name store.MediaName) (store.Media, error) {
	m, err := r.c.Store.Media(ctx, name.Origin, name.ID)
	if errors.Is(err, store.ErrNotFound) {
		return m, notFound()
	}
	return m, public(err)
}

// Usage tells what a user has stored.
func (r *Repo) Usage(ctx context.Context, user int64) (Tally, error) {
	bytes, files, err := r.c.Store.MediaUsage(ctx, user, 0)
	return Tally{files, bytes}, public(err)
}

// ListByUser lists what a user has uploaded, oldest first, at most limit pieces after a given
// one; the zero Media stands before the first.
func (r *Repo) ListByUser(ctx context.Context, user int64, after store.Media, limit int) ([]store.Media, error) {
	list, err := r.c.Store.MediaOf(ctx, user, after.CreatedTS, after.ID, limit)
	return list, public(err)
}

// Delete deletes a piece of media; 404 if there is none. What is quarantined stays refused.
func (r *Repo) Delete(ctx context.Context, name store.MediaName) error {
	m, err := r.Info(ctx, name)
	if err != nil {
		return err
	}
	return public(r.drop(ctx, []store.Media{m}))
}

// DeleteByUser deletes what a user has uploaded before a time, but not what is protected.
func (r *Repo) DeleteByUser(ctx context.Context, user int64, before time.Time) (t Tally, err error) {
	err = r.eachByUser(ctx, user, func(list []store.Media) error {
		var gone []store.Media
		for _, m := range list {
			if !m.Protected && m.CreatedTS < before.UnixMilli() {
				gone = append(gone, m)
			}
		}
		t.add(gone)
		return r.drop(ctx, gone)
	})
	return t, public(err)
}

func (r *Repo) eachByUser(ctx context.Context, user int64, fn func([]store.Media) error) error {
	var last store.Media
	for {
		list, err := r.c.Store.MediaOf(ctx, user, last.CreatedTS, last.ID, tidyBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		last = list[len(list)-1]
		if err := fn(list); err != nil {
			return err
		}
	}
}

// PurgeCached drops cached media, of other servers mostly, that nobody has asked for since a
// time. It is fetched again when somebody does.
func (r *Repo) PurgeCached(ctx context.Context, before time.Time) (t Tally, err error) {
	// What was asked for a moment ago must not look old.
	if err := r.noteTouched(ctx); err != nil {
		return t, public(err)
	}
	for {
		old, err := r.c.Store.OldestCachedMedia(ctx, before.UnixMilli(), tidyBatch)
		if err != nil || len(old) == 0 {
			return t, public(err)
		}
		if err := r.drop(ctx, old); err != nil {
			return t, public(err)
		}
		t.add(old)
	}
}

// Protect keeps a piece of media from policies and from quarantines of many at once, or ends
// that; 404 if there is none.
func (r *Repo) Protect(ctx context.Context, name store.MediaName, protect bool) error {
	if _, err := r.Info(ctx, name); err != nil {
		return err
	}
	return r.write(ctx, func(tx *store.Tx) error { return tx.ProtectMedia(name.Origin, name.ID, protect) })
}

// Quarantine keeps a piece of media from being served, under any id, and its content from being
// uploaded again; or ends that. Media of another server that is not here is quarantined when it
// is known: until then the answer is 404.
func (r *Repo) Quarantine(ctx context.Context, name store.MediaName, quarantine bool) error {
	m, err := r.Info(ctx, name)
	if err != nil {
		return err
	}
	return public(r.quarantine(ctx, []store.Media{m}, quarantine))
}

func (r *Repo) quarantine(ctx context.Context, media []store.Media, quarantine bool) error {
	now := r.nowMS()
	return r.c.Store.Write(ctx, func(tx *store.Tx) error {
		for _, m := range media {
			if err := tx.QuarantineMedia(m, quarantine, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// QuarantineByUser quarantines all that a user has uploaded, but not what is protected.
func (r *Repo) QuarantineByUser(ctx context.Context, user int64) (t Tally, err error) {
	err = r.eachByUser(ctx, user, func(list []store.Media) error {
		list = unprotected(list)
		t.add(list)
		return r.quarantine(ctx, list, true)
	})
	return t, public(err)
}

// QuarantineByRoom quarantines all media that events of a room speak of, as far as they are not
// encrypted, but not what is protected.
func (r *Repo) QuarantineByRoom(ctx context.Context, room int64) (t Tally, err error) {
	if err := r.readRefs(ctx); err != nil {
		return t, public(err)
	}
	var last store.MediaName
	for {
		names, err := r.c.Store.MediaInRoom(ctx, room, last, tidyBatch)
		if err != nil || len(names) == 0 {
			return t, public(err)
		}
		last = names[len(names)-1]
		var list []store.Media
		for _, name := range names {
			m, err := r.c.Store.Media(ctx, name.Origin, name.ID)
			if errors.Is(err, store.ErrNotFound) {
				continue // of another server, and not here
			}
			if err != nil {
				return t, public(err)
			}
			list = append(list, m)
		}
		list = unprotected(list)
		t.add(list)
		if err := r.quarantine(ctx, list, true); err != nil {
			return t, public(err)
		}
	}
}

func unprotected(list []store.Media) []store.Media {
	var out []store.Media
	for _, m := range list {
		if !m.Protected {
			out = append(out, m)
		}
	}
	return out
}
