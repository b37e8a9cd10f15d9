package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
)

// codeLife is how long an authorization code is good for: RFC 6749, section 4.1.2: "A maximum
// authorization code lifetime of 10 minutes is RECOMMENDED."
const (
	codeLife  = 10 * time.Minute
	codesKept = 8192
)

// code is an authorization code that was given out.
type code struct {
	mu       sync.Mutex
	used     bool
	login    *accounts.Login // what it was exchanged for
	client   string
	redirect string
	// challenge is PKCE's code_challenge, of method S256.
	challenge string
	user      int64
	grant     grant
	until     time.Time
}

// codes are the authorization codes of the last minutes, by their sums.
type codes struct {
	now  func() time.Time
	byID *lru.Cache[[sha256.Size]byte, *code]
}

func newCodes(now func() time.Time) (*codes, error) {
	c, err := lru.New[[sha256.Size]byte, *code](codesKept)
	return &codes{now, c}, err
}

// random makes a secret of 32 bytes.
func random() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// add gives out a code.
func (cs *codes) add(c *code) string {
	secret := random()
	c.until = cs.now().Add(codeLife)
	cs.byID.Add(sha256.Sum256([]byte(secret)), c)
	return secret
}

// find finds a code that was given out within its life, used or not.
func (cs *codes) find(secret string) *code {
	c, ok := cs.byID.Get(sha256.Sum256([]byte(secret)))
	if !ok || !cs.now().Before(c.until) {
		return nil
	}
	return c
}

// challengeSize is the length of a code_challenge: base64 of a SHA-256.
const challengeSize = 43

func validChallenge(s string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	return len(s) == challengeSize && err == nil && len(raw) == sha256.Size
}

// verifies tells whether a code_verifier is what a challenge was made of: "characters [A-Z], [a-z],
// [0-9], -, ., _ and ~ with a minimum length of 43 characters and a maximum length of 128 characters".
func verifies(challenge, verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-._~", c))
	}) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
