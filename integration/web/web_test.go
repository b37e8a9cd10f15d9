package web

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// shortDir is a folder whose path leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// joinSoon joins a room as soon as a bridge has made it.
func joinSoon(t *testing.T, c *client.Client, alias string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := c.Join(t.Context(), alias)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("joining %s: %v", alias, err)
		}
	}
}

// setUpIRC sets an IRC network up by pages: the demonstration's, by its address, and checks that the
// configuration file has it and is otherwise as it was.
func setUpIRC(t *testing.T, b *browser, s *testserver.Server) {
	t.Helper()
	found := regexp.MustCompile(`demonstration IRC network is running.*address=(\S+)`).FindStringSubmatch(s.Log())
	if found == nil {
		t.Fatal("the demonstration network does not run")
	}
	b.visit("/console/setup", "IRC")
	b.look("setup")
	b.goTo("/console/setup/irc")
	b.fill("#address", "127.0.0.1:1")
	b.click("button[value=channels]")
	b.see("nobody answers at 127.0.0.1:1")
	b.look("setup-irc")
	b.fill("#address", found[1])
	b.do(step{Do: "uncheck", At: "input[name=tls]"})
	b.fill("#id", "second")
	b.fill("#name", "Second network")
	b.fill("#nick", "second")
	b.click("button[value=channels]")
	b.see("#lobby")
	b.look("setup-irc-channels")
	b.click("button[value=review]")
	b.see("Pick a channel")
	b.do(step{Do: "check", At: `input[value="#lobby"]`})
	b.fill("#others", "other, #more")
	b.click("button[value=review]")
	b.see("What will be made")
	b.see("#irc-second_second_#other:test")
	b.look("setup-irc-review")
	file := filepath.Join(filepath.Dir(s.DataDir()), "landbridge.yaml")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b.click("button[value=done]")
	b.see("has been started")
	b.see("running")
	after, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(after), string(before)) || !strings.Contains(string(after), "- '#lobby'") && !strings.Contains(string(after), `- "#lobby"`) {
		t.Errorf("%v\n%s", err, after)
	}
}

