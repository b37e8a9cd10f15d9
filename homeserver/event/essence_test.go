package event

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// TestRedactionEssence: in the versions before 11 what a redaction redacts is in its content hash, and
// neither in its id nor in what is signed.
func TestRedactionEssence(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []Version{"3", "6", "10", "11"} {
		e, err := Build(Proto{Version: v, RoomID: "!r:a", Type: "m.room.redaction", Sender: "@u:a", Content: []byte(`{"reason":"x"}`), TS: 1, Depth: 2,
			Prev: []string{"$p"}, Auth: []string{"$q"}, Redacts: "$x"}, Signer{Server: "a", KeyID: "ed25519:1", Key: private})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		sig, err := base64.RawStdEncoding.DecodeString(gjson.GetBytes(raw, "signatures.a.ed25519:1").Str)
		if err != nil {
			t.Fatal(err)
		}
		bare := raw
		for _, key := range []string{"signatures", "redacts"} {
			if bare, err = sjson.DeleteBytes(bare, key); err != nil {
				t.Fatal(err)
			}
		}
		if bare, err = sjson.SetRawBytes(bare, "content", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		if v == "11" { // there the content says it
			continue
		}
		if !ed25519.Verify(public, bare, sig) {
			t.Errorf("version %s: the signature is not of %s", v, bare)
		}
		sum := sha256.Sum256(bare)
		enc := base64.RawURLEncoding
		if v == "3" {
			enc = base64.RawStdEncoding
		}
		if want := "$" + enc.EncodeToString(sum[:]); e.ID != want {
			t.Errorf("version %s: the id is %s, want %s", v, e.ID, want)
		}
		if !e.VerifyContentHash() || *e.Redacts != "$x" {
			t.Errorf("version %s: %s", v, raw)
		}
		if p := e.Pruned(0); p.Redacts != nil {
			t.Errorf("version %s: the pruned one redacts %s", v, *p.Redacts)
		}
	}
}
