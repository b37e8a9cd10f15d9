package registration

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// WatchOptions say what a [Watcher] does.
type WatchOptions struct {
	ServerName string
	Paths      []string        // files, folders and globs, as for Load
	Builtin    []*Registration // in every Set, before those of files
	// OnChange is called by Run with each new Set, one call at a time. It may be nil.
	OnChange func(*Set)
	// Log gets a line for each change and each problem. Required.
	Log *slog.Logger
	// Debounce is how long files must be quiet before they are read; 0 means 100 ms.
	Debounce time.Duration
	// Poll is how often they are looked at even though nothing is reported, for file
	// systems that report nothing; 0 means 30 s.
	Poll time.Duration
}

// Watcher keeps a [Set] up to date with its files. What is served stays served when a
// file becomes bad: a new version takes effect when it is good, and only a file that is
// gone from its folder ends a registration.
type Watcher struct {
	opts   WatchOptions
	set    atomic.Pointer[Set]
	reload chan reloadRequest
	// ready is closed when changes of files are being reported, for tests.
	ready chan struct{}
}

// NewWatcher loads the first Set. Problems with files are in it and in the log; the error
// is for options that make no sense.
func NewWatcher(opts WatchOptions) (*Watcher, error) {
	if opts.Log == nil {
		return nil, fmt.Errorf("registration watcher: no logger")
	}
	if opts.Debounce <= 0 {
		opts.Debounce = 100 * time.Millisecond
	}
	if opts.Poll <= 0 {
		opts.Poll = 30 * time.Second
	}
	w := &Watcher{opts: opts, reload: make(chan reloadRequest), ready: make(chan struct{})}
	set, err := load(opts.ServerName, opts.Paths, opts.Builtin, nil)
	if err != nil {
		return nil, err
	}
	w.set.Store(set)
	w.logProblems(set, nil)
	return w, nil
}

// Set is the current Set. It may be called at any time by anyone.
func (w *Watcher) Set() *Set { return w.set.Load() }

// reloadRequest asks Run to look at the files now, or at others.
type reloadRequest struct {
	paths   []string
	builtin []*Registration
	replace bool // paths and builtin take the place of those before
	done    chan struct{}
}

// Reload looks at the files now and returns when that is done. It needs Run to be running,
// and returns early with the context's error if that ends.
func (w *Watcher) Reload(ctx context.Context) error {
	return w.request(ctx, reloadRequest{})
}

// Reconfigure replaces the paths and the registrations made in the program, and returns
// when they are loaded, as Reload does. What is in both stays served throughout.
func (w *Watcher) Reconfigure(ctx context.Context, paths []string, builtin ...*Registration) error {
	return w.request(ctx, reloadRequest{paths: slices.Clone(paths), builtin: slices.Clone(builtin), replace: true})
}

