package store

import (
	"context"
	"strings"
)

// UserQuery selects accounts for administrators.
type UserQuery struct {
	// ID is a part of the user id; Name one of the localpart or the display name, in any case.
	ID, Name string
	// Guests and Locked include such accounts.
	Guests, Locked bool
	// Deactivated and Admins, when not nil, are what the accounts must be.
	Deactivated, Admins *bool
	// NotTypes are user types that are not wanted; "" stands for accounts without one.
	NotTypes []string
	// OrderBy is one of the names that queries/admin.sql orders by; "name" otherwise.
	OrderBy string
	Back    bool
	Limit   int
	Offset  int
}

// AccountInfo is an account with what lists show of it.
type AccountInfo struct {
	AccountName
	// DisplayName and Avatar are JSON, or "".
	DisplayName, Avatar string
	LastSeenTS          int64
}

// contains is the LIKE pattern of texts that contain another.
func contains(part string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(part) + "%"
}

func tristate(b *bool) int64 {
	if b == nil {
		return -1
	}
	return number(*b)
}

func (q UserQuery) args() []any {
	id, name, local, types := "", "", "", ""
	if q.ID != "" {
		id = contains(q.ID)
	}
	if q.Name != "" {
		name = contains(strings.ToLower(q.Name))
		local = "@" + name + ":%"
	}
	if len(q.NotTypes) > 0 {
		types = "," + strings.Join(q.NotTypes, ",") + ","
	}
	return []any{id, name, local, number(q.Guests), tristate(q.Deactivated), tristate(q.Admins), number(q.Locked), types}
}

// Users lists accounts, and counts all that the query selects.
func (s *Store) Users(ctx context.Context, q UserQuery) (page []AccountInfo, total int64, err error) {
	if err := s.row(ctx, "user_list_count", q.args()...).Scan(&total); err != nil {
		return nil, 0, err
	}
	query := "user_list_f"
	if q.Back {
		query = "user_list_b"
	}
	page, err = collect(ctx, s, query, func(r scanner) (a AccountInfo, err error) {
		return a, a.scan(r, &a.ID, &a.DisplayName, &a.Avatar, &a.LastSeenTS)
	}, append(q.args(), q.OrderBy, q.Limit, q.Offset)...)
	return page, total, err
}

// SetUserType notes what an account is; "" for an ordinary one.
func (t *Tx) SetUserType(user int64, typ string) error { return t.exec("account_type", user, typ) }

// SetShadowBanned makes what an account sends go nowhere, or ends that.
func (t *Tx) SetShadowBanned(user int64, on bool) error {
	return t.exec("account_shadow", user, bit(on))
}

// SetRate gives an account a limit of its own; see Account.RateMilli.
func (t *Tx) SetRate(user, milli, burst int64) error {
	return t.exec("account_rate", user, milli, burst)
}

// SetKeysUntil lets a user replace the cross-signing keys without a confirmation until then.
func (t *Tx) SetKeysUntil(user, untilMS int64) error {
	return t.exec("account_keys_until", user, untilMS)
}

// Reactivate opens an account again that was closed, with a password hash, "" for none.
func (t *Tx) Reactivate(user int64, hash string) error {
	if err := t.exec("account_reactivate", user); err != nil {
		return err
	}
	t.after = append(t.after, func() { t.w.s.erased.Delete(user) })
	if err := t.SetPassword(user, hash); err != nil {
		return err
	}
	return t.IndexPerson(user)
}

// SSOLink is who somebody is at an identity provider.
type SSOLink struct{ Provider, Subject string }

// SSOLinksOf lists who a user is at identity providers.
func (s *Store) SSOLinksOf(ctx context.Context, user int64) ([]SSOLink, error) {
	return collect(ctx, s, "sso_link_subjects", func(r scanner) (l SSOLink, err error) {
		return l, r.Scan(&l.Provider, &l.Subject)
	}, user)
}

