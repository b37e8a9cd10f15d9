package accounts

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Config is what New needs.
type Config struct {
	// Server is the server's name, the part of user ids behind the colon.
	Server string
	Store  *store.Store
	Log    *slog.Logger
	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// PasswordJobs is how many passwords are hashed at once, each with 19 MiB of memory; 0 means 2.
	PasswordJobs int
	// PasswordMin is the least length of a new password in bytes; 0 means 8.
	PasswordMin int
	// SharedSecret allows signing up with it; empty switches that off.
	SharedSecret string
	// Lifetimes are those of tokens.
	Lifetimes Lifetimes
	// Mailer sends messages to e-mail addresses; nil: no addresses can be added or used.
	Mailer Mailer
	// TellKnown lets strangers find out whether an e-mail address has an account; otherwise they get
	// the same answer, and the address a message that tells.
	TellKnown bool
	// Reserved tells of user ids that belong to an application service alone; nil: there are none.
	Reserved func(userID string) bool
	// JWT allows logging in with JSON web tokens; nil switches that off.
	JWT *JWT
}

// Accounts manages the accounts of one server. It is safe for concurrent use.
type Accounts struct {
	server       string
	store        *store.Store
	log          *slog.Logger
	now          func() time.Time
	passwordMin  int
	sharedSecret string
	lifetimes    Lifetimes
	mailer       Mailer
	tellKnown    bool
	reserved     func(userID string) bool
	jwt          *jwtVerifier

	passwords *hasher
	sessions  *sessionCache
	seen      *seenRecorder
	nonces    *nonces
	uia       *uiaSessions
}

// New makes Accounts; Close must be called before the store is closed.
func New(c Config) (*Accounts, error) {
	if c.Server == "" || c.Store == nil || c.Log == nil {
		return nil, errors.New("accounts: the server's name, the store and the log are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PasswordJobs <= 0 {
		c.PasswordJobs = 2
	}
	if c.PasswordMin <= 0 {
		c.PasswordMin = 8
	}
	a := &Accounts{server: c.Server, store: c.Store, log: c.Log, now: c.Now, passwordMin: c.PasswordMin, sharedSecret: c.SharedSecret,
		lifetimes: c.Lifetimes, mailer: c.Mailer, tellKnown: c.TellKnown, reserved: c.Reserved}
	var err error
	if a.jwt, err = newJWTVerifier(c.JWT); err != nil {
		return nil, err
	}
	if a.sessions, err = newSessionCache(sessionsKept); err != nil {
		return nil, fmt.Errorf("making the token cache: %w", err)
	}
	if a.uia, err = newUIASessions(uiaKept); err != nil {
		return nil, fmt.Errorf("making the interactive sessions: %w", err)
	}
	a.passwords = newHasher(c.PasswordJobs)
	a.nonces = newNonces()
	a.seen = newSeenRecorder(c.Store, c.Log)
	return a, nil
}

// Close waits until what was to be recorded is recorded.
func (a *Accounts) Close() { a.seen.close() }

func (a *Accounts) nowMS() int64 { return a.now().UnixMilli() }

// public gives an error of the store a public face.
func public(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := mxerror.As(err); ok {
		return err
	}
	return mxerror.New(http.StatusInternalServerError, "M_UNKNOWN", "The server could not do that. Please try again.").Because(err)
}

// randomText makes a random text of n letters out of an alphabet whose size divides 256, so
// that all are equally likely.
func randomText(n int, alphabet string) string {
	buf := make([]byte, n)
	rand.Read(buf) // never fails
	for i, b := range buf {
		buf[i] = alphabet[int(b)%len(alphabet)]
	}
	return string(buf)
}

const lower32 = "abcdefghijklmnopqrstuvwxyz234567"
