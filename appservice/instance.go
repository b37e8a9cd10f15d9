package appservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/appservice/zlog"
)

// instance is one bridge of the host: its configuration, its status, and the
// goroutine that keeps it running.
type instance struct {
	id      string
	host    *Host
	log     *slog.Logger
	metrics *instanceMetrics

	// life orders Start, Stop and Restart.
	life sync.Mutex
	stop context.CancelFunc // ends the keeper; nil when there is none; with life
	done chan struct{}      // closed when the keeper has ended; with life

	mu      sync.Mutex
	held    bool // it is not to start
	config  Instance
	reg     Registration
	status  InstanceStatus
	run     *run          // takes transactions; nil when there is none
	changed chan struct{} // closed when status changes
}

// errStopped is why a keeper ends.
var errStopped = errors.New("stopped")

// env is what a bridge gets; r is nil when only its configuration is checked.
func (in *instance) env(cfg Instance, r *run) Env {
	spawn := func(f func()) { go f() }
	if r != nil {
		spawn = r.goroutine
	}
	var links Links
	if f := in.host.opts.Links; f != nil {
		links = f(cfg.ID)
	}
	return Env{
		Go:      spawn,
		Links:   links,
		ID:      cfg.ID,
		Config:  cfg.Config,
		Log:     in.log,
		Zerolog: zlog.New(in.log, nil),
		HTTP:    in.host.opts.HTTP,
		DataDir: filepath.Join(in.host.opts.Dir, cfg.ID),

		AliasPrefix: cfg.AliasPrefix,
	}
}

// start begins the instance's life, if it has none, and waits until its first
// attempt to start has an outcome.
func (in *instance) start(ctx context.Context) error {
	in.life.Lock()
	in.mu.Lock()
	held, restarts := in.held, in.status.Restarts
	in.mu.Unlock()
	if held {
		in.life.Unlock()
		return fmt.Errorf("bridge %s: %w", in.id, ErrHeld)
	}
	if in.stop == nil {
		keeper, cancel := context.WithCancel(context.Background())
		in.stop, in.done = cancel, make(chan struct{})
		in.mu.Lock()
		in.setState(StateStarting)
		in.mu.Unlock()
		go in.keep(keeper, in.done)
	}
	in.life.Unlock()

	for {
		in.mu.Lock()
		status, changed := in.status, in.changed
		in.mu.Unlock()
		if status.Restarts != restarts { // the second attempt was quicker than this
			return fmt.Errorf("bridge %s: %s", in.id, status.LastError)
		}
		switch status.State {
		case StateRunning:
			return nil
		case StateWaiting:
			return fmt.Errorf("bridge %s: %s", in.id, status.LastError)
		case StateStopped, StateStopping:
			return fmt.Errorf("bridge %s: %w", in.id, errStopped)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end ends the instance's life and waits for it.
func (in *instance) end() {
	in.life.Lock()
	defer in.life.Unlock()
	if in.stop == nil {
		return
	}
	in.mu.Lock()
	in.setState(StateStopping)
	in.mu.Unlock()
	in.stop()
	<-in.done
	in.stop, in.done = nil, nil
}

// keep runs the instance, again and again after failures, until ctx ends.
func (in *instance) keep(ctx context.Context, done chan struct{}) {
	defer close(done)
	failures := 0
	for {
		lasted, err := in.live(ctx)
		in.mu.Lock()
		if ctx.Err() != nil {
			in.setState(StateStopped)
			in.mu.Unlock()
			return
		}
		if lasted > in.host.opts.Steady {
			failures = 0
		}
		failures++
		wait := in.host.opts.Backoff(failures)
		in.setState(StateWaiting)
		in.status.LastError = err.Error()
		in.status.FailedAt = time.Now()
		in.status.NextStart = time.Now().Add(wait)
		in.mu.Unlock()
		in.metrics.failed("start")
		in.log.Error("the bridge failed", "error", err, "next_start_in", wait)

		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			in.mu.Lock()
			in.setState(StateStopped)
			in.mu.Unlock()
			return
		}
		in.mu.Lock()
		in.status.Restarts++
		in.setState(StateStarting)
		in.mu.Unlock()
		in.metrics.restarted()
	}
}

// live is one life: it returns when ctx ends or the bridge fails, and how long
// the bridge ran.
func (in *instance) live(ctx context.Context) (lasted time.Duration, err error) {
	in.mu.Lock()
	cfg, reg := in.config, in.reg
	in.mu.Unlock()
	r, err := in.newRun(ctx, cfg, reg)
	if err != nil {
		return 0, err
	}
	in.mu.Lock()
	in.run = r
	in.mu.Unlock()
	defer func() {
		in.mu.Lock()
		in.run = nil
		in.mu.Unlock()
		if cerr := r.close(); cerr != nil {
			in.log.Error("the bridge did not stop cleanly", "error", cerr)
		}
	}()
	if err := r.start(ctx); err != nil {
		return 0, err
	}
	begin := time.Now()
	in.mu.Lock()
	if ctx.Err() == nil {
		in.setState(StateRunning)
	}
	in.mu.Unlock()
	in.log.Info("the bridge runs")
	watch, done := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() { defer close(watched); r.watch(watch) }()
	defer func() { done(); <-watched }()
	select {
	case <-ctx.Done():
		return time.Since(begin), errStopped
	case err := <-r.crashed:
		return time.Since(begin), err
	case err := <-r.failed():
		if err == nil {
			err = errors.New("the module ended without a reason")
		}
		return time.Since(begin), fmt.Errorf("module: %w", err)
	}
}

// current is the run that takes transactions.
func (in *instance) current() (*run, Registration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.run, in.reg
}
