package accounts

import (
	"context"
	"encoding/json/v2"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// DeviceRequest is what a client says of the device that it logs in with.
type DeviceRequest struct {
	// ID is the client's wish, or "" for a fresh one.
	ID string
	// Name is the name of a device that is new.
	Name string
	// IP and Agent are where the request came from, and its User-Agent.
	IP, Agent string
	// Refresh tells that the client can refresh tokens.
	Refresh bool

	oauth bool // it comes by the OAuth 2.0 API
}

// Login is a fresh login.
type Login struct {
	UserID      string
	UserNID     int64
	DeviceID    string
	DeviceNID   int64
	AccessToken string
	// RefreshToken is empty where the client can't refresh.
	RefreshToken string
	// ExpiresIn is how long the access token is good for; 0 means for ever.
	ExpiresIn time.Duration

	oauth bool
}

const (
	maxDeviceID   = 255
	maxDeviceName = 100
)

// check refuses device ids and names that are too long or can't be shown.
func (d DeviceRequest) check() error {
	if len(d.ID) > maxDeviceID || strings.ContainsFunc(d.ID, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd }) {
		return mxerror.InvalidParam("A device id is at most %d bytes of text.", maxDeviceID)
	}
	return CheckDeviceName(d.Name)
}

// CheckDeviceName refuses names of devices that are too long.
func CheckDeviceName(name string) error {
	if len(name) > maxDeviceName {
		return mxerror.InvalidParam("The device's name is %d bytes long; at most %d are allowed.", len(name), maxDeviceName)
	}
	return nil
}

// deviceID makes a fresh device id: ten capital letters.
func deviceID() string {
	// 16 letters, of which none reads like another.
	return randomText(10, "ABCDEFGHJKLMNPQR")
}

// WrongPassword is the answer to a wrong user name or password, not telling which.
func WrongPassword() error {
	return mxerror.Forbidden("The user name or the password is wrong.")
}

func deactivated() error {
	return mxerror.New(http.StatusForbidden, "M_USER_DEACTIVATED", "This account has been deactivated.")
}

// LoginPassword logs in with a password.
func (a *Accounts) LoginPassword(ctx context.Context, who Identifier, password string, d DeviceRequest) (*Login, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	id, nid, err := a.checkPassword(ctx, who, password)
	if err != nil {
		return nil, err
	}
	return a.addLogin(ctx, id, nid, d)
}

// LoginAgain answers a request to sign up whose first answer was lost.
func (a *Accounts) LoginAgain(ctx context.Context, user int64, r Registration) (*Login, error) {
	id, err := a.store.UserID(ctx, user)
	if err != nil {
		return nil, public(err)
	}
	if !r.Login {
		return &Login{UserID: id, UserNID: user}, nil
	}
	if err := r.Device.check(); err != nil {
		return nil, err
	}
	return a.addLogin(ctx, id, user, r.Device)
}

// LoginAs logs a user in without a password: for application services, which the caller has
// authenticated, and for administrators.
func (a *Accounts) LoginAs(ctx context.Context, user string, d DeviceRequest) (*Login, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	id, ok := a.localUser(user)
	if !ok {
		return nil, mxerror.Forbidden("%s is no user of this server.", user)
	}
	nid, err := a.store.UserNID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.Forbidden("%s has no account here.", id)
	}
	if err != nil {
		return nil, public(err)
	}
	return a.addLogin(ctx, id, nid, d)
}

// checkPassword finds the account of a user and checks its password. It takes the same time
// whether there is such an account or not.
func (a *Accounts) checkPassword(ctx context.Context, who Identifier, password string) (id string, nid int64, err error) {
	if len(password) > maxPassword {
		return "", 0, WrongPassword()
	}
	id, account, err := a.identify(ctx, who)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", 0, public(err)
	}
	same, err := a.passwords.matches(ctx, account.Password, password)
	if err != nil {
		return "", 0, public(err)
	}
	if account.DeactivatedTS != 0 {
		return "", 0, deactivated()
	}
	if !same {
		return "", 0, WrongPassword()
	}
	return id, account.User, nil
}

