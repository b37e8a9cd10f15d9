package discord

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

var (
	errOutboxFull = errors.New("too many messages are waiting to be sent to this channel")
	errUncertain  = errors.New("the connection was lost before Discord had answered; the message may not have arrived")
)

// doer does jobs.
type doer interface {
	// do does a job. An error that is not permanent has it done again.
	do(context.Context, *job) error
	// settled is told of each job that is done, or has failed for good.
	settled(context.Context, *job, error)
	// freed is told of a channel when such a job has left the outbox. It must not wait.
	freed(wire.ID)
}

// outbox does what is stored, in order for each channel. Channels do not wait for each
// other.
type outbox struct {
	store *store
	log   *slog.Logger
	limit int
	doer  doer

	mu      sync.Mutex
	queues  map[wire.ID][]*job
	working map[wire.ID]bool
	ctx     context.Context // while running
	work    appservice.Work
	again   chan struct{} // closed to end all waiting
}

func newOutbox(st *store, log *slog.Logger, limit int, d doer) *outbox {
	return &outbox{
		store: st, log: log, limit: limit, doer: d,
		queues: make(map[wire.ID][]*job), working: make(map[wire.ID]bool), again: make(chan struct{}),
	}
}

// load takes over what an earlier run has left.
func (b *outbox) load(ctx context.Context) error {
	if err := b.store.prune(ctx); err != nil {
		return err
	}
	list, err := b.store.jobs(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queues = make(map[wire.ID][]*job)
	for _, j := range list {
		b.queues[j.Channel] = append(b.queues[j.Channel], j)
	}
	return nil
}

// waiting is how many jobs a channel has.
func (b *outbox) waiting(channel wire.ID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queues[channel])
}

// targets are those whom the jobs of a guild are about, who are to be kicked or banned, or not to be banned any more.
func (b *outbox) targets(guild wire.ID) map[wire.ID]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make(map[wire.ID]bool)
	for _, j := range b.queues[guild] {
		switch j.Kind {
		case jobKick, jobBan, jobUnban:
			list[j.TargetID] = true
		}
	}
	return list
}

// poke ends the waiting of channels that wait to try again.
func (b *outbox) poke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.again)
	b.again = make(chan struct{})
}

// add stores a job to be done, and what with stores in the same transaction. It does
// not wait for Discord.
func (b *outbox) add(ctx context.Context, j *job, with func(context.Context) error) error {
	// Storing and queueing under one lock keeps the order of both the same.
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queues[j.Channel]) >= b.limit {
		return errOutboxFull
	}
	if err := b.store.putJob(ctx, j, with); err != nil {
		return err
	}
	b.queues[j.Channel] = append(b.queues[j.Channel], j)
	b.startLocked(j.Channel)
	return nil
}

// run does jobs until ctx is done.
func (b *outbox) run(ctx context.Context) {
	b.mu.Lock()
	b.ctx = ctx
	for ch := range b.queues {
		b.startLocked(ch)
	}
	b.mu.Unlock()
	<-ctx.Done()
	b.mu.Lock()
	b.ctx = nil
	b.mu.Unlock()
	b.work.Wait()
}

// startLocked starts the worker of a channel that has something to do and none.
func (b *outbox) startLocked(ch wire.ID) {
	if b.ctx == nil || b.working[ch] || len(b.queues[ch]) == 0 {
		return
	}
	b.working[ch] = true
	ctx := b.ctx
	b.work.Go(func() { b.drain(ctx, ch) })
}

// drain does the jobs of a channel until there are none.
func (b *outbox) drain(ctx context.Context, ch wire.ID) {
	wait := time.Second
	for {
		b.mu.Lock()
		if len(b.queues[ch]) == 0 || ctx.Err() != nil {
			delete(b.working, ch)
			if len(b.queues[ch]) == 0 {
				delete(b.queues, ch)
			}
			b.mu.Unlock()
			return
		}
		j, again := b.queues[ch][0], b.again
		b.mu.Unlock()

		err := b.doer.do(ctx, j)
		if err != nil && !permanent(err) {
			if ctx.Err() != nil {
				continue
			}
			b.log.Warn("Discord has not taken something, trying again", "channel", ch, "error", err, "in", wait)
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-again:
				timer.Stop()
			case <-ctx.Done():
				timer.Stop()
			}
			wait = min(2*wait, 30*time.Second)
			continue
		}
		wait = time.Second
		if err := b.store.jobDone(context.WithoutCancel(ctx), j.seq); err != nil {
			b.log.Error("a message is done and that is not stored", "error", err)
		}
		b.doer.settled(context.WithoutCancel(ctx), j, err)
		b.mu.Lock()
		b.queues[ch] = b.queues[ch][1:]
		b.mu.Unlock()
		b.doer.freed(ch)
	}
}

// failure is a reason for which a job will never be done.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// permanent reports whether trying again is of no use.
func permanent(err error) bool {
	var f failure
	return errors.As(err, &f) || api.Refused(err) || errors.Is(err, errUncertain)
}
