package accounts

import (
	"context"
	"log/slog"
	"sync"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

const (
	// seenEveryMS is how often the use of a device is recorded at most.
	seenEveryMS = 60_000
	// seenQueue is how many records may wait; more are left for the device's next request.
	seenQueue = 1024
)

type sighting struct {
	device, at int64
	ip, agent  string
}

// seenRecorder writes down when devices were last used, behind everybody's back.
type seenRecorder struct {
	store *store.Store
	log   *slog.Logger
	queue chan sighting
	ended chan struct{}

	mu     sync.RWMutex
	closed bool
}

func newSeenRecorder(s *store.Store, log *slog.Logger) *seenRecorder {
	r := &seenRecorder{store: s, log: log, queue: make(chan sighting, seenQueue), ended: make(chan struct{})}
	go r.run()
	return r
}

func (r *seenRecorder) note(s *Session, nowMS int64, ip, agent string) {
	last := s.seen.Load()
	if nowMS-last < seenEveryMS || !s.seen.CompareAndSwap(last, nowMS) {
		return
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return
	}
	select {
	case r.queue <- sighting{s.Device, nowMS, ip, agent}:
	default:
		s.seen.CompareAndSwap(nowMS, last) // so that the next request tries again
	}
}

func (r *seenRecorder) run() {
	defer close(r.ended)
	for first := range r.queue {
		batch := []sighting{first}
		for n := len(r.queue); n > 0; n-- {
			batch = append(batch, <-r.queue)
		}
		err := r.store.Write(context.Background(), func(tx *store.Tx) error {
			for _, s := range batch {
				if err := tx.DeviceSeen(s.device, s.at, s.ip, s.agent); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			r.log.Warn("could not record when devices were last used", "devices", len(batch), "err", err)
		}
	}
}

func (r *seenRecorder) close() {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.queue)
	}
	r.mu.Unlock()
	<-r.ended
}
