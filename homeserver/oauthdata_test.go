package homeserver

import (
	"archive/zip"
	"bytes"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// unzip reads a zip file in memory.
func unzip(t *testing.T, raw string) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader([]byte(raw)), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(text)
	}
	return out
}

// TestAccountData: people get what is held of them, of nobody else, and only if they signed in just now.
func TestAccountData(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.want(200, "", alice, "POST", "/v3/createRoom", obj{"preset": "public_chat"}).str("room_id")
	h.want(200, "", bob, "POST", "/v3/join/"+url.PathEscape(room), obj{})
	h.want(200, "", alice, "PUT", "/v3/rooms/"+url.PathEscape(room)+"/send/m.room.message/1", obj{"msgtype": "m.text", "body": "what alice said"})
	h.want(200, "", bob, "PUT", "/v3/rooms/"+url.PathEscape(room)+"/send/m.room.message/1", obj{"msgtype": "m.text", "body": "what bob said"})
	h.person().open("/account/data").has(200, "Sign in to test")
	p := h.person().signIn("alice").open("/account/data").has(200, "everything that this server holds of @alice:test", "Download")
	if p.do("POST", "/account/data", nil); p.status != 403 {
		t.Errorf("a form of nobody's: %d", p.status)
	}
	p.open("/account/data").send("/account/data", "media", "1")
	if got := p.header.Get("Content-Disposition"); p.status != 200 || p.header.Get("Content-Type") != "application/zip" || got != `attachment; filename="alice-test.zip"` {
		t.Fatalf("%d %q %s", p.status, got, p.page)
	}
	files, all := unzip(t, p.page), ""
	for _, text := range files {
		all += text
	}
	for _, name := range []string{"account.json", "index.html", "SHA256SUMS"} {
		if files[name] == "" {
			t.Errorf("there is no %s in %v", name, files)
		}
	}
	if !bytes.Contains([]byte(all), []byte("what alice said")) || bytes.Contains([]byte(all), []byte("what bob said")) {
		t.Errorf("the wrong things are in it: %s", all)
	}
	h.clock.advance(11 * time.Minute)
	p.open("/account/data").has(200, "Please sign in again")
}

// TestAccountLinked: the page names whom one is on networks and at identity providers.
func TestAccountLinked(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	h.user("alice")
	p := h.person().signIn("alice").open("/account/linked").has(200, "You are linked to nobody", "No service signs you in")
	nid, err := h.Store().UserNID(t.Context(), "@alice:test")
	if err != nil {
		t.Fatal(err)
	}
	err = h.Store().Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.AddTie(store.Tie{Service: "irc", Person: "al<i>", User: nid, SinceTS: 1_800_000_000_000})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p.open("/account/linked").has(200, "al<i>", "irc", "15 January 2027")
	h.person().open("/account/linked").has(200, "Sign in to test")
}
