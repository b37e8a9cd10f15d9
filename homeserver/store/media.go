package store

import "context"

// Media is a piece of media; its bytes are kept by hash elsewhere.
type Media struct {
	Origin, ID string
	// Hash is the SHA-256 of the bytes; empty while they have not come yet.
	Hash      []byte
	Type      string
	Name      string
	Size      int64
	Owner     int64
	CreatedTS int64
	// ExpiresTS, when not 0, makes this a reservation: until when the bytes may come, in
	// milliseconds.
	ExpiresTS int64
}

func scanMedia(r scanner) (m Media, err error) {
	return m, r.Scan(&m.Origin, &m.ID, &m.Hash, &m.Type, &m.Name, &m.Size, &m.Owner, &m.CreatedTS, &m.ExpiresTS)
}

// Media reads what is known of a piece of media; ErrNotFound if nothing.
func (s *Store) Media(ctx context.Context, origin, id string) (Media, error) {
	return scanMedia(s.row(ctx, "media_get", origin, id))
}

// AddMedia records a piece of media, or reserves its id.
func (t *Tx) AddMedia(m Media) error {
	if m.Hash == nil {
		m.Hash = []byte{} // nil would be NULL
	}
	return t.exec("media_insert", m.Origin, m.ID, m.Hash, m.Type, m.Name, m.Size, m.Owner, m.CreatedTS, m.ExpiresTS)
}

// FillMedia turns a reservation into media; false if there is none that is still good.
func (t *Tx) FillMedia(m Media, nowMS int64) (bool, error) {
	n, err := t.execCount("media_fill", m.Origin, m.ID, m.Hash, m.Type, m.Name, m.Size, nowMS)
	return n == 1, err
}

// ReservedMedia drops an owner's reservations that have run out and counts the rest.
func (t *Tx) ReservedMedia(owner, nowMS int64) (n int64, err error) {
	if err := t.exec("media_reserved_drop", owner, nowMS); err != nil {
		return 0, err
	}
	return n, t.row("media_reserved_count", owner, nowMS).Scan(&n)
}

// MediaWithHash counts the pieces of media that share the bytes of a hash.
func (s *Store) MediaWithHash(ctx context.Context, hash []byte) (n int64, err error) {
	return n, s.row(ctx, "media_hash_count", hash).Scan(&n)
}