// measured gives a server what it would have measured in a day with a bridge.
func measured(t *testing.T, s *testserver.Server) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{URI: filepath.Join(s.DataDir(), "landbridge.db"), Relaxed: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var list []store.Sample
	end := time.Now().Unix() / 60 * 60
	for ts := end - 86400; ts < end; ts += 300 {
		part := float64(ts-end+86400) / 86400
		wave := 1 + math.Sin(part*math.Pi*8)
		for series, value := range map[string]float64{"messages/irc to remote": 20 * wave, "messages/irc to matrix": 35*wave + 3, "messages/slack-acme to matrix": 12 * part, "latency/irc": 8 + 5*wave, "latency/slack-acme": 90 - 40*part,
			"queue/irc": 2 * wave, "claims/slack-acme": math.Floor(part * part * 40), "writes/all": 300 * wave, "memory/resident": 7e7 + 1e7*part, "memory/heap": 3e7 + 1e7*wave, "disk/database": 1e8 * part, "disk/media": 4e7, "disk/search": 1e7 * part} {
			if series == "latency/irc" && ts%1800 != 0 {
				continue // nobody said anything
			}
			list = append(list, store.Sample{Series: series, TS: ts, Value: value})
		}
	}
	if err := st.Write(t.Context(), func(tx *store.Tx) error { return tx.AddSamples(60, list, end-2*86400) }); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestPages goes through all pages as an administrator would.
func TestPages(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Options{Dir: shortDir(t), Extra: "bridges:\n  - id: irc # the demonstration\n    module: irc\n"})
	ctx := t.Context()
	measured(t, s)
	anna, err := (&client.Client{URL: s.URL()}).RegisterAdmin(ctx, "anna", testserver.SharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	berta, err := (&client.Client{URL: s.URL()}).Register(ctx, "berta")
	if err != nil {
		t.Fatal(err)
	}
	room, err := berta.CreateRoom(ctx, map[string]any{"name": "The garden", "topic": "Roses, and other things", "preset": "public_chat", "visibility": "public", "room_alias_name": "garden"})
	if err != nil {
		t.Fatal(err)
	}
	event, err := berta.Send(ctx, room, "m.room.message", "1", client.Message("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if err := anna.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	if err := anna.Do(ctx, "POST", client.Path("rooms", room, "report", event), nil, map[string]string{"reason": "It is too short."}, nil); err != nil {
		t.Fatal(err)
	}

	for typ, content := range map[string]any{"m.room.history_visibility": map[string]string{"history_visibility": "world_readable"}, "im.landbridge.reading": map[string]bool{"enabled": true}} {
		if _, err := berta.SetState(ctx, room, typ, "", content); err != nil {
			t.Fatal(err)
		}
	}
	for i, text := range []string{"for everybody to read: https://example.org/roses", "<script>alert(1)</script>\nand a second line"} {
		if _, err := berta.Send(ctx, room, "m.room.message", fmt.Sprint("r", i), client.Message(text)); err != nil {
			t.Fatal(err)
		}
	}
	// A file, with a long name.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/_matrix/media/v3/upload?filename=a-photograph-of-the-roses-in-the-back-of-the-garden-2026-05-01-evening.png", strings.NewReader("no picture"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+berta.Token)
	req.Header.Set("Content-Type", "image/png")
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", res, err)
	}
	res.Body.Close()
	secret, err := berta.CreateRoom(ctx, map[string]any{"name": "Not for you", "preset": "public_chat", "visibility": "public"})
	if err != nil {
		t.Fatal(err)
	}

	b := newBrowserWith(t, s.URL(), how{Known: []string{"irc to remote", "irc to matrix", "slack-acme to matrix", "slack-acme", "all", "resident", "heap", "database", "media", "search", "Not for you", "The garden", "Roses, and other things", "anna", "berta", "for everybody to read:", "<script>alert(1)</script>\nand a second line", "<script>alert(1)</script>", "and a second line", "IRC (Demonstration network)",
		"irc: running; Demonstration network connected", "Demonstration network", "Second network", "It is too short.", "hello", "demo", "irc", "dial tcp 127.0.0.1:1: connect: connection refused", "Vegetables, flowers and the weather",
		"Welcome to the demonstration network. Say hello!"}})
	b.visit("/read", "The garden")
	b.look("read")
	b.visit("/read/garden:test", "https://example.org/roses")
	b.see("<script>alert(1)</script>")
	b.do(step{Do: "press", Text: "Tab"}) // past the navigation
	b.do(step{Do: "focus", At: ".skip"})
	b.do(step{Do: "press", Text: "Enter"})
	b.do(step{Do: "focus", At: "main"})
	if text := b.do(step{Do: "text"}); strings.Contains(text, "hello") {
		t.Errorf("what was said before the room was opened is shown: %s", text)
	}
	b.see("The beginning of what can be read.")
	b.look("read-room")
	b.do(step{Do: "go", Path: "/read/" + secret, Status: 404})
	b.see("There is no such room")
	b.visit("/", "The garden")
	b.see("Bridged networks")
	b.look("start")

	// Who is not signed in is asked to, and comes back to where they wanted to go.
	b.visit("/console/users", "User name or e-mail address")
	b.look("sign-in")
	b.fill("#user", "anna")
	b.fill("#password", "wrong")
	b.click("main button")
	b.see("The user name or the password is wrong")
	b.fill("#user", "anna")
	b.fill("#password", client.Password)
	b.click("main button")
	b.see("@berta:test")
	b.look("users")

	for _, p := range []struct{ path, see, name string }{
		{"/console/", "Health", "home"},
		{"/console/users?q=bert", "@berta:test", "users-search"},
		{"/console/users/show?id=%40berta%3Atest", "In 2 rooms", "user"},
		{"/console/rooms", "The garden", "rooms"},
		{"/console/rooms?q=gard", "The garden", "rooms-search"},
		{"/console/rooms/show?id=" + room, "#garden:test", "room"},
		{"/console/bridges", "In this process", "bridges"},
		{"/console/bridges/show?id=irc", "portals", "bridge"},
		{"/console/media", "Who has stored most", "media"},
		{"/console/tokens", "New token", "tokens"},
		{"/console/reports", "It is too short.", "reports"},
		{"/console/federation", "All servers that were tried", "federation"},
		{"/console/charts?span=day", "people who have come", "charts"},
		{"/console/log", "live", "log"},
		{"/console/backups", "Make a backup now", "backups"},
		{"/console/doctor?run=yes", "data folder", "doctor"},
		{"/console/audit", "Nothing yet", "audit"},
		{"/console/docs", "Quick start", "docs"},
		{"/console/docs/operations", "Look after it", "docs-operations"},
		{"/console/docs/configuration-reference", "Configuration reference", "docs-reference"},
		{"/console/docs/configs/proxy/nginx.conf", "proxy_pass", "docs-file"},
		{"/account", "Your account", "account"},
		{"/account/devices", "Your devices", "account-devices"},
		{"/account/password", "Current password", "account-password"},
		{"/account/encryption", "Reset encryption", "account-encryption"},
		{"/account/linked", "You are linked to nobody", "account-linked"},
		{"/account/data", "Download", "account-data"},
		{"/account/deactivate", "Close your account", "account-close"},
	} {
		b.visit(p.path, p.see)
		b.look(p.name)
	}

	// Of a user's files each can be taken away.
	b.visit("/console/users/show?id=%40berta%3Atest", "a-photograph-of-the-roses")
	b.click("#files ~ * button[value=quarantine]")
	b.see("quarantined")
	b.click("#files ~ * button[value=delete]")
	b.click("text=Delete the file")
	b.see("The file is deleted.")

	setUpIRC(t, b, s)
	joinSoon(t, anna, "#irc-second_second_#lobby:test")

	// What is done, and what has to be confirmed.
	b.goTo("/console/users/show?id=%40berta%3Atest")
	b.click("button[value=suspend]")
	b.see("The account can look, but not act.")
	b.look("user-suspended")
	b.click("button[value=deactivate]")
	b.see("Are you sure?")
	b.look("sure")
	// With the keyboard: the safe answer has the focus, Escape gives it too, and leads back to where one was.
	b.do(step{Do: "focus", At: "a[data-back]"})
	b.do(step{Do: "press", Text: "Escape"})
	b.see("suspended")
	b.do(step{Do: "focus", At: "button[value=deactivate]"})
	b.do(step{Do: "press", Text: "Enter"})
	b.see("Are you sure?")
	b.click("text=No, go back")
	b.see("suspended")
	b.do(step{Do: "focus", At: "button[value=deactivate]"})
	b.click("button[value=quarantine]")
	b.see("Are you sure?")
	b.do(step{Do: "press", Text: "Shift+Tab"})
	b.do(step{Do: "focus", At: "button[value=yes]"})
	b.do(step{Do: "press", Text: "Enter"})
	b.see("Their files are in quarantine.")
	b.do(step{Do: "focus", At: "#flash"})
	b.goTo("/console/rooms/show?id=" + room)
	b.fill("#set-topic", "Tulips")
	b.click("button[value=set]")
	b.see("must be an administrator of it")
	b.click("button[value=admin]")
	b.see("You are an administrator of the room.")
	b.fill("#set-topic", "Tulips")
	b.do(step{Do: "select", At: "#set-join", Text: "knock"})
	b.click("button[value=set]")
	b.see("The room is changed.")
	if topic, err := berta.StateContent(ctx, room, "m.room.topic", ""); err != nil || topic["topic"] != "Tulips" {
		t.Errorf("the topic is %v %v", topic, err)
	}
	b.look("room-changed")
	b.goTo("/console/tokens")
	b.fill("#uses", "3")
	b.click("button[value=create]")
	b.see("0 of 3")
	b.goTo("/console/reports")
	b.see("hello")
	b.click("button[value=redact]")
	b.click("text=Remove the message")
	b.see("The message is removed.")
	if e, err := berta.Event(ctx, room, event); err != nil || e.Body() != "" {
		t.Errorf("what was removed is %+v %v", e, err)
	}
	b.click("text=Dealt with")
	b.click("text=It is dealt with")
	b.see("Nobody has reported anything.")
	b.goTo("/console/backups")
	b.click("text=Make a backup now")
	b.see("asked for")
	b.goTo("/console/bridges/show?id=irc")
	b.click("button[value=restart]")
	b.see("Done: restart.")
	b.visit("/console/audit", "set up")
	b.see("suspend")
	b.see("@anna:test")
	b.look("audit-full")
	b.goTo("/console/")
	b.click("text=Sign out")
	b.visit("/console/", "User name or e-mail address")

	// Somebody who is no administrator.
	b.fill("#user", "carl")
	if _, err := (&client.Client{URL: s.URL()}).Register(ctx, "carl"); err != nil {
		t.Fatal(err)
	}
	b.fill("#password", client.Password)
	b.click("main button")
	b.see("is none")
}