// UnlinkSSO forgets who a user is at identity providers.
func (t *Tx) UnlinkSSO(user int64) error { return t.exec("sso_link_delete_user", user) }

// DeleteThreePIDs takes all addresses from a user.
func (t *Tx) DeleteThreePIDs(user int64) error { return t.exec("threepid_delete_user", user) }

// LocalMember is a user of this server in a room.
type LocalMember struct {
	User int64
	ID   string
}

// LocalMembers lists users of this server who are in a room, invited to it or knocking, by number
// above after.
func (s *Store) LocalMembers(ctx context.Context, room, after int64, limit int) ([]LocalMember, error) {
	return collect(ctx, s, "membership_local", func(r scanner) (m LocalMember, err error) {
		return m, r.Scan(&m.User, &m.ID)
	}, room, after, limit)
}

// LocalJoined counts the users of this server in a room.
func (s *Store) LocalJoined(ctx context.Context, room int64) (n int64, err error) {
	return n, s.row(ctx, "membership_local_joined", room).Scan(&n)
}

// LocalRemember counts the users of this server who have not forgotten a room.
func (s *Store) LocalRemember(ctx context.Context, room int64) (n int64, err error) {
	return n, s.row(ctx, "membership_local_remembered", room).Scan(&n)
}

// LocalDevices counts the devices of the users of this server in a room.
func (s *Store) LocalDevices(ctx context.Context, room int64) (n int64, err error) {
	return n, s.row(ctx, "membership_local_devices", room).Scan(&n)
}

// JoinedIDs lists the ids of those in a room.
func (s *Store) JoinedIDs(ctx context.Context, room int64) ([]string, error) {
	return collect(ctx, s, "membership_joined_ids", func(r scanner) (id string, err error) { return id, r.Scan(&id) }, room)
}

// MediaByUser is what a user has uploaded.
type MediaByUser struct {
	User int64
	ID   string
	// DisplayName is JSON, or "".
	DisplayName  string
	Files, Bytes int64
}

// MediaByUsers counts what users have uploaded between two times; of those only whose localpart
// or display name contains search.
func (s *Store) MediaByUsers(ctx context.Context, fromMS, untilMS int64, search string) ([]MediaByUser, error) {
	q := UserQuery{Name: search}
	args := q.args()
	return collect(ctx, s, "media_by_user", func(r scanner) (m MediaByUser, err error) {
		return m, r.Scan(&m.User, &m.ID, &m.DisplayName, &m.Files, &m.Bytes)
	}, fromMS, untilMS, args[1], args[2])
}

// RoomSize is about how much a room takes in the database, in bytes.
type RoomSize struct{ Room, Bytes int64 }

// LargestRooms lists the rooms whose events take most.
func (s *Store) LargestRooms(ctx context.Context, limit int) ([]RoomSize, error) {
	return collect(ctx, s, "room_sizes", func(r scanner) (z RoomSize, err error) { return z, r.Scan(&z.Room, &z.Bytes) }, limit)
}

// ServerBackoff is a server that could not be reached.
type ServerBackoff struct {
	Server string
	Backoff
}

// Backoffs lists the servers that could not be reached.
func (s *Store) Backoffs(ctx context.Context) ([]ServerBackoff, error) {
	return collect(ctx, s, "destination_backoff_list", func(r scanner) (b ServerBackoff, err error) {
		return b, r.Scan(&b.Server, &b.Failures, &b.SinceTS, &b.RetryTS)
	})
}

// ExpireTokens makes the tokens of a device end at a time, in milliseconds.
func (t *Tx) ExpireTokens(user, device, atMS int64) error {
	return t.exec("token_expire_device", user, device, atMS)
}

// MediaShown tells whether a profile or a room has a picture as its avatar.
func (s *Store) MediaShown(ctx context.Context, m MediaName) (bool, error) {
	var n int64
	err := s.row(ctx, "media_shown", "%mxc://"+m.Origin+"/"+m.ID+"%", m.Origin, m.ID).Scan(&n)
	return n > 0, err
}
