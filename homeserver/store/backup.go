package store

import (
	"context"
	"errors"
)

// Backup is one version of a user's backup of room keys.
type Backup struct {
	Version             int64
	Algorithm, AuthData string
	// ETag changes with every change of the keys, and Count is how many there are.
	ETag, Count int64
	Deleted     bool
}

func scanBackup(r scanner) (b Backup, err error) {
	var deleted int
	err = r.Scan(&b.Version, &b.Algorithm, &b.AuthData, &b.ETag, &b.Count, &deleted)
	b.Deleted = deleted != 0
	return b, err
}

// Backup reads a version, also a deleted one; ErrNotFound if there never was such a one.
func (s *Store) Backup(ctx context.Context, user, version int64) (Backup, error) {
	return scanBackup(s.row(ctx, "key_backup_get", user, version))
}

// Backup is Store.Backup as the transaction sees it.
func (t *Tx) Backup(user, version int64) (Backup, error) {
	return scanBackup(t.row("key_backup_get", user, version))
}

// CurrentBackup reads the newest version that is not deleted; ErrNotFound if there is none.
func (s *Store) CurrentBackup(ctx context.Context, user int64) (Backup, error) {
	return scanBackup(s.row(ctx, "key_backup_current", user))
}

// CurrentBackup is Store.CurrentBackup as the transaction sees it.
func (t *Tx) CurrentBackup(user int64) (Backup, error) {
	return scanBackup(t.row("key_backup_current", user))
}

// AddBackup makes a new version and returns its number. live is how many others there are.
func (t *Tx) AddBackup(user int64, algorithm, authData string) (version, live int64, err error) {
	if err := t.row("key_backup_live", user).Scan(&live); err != nil {
		return 0, 0, err
	}
	if err := t.row("key_backup_newest", user).Scan(&version); err != nil {
		return 0, 0, err
	}
	version++
	return version, live, t.exec("key_backup_insert", user, version, algorithm, authData)
}

// SetBackupAuth replaces a version's auth_data.
func (t *Tx) SetBackupAuth(user, version int64, authData string) error {
	return t.exec("key_backup_auth", user, version, authData)
}

// BackupChanged notes that keys of a version have changed, and how many have come (or, negative,
// gone).
func (t *Tx) BackupChanged(user, version, more int64) error {
	return t.exec("key_backup_changed", user, version, more)
}

// DeleteBackup deletes a version with its keys.
func (t *Tx) DeleteBackup(user, version int64) error {
	if err := t.exec("room_key_delete_all", user, version); err != nil {
		return err
	}
	return t.exec("key_backup_delete", user, version)
}

// RoomKey is one key in a backup.
type RoomKey struct {
	RoomID, SessionID     string
	FirstIndex, Forwarded int64
	Verified              bool
	// JSON is the whole of it as clients see it.
	JSON string
}

// RoomKey reads one key; ErrNotFound if there is none.
func (s *Store) RoomKey(ctx context.Context, user, version int64, roomID, sessionID string) (RoomKey, error) {
	return scanRoomKey(s.row(ctx, "room_key_get", user, version, roomID, sessionID), roomID, sessionID)
}

// RoomKey is Store.RoomKey as the transaction sees it.
func (t *Tx) RoomKey(user, version int64, roomID, sessionID string) (RoomKey, error) {
	return scanRoomKey(t.row("room_key_get", user, version, roomID, sessionID), roomID, sessionID)
}

func scanRoomKey(r scanner, roomID, sessionID string) (RoomKey, error) {
	k := RoomKey{RoomID: roomID, SessionID: sessionID}
	var verified int
	err := r.Scan(&k.FirstIndex, &k.Forwarded, &verified, &k.JSON)
	k.Verified = verified != 0
	return k, err
}

// RoomKeysAfter lists keys of a version behind the given one, in order of rooms and sessions.
// Only the ids and JSON are set.
func (s *Store) RoomKeysAfter(ctx context.Context, user, version int64, roomID, sessionID string, limit int) ([]RoomKey, error) {
	return collect(ctx, s, "room_key_after", scanRoomKeyJSON, user, version, roomID, sessionID, limit)
}

// RoomKeysOf lists the keys of a room. Only the ids and JSON are set.
func (s *Store) RoomKeysOf(ctx context.Context, user, version int64, roomID string) ([]RoomKey, error) {
	return collect(ctx, s, "room_key_of_room", scanRoomKeyJSON, user, version, roomID)
}

func scanRoomKeyJSON(r scanner) (k RoomKey, err error) {
	return k, r.Scan(&k.RoomID, &k.SessionID, &k.JSON)
}

// SetRoomKey adds or replaces a key.
func (t *Tx) SetRoomKey(user, version int64, k RoomKey) error {
	verified := 0
	if k.Verified {
		verified = 1
	}
	return t.exec("room_key_put", user, version, k.RoomID, k.SessionID, k.FirstIndex, k.Forwarded, verified, k.JSON)
}

// DeleteRoomKeys removes keys and tells how many: one, those of a room (sessionID is empty), or
// all (both are empty).
func (t *Tx) DeleteRoomKeys(user, version int64, roomID, sessionID string) (int64, error) {
	switch {
	case sessionID != "":
		return t.execCount("room_key_delete", user, version, roomID, sessionID)
	case roomID != "":
		return t.execCount("room_key_delete_room", user, version, roomID)
	}
	return t.execCount("room_key_delete_all", user, version)
}

// Dehydrated is a user's dehydrated device.
type Dehydrated struct {
	DeviceID string
	// Data is JSON that only clients understand.
	Data string
}

// Dehydrated reads a user's dehydrated device; ErrNotFound if there is none.
func (s *Store) Dehydrated(ctx context.Context, user int64) (d Dehydrated, err error) {
	return d, s.row(ctx, "dehydrated_get", user).Scan(&d.DeviceID, &d.Data)
}

// Dehydrated is Store.Dehydrated as the transaction sees it.
func (t *Tx) Dehydrated(user int64) (d Dehydrated, err error) {
	return d, t.row("dehydrated_get", user).Scan(&d.DeviceID, &d.Data)
}

// SetDehydrated makes a device the user's dehydrated one, in place of the one before, which is
// deleted.
func (t *Tx) SetDehydrated(user int64, d Dehydrated) error {
	was, err := t.Dehydrated(user)
	if err == nil && was.DeviceID != d.DeviceID {
		err = t.deleteNamed(user, was.DeviceID)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return t.exec("dehydrated_put", user, d.DeviceID, d.Data)
}

func (t *Tx) deleteNamed(user int64, id string) error {
	d, err := t.Device(user, id)
	if err != nil {
		return err
	}
	return t.DeleteDevice(d)
}
