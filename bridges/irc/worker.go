package irc

import (
	"context"
	"sync"

	"github.com/landbridge-im/landbridge/appservice"
)

// worker does what comes up in a goroutine that is there while there is something to do: of hundreds of puppets most are
// silent, and each waiting goroutine costs the memory of its stack. Its methods may be called concurrently.
type worker struct {
	// do does a piece of what there is, and reports whether there may be more. It runs in one goroutine at a time.
	do func(context.Context) (more bool)

	mu      sync.Mutex
	ctx     context.Context // of do; nil while it is not started
	work    appservice.Work
	running bool
	again   bool // poked since do has last looked
}

// start lets it work until stop; spawn starts its goroutines, as appservice.Env.Go does. What it was poked for before is done now.
func (w *worker) start(ctx context.Context, spawn func(func())) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx, w.work.By = ctx, spawn
	if w.again {
		w.begin()
	}
}

// poke says that there is something to do.
func (w *worker) poke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.again = true
	if w.ctx != nil && !w.running {
		w.begin()
	}
}

// begin starts the goroutine; w.mu must be held.
func (w *worker) begin() {
	w.running = true
	ctx := w.ctx
	w.work.Go(func() {
		for w.look() {
			for w.do(ctx) {
			}
		}
	})
}

// look reports whether do has to be called (again).
func (w *worker) look() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.again = w.again, false
	return w.running
}

// stop waits for what is being done; nothing is begun afterwards. What the context of start has to do with it is do's.
func (w *worker) stop() {
	w.mu.Lock()
	w.ctx = nil
	w.mu.Unlock()
	w.work.Wait()
}
