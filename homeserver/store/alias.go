package store

import "context"

// Alias is a room alias of this server.
type Alias struct {
	Alias   string
	Room    int64
	Creator int64
}

func scanAlias(r scanner) (a Alias, err error) {
	return a, r.Scan(&a.Alias, &a.Room, &a.Creator)
}

// Alias reads an alias; ErrNotFound if it is free.
func (s *Store) Alias(ctx context.Context, alias string) (Alias, error) {
	return scanAlias(s.row(ctx, "alias_get", alias))
}

// AliasesOf lists a room's aliases.
func (s *Store) AliasesOf(ctx context.Context, room int64) ([]Alias, error) {
	return collect(ctx, s, "alias_list", scanAlias, room)
}

// AddAlias takes an alias for a room; false if it is taken already.
func (t *Tx) AddAlias(a Alias, nowMS int64) (bool, error) {
	n, err := t.execCount("alias_insert", a.Alias, a.Room, a.Creator, nowMS)
	return n == 1, err
}

// DeleteAlias frees an alias.
func (t *Tx) DeleteAlias(alias string) error { return t.exec("alias_delete", alias) }

// PublicRooms lists the rooms in the directory.
func (s *Store) PublicRooms(ctx context.Context) ([]int64, error) {
	return collect(ctx, s, "public_room_list", scanInt)
}

// IsPublic tells whether a room is in the directory.
func (s *Store) IsPublic(ctx context.Context, room int64) (bool, error) {
	var n int
	err := s.row(ctx, "public_room_has", room).Scan(&n)
	return n > 0, err
}

// SetPublic puts a room into the directory or takes it out.
func (t *Tx) SetPublic(room int64, public bool) error {
	if public {
		return t.exec("public_room_insert", room)
	}
	return t.exec("public_room_delete", room)
}
