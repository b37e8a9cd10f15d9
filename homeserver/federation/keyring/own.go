package keyring

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Own are the keys of this server. It is immutable.
type Own struct {
	Server string
	// Signing are the keys in use; the first one signs.
	Signing []event.Signer
	// Old are keys that are no longer used, and until when they were.
	Old []OldKey
}

// OldKey is a key that is only good for events of its time.
type OldKey struct {
	ID        string
	Public    ed25519.PublicKey
	ExpiredTS int64 // milliseconds
}

// Lifetime is how long other servers may rely on the published keys without asking again.
const Lifetime = 24 * time.Hour

// Signer signs events and requests.
func (o *Own) Signer() event.Signer { return o.Signing[0] }

// Load reads the server's signing keys, or makes one at the first start. Each line of the file is
// a key, in the form that other homeservers use, so that one can be brought along:
//
//	ed25519 VERSION SEED
//	ed25519 VERSION SEED EXPIRED
//
// The seed is in unpadded base64. The first key without EXPIRED signs; others are published beside
// it. With EXPIRED, in milliseconds since 1970, a key is no longer used, and published as an old
// one, so that events from before then can be verified. Lines that begin with # are ignored.
func Load(path, server string) (*Own, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		raw = []byte(newLine())
		if err = writeWhole(path, raw); err != nil {
			return nil, fmt.Errorf("making the signing key: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	o, err := parseOwn(raw, server)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

// Rotate puts a new key in front of those in a file, which are old from now on. A running server
// takes it over when it starts anew.
func Rotate(path, server string, now time.Time) (*Own, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	if _, err := parseOwn(raw, server); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := newLine()
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "ed25519" {
			line = fmt.Sprintf("%s %d\n", strings.Join(f, " "), now.UnixMilli())
		}
		out += line
	}
	o, err := parseOwn([]byte(out), server)
	if err != nil {
		return nil, err
	}
	if err := writeWhole(path, []byte(out)); err != nil {
		return nil, fmt.Errorf("writing the signing key: %w", err)
	}
	return o, nil
}

func parseOwn(raw []byte, server string) (*Own, error) {
	o := &Own{Server: server}
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(string(raw)) {
		n++
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) < 3 || len(f) > 4 || f[0] != "ed25519" {
			return nil, fmt.Errorf("line %d: want \"ed25519 VERSION SEED\", and for an old key the time when it expired, in milliseconds", n)
		}
		seed, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(f[2], "="))
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("line %d: the seed must be 32 bytes in base64", n)
		}
		s := event.Signer{Server: server, KeyID: "ed25519:" + f[1], Key: ed25519.NewKeyFromSeed(seed)}
		if !validVersion(f[1]) || seen[s.KeyID] {
			return nil, fmt.Errorf("line %d: the version %q must have letters, digits and _ only, and be there once", n, f[1])
		}
		seen[s.KeyID] = true
		if len(f) == 3 {
			o.Signing = append(o.Signing, s)
			continue
		}
		at, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil || at < 0 {
			return nil, fmt.Errorf("line %d: %q is not a time in milliseconds", n, f[3])
		}
		o.Old = append(o.Old, OldKey{s.KeyID, s.Key.Public().(ed25519.PublicKey), at})
	}
	if len(o.Signing) == 0 {
		return nil, errors.New("there is no key to sign with")
	}
	return o, nil
}

func validVersion(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
}

func newLine() string {
	var version [4]byte
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(version[:])
	rand.Read(seed)
	return fmt.Sprintf("ed25519 lb_%s %s\n", hex.EncodeToString(version[:]), base64.RawStdEncoding.EncodeToString(seed))
}

// writeWhole writes a file so that it is either there whole or not at all.
func writeWhole(path string, raw []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".signing-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// Find is one of our own keys; the zero Key if there is no such one.
func (o *Own) Find(keyID string, now time.Time) Key {
	for _, s := range o.Signing {
		if s.KeyID == keyID {
			return Key{Public: s.Key.Public().(ed25519.PublicKey), ValidUntil: now.Add(Lifetime).UnixMilli()}
		}
	}
	for _, k := range o.Old {
		if k.ID == keyID {
			return Key{Public: k.Public, ValidUntil: k.ExpiredTS, Expired: true}
		}
	}
	return Key{}
}

// Response is the answer to GET /_matrix/key/v2/server, signed by all the keys in use.
func (o *Own) Response(now time.Time) (jsontext.Value, error) {
	r := response{Server: o.Server, ValidUntil: now.Add(Lifetime).UnixMilli(), Verify: map[string]publicKey{}, Old: map[string]oldPublicKey{}}
	for _, s := range o.Signing {
		r.Verify[s.KeyID] = publicKey{base64.RawStdEncoding.EncodeToString(s.Key.Public().(ed25519.PublicKey))}
	}
	for _, k := range o.Old {
		r.Old[k.ID] = oldPublicKey{k.ExpiredTS, base64.RawStdEncoding.EncodeToString(k.Public)}
	}
	raw, err := canonicaljson.Marshal(r)
	for _, s := range o.Signing {
		if err == nil {
			raw, err = addSignature(raw, s)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("signing the server's keys: %w", err)
	}
	return raw, nil
}
