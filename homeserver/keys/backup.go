package keys

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of backups: versions that a user keeps, keys in one, and the size of a key and of
// auth_data in bytes; and how many keys are written or read at once.
const (
	maxBackups    = 100
	maxBackupKeys = 500_000
	maxRoomKey    = 32 << 10
	maxAuthData   = 64 << 10
	backupBatch   = 200
)

// BackupInfo is the body of POST and PUT /room_keys/version.
type BackupInfo struct {
	Algorithm string         `json:"algorithm"`
	AuthData  jsontext.Value `json:"auth_data"`
	// Version may be given with PUT.
	Version *BackupNumber `json:"version,omitzero"`
}

// BackupNumber names a version: text, and from some clients a number.
type BackupNumber string

// UnmarshalJSON reads either.
func (n *BackupNumber) UnmarshalJSON(raw []byte) error {
	if jsontext.Value(raw).Kind() == '0' {
		*n = BackupNumber(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(n))
}

// BackupVersion is the answer to POST /room_keys/version.
type BackupVersion struct {
	Version string `json:"version"`
}

// BackupStatus is the answer to GET /room_keys/version.
type BackupStatus struct {
	Algorithm string         `json:"algorithm"`
	AuthData  jsontext.Value `json:"auth_data"`
	Count     int64          `json:"count"`
	ETag      string         `json:"etag"`
	Version   string         `json:"version"`
}

// BackupUpdate is the answer to changes of the keys.
type BackupUpdate struct {
	Count int64  `json:"count"`
	ETag  string `json:"etag"`
}

// RoomKeys is the body of PUT /room_keys/keys, and RoomSessions that for one room.
type (
	RoomKeys struct {
		Rooms map[string]RoomSessions `json:"rooms"`
	}
	RoomSessions struct {
		Sessions map[string]jsontext.Value `json:"sessions"`
	}
)

func noBackup() error { return mxerror.NotFound("There is no such backup version.") }

func (b BackupInfo) check(any bool) error {
	switch {
	case b.Algorithm == "":
		return mxerror.MissingParam("algorithm is missing.")
	case len(b.Algorithm) > maxKeyName:
		return mxerror.InvalidParam("algorithm can have at most %d bytes.", maxKeyName)
	case len(b.AuthData) == 0:
		return mxerror.MissingParam("auth_data is missing.")
	case b.AuthData.Kind() != '{' && !any || !b.AuthData.IsValid():
		return mxerror.BadJSON("auth_data must be an object, without a name twice.")
	case len(b.AuthData) > maxAuthData:
		return mxerror.TooLarge("auth_data can have at most %d KiB.", maxAuthData>>10)
	}
	return nil
}

// CreateBackup makes a new version, which is then the current one.
func (k *Keys) CreateBackup(ctx context.Context, o Owner, b BackupInfo) (*BackupVersion, error) {
	if err := b.check(k.unchecked); err != nil {
		return nil, err
	}
	var version int64
	err := k.store.Write(ctx, func(tx *store.Tx) error {
		v, live, err := tx.AddBackup(o.UserNID, b.Algorithm, string(b.AuthData))
		if err == nil && live >= maxBackups {
			return store.Refuse(mxerror.Forbidden("You have %d backups already; delete old ones.", live))
		}
		version = v
		return err
	})
	if err != nil {
		return nil, public(err)
	}
	return &BackupVersion{strconv.FormatInt(version, 10)}, nil
}

// Backup describes a version; an empty one is the current one.
func (k *Keys) Backup(ctx context.Context, o Owner, version string) (*BackupStatus, error) {
	var b store.Backup
	var err error
	if version == "" {
		if b, err = k.store.CurrentBackup(ctx, o.UserNID); errors.Is(err, store.ErrNotFound) {
			return nil, mxerror.NotFound("No current backup version")
		}
		if err != nil {
			return nil, public(err)
		}
	} else if b, err = k.openBackup(ctx, o, version); err != nil {
		return nil, err
	}
	return &BackupStatus{b.Algorithm, jsontext.Value(b.AuthData), b.Count, strconv.FormatInt(b.ETag, 10), strconv.FormatInt(b.Version, 10)}, nil
}

// number reads a version; 0 if it is none of ours.
func number(version string) int64 {
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != version {
		return 0
	}
	return n
}

// openBackup reads a version that is there.
func (k *Keys) openBackup(ctx context.Context, o Owner, version string) (store.Backup, error) {
	b, err := k.store.Backup(ctx, o.UserNID, number(version))
	if errors.Is(err, store.ErrNotFound) || err == nil && b.Deleted {
		return b, noBackup()
	}
	return b, public(err)
}

// openBackupTx is openBackup in a transaction.
func openBackupTx(tx *store.Tx, o Owner, version string) (store.Backup, error) {
	b, err := tx.Backup(o.UserNID, number(version))
	if errors.Is(err, store.ErrNotFound) || err == nil && b.Deleted {
		return b, store.Refuse(noBackup())
	}
	return b, err
}

// UpdateBackup changes auth_data: "Only auth_data can be modified."
func (k *Keys) UpdateBackup(ctx context.Context, o Owner, version string, b BackupInfo) error {
	if err := b.check(k.unchecked); err != nil {
		return err
	}
	// "If present, must be the same as the version in the path parameter."
	if b.Version != nil && string(*b.Version) != version {
		return mxerror.InvalidParam("The version in the body is another than that in the path.")
	}
	return public(k.store.Write(ctx, func(tx *store.Tx) error {
		have, err := openBackupTx(tx, o, version)
		if err != nil {
			return err
		}
		// "Must be the same as the algorithm currently used by the backup."
		if have.Algorithm != b.Algorithm {
			return store.Refuse(mxerror.InvalidParam("Algorithm does not match"))
		}
		return tx.SetBackupAuth(o.UserNID, have.Version, string(b.AuthData))
	}))
}

// DeleteBackup deletes a version with its keys: "If the backup was previously deleted, the call
// should succeed rather than returning an error."
func (k *Keys) DeleteBackup(ctx context.Context, o Owner, version string) error {
	return public(k.store.Write(ctx, func(tx *store.Tx) error {
		b, err := tx.Backup(o.UserNID, number(version))
		if errors.Is(err, store.ErrNotFound) {
			return store.Refuse(noBackup())
		}
		if err != nil || b.Deleted {
			return err
		}
		return tx.DeleteBackup(o.UserNID, b.Version)
	}))
}

// readRoomKey checks a key: specification, "KeyBackupData".
func readRoomKey(roomID, sessionID string, raw jsontext.Value) (store.RoomKey, error) {
	key := store.RoomKey{RoomID: roomID, SessionID: sessionID}
	if roomID == "" || len(roomID) > maxKeyName || sessionID == "" || len(sessionID) > maxKeyName {
		return key, mxerror.InvalidParam("The ids of rooms and sessions must have 1 to %d bytes.", maxKeyName)
	}
	if len(raw) > maxRoomKey {
		return key, mxerror.TooLarge("The key of session %s is %d bytes long; at most %d are allowed.", sessionID, len(raw), maxRoomKey)
	}
	var q struct {
		First     *int64         `json:"first_message_index"`
		Forwarded *int64         `json:"forwarded_count"`
		Verified  *bool          `json:"is_verified"`
		Data      jsontext.Value `json:"session_data"`
	}
	if err := json.Unmarshal(raw, &q); err != nil {
		return key, mxerror.BadJSON("The key of session %s has not the form that is needed.", sessionID).Because(err)
	}
	if q.First == nil || q.Forwarded == nil || q.Verified == nil || len(q.Data) == 0 {
		return key, mxerror.MissingParam("The key of session %s needs first_message_index, forwarded_count, is_verified and session_data.", sessionID)
	}
	if *q.First < 0 || *q.Forwarded < 0 {
		return key, mxerror.InvalidParam("first_message_index and forwarded_count of session %s must not be negative.", sessionID)
	}
	// An object, says the specification, "algorithm-dependent data"; before it was written down
	// clients put text there, which is as good to a server that can't look into either.
	if k := q.Data.Kind(); k != '{' && k != '"' {
		return key, mxerror.InvalidParam("session_data of session %s must be an object.", sessionID)
	}
	kept, err := json.Marshal(map[string]any{"first_message_index": *q.First, "forwarded_count": *q.Forwarded, "is_verified": *q.Verified, "session_data": q.Data}, json.Deterministic(true))
	if err != nil {
		return key, mxerror.BadJSON("The key of session %s is not valid.", sessionID).Because(err)
	}
	key.FirstIndex, key.Forwarded, key.Verified, key.JSON = *q.First, *q.Forwarded, *q.Verified, string(kept)
	return key, nil
}

// better tells whether a key is to replace the one that is there: "if the keys have different
// values for is_verified, then it will keep the key that has is_verified set to true; if they have
// the same values for is_verified, then it will keep the key with a lower first_message_index; and
// finally, if is_verified and first_message_index are equal, then it will keep the key with a lower
// forwarded_count."
func better(key, have store.RoomKey) bool {
	switch {
	case key.Verified != have.Verified:
		return key.Verified
	case key.FirstIndex != have.FirstIndex:
		return key.FirstIndex < have.FirstIndex
	}
	return key.Forwarded < have.Forwarded
}

// PutRoomKeys adds keys to the current backup, which version must be.
func (k *Keys) PutRoomKeys(ctx context.Context, o Owner, version string, r RoomKeys) (*BackupUpdate, error) {
	if r.Rooms == nil {
		return nil, mxerror.MissingParam("rooms is missing.")
	}
	var keys []store.RoomKey
	for _, roomID := range slices.Sorted(maps.Keys(r.Rooms)) {
		sessions := r.Rooms[roomID].Sessions
		if sessions == nil {
			return nil, mxerror.MissingParam("sessions is missing.")
		}
		for _, sessionID := range slices.Sorted(maps.Keys(sessions)) {
			key, err := readRoomKey(roomID, sessionID, sessions[sessionID])
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
	}
	var out *BackupUpdate
	for first := true; first || len(keys) > 0; first = false {
		batch := keys[:min(len(keys), backupBatch)]
		keys = keys[len(batch):]
		err := k.store.Write(ctx, func(tx *store.Tx) (err error) {
			out, err = putRoomKeys(tx, o, version, batch)
			return err
		})
		if err != nil {
			return nil, public(err)
		}
	}
	return out, nil
}

func putRoomKeys(tx *store.Tx, o Owner, version string, keys []store.RoomKey) (*BackupUpdate, error) {
	b, err := tx.CurrentBackup(o.UserNID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, store.Refuse(noBackup())
	}
	if err != nil {
		return nil, err
	}
	if current := strconv.FormatInt(b.Version, 10); current != version {
		return nil, store.Refuse(mxerror.New(http.StatusForbidden, "M_WRONG_ROOM_KEYS_VERSION", "Wrong backup version.").With("current_version", current))
	}
	var more int64
	changed := false
	for _, key := range keys {
		have, err := tx.RoomKey(o.UserNID, b.Version, key.RoomID, key.SessionID)
		fresh := errors.Is(err, store.ErrNotFound)
		if err != nil && !fresh {
			return nil, err
		}
		if !fresh && !better(key, have) {
			continue
		}
		if err := tx.SetRoomKey(o.UserNID, b.Version, key); err != nil {
			return nil, err
		}
		changed = true
		if fresh {
			more++
		}
	}
	if b.Count+more > maxBackupKeys {
		return nil, store.Refuse(mxerror.Forbidden("A backup can hold at most %d keys.", maxBackupKeys))
	}
	return changedBackup(tx, o, b, changed, more)
}

func changedBackup(tx *store.Tx, o Owner, b store.Backup, changed bool, more int64) (*BackupUpdate, error) {
	if changed {
		if err := tx.BackupChanged(o.UserNID, b.Version, more); err != nil {
			return nil, err
		}
		b.ETag++
		b.Count += more
	}
	return &BackupUpdate{b.Count, strconv.FormatInt(b.ETag, 10)}, nil
}

// DeleteRoomKeys removes keys from a backup: one, those of a room, or all.
func (k *Keys) DeleteRoomKeys(ctx context.Context, o Owner, version, roomID, sessionID string) (out *BackupUpdate, err error) {
	err = k.store.Write(ctx, func(tx *store.Tx) error {
		b, err := openBackupTx(tx, o, version)
		if err != nil {
			return err
		}
		n, err := tx.DeleteRoomKeys(o.UserNID, b.Version, roomID, sessionID)
		if err != nil {
			return err
		}
		out, err = changedBackup(tx, o, b, n > 0, -n)
		return err
	})
	return out, public(err)
}

// RoomKey hands out one key.
func (k *Keys) RoomKey(ctx context.Context, o Owner, version, roomID, sessionID string) (jsontext.Value, error) {
	b, err := k.openBackup(ctx, o, version)
	if err != nil {
		return nil, err
	}
	key, err := k.store.RoomKey(ctx, o.UserNID, b.Version, roomID, sessionID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("Key not found.")
	}
	return jsontext.Value(key.JSON), public(err)
}

// RoomKeysOf hands out the keys of a room.
func (k *Keys) RoomKeysOf(ctx context.Context, o Owner, version, roomID string) (*RoomSessions, error) {
	b, err := k.openBackup(ctx, o, version)
	if err != nil {
		return nil, err
	}
	keys, err := k.store.RoomKeysOf(ctx, o.UserNID, b.Version, roomID)
	if err != nil {
		return nil, public(err)
	}
	out := &RoomSessions{map[string]jsontext.Value{}}
	for _, key := range keys {
		out.Sessions[key.SessionID] = jsontext.Value(key.JSON)
	}
	return out, nil
}

// EachRoomKey hands out all keys of a backup, room by room, a batch in memory at a time. An
// unknown version is told before the first key.
func (k *Keys) EachRoomKey(ctx context.Context, o Owner, version string, fn func(roomID, sessionID string, key jsontext.Value) error) error {
	b, err := k.openBackup(ctx, o, version)
	if err != nil {
		return err
	}
	room, session := "", ""
	for {
		keys, err := k.store.RoomKeysAfter(ctx, o.UserNID, b.Version, room, session, backupBatch)
		if err != nil {
			return public(err)
		}
		for _, key := range keys {
			if err := fn(key.RoomID, key.SessionID, jsontext.Value(key.JSON)); err != nil {
				return err
			}
			room, session = key.RoomID, key.SessionID
		}
		if len(keys) < backupBatch {
			return nil
		}
	}
}