func (w *Watcher) request(ctx context.Context, req reloadRequest) error {
	req.done = make(chan struct{})
	select {
	case w.reload <- req:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-req.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run follows the files until the context ends, which is no error. Call it once.
func (w *Watcher) Run(ctx context.Context) error {
	events, errs, closeWatch := w.startWatch()
	defer closeWatch()
	poll := time.NewTicker(w.opts.Poll)
	defer poll.Stop()
	targets := newWatchTargets(w.opts.Paths)
	events.follow(targets, w.opts.Log)
	// What changed between the first Set and the watch is seen now.
	if err := w.update(); err != nil {
		return err
	}
	close(w.ready)

	var quiet <-chan time.Time // fires when a burst of changes is over
	var first time.Time        // of the burst
	var waited bool            // for a file that is gone to come back
	for {
		var done chan struct{} // of a caller who waits
		select {
		case <-ctx.Done():
			return nil
		case ev := <-events.changes():
			if !targets.concerns(ev.Name) {
				continue
			}
			if quiet == nil {
				first = time.Now()
			}
			// Files that never come to rest are read all the same, now and then.
			if quiet == nil || time.Since(first) < 10*w.opts.Debounce {
				quiet = time.After(w.opts.Debounce)
			}
			continue
		case err := <-errs:
			w.opts.Log.Warn("Watching registration files failed, looking at them now and then instead", "error", err)
		case <-poll.C:
		case <-quiet:
			if !waited && w.vanished() {
				// An editor that saves by renaming lets a file be gone for a moment.
				waited, quiet = true, time.After(w.opts.Debounce)
				continue
			}
		case req := <-w.reload:
			done = req.done
			if req.replace {
				w.opts.Paths, w.opts.Builtin = req.paths, req.builtin
			}
		}
		quiet, waited = nil, false
		targets = newWatchTargets(w.opts.Paths)
		events.follow(targets, w.opts.Log)
		if err := w.update(); err != nil {
			return err
		}
		if done != nil {
			close(done)
		}
	}
}

// vanished is whether a file whose registration is served is not there.
func (w *Watcher) vanished() bool {
	files, _ := expand(w.opts.Paths)
	for path := range w.Set().files {
		if !slices.Contains(files, path) {
			return true
		}
	}
	return false
}

// update loads the files and publishes the result if it is another one.
func (w *Watcher) update() error {
	before := w.Set()
	set, err := load(w.opts.ServerName, w.opts.Paths, w.opts.Builtin, before)
	if err != nil {
		return fmt.Errorf("load registrations: %w", err)
	}
	if slices.Equal(before.regs, set.regs) && slices.Equal(before.problems, set.problems) {
		return nil
	}
	w.set.Store(set)
	w.logChanges(before, set)
	w.logProblems(set, before)
	if w.opts.OnChange != nil {
		w.opts.OnChange(set)
	}
	return nil
}

func (w *Watcher) logChanges(before, after *Set) {
	for _, r := range after.regs {
		switch old := before.ByID(r.ID); {
		case old == nil:
			w.opts.Log.Info("Application service added", "registration", r, "file", r.File())
		case old != r:
			w.opts.Log.Info("Application service changed", "registration", r, "file", r.File())
		}
	}
	for _, r := range before.regs {
		if after.ByID(r.ID) == nil {
			w.opts.Log.Info("Application service removed", "registration", r, "file", r.File())
		}
	}
}

// logProblems logs what was not a problem before.
func (w *Watcher) logProblems(set, before *Set) {
	known := map[Problem]bool{}
	for _, p := range before.Problems() {
		known[p] = true
	}
	for _, p := range set.problems {
		if known[p] {
			continue
		}
		level := slog.LevelError
		if p.Severity != 0 {
			level = slog.LevelWarn
		}
		w.opts.Log.Log(context.Background(), level, "Registration file: "+p.Error())
	}
}

// watch is the operating system's report of changes, or nothing where that is not to be had.
type watch struct{ fs *fsnotify.Watcher }

func (w *Watcher) startWatch() (*watch, <-chan error, func()) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		w.opts.Log.Warn("Changes of registration files are not reported by the system, looking at them now and then", "error", err, "interval", w.opts.Poll)
		return &watch{}, nil, func() {}
	}
	return &watch{fs}, fs.Errors, func() { _ = fs.Close() }
}

func (w *watch) changes() <-chan fsnotify.Event {
	if w.fs == nil {
		return nil
	}
	return w.fs.Events
}

// follow watches the folders of the targets and no others. A folder that was removed and
// made anew is watched anew.
func (w *watch) follow(targets *watchTargets, log *slog.Logger) {
	if w.fs == nil {
		return
	}
	for _, dir := range w.fs.WatchList() {
		if !slices.Contains(targets.dirs, dir) {
			_ = w.fs.Remove(dir) // it may be gone, which is why it is removed
		}
	}
	for _, dir := range targets.dirs {
		if err := w.fs.Add(dir); err != nil {
			log.Debug("A folder of registration files cannot be watched", "folder", dir, "error", err)
		}
	}
}
