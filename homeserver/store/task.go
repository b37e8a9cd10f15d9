package store

import "context"

// States of a Task.
const (
	TaskActive   = "active"
	TaskComplete = "complete"
	TaskFailed   = "failed"
)

// Task is long work for an administrator, which goes on after a restart.
type Task struct {
	ID, Kind string
	// RoomID is what it is about: a room, whose number Room is, 0 if it is not here, or a user.
	RoomID string
	Room   int64
	// State is one of TaskActive, TaskComplete and TaskFailed, and Error what went wrong.
	State, Error string
	// Params and Result are JSON.
	Params, Result string
	ChangedTS      int64
}

func scanTask(r scanner) (k Task, err error) {
	return k, r.Scan(&k.ID, &k.Kind, &k.RoomID, &k.Room, &k.State, &k.Params, &k.Result, &k.Error, &k.ChangedTS)
}

// SetTask records a task, or how far it has come.
func (t *Tx) SetTask(k Task) error {
	return t.exec("admin_task_put", k.ID, k.Kind, k.RoomID, k.Room, k.State, k.Params, k.Result, k.Error, k.ChangedTS)
}

// ForgetTasks drops tasks that ended before a time, in milliseconds.
func (t *Tx) ForgetTasks(beforeMS int64) error { return t.exec("admin_task_old", beforeMS) }

// Task reads one task; ErrNotFound if there is none such.
func (s *Store) Task(ctx context.Context, id string) (Task, error) {
	return scanTask(s.row(ctx, "admin_task_get", id))
}

// TasksOfRoom lists the tasks about a room, oldest first.
func (s *Store) TasksOfRoom(ctx context.Context, roomID string) ([]Task, error) {
	return collect(ctx, s, "admin_task_of_room", scanTask, roomID)
}

// ActiveTasks lists the tasks that are not done.
func (s *Store) ActiveTasks(ctx context.Context) ([]Task, error) {
	return collect(ctx, s, "admin_task_active", scanTask)
}

// Tasks lists the tasks, those that changed last at the end, at most limit of them.
func (s *Store) Tasks(ctx context.Context, limit int) ([]Task, error) {
	return collect(ctx, s, "admin_task_all", scanTask, limit)
}
