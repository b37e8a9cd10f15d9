package accounts

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// argonParams are the costs of a hash.
type argonParams struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// The costs of new hashes: OWASP's recommendation for argon2id, 19 MiB, two passes, one thread.
var argonDefault = argonParams{19 << 10, 2, 1}

// Bounds of what a stored hash may demand, and of what is accepted as a password.
const (
	argonMaxMemory = 256 << 10
	argonMaxPasses = 16
	saltSize       = 16
	keySize        = 32
	maxPassword    = 512
	// maxWaiting is how many may wait for their password to be hashed.
	maxWaiting = 128
)

// hasher hashes passwords, a few at a time: each takes much memory and time, on purpose.
type hasher struct {
	jobs    *semaphore.Weighted
	waiting atomic.Int64
	// decoy is compared with where there is no hash, so that it takes as long.
	decoy string
}

func newHasher(jobs int) *hasher {
	h := &hasher{jobs: semaphore.NewWeighted(int64(jobs))}
	h.decoy = encodeHash(argonDefault, make([]byte, saltSize), make([]byte, keySize))
	return h
}

// enter waits for a turn, which ends by calling leave.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	if h.waiting.Add(1) > maxWaiting {
		h.waiting.Add(-1)
		return nil, mxerror.LimitExceeded(2 * time.Second)
	}
	if err := h.jobs.Acquire(ctx, 1); err != nil {
		h.waiting.Add(-1)
		return nil, err
	}
	return func() { h.jobs.Release(1); h.waiting.Add(-1) }, nil
}

// hash makes an encoded hash of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	return encodeHash(argonDefault, salt, derive(argonDefault, password, salt, keySize)), nil
}

// matches tells whether a password is the one of an encoded hash. Without a hash it takes as
// long to say no.
func (h *hasher) matches(ctx context.Context, encoded, password string) (bool, error) {
	none := encoded == ""
	if none {
		encoded = h.decoy
	}
	p, salt, key, err := decodeHash(encoded)
	if err != nil {
		return false, err
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	same := subtle.ConstantTimeCompare(derive(p, password, salt, len(key)), key) == 1
	return same && !none, nil
}

func derive(p argonParams, password string, salt []byte, size int) []byte {
	return argon2.IDKey([]byte(password), salt, p.passes, p.memory, p.threads, uint32(size))
}

// encodeHash writes the PHC string format.
func encodeHash(p argonParams, salt, key []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.threads, b.EncodeToString(salt), b.EncodeToString(key))
}

var errHash = errors.New("a stored password hash is damaged or of an unknown kind")

func decodeHash(s string) (p argonParams, salt, key []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.threads); err != nil || n != 3 {
		return p, nil, nil, errHash
	}
	if p.memory > argonMaxMemory || p.passes < 1 || p.passes > argonMaxPasses || p.threads < 1 {
		return p, nil, nil, fmt.Errorf("%w: its costs are out of bounds", errHash)
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(key) < 16 || len(key) > 64 {
		return p, nil, nil, errHash
	}
	return p, salt, key, nil
}

// CheckNewPassword refuses passwords that are too short or too long.
func (a *Accounts) CheckNewPassword(password string) error {
	if len(password) > maxPassword {
		return mxerror.InvalidParam("The password is %d bytes long; at most %d are allowed.", len(password), maxPassword)
	}
	if len(password) < a.passwordMin {
		return mxerror.New(http.StatusBadRequest, "M_WEAK_PASSWORD", "The password is too short; at least %d characters are needed.", a.passwordMin)
	}
	return nil
}
