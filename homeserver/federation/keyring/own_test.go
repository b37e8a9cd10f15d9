package keyring

import (
	"path/filepath"
	"testing"
	"time"
)

// TestOwnFile makes a key, changes it, and reads files of others.
func TestOwnFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x", "signing.key")
	first, err := Load(path, "us")
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(path, "us")
	if err != nil || again.Signer().KeyID != first.Signer().KeyID || !again.Signer().Key.Equal(first.Signer().Key) {
		t.Errorf("read again: %v", err)
	}
	now := time.UnixMilli(1_700_000_000_000)
	second, err := Rotate(path, "us", now)
	if err != nil || second.Signer().KeyID == first.Signer().KeyID || len(second.Signing) != 1 || len(second.Old) != 1 || second.Old[0].ExpiredTS != now.UnixMilli() {
		t.Fatalf("after a change: %+v, %v", second, err)
	}
	third, err := Rotate(path, "us", now.Add(time.Hour))
	if err != nil || len(third.Old) != 2 {
		t.Fatalf("after another: %+v, %v", third, err)
	}
	if k := third.Find(first.Signer().KeyID, now); !k.Expired || k.ValidUntil != now.UnixMilli() || !k.Public.Equal(first.Signer().Key.Public()) {
		t.Errorf("the first key: %+v", k)
	}
	raw, err := third.Response(now)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := parseResponse(raw, "us")
	if err != nil || len(resp.Verify) != 1 || len(resp.Old) != 2 {
		t.Errorf("published: %s, %v", raw, err)
	}
	const seed = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, ok := range []string{"ed25519 a_1 " + seed, "# note\n\ned25519 1 " + seed + "=\ned25519 2 " + seed + " 17\ned25519 3 " + seed} {
		if o, err := parseOwn([]byte(ok), "us"); err != nil || o.Signer().Server != "us" {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "rsa 1 " + seed, "ed25519 1", "ed25519 1 AAAA", "ed25519 1 " + seed + " x", "ed25519 1 " + seed + " 1 2", "ed25519 1 " + seed + " 17",
		"ed25519 1 " + seed + "\ned25519 1 " + seed, "ed25519 a-b " + seed} {
		if _, err := parseOwn([]byte(bad), "us"); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
