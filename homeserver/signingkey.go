package homeserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// loadSigner reads the server's signing key, or makes one at the first start. The file has one
// line "ed25519 VERSION SEED", the seed in unpadded base64, as other homeservers keep it, so
// that a key can be brought along.
func loadSigner(path, server string) (event.Signer, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if raw, err = newKey(path); err != nil {
			return event.Signer{}, fmt.Errorf("making the signing key: %w", err)
		}
	}
	if err != nil {
		return event.Signer{}, fmt.Errorf("reading the signing key: %w", err)
	}
	f := strings.Fields(string(raw))
	if len(f) != 3 || f[0] != "ed25519" {
		return event.Signer{}, fmt.Errorf("%s: want one line \"ed25519 VERSION SEED\"", path)
	}
	seed, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(f[2], "="))
	if err != nil || len(seed) != ed25519.SeedSize {
		return event.Signer{}, fmt.Errorf("%s: the seed must be 32 bytes in base64", path)
	}
	return event.Signer{Server: server, KeyID: "ed25519:" + f[1], Key: ed25519.NewKeyFromSeed(seed)}, nil
}

// newKey writes a fresh key so that it is either there whole or not at all.
func newKey(path string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	var version [4]byte
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(version[:])
	rand.Read(seed)
	line := []byte(fmt.Sprintf("ed25519 lb_%s %s\n", hex.EncodeToString(version[:]), base64.RawStdEncoding.EncodeToString(seed)))
	f, err := os.CreateTemp(filepath.Dir(path), ".signing-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(line)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return line, err
}
