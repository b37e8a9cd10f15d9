package store

import "context"

// Cutover is how far the end of a bridge has come.
type Cutover struct {
	Service string
	// State is what has been reached, and Wanted what is being worked for.
	State, Wanted string
	SinceTS       int64
	Detail        string // JSON
}

func scanCutover(r scanner) (c Cutover, err error) {
	return c, r.Scan(&c.Service, &c.State, &c.Wanted, &c.SinceTS, &c.Detail)
}

// Cutover reads how far it is; ErrNotFound if it has not begun.
func (s *Store) Cutover(ctx context.Context, service string) (Cutover, error) {
	return scanCutover(s.row(ctx, "cutover_get", service))
}

// Cutover is Store.Cutover as the transaction sees it.
func (t *Tx) Cutover(service string) (Cutover, error) {
	return scanCutover(t.row("cutover_get", service))
}

// Cutovers lists all that have begun.
func (s *Store) Cutovers(ctx context.Context) ([]Cutover, error) {
	return collect(ctx, s, "cutover_list", scanCutover)
}

// SetCutover notes how far it is.
func (t *Tx) SetCutover(c Cutover) error {
	return t.exec("cutover_put", c.Service, c.State, c.Wanted, c.SinceTS, c.Detail)
}

// DeleteCutover forgets that it had begun, with what was noted of the rooms.
func (t *Tx) DeleteCutover(service string) error {
	if err := t.exec("cutover_room_clear", service); err != nil {
		return err
	}
	return t.exec("cutover_delete", service)
}

// CutoverRoom is how far a room is, and what it was before (JSON).
type CutoverRoom struct {
	Room          int64
	State, Before string
}

// CutoverRooms lists the rooms of which something was noted.
func (s *Store) CutoverRooms(ctx context.Context, service string) ([]CutoverRoom, error) {
	return collect(ctx, s, "cutover_room_list", func(r scanner) (c CutoverRoom, err error) {
		return c, r.Scan(&c.Room, &c.State, &c.Before)
	}, service)
}

// SetCutoverRoom notes something of a room.
func (t *Tx) SetCutoverRoom(service string, c CutoverRoom) error {
	return t.exec("cutover_room_put", service, c.Room, c.State, c.Before)
}
