package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// SharedSecretRequest is the body of Synapse's POST /_synapse/admin/v1/register, by which
// administrators' scripts and test suites make accounts.
type SharedSecretRequest struct {
	Nonce       string `json:"nonce"`
	Username    string `json:"username"`
	Password    string `json:"password"`
	DisplayName string `json:"displayname"`
	Admin       bool   `json:"admin"`
	UserType    string `json:"user_type"`
	// MAC is the hexadecimal HMAC-SHA1, keyed with the secret, of nonce, user name, password and
	// "admin" or "notadmin", and the user type if there is one, with NUL between them.
	MAC          string `json:"mac"`
	InhibitLogin bool   `json:"inhibit_login"`
}

const (
	nonceLife = 60 * time.Second
	noncesMax = 1024
)

// nonces are given out for one use each.
type nonces struct {
	mu    sync.Mutex
	until map[string]time.Time
	order []string // oldest first
}

func newNonces() *nonces { return &nonces{until: map[string]time.Time{}} }

func (n *nonces) make(now time.Time) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.order) > 0 && (len(n.order) >= noncesMax || !now.Before(n.until[n.order[0]])) {
		delete(n.until, n.order[0])
		n.order = n.order[1:]
	}
	nonce := randomText(32, lower32)
	n.until[nonce], n.order = now.Add(nonceLife), append(n.order, nonce)
	return nonce
}

// use takes a nonce; false if it was never given out, was used, or has expired.
func (n *nonces) use(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	until, ok := n.until[nonce]
	delete(n.until, nonce)
	return ok && now.Before(until)
}

func (a *Accounts) sharedSecretOn() error {
	if a.sharedSecret == "" {
		return mxerror.New(http.StatusBadRequest, "M_UNKNOWN", "Signing up with a shared secret is not enabled on this server.")
	}
	return nil
}

// Nonce gives out a nonce for RegisterWithSecret, good for one use within a minute.
func (a *Accounts) Nonce() (string, error) {
	if err := a.sharedSecretOn(); err != nil {
		return "", err
	}
	return a.nonces.make(a.now()), nil
}

// RegisterWithSecret makes an account for somebody who knows the shared secret.
func (a *Accounts) RegisterWithSecret(ctx context.Context, r SharedSecretRequest, d DeviceRequest) (*Login, error) {
	if err := a.sharedSecretOn(); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"nonce": r.Nonce, "username": r.Username, "password": r.Password, "mac": r.MAC} {
		if value == "" {
			return nil, mxerror.MissingParam("The request needs %s.", name)
		}
	}
	// NUL separates the fields, so that none may hold one.
	if strings.ContainsRune(r.Username+r.Password+r.UserType, 0) {
		return nil, mxerror.InvalidParam("User name, password and user type must not hold NUL characters.")
	}
	if !a.nonces.use(r.Nonce, a.now()) {
		return nil, mxerror.New(http.StatusBadRequest, "M_UNKNOWN", "The nonce is not known: each is good for one use within a minute.")
	}
	mac := hmac.New(sha1.New, []byte(a.sharedSecret))
	admin := "notadmin"
	if r.Admin {
		admin = "admin"
	}
	parts := []string{r.Nonce, r.Username, r.Password, admin}
	if r.UserType != "" {
		parts = append(parts, r.UserType)
	}
	mac.Write([]byte(strings.Join(parts, "\x00")))
	if got, err := hex.DecodeString(r.MAC); err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return nil, mxerror.Forbidden("The mac is wrong.")
	}
	return a.Register(ctx, Registration{Localpart: r.Username, Password: r.Password, Admin: r.Admin, DisplayName: r.DisplayName, Login: !r.InhibitLogin, Device: d})
}
