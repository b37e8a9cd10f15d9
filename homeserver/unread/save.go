package unread

import (
	"context"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// saver stores memos behind the back of those who count.
type saver struct {
	mu      sync.Mutex
	waiting map[place]*memo
	wake    chan struct{}
}

// Bounds of storing: how many memos may wait (what goes beyond is not stored), how many go into
// one write, and how long they wait for others.
const (
	saveWaiting = 10_000
	saveBatch   = 256
	saveEvery   = 5 * time.Second
)

func newSaver() saver { return saver{waiting: map[place]*memo{}, wake: make(chan struct{}, 1)} }

func (s *saver) put(at place, m *memo) {
	s.mu.Lock()
	if _, ok := s.waiting[at]; ok || len(s.waiting) < saveWaiting {
		s.waiting[at] = m
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take takes out a batch.
func (s *saver) take() map[place]*memo {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[place]*memo, min(len(s.waiting), saveBatch))
	for at, m := range s.waiting {
		if len(out) == saveBatch {
			break
		}
		out[at] = m
		delete(s.waiting, at)
	}
	return out
}

// Run stores memos until ctx ends, and what is left then.
func (c *Counter) Run(ctx context.Context) error {
	t := time.NewTimer(saveEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return c.Save(context.WithoutCancel(ctx))
		case <-c.saver.wake:
		}
		t.Reset(saveEvery)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		if err := c.Save(context.WithoutCancel(ctx)); err != nil {
			c.o.Log.WarnContext(ctx, "storing unread memos failed; they will be counted again", "err", err)
		}
	}
}

// Save stores the memos that wait for it.
func (c *Counter) Save(ctx context.Context) error {
	for {
		batch := c.saver.take()
		if len(batch) == 0 {
			return nil
		}
		raws := make(map[place][]byte, len(batch))
		for at, m := range batch {
			raw, err := m.encode()
			if err != nil {
				return err
			}
			raws[at] = raw
		}
		err := c.o.Store.Write(ctx, func(t *store.Tx) error {
			for at, raw := range raws {
				if err := t.SetUnreadMemo(at.user, at.room, raw); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