// Find finds the account of a user id or localpart, also one that is deactivated;
// store.ErrNotFound if there is none.
func (a *Accounts) Find(ctx context.Context, user string) (id string, account store.Account, err error) {
	return a.findAccount(ctx, user)
}

// findAccount looks for the user as written and, since people write their names with capitals
// and new names have none, in lower case.
func (a *Accounts) findAccount(ctx context.Context, user string) (id string, account store.Account, err error) {
	err = store.ErrNotFound
	for _, name := range []string{user, strings.ToLower(user)} {
		id, ok := a.localUser(name)
		if !ok {
			continue
		}
		nid, err := a.store.UserNID(ctx, id)
		if err == nil {
			account, err = a.store.Account(ctx, nid)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return id, account, err
		}
	}
	return "", store.Account{}, err
}

func (a *Accounts) addLogin(ctx context.Context, id string, nid int64, d DeviceRequest) (*Login, error) {
	var login *Login
	err := a.store.Write(ctx, func(tx *store.Tx) (err error) {
		if err := a.mayLogIn(tx, nid); err != nil { // perhaps since the password was checked
			return err
		}
		login, err = a.putLogin(tx, id, nid, d, true)
		return err
	})
	if err != nil {
		return nil, public(err)
	}
	a.sessions.forget(nid, login.DeviceNID)
	return login, nil
}

// putLogin gives a user a device and a token. Specification of /login: "If the device_id
// matches an existing device, ... previous access tokens of it are invalidated". announce tells those who
// share a room with the user of a new device; nobody does with who has just signed up.
func (a *Accounts) putLogin(tx *store.Tx, id string, nid int64, d DeviceRequest, announce bool) (*Login, error) {
	if d.ID == "" {
		d.ID = deviceID()
	}
	// Specification of /login: "The given device ID must not be the same as a cross-signing key ID."
	if err := notCrossSigning(tx, nid, d.ID); err != nil {
		return nil, err
	}
	device, fresh, err := tx.EnsureDevice(store.Device{User: nid, ID: d.ID, Name: d.Name, CreatedTS: a.nowMS(), LastSeenIP: d.IP,
		LastSeenAgent: strings.ToValidUTF8(d.Agent[:min(len(d.Agent), agentMax)], "")})
	if err != nil {
		return nil, err
	}
	if fresh && announce {
		// Server-server API, "Device Management": other servers, and those who share a room, are told
		// "whenever that user's device list changes (i.e. for new or deleted devices, ...)".
		if err := tx.DeviceListChanged(nid, device.ID); err != nil {
			return nil, err
		}
	}
	if !fresh {
		if err := tx.DeleteDeviceTokens(nid, device.NID); err != nil {
			return nil, err
		}
		if err := tx.DeleteOAuthSession(device.NID); err != nil {
			return nil, err
		}
	}
	l := &Login{UserID: id, UserNID: nid, DeviceID: device.ID, DeviceNID: device.NID, oauth: d.oauth}
	return l, a.putTokens(tx, l, d.Refresh, nil)
}

// notCrossSigning refuses a device id that is the id of one of the user's cross-signing keys.
func notCrossSigning(tx *store.Tx, user int64, device string) error {
	keys, err := tx.CrossSigningKeys(user)
	if err != nil {
		return err
	}
	for _, k := range keys {
		var key struct {
			Keys map[string]string `json:"keys"`
		}
		if err := json.Unmarshal([]byte(k.JSON), &key); err != nil {
			return err
		}
		if _, ok := key.Keys["ed25519:"+device]; ok {
			return store.Refuse(mxerror.Forbidden("A device can't have the id of a cross-signing key."))
		}
	}
	return nil
}
