package store

import (
	"context"
	"errors"
)

// Device is one client of a user.
type Device struct {
	NID, User  int64
	ID         string
	Name       string
	CreatedTS  int64
	LastSeenTS int64
	LastSeenIP string
	// LastSeenAgent is the User-Agent of the last recorded request.
	LastSeenAgent string
}

func scanDevice(r scanner) (d Device, err error) {
	return d, r.Scan(&d.NID, &d.User, &d.ID, &d.Name, &d.CreatedTS, &d.LastSeenTS, &d.LastSeenIP, &d.LastSeenAgent)
}

// Device reads a device of a user; ErrNotFound if there is none such.
func (s *Store) Device(ctx context.Context, user int64, id string) (Device, error) {
	return scanDevice(s.row(ctx, "device_get", user, id))
}

// DeviceByNID reads a device by number.
func (s *Store) DeviceByNID(ctx context.Context, nid int64) (Device, error) {
	return scanDevice(s.row(ctx, "device_by_nid", nid))
}

// DevicesOf lists a user's devices, oldest first.
func (s *Store) DevicesOf(ctx context.Context, user int64) ([]Device, error) {
	return collect(ctx, s, "device_list_of", scanDevice, user)
}

// EnsureDevice makes a device unless the user has one of this id, and returns it; fresh tells
// which. A device that exists keeps its name.
func (t *Tx) EnsureDevice(d Device) (_ Device, fresh bool, err error) {
	have, err := scanDevice(t.row("device_get", d.User, d.ID))
	if !errors.Is(err, ErrNotFound) {
		return have, false, err
	}
	d.NID, d.LastSeenTS = t.w.s.counters.device.Add(1), d.CreatedTS
	return d, true, t.exec("device_put", d.NID, d.User, d.ID, d.Name, d.CreatedTS, d.LastSeenIP, d.LastSeenAgent)
}

// RenameDevice changes the name; false if there is no such device.
func (t *Tx) RenameDevice(user int64, id, name string) (bool, error) {
	n, err := t.execCount("device_rename", user, id, name)
	return n == 1, err
}

// DeviceSeen records when, from where and with what program a device was last used.
func (t *Tx) DeviceSeen(nid, nowMS int64, ip, agent string) error {
	return t.exec("device_seen", nid, nowMS, ip, agent)
}

// Device is Store.Device as the transaction sees it.
func (t *Tx) Device(user int64, id string) (Device, error) {
	return scanDevice(t.row("device_get", user, id))
}

// DevicesOf is Store.DevicesOf as the transaction sees it.
func (t *Tx) DevicesOf(user int64) (devices []Device, err error) {
	err = t.each("device_list_of", func(r scanner) error {
		d, err := scanDevice(r)
		devices = append(devices, d)
		return err
	}, user)
	return devices, err
}

// DeleteDevice removes a device with its tokens, keys, waiting messages and pushers.
func (t *Tx) DeleteDevice(d Device) error {
	if err := t.exec("token_delete_device", d.User, d.NID); err != nil {
		return err
	}
	if err := t.exec("request_txn_delete", d.NID); err != nil {
		return err
	}
	if err := t.exec("pusher_delete_device", d.User, d.NID); err != nil {
		return err
	}
	if err := t.DeleteDeviceKeys(DeviceName{d.User, d.ID}); err != nil {
		return err
	}
	if err := t.forgetSettings(d); err != nil {
		return err
	}
	if err := t.DeleteOAuthSession(d.NID); err != nil {
		return err
	}
	return t.exec("device_delete", d.NID)
}

// forgetSettings deletes account data that is about a device alone. MSC3890: "when a device is deleted,
// the server should delete the device's local_notification_settings account data".
func (t *Tx) forgetSettings(d Device) error {
	for _, prefix := range [...]string{"m.local_notification_settings.", "org.matrix.msc3890.local_notification_settings."} {
		if err := t.DeleteAccountData(d.User, 0, prefix+d.ID); err != nil {
			return err
		}
	}
	return nil
}

// Token is what a token stands for. Only a hash of the token itself is kept.
type Token struct {
	Hash []byte
	// Kind is "access", "refresh", "spent" (a refresh token whose successor is in use), "login",
	// "openid" or "web" (a browser that is signed in to the server's own pages).
	Kind string
	// Device is 0 for tokens that belong to no device.
	User, Device int64
	CreatedTS    int64
	// ExpiresTS is 0 for tokens that are good for ever; of a spent one it is when it was spent.
	ExpiresTS int64
	// Parent is the hash of the refresh token that this one came from, until it is first used.
	Parent []byte
}

// Token finds what a token's hash stands for; ErrNotFound if nothing.
func (s *Store) Token(ctx context.Context, hash []byte) (Token, error) {
	return scanToken(hash, s.row(ctx, "token_get", hash))
}

// Token is Store.Token as the transaction sees it.
func (t *Tx) Token(hash []byte) (Token, error) { return scanToken(hash, t.row("token_get", hash)) }

func scanToken(hash []byte, r scanner) (Token, error) {
	k := Token{Hash: hash}
	return k, r.Scan(&k.Kind, &k.User, &k.Device, &k.CreatedTS, &k.ExpiresTS, &k.Parent)
}

// AddToken adds a token.
func (t *Tx) AddToken(k Token) error {
	return t.exec("token_insert", k.Hash, k.Kind, k.User, k.Device, k.CreatedTS, k.ExpiresTS, k.Parent)
}

// DeleteToken removes one token.
func (t *Tx) DeleteToken(hash []byte) error { return t.exec("token_delete", hash) }

// DeleteDeviceTokens removes all tokens of a device.
func (t *Tx) DeleteDeviceTokens(user, device int64) error {
	return t.exec("token_delete_device", user, device)
}

// DeleteTokenChildren removes the tokens that came from a refresh token and have not been used.
func (t *Tx) DeleteTokenChildren(refresh Token) error {
	return t.exec("token_delete_children", refresh.User, refresh.Device, refresh.Hash)
}

// SettleToken gives up the refresh token that a token came from, now that the token is in use:
// other access tokens of the device end at nowMS, and the refresh token becomes "spent", of which a
// device keeps only the last.
func (t *Tx) SettleToken(k Token, nowMS int64) error {
	if err := t.exec("token_expire_others", k.User, k.Device, k.Hash, nowMS); err != nil {
		return err
	}
	if err := t.exec("token_delete_kind", k.User, k.Device, "spent"); err != nil {
		return err
	}
	if err := t.exec("token_spend", k.Parent, nowMS); err != nil {
		return err
	}
	return t.exec("token_settle", k.User, k.Device, k.Parent)
}

// DeleteExpiredTokens removes the access tokens of a device that ended before a time.
func (t *Tx) DeleteExpiredTokens(user, device, beforeMS int64) error {
	return t.exec("token_delete_expired", user, device, beforeMS)
}

// DeleteOldTokens removes the tokens for logging in, for OpenID and of browsers that ended before a
// time.
func (t *Tx) DeleteOldTokens(beforeMS int64) error { return t.exec("token_delete_old", beforeMS) }
