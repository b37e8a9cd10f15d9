package admin

import (
	"context"
	"crypto/rand"
	"encoding/json/v2"
	"errors"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Kinds of tasks.
const (
	kindDelete = "delete"
	kindPurge  = "purge"
	kindRedact = "redact"
)

// tasksMax bounds the tasks that wait.
const tasksMax = 1000

// tasksKept is for how long, in milliseconds, the outcome of a task can be asked for.
const tasksKept = 7 * 24 * 3600 * 1000

// resume finds the tasks that were not done when the server ended.
func (a *Admin) resume(ctx context.Context) error {
	list, err := a.o.Store.ActiveTasks(ctx)
	if err != nil {
		return fmt.Errorf("reading the administrators' tasks: %w", err)
	}
	for _, k := range list {
		if k.Kind == kindDelete && k.Result != "" && hidden(k) {
			if err := a.o.Rooms.Bar(ctx, k.Room); err != nil {
				return err
			}
		}
		a.work = append(a.work, k.ID)
	}
	return nil
}

// begin records a task and lets Run do it.
func (a *Admin) begin(ctx context.Context, k store.Task) (store.Task, error) {
	k.ID, k.State, k.ChangedTS = rand.Text(), store.TaskActive, a.nowMS()
	a.mu.Lock()
	full := len(a.work) >= tasksMax
	a.mu.Unlock()
	if full {
		return k, mxerror.New(503, "M_UNKNOWN", "There is too much to do already: try again later.")
	}
	err := a.o.Store.Write(ctx, func(t *store.Tx) error {
		if err := t.ForgetTasks(k.ChangedTS - tasksKept); err != nil {
			return err
		}
		return t.SetTask(k)
	})
	if err != nil {
		return k, err
	}
	a.mu.Lock()
	a.work = append(a.work, k.ID)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return k, nil
}

// await waits until a task is done.
func (a *Admin) await(ctx context.Context, id string) (store.Task, error) {
	for {
		a.mu.Lock()
		done := a.ended[id]
		if done == nil {
			done = make(chan struct{})
			a.ended[id] = done
		}
		a.mu.Unlock()
		k, err := a.o.Store.Task(ctx, id)
		if err != nil || k.State != store.TaskActive {
			a.mu.Lock()
			delete(a.ended, id)
			a.mu.Unlock()
			return k, err
		}
		select {
		case <-done:
		case <-ctx.Done():
			return k, ctx.Err()
		}
	}
}

// Run does the tasks, one after the other, until ctx ends. What is not done then is gone on with
// after the next start. It is called once.
func (a *Admin) Run(ctx context.Context) error {
	for {
		id := a.next()
		if id == "" {
			select {
			case <-a.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := a.do(ctx, id); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			a.o.Log.ErrorContext(ctx, "an administrator's task could not be done", "task", id, "err", err)
		}
	}
}

func (a *Admin) next() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.work) == 0 {
		return ""
	}
	id := a.work[0]
	a.work = slices.Delete(a.work, 0, 1)
	return id
}

// do does one task and records its outcome.
func (a *Admin) do(ctx context.Context, id string) error {
	k, err := a.o.Store.Task(ctx, id)
	if err != nil {
		return err
	}
	switch k.Kind {
	case kindDelete:
		err = a.doDelete(ctx, &k)
	case kindPurge:
		err = a.doPurge(ctx, &k)
	case kindRedact:
		err = a.doRedact(ctx, &k)
	default:
		err = errors.New("nobody knows how to do this")
	}
	if ctx.Err() != nil {
		return ctx.Err() // the next start goes on
	}
	k.State = store.TaskComplete
	if err != nil {
		k.State, k.Error = store.TaskFailed, "The server's log knows more."
		if e, ok := mxerror.As(err); ok {
			k.Error = e.Message
		}
	}
	err = errors.Join(err, a.save(ctx, k))
	a.mu.Lock()
	if done := a.ended[id]; done != nil {
		close(done)
		delete(a.ended, id)
	}
	a.mu.Unlock()
	if k.State == store.TaskComplete { // who waits for the task need not wait for this
		_, backErr := a.o.Store.GiveBack(ctx)
		err = errors.Join(err, backErr)
	}
	return err
}

func (a *Admin) save(ctx context.Context, k store.Task) error {
	k.ChangedTS = a.nowMS()
	return a.o.Store.Write(ctx, func(t *store.Tx) error { return t.SetTask(k) })
}

// saveResult records how far a task has come.
func (a *Admin) saveResult(ctx context.Context, k *store.Task, result any) error {
	out, err := json.Marshal(result, json.Deterministic(true))
	if err != nil {
		return err
	}
	k.Result = string(out)
	return a.save(ctx, *k)
}
