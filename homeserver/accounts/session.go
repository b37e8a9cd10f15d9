package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Session is who makes a request. It is shared: do not change it.
type Session struct {
	UserID string
	// User and Device are the store's numbers. DeviceID and Device are empty and 0 where an
	// application service acts without a device.
	User     int64
	DeviceID string
	Device   int64
	// Kind is that of the account: "user", "guest" or "service".
	Kind string
	// ServiceID is the application service that the account belongs to, or "".
	ServiceID string
	// OAuthClient is the client by which the device came by the OAuth 2.0 API, or "".
	OAuthClient string
	Admin       bool
	Guest       bool
	// Suspended users may look but not act, and Locked ones may only log out; see the
	// specification, "Account moderation".
	Suspended, Locked bool
	// ShadowBanned users are told that they did what they did not; RateMilli and RateBurst are
	// their own limit, see store.Account.
	ShadowBanned         bool
	RateMilli, RateBurst int64

	expires int64 // milliseconds; 0 means never
	// seen is when the use of the device was last recorded, in milliseconds.
	seen atomic.Int64
}

const (
	tokenPrefix  = "lb_"
	tokenBytes   = 32
	sessionsKept = 16384
)

type tokenHash [sha256.Size]byte

// newToken makes a token and what is kept of it.
func newToken() (token string, hash tokenHash) {
	buf := make([]byte, tokenBytes)
	rand.Read(buf) // never fails
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(buf)
	return token, sha256.Sum256([]byte(token))
}

// sessionCache keeps the sessions of recently used tokens.
type sessionCache struct {
	mu     sync.Mutex
	lru    *simplelru.LRU[tokenHash, *Session]
	ofUser map[int64]map[tokenHash]struct{}
	// forgotten counts invalidations: what was read before one must not be kept after it.
	forgotten int64
}

func newSessionCache(size int) (*sessionCache, error) {
	c := &sessionCache{ofUser: map[int64]map[tokenHash]struct{}{}}
	var err error
	c.lru, err = simplelru.NewLRU(size, func(h tokenHash, s *Session) {
		of := c.ofUser[s.User]
		if delete(of, h); len(of) == 0 {
			delete(c.ofUser, s.User)
		}
	})
	return c, err
}

// get finds a session; where there is none, mark is to be given to put later.
func (c *sessionCache) get(h tokenHash) (s *Session, mark int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, _ = c.lru.Get(h)
	return s, c.forgotten
}

// put keeps a session that was read after the mark was taken, unless something was invalidated
// since: it might have been this one.
func (c *sessionCache) put(h tokenHash, s *Session, mark int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgotten != mark {
		return
	}
	c.lru.Add(h, s)
	of := c.ofUser[s.User]
	if of == nil {
		of = map[tokenHash]struct{}{}
		c.ofUser[s.User] = of
	}
	of[h] = struct{}{}
}

// forget drops the sessions of a user, or of one device of the user. It must be called after
// the change is durable, and before it is answered.
func (c *sessionCache) forget(user, device int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgotten++
	var drop []tokenHash
	for h := range c.ofUser[user] {
		if s, ok := c.lru.Peek(h); ok && (device == 0 || s.Device == device) {
			drop = append(drop, h)
		}
	}
	for _, h := range drop {
		c.lru.Remove(h)
	}
}

// Forget makes the next request of a user read the account anew: to be called after it was
// changed by other means than this package.
func (a *Accounts) Forget(user int64) { a.sessions.forget(user, 0) }

// ErrMissingToken is 401 M_MISSING_TOKEN: "No access token was specified for the request."
func ErrMissingToken() error {
	return mxerror.New(http.StatusUnauthorized, "M_MISSING_TOKEN", "This request needs an access token: log in, and send it in the Authorization header.")
}

func unknownToken(soft bool) *mxerror.Error {
	return mxerror.New(http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "The access token is not known here, or no longer valid. Log in again.").With("soft_logout", soft)
}

// agentMax bounds the User-Agent that is remembered, in bytes.
const agentMax = 255

// Authenticate finds whose an access token is, and records the use of the device. ip and agent, the
// User-Agent, may be empty. The session of a locked account is returned too; only logging out is for it, see
// Session.Usable.
func (a *Accounts) Authenticate(ctx context.Context, token, ip, agent string) (*Session, error) {
	if token == "" {
		return nil, ErrMissingToken()
	}
	// Tokens of other kinds can't be in the database; long ones need not even be hashed.
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 128 {
		return nil, unknownToken(false)
	}
	hash := tokenHash(sha256.Sum256([]byte(token)))
	s, mark := a.sessions.get(hash)
	if s == nil {
		var err error
		if s, err = a.load(ctx, hash); err != nil {
			return nil, err
		}
		a.sessions.put(hash, s, mark)
	}
	now := a.nowMS()
	// Specification, "Soft logout": "the server requires re-authentication before continuing, but
	// does not want to invalidate the client's session".
	if s.expires != 0 && now >= s.expires {
		return nil, unknownToken(true)
	}
	a.seen.note(s, now, ip, strings.ToValidUTF8(agent[:min(len(agent), agentMax)], ""))
	return s, nil
}

// Usable refuses locked accounts: "When an account is locked, servers MUST return a 401
// Unauthorized error response with an M_USER_LOCKED error code and soft_logout set to true on all
// but the following Client-Server APIs: POST /logout, POST /logout/all".
func (s *Session) Usable() error {
	if s.Locked {
		return userLocked()
	}
	return nil
}

// userLocked is 401 M_USER_LOCKED: "The account has been locked"; soft_logout keeps the client
// from throwing away its data.
func userLocked() error {
	return mxerror.New(http.StatusUnauthorized, "M_USER_LOCKED", "This account has been locked by an administrator.").With("soft_logout", true)
}

func (a *Accounts) load(ctx context.Context, hash tokenHash) (*Session, error) {
	k, err := a.store.Token(ctx, hash[:])
	if errors.Is(err, store.ErrNotFound) || err == nil && k.Kind != "access" {
		return nil, unknownToken(false)
	}
	if err != nil {
		return nil, public(err)
	}
	if k.Parent != nil {
		if err := a.settle(ctx, k); err != nil {
			return nil, public(err)
		}
	}
	account, err := a.store.Account(ctx, k.User)
	if errors.Is(err, store.ErrNotFound) || err == nil && account.DeactivatedTS != 0 {
		return nil, unknownToken(false)
	}
	if err != nil {
		return nil, public(err)
	}
	device, err := a.store.DeviceByNID(ctx, k.Device)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknownToken(false) // deleted since the token was read
	}
	if err != nil {
		return nil, public(err)
	}
	grant, err := a.store.OAuthSession(ctx, device.NID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, public(err)
	}
	id, err := a.store.UserID(ctx, k.User)
	if err != nil {
		return nil, public(err)
	}
	s := &Session{UserID: id, User: k.User, DeviceID: device.ID, Device: device.NID, Kind: account.Kind, ServiceID: account.Service, OAuthClient: grant.Client,
		Admin: account.Admin, Guest: account.Kind == "guest", Suspended: account.Suspended, Locked: account.Locked,
		ShadowBanned: account.ShadowBanned, RateMilli: account.RateMilli, RateBurst: account.RateBurst, expires: k.ExpiresTS}
	s.seen.Store(device.LastSeenTS)
	return s, nil
}
