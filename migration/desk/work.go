package desk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/migration/plan"
	"github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/verify"
)

// Start has a step of a migration done. alone leaves out the bridge that could go on.
func (d *Desk) Start(id string, step Step, alone bool) error {
	return d.change(id, func(e *entry) error {
		switch {
		case e.State == Receiving:
			return sentence.Errorf("the export is not all here: %d of %d bytes are", e.Have, e.Size)
		case step != Plan && e.Planned.IsZero():
			return ErrNoPlan
		case step == Verify && e.Ran.IsZero():
			return sentence.Errorf("nothing was brought in yet")
		}
		select {
		case d.tasks <- id:
		default:
			return sentence.Errorf("too much waits to be done")
		}
		e.State, e.Step, e.Error, e.watch = Waiting, step, "", watched{}
		if step == Run {
			e.Alone = alone
		}
		return nil
	})
}

// Stop stops the work on a migration. It can be gone on with.
func (d *Desk) Stop(id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.of[id]
	switch {
	case !ok:
		return ErrUnknown
	case e.State == Working:
		e.cancel()
	case e.State == Waiting:
		e.State = Stopped // whoever takes it up sees that
		return d.save(e)
	}
	return nil
}

// Work does what was started, one after the other, until ctx ends.
func (d *Desk) Work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-d.tasks:
			d.work(ctx, id)
		}
	}
}

// take takes a migration up; false if it does not wait any more.
func (d *Desk) take(id string, cancel context.CancelFunc) (Migration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.of[id]
	if !ok || e.State != Waiting {
		return Migration{}, false
	}
	e.State, e.cancel = Working, cancel
	e.watch.began = time.Now()
	if err := d.save(e); err != nil {
		d.o.Log.Error("a migration", "id", id, "err", err)
	}
	return e.Migration, true
}

func (d *Desk) work(life context.Context, id string) {
	ctx, cancel := context.WithCancel(life)
	defer cancel()
	m, ok := d.take(id, cancel)
	if !ok {
		return
	}
	d.o.Log.InfoContext(ctx, "migration: begun", "id", id, "step", m.Step, "export", m.File)
	done, err := d.step(ctx, life, m)
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.of[id]
	e.cancel = nil
	switch {
	case err == nil:
		e.State = Ready
		done(&e.Migration)
	case ctx.Err() != nil: // asked to, or the server stops
		e.State = Stopped
	default:
		e.State, e.Error = Failed, err.Error()
	}
	d.o.Log.InfoContext(ctx, "migration: ended", "id", id, "step", m.Step, "state", e.State, "took", time.Since(e.watch.began).Round(time.Millisecond), "err", err)
	if err := d.save(e); err != nil {
		d.o.Log.ErrorContext(ctx, "a migration", "id", id, "err", err)
	}
}

// step does a step, and gives what notes its results. A panic, of a file that is worse than anybody thought, is an error.
func (d *Desk) step(ctx, life context.Context, m Migration) (done func(*Migration), err error) {
	defer func() {
		if p := recover(); p != nil {
			d.o.Log.ErrorContext(ctx, "a migration has panicked", "id", m.ID, "panic", p, "stack", string(debug.Stack()))
			err = sentence.Errorf("something in the export is not understood (%v); the log has more", p)
		}
	}()
	mapping := d.mappingFile(m.ID)
	if _, err := os.Stat(mapping); errors.Is(err, fs.ErrNotExist) {
		mapping = ""
	}
	o, err := d.o.Open(d.export(m), mapping, m.Choice)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Export.Close()) }()
	switch m.Step {
	case Plan:
		return d.plan(ctx, m, o)
	case Run:
		return d.run(ctx, life, m, o)
	case Verify:
		r, err := verify.Verify(ctx, o.Export, o.Mapping, d.o.Server, func(r *run.Runner) { d.watching(m.ID, r) })
		r.Differences = r.Differences[:min(len(r.Differences), keptProblems)]
		r.Problems = r.Problems[:min(len(r.Problems), keptProblems)]
		return func(m *Migration) { m.Verified, m.Compared = time.Now(), &r }, err
	}
	return nil, sentence.Errorf("there is no step %q", m.Step)
}

func (d *Desk) plan(ctx context.Context, m Migration, o *Opened) (func(*Migration), error) {
	r, err := plan.Make(ctx, o.Export, o.Mapping, o.Clashes, func(done, all int) { d.counted(m.ID, done, all) })
	if err != nil {
		return nil, err
	}
	text, err := o.Mapping.YAML()
	if err != nil {
		return nil, err
	}
	if err := write(d.mappingFile(m.ID), text); err != nil {
		return nil, sentence.Errorf("writing the mapping: %s", err)
	}
	r.Mapping = nil // it is in its own file
	r.Problems = r.Problems[:min(len(r.Problems), keptProblems)]
	if err := writeJSON(filepath.Join(d.folder(m.ID), reportFile), r); err != nil {
		return nil, sentence.Errorf("writing the report: %s", err)
	}
	return func(m *Migration) {
		m.Planned, m.Title, m.Messages, m.Choice.Network = time.Now(), r.Source.Name, int64(r.Messages), r.Source.Network
	}, nil
}

func (d *Desk) run(ctx, life context.Context, m Migration, o *Opened) (_ func(*Migration), err error) {
	ro := run.Options{Export: o.Export, Mapping: o.Mapping, Target: d.o.Server}
	if o.Mapping.Files {
		ro.HTTP = d.o.HTTP
	}
	if o.Bridge != "" && !m.Alone && d.o.Recorder != nil {
		rec, done, err := d.o.Recorder(ctx, o)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, done(life)) }()
		ro.Recorder = rec
	}
	r := run.New(ro)
	d.watching(m.ID, r)
	s, err := r.Run(ctx)
	if err != nil {
		return nil, err
	}
	s.Problems = s.Problems[:min(len(s.Problems), keptProblems)]
	return func(m *Migration) { m.Ran, m.Summary, m.Compared, m.Verified = time.Now(), &s, nil, time.Time{} }, nil
}
