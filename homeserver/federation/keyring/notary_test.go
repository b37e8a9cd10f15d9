package keyring

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// ask asks a ring as a notary for a key of a server.
func ask(t *testing.T, r *Ring, server, keyID string, until int64) []jsontext.Value {
	t.Helper()
	body := fmt.Sprintf(`{"server_keys":{%q:{%q:{"minimum_valid_until_ts":%d}}}}`, server, keyID, until)
	out, err := r.ServeQueries(httptest.NewRequest("POST", "/_matrix/key/v2/query", strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	return out.(answer).Keys
}

// Who needs a key that is valid for longer has the server asked again, however lately it was asked; but not
// without end, and what was known stays if it doesn't answer.
func TestNotaryAsksAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "us", "a")
	r := w.ring(t, "us")
	now := w.time().UnixMilli()
	ask(t, r, "a", "ed25519:k1", now)
	if ask(t, r, "a", "ed25519:k1", now); w.count("a") != 1 {
		t.Errorf("asked %d times for the same", w.count("a"))
	}
	far := now + (365 * 24 * time.Hour).Milliseconds()
	if ask(t, r, "a", "ed25519:k1", far); w.count("a") != 2 {
		t.Errorf("asked %d times where a later time was given", w.count("a"))
	}
	for range 100 {
		ask(t, r, "a", "ed25519:k1", far)
	}
	if n := w.count("a"); n > 2+urgeBurst {
		t.Errorf("asked %d times on behalf of one who insists", n)
	}
	w.answer["a"] = dead
	w.pass(2 * time.Minute)
	list := ask(t, r, "a", "ed25519:k1", far)
	if len(list) != 1 || !gjson.GetBytes(list[0], "verify_keys.ed25519:k1").Exists() {
		t.Errorf("of a server that doesn't answer: %s", list)
	}
}

// A key that its server names no more is passed on as it was, also after a restart.
func TestNotaryForgottenKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "us", "a")
	r := w.ring(t, "us")
	now := w.time().UnixMilli()
	ask(t, r, "a", "ed25519:k1", now)
	for i, id := range []string{"ed25519:k2", "ed25519:k3"} {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 50)}, 32))
		w.servers["a"] = &Own{Server: "a", Signing: []event.Signer{{Server: "a", KeyID: id, Key: key}}}
		ask(t, r, "a", id, now)
	}
	for _, r := range []*Ring{r, w.ring(t, "us")} {
		for _, id := range []string{"ed25519:k1", "ed25519:k2", "ed25519:k3"} {
			found := false
			for _, raw := range ask(t, r, "a", id, now) {
				if _, err := parseResponse(raw, "a"); err != nil {
					t.Error(err)
				}
				if err := verify(raw, "us", "ed25519:k1", encode(w.servers["us"].Signing[0].Key.Public().(ed25519.PublicKey))); err != nil {
					t.Errorf("our signature: %v", err)
				}
				found = found || gjson.GetBytes(raw, "verify_keys."+id).Exists()
			}
			if !found {
				t.Errorf("%s is not passed on", id)
			}
		}
	}
}
