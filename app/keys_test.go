package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
)

// TestKeysRotate: the new key signs, and the old one is published as such.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := writeFile(t, filepath.Join(dir, "c.yaml"), "server: {name: test}\ndata_dir: "+dir+"\nbridges: []\n")
	if code, _, errOut := cli(t, "keys", "rotate", "-c", conf); code == 0 || !strings.Contains(errOut, "signing key") {
		t.Errorf("without a key: %d %q", code, errOut)
	}
	file := filepath.Join(dir, "signing.key")
	before, err := keyring.Load(file, "test")
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := cli(t, "keys", "rotate", "-c", conf); code == 0 || !strings.Contains(errOut, "must be stopped") {
		t.Errorf("while the server runs: %d %q", code, errOut)
	}
	unlock()
	code, out, errOut := cli(t, "keys", "rotate", "-c", conf)
	after, err := keyring.Load(file, "test")
	if code != 0 || err != nil || !strings.Contains(out, after.Signer().KeyID) {
		t.Fatalf("%d %q %q %v", code, out, errOut, err)
	}
	published, err := after.Response(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	old := before.Signer().KeyID
	if after.Signer().KeyID == old || len(after.Old) != 1 || after.Old[0].ID != old || !strings.Contains(string(published), old) {
		t.Errorf("%s is followed by %s, published is %s", old, after.Signer().KeyID, published)
	}
	if _, out, _ := cli(t, "keys", "list", "-c", conf); !strings.Contains(out, after.Signer().KeyID) || !strings.Contains(out, "old since") {
		t.Errorf("the list is %q", out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if secret := strings.Fields(line)[2]; strings.Contains(out, secret) {
			t.Error("a secret was printed")
		}
	}
}
