package store

import "context"

// Media is a piece of media; its bytes are kept by hash elsewhere.
type Media struct {
	Origin, ID string
	// Hash is the SHA-256 of the bytes; empty while they have not come yet.
	Hash []byte
	Type string
	Name string
	Size int64
	// Owner is the local user who uploaded it; 0 for what is cached.
	Owner     int64
	CreatedTS int64
	// ExpiresTS, when not 0, makes this a reservation: until when the bytes may come, in
	// milliseconds.
	ExpiresTS int64
	// Cached media can be fetched again, so it may be dropped: that of other servers, and
	// pictures of URL previews.
	Cached bool
	// AccessTS is roughly when it was last asked for.
	AccessTS int64
	// Quarantined media is not served.
	Quarantined bool
	// Protected media is left alone by policies and by quarantines of many files at once.
	Protected bool
	// Blocked tells, when read, that its content is quarantined, by this id or another.
	Blocked bool
}

func scanMedia(r scanner) (m Media, err error) {
	var cached, quarantined, protected, blocked int64
	err = r.Scan(&m.Origin, &m.ID, &m.Hash, &m.Type, &m.Name, &m.Size, &m.Owner, &m.CreatedTS, &m.ExpiresTS,
		&cached, &m.AccessTS, &quarantined, &protected, &blocked)
	m.Cached, m.Quarantined, m.Protected, m.Blocked = cached != 0, quarantined != 0, protected != 0, blocked != 0
	return m, err
}

// Media reads what is known of a piece of media; ErrNotFound if nothing.
func (s *Store) Media(ctx context.Context, origin, id string) (Media, error) {
	return scanMedia(s.row(ctx, "media_get", origin, id))
}

// Media is Store.Media as the transaction sees it.
func (t *Tx) Media(origin, id string) (Media, error) {
	return scanMedia(t.row("media_get", origin, id))
}

// AddMedia records a piece of media, or reserves its id.
func (t *Tx) AddMedia(m Media) error {
	if m.Hash == nil {
		m.Hash = []byte{} // nil would be NULL
	}
	return t.exec("media_insert", m.Origin, m.ID, m.Hash, m.Type, m.Name, m.Size, m.Owner, m.CreatedTS, m.ExpiresTS,
		number(m.Cached), m.AccessTS, number(m.Quarantined), number(m.Protected))
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

// DropExpiredMedia drops all reservations that have run out.
func (t *Tx) DropExpiredMedia(nowMS int64) error { return t.exec("media_expired_drop", nowMS) }

// MediaUsage tells how many bytes and files a user has stored since a time, in milliseconds.
func (s *Store) MediaUsage(ctx context.Context, owner, sinceMS int64) (bytes, files int64, err error) {
	return bytes, files, s.row(ctx, "media_usage", owner, sinceMS).Scan(&bytes, &files)
}

// MediaUsage is Store.MediaUsage as the transaction sees it.
func (t *Tx) MediaUsage(owner, sinceMS int64) (bytes, files int64, err error) {
	return bytes, files, t.row("media_usage", owner, sinceMS).Scan(&bytes, &files)
}

// MediaOf lists a user's media after one of them, oldest first.
func (s *Store) MediaOf(ctx context.Context, owner int64, afterTS int64, afterID string, limit int) ([]Media, error) {
	return collect(ctx, s, "media_owned", scanMedia, owner, afterTS, afterID, limit)
}

// OldestCachedMedia lists cached media that was not asked for since a time, the longest unused
// first.
func (s *Store) OldestCachedMedia(ctx context.Context, beforeMS int64, limit int) ([]Media, error) {
	return collect(ctx, s, "media_oldest_cached", scanMedia, beforeMS, limit)
}

// CachedMediaBytes is how much cached media there is.
func (s *Store) CachedMediaBytes(ctx context.Context) (n int64, err error) {
	return n, s.row(ctx, "media_cached_bytes").Scan(&n)
}

// MediaWithHash counts the pieces of media that share the bytes of a hash.
func (s *Store) MediaWithHash(ctx context.Context, hash []byte) (n int64, err error) {
	return n, s.row(ctx, "media_hash_count", hash).Scan(&n)
}

// MediaHashes lists the hashes that media has, in order, after one of them.
func (s *Store) MediaHashes(ctx context.Context, after []byte, limit int) ([][]byte, error) {
	if len(after) == 0 {
		after = []byte{} // reservations have the empty hash
	}
	return collect(ctx, s, "media_hashes_after", func(r scanner) (h []byte, err error) { return h, r.Scan(&h) }, after, limit)
}

// DeleteMedia forgets a piece of media.
func (t *Tx) DeleteMedia(origin, id string) error { return t.exec("media_delete", origin, id) }

// TouchMedia notes when a piece of media was last asked for.
func (t *Tx) TouchMedia(origin, id string, ms int64) error {
	return t.exec("media_touch", origin, id, ms)
}

// ProtectMedia protects a piece of media, or ends that.
func (t *Tx) ProtectMedia(origin, id string, protect bool) error {
	return t.exec("media_protect", origin, id, number(protect))
}

// QuarantineMedia keeps a piece of media from being served, or ends that. Its content is blocked
// as long as one piece that has it is quarantined.
func (t *Tx) QuarantineMedia(m Media, quarantine bool, nowMS int64) error {
	if err := t.exec("media_quarantine", m.Origin, m.ID, number(quarantine)); err != nil || len(m.Hash) == 0 {
		return err
	}
	if quarantine {
		return t.exec("media_block", m.Hash, nowMS)
	}
	var n int64
	if err := t.row("media_quarantined_count", m.Hash).Scan(&n); err != nil || n > 0 {
		return err
	}
	return t.exec("media_unblock", m.Hash)
}

// BlockedMedia tells whether content may not be stored.
func (t *Tx) BlockedMedia(hash []byte) (bool, error) {
	var n int64
	err := t.row("media_is_blocked", hash).Scan(&n)
	return n > 0, err
}

// BlockedMedia tells whether content may not be stored.
func (s *Store) BlockedMedia(ctx context.Context, hash []byte) (bool, error) {
	var n int64
	err := s.row(ctx, "media_is_blocked", hash).Scan(&n)
	return n > 0, err
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
