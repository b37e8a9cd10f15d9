package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

const (
	// tidyEvery is how often Run looks after what is kept.
	tidyEvery = 10 * time.Minute
	// tidyBatch is how many pieces of media are looked at in one go.
	tidyBatch = 200
)

// Run looks after what is kept, until ctx ends: it notes what was used, drops reservations that
// ran out, what is too much in the cache, and what no event speaks of any more, as configured.
func (r *Repo) Run(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	tidy := r.Tidy
	for {
		if err := tidy(ctx); err != nil && ctx.Err() == nil {
			r.c.Log.ErrorContext(ctx, "looking after media", "err", err)
		}
		select {
		case <-tick.C:
			tidy = r.Tidy
		case <-r.trim:
			tidy = r.trimCache
		case <-ctx.Done():
			return nil
		}
	}
}

// readRefs reads the mentions in events that are older than the table of mentions.
func (r *Repo) readRefs(ctx context.Context) error {
	for {
		if done, err := r.c.Store.ReadMediaRefs(ctx); done || err != nil {
			return err
		}
	}
}

// trimSoon lets Run look at the cache before its time.
func (r *Repo) trimSoon() {
	select {
	case r.trim <- struct{}{}:
	default:
	}
}

// Tidy does once what Run does time and again.
func (r *Repo) Tidy(ctx context.Context) error {
	return errors.Join(r.noteTouched(ctx),
		r.c.Store.Write(ctx, func(tx *store.Tx) error { return tx.DropExpiredMedia(r.nowMS()) }),
		r.trimCache(ctx), r.trimThumbnails(ctx), r.deleteUnreferred(ctx))
}

func (r *Repo) noteTouched(ctx context.Context) error {
	r.touchMu.Lock()
	touched := r.touched
	r.touched = map[store.MediaName]int64{}
	r.touchMu.Unlock()
	if len(touched) == 0 {
		return nil
	}
	return r.c.Store.Write(ctx, func(tx *store.Tx) error {
		for name, ms := range touched {
			if err := tx.TouchMedia(name.Origin, name.ID, ms); err != nil {
				return err
			}
		}
		return nil
	})
}

// trimCache drops cached media: what nobody asked for lately, and then, until the rest fits, what
// was asked for the longest time ago.
func (r *Repo) trimCache(ctx context.Context) error {
	if r.c.CacheAge > 0 {
		if _, err := r.PurgeCached(ctx, r.c.Now().Add(-r.c.CacheAge)); err != nil {
			return err
		}
	}
	size, err := r.c.Store.CachedMediaBytes(ctx)
	for err == nil && size > r.c.CacheBytes {
		var old []store.Media
		if old, err = r.c.Store.OldestCachedMedia(ctx, r.nowMS()+1, tidyBatch); err != nil || len(old) == 0 {
			return err
		}
		for i, m := range old {
			if size -= m.Size; size <= r.c.CacheBytes {
				old = old[:i+1]
				break
			}
		}
		err = r.drop(ctx, old)
	}
	return err
}

// drop deletes pieces of media, and what bytes nobody has any more.
func (r *Repo) drop(ctx context.Context, media []store.Media) error {
	err := r.c.Store.Write(ctx, func(tx *store.Tx) error {
		for _, m := range media {
			if err := tx.DeleteMedia(m.Origin, m.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range media {
		if err := r.removeUnused(ctx, m.Hash); err != nil {
			return err
		}
	}
	return nil
}

// trimThumbnails removes the oldest thumbnails until the rest fits.
func (r *Repo) trimThumbnails(ctx context.Context) error {
	type file struct {
		path string
		size int64
		made time.Time
	}
	var files []file
	var total int64
	err := filepath.WalkDir(filepath.Join(r.c.Dir, thumbnailDir), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		total += info.Size()
		files = append(files, file{path, info.Size(), info.ModTime()})
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking at thumbnails: %w", err)
	}
	if total <= r.c.ThumbnailBytes {
		return nil
	}
	slices.SortFunc(files, func(a, b file) int { return a.made.Compare(b.made) })
	for _, f := range files {
		// Some room is made at once, so that the next one doesn't begin this anew.
		if total <= r.c.ThumbnailBytes/10*9 {
			break
		}
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a thumbnail: %w", err)
		}
		total -= f.size
	}
	return nil
}

// deleteUnreferred deletes what the last event that spoke of it was redacted some time ago, if
// nothing else that can be read speaks of it.
func (r *Repo) deleteUnreferred(ctx context.Context) error {
	if r.c.DeleteRedacted <= 0 {
		return nil
	}
	if err := r.readRefs(ctx); err != nil {
		return fmt.Errorf("reading which media older events speak of: %w", err)
	}
	var gone []store.Media
	now := r.nowMS()
	err := r.c.Store.Write(ctx, func(tx *store.Tx) error {
		gone = nil
		names, err := tx.UnreferredMedia(now, now-r.c.DeleteRedacted.Milliseconds(), tidyBatch)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := tx.DropUnreferred(name); err != nil {
				return err
			}
			m, err := tx.Media(name.Origin, name.ID)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			referred, err := tx.MediaReferred(name)
			if err != nil {
				return err
			}
			// What is quarantined is evidence.
			if referred || m.Protected || m.Quarantined {
				continue
			}
			if err := tx.DeleteMedia(name.Origin, name.ID); err != nil {
				return err
			}
			gone = append(gone, m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range gone {
		r.c.Log.InfoContext(ctx, "media deleted with the last event that spoke of it", "origin", m.Origin, "media", m.ID)
		if err := r.removeUnused(ctx, m.Hash); err != nil {
			return err
		}
	}
	return nil
}
