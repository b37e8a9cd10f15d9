package apptest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// must makes a request as somebody.
func must(t *testing.T, p *apptest.Person, method, path string, body, out any) {
	t.Helper()
	if err := p.Do(t.Context(), method, path, body, out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// TestConsoleByCommands: what the console does with rooms, reports, bridges, the log and the audit log is done by commands
// too, and what they do is seen by who is in the room.
func TestConsoleByCommands(t *testing.T) {
	t.Parallel()
	net := appservicetest.NewNetwork()
	s := apptest.Start(t, "  - {id: echo, module: echo, config: {channels: [town]}}\n", net.Module())
	alice := s.Person("alice")
	if out, code := s.Try("room", "block", "!none:test"); code == 0 || !strings.Contains(out, "There is no room !none:test") {
		t.Errorf("%d %s", code, out)
	}
	var made struct {
		RoomID string `json:"room_id"`
	}
	must(t, alice, "POST", "/v3/createRoom", map[string]any{"preset": "public_chat", "name": "Garden", "room_alias_name": "garden"}, &made)
	if out, code := s.Try("room", "set", "#garden:test", "-name", "Park"); code == 0 || !strings.Contains(out, "Nobody here is an administrator") {
		t.Errorf("%d %s", code, out)
	}
	s.RunWith("a long password of anna", "user", "create", "anna", "-admin", "-json", "-password-file", "-")

	// A room's settings need power in the room.
	if out, code := s.Try("room", "set", "#garden:test", "-name", "Park"); code == 0 || !strings.Contains(out, "not a member") {
		t.Errorf("%d %s", code, out)
	}
	if out := s.Run("room", "admin", "#garden:test"); !strings.Contains(out, "has another administrator") {
		t.Error(out)
	}
	var did map[string]any
	out := s.Run("room", "set", "#garden:test", "-name", "Park", "-topic", "Trees", "-join", "knock", "-history", "world_readable", "-reading", "yes", "-listed", "yes", "-json")
	if err := json.Unmarshal([]byte(out), &did); err != nil || did["as"] != "@anna:test" || did["room_id"] != made.RoomID {
		t.Errorf("%v %s", err, out)
	}
	if _, _, err := alice.Await(t.Context(), 0, made.RoomID, "the new name", func(e bridgetest.Event) bool {
		return e.Type == "m.room.name" && e.Sender == "@anna:test"
	}); err != nil {
		t.Error(err)
	}
	if res, err := http.Get(s.URL + "/read/" + url.PathEscape("garden:test")); err != nil || res.StatusCode != 200 {
		t.Errorf("the page of the room: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	for _, bad := range [][]string{{"-join", "nonsense"}, {"-listed", "perhaps"}, {}} {
		if out, code := s.Try(append([]string{"room", "set", "#garden:test"}, bad...)...); code == 0 {
			t.Errorf("%v: %s", bad, out)
		}
	}

	// A report, and the message it is of.
	var sent struct {
		EventID string `json:"event_id"`
	}
	must(t, alice, "PUT", "/v3/rooms/"+url.PathEscape(made.RoomID)+"/send/m.room.message/1", map[string]any{"msgtype": "m.text", "body": "bad words"}, &sent)
	must(t, alice, "POST", "/v3/rooms/"+url.PathEscape(made.RoomID)+"/report/"+url.PathEscape(sent.EventID), map[string]any{"reason": "bad"}, nil)
	if out := s.Run("report", "list"); !strings.Contains(out, sent.EventID) || !strings.Contains(out, `"bad"`) {
		t.Error(out)
	}
	s.Run("room", "redact", "#garden:test", sent.EventID, "-reason", "not here")
	var event struct {
		Content map[string]any `json:"content"`
	}
	must(t, alice, "GET", "/v3/rooms/"+url.PathEscape(made.RoomID)+"/event/"+url.PathEscape(sent.EventID), nil, &event)
	if len(event.Content) > 0 {
		t.Errorf("what was removed is %v", event.Content)
	}
	s.Run("report", "dismiss", "1")
	if out, code := s.Try("report", "dismiss", "1"); code == 0 || !strings.Contains(out, "no report 1") {
		t.Errorf("%d %s", code, out)
	}
	if out := s.Run("report", "list", "-json"); strings.TrimSpace(out) != "" {
		t.Error(out)
	}

	// Bridges.
	town := alice.Enter("#echo_town:" + apptest.Domain)
	alice.Tell(town, "hello")
	if _, err := net.WaitSent(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if out := s.Run("bridge", "portals", "echo", "-json"); !strings.Contains(out, town) {
		t.Error(out)
	}
	s.Run("bridge", "stop", "echo")
	if out := s.Run("status"); !strings.Contains(out, "stopped") {
		t.Error(out)
	}
	s.Run("bridge", "start", "echo")
	s.Run("bridge", "restart", "echo")
	if out, code := s.Try("bridge", "stop", "none"); code == 0 {
		t.Error(out)
	}
	entry := filepath.Join(t.TempDir(), "entry.yaml")
	for text, good := range map[string]bool{"id: second\nmodule: echo\nconfig: {channels: [village]}\n": true, "id: third\nmodule: none\n": false} {
		if err := os.WriteFile(entry, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := s.Try("bridge", "add", entry, "-check"); (code == 0) != good {
			t.Errorf("%s: %d %s", text, code, out)
		}
		if out, code := s.Try("bridge", "add", entry); (code == 0) != good {
			t.Errorf("%s: %d %s", text, code, out)
		}
	}
	alice.Enter("#second_village:" + apptest.Domain)

	// Other servers, the log, the charts.
	if out := s.Run("federation", "list"); !strings.Contains(out, "SERVER") {
		t.Error(out)
	}
	s.Run("federation", "retry", "elsewhere.example")
	if out := s.Run("log", "-text", "ready", "-json"); !strings.Contains(out, `"level":"INFO"`) {
		t.Error(out)
	}
	if out, code := s.Try("log", "-level", "loud"); code == 0 || !strings.Contains(out, "no level") {
		t.Errorf("%d %s", code, out)
	}
	s.Run("charts", "-json")

	// Somebody's devices, and all that they said.
	berta := s.Person("berta")
	garden := berta.Enter("#echo_town:" + apptest.Domain)
	berta.Tell(garden, "a lot of it")
	said := alice.Hears(garden, "@berta:test", "a lot of it").ID
	if out, code := s.Try("user", "sign-out", "berta", "NONE"); code == 0 || !strings.Contains(out, "has no device NONE") {
		t.Errorf("%d %s", code, out)
	}
	s.Run("user", "redact", "berta", "-reason", "spam", "-json")
	if _, _, err := alice.Await(t.Context(), 0, garden, "the redaction", func(e bridgetest.Event) bool {
		return e.Type == "m.room.redaction" && (e.Redacts == said || strings.Contains(string(e.Content), said))
	}); err != nil {
		t.Error(err)
	}
	var shown struct {
		Devices []struct {
			ID string `json:"device_id"`
		} `json:"devices"`
	}
	if err := json.Unmarshal([]byte(s.Run("user", "show", "berta", "-json")), &shown); err != nil || len(shown.Devices) != 1 {
		t.Fatalf("%v %v", shown, err)
	}
	s.Run("user", "sign-out", "berta", shown.Devices[0].ID)
	if err := berta.Do(t.Context(), "GET", "/v3/account/whoami", nil, nil); err == nil {
		t.Error("the device is still signed in")
	}
	s.Run("room", "block", "#garden:test")
	s.Run("room", "block", "#garden:test", "-undo", "-as", "anna")
	if out, code := s.Try("room", "block", "#garden:test", "-as", "alice"); code == 0 || !strings.Contains(out, "is no administrator") {
		t.Errorf("%d %s", code, out)
	}
	s.Run("room", "purge", "#garden:test", "-older", "1ms")
	must(t, alice, "POST", "/v3/createRoom", map[string]any{"preset": "public_chat", "room_alias_name": "yard"}, &made)
	s.Run("room", "delete", "#yard:test", "-block")

	// Each change is in the audit log.
	audit := s.Run("audit", "-json")
	for _, want := range []string{"create user", "make an administrator of", "change the settings of", "m.room.topic=Trees", "remove the message", "dismiss report", "stop", "start", "restart", "set up",
		"retry federation", "redact", "sign out a device of", "block", "unblock", "purge the history of", "delete", "change the settings of (failed)", "command line, as @anna:test"} {
		if !strings.Contains(audit, want) {
			t.Errorf("%q is not in the audit log:\n%s", want, audit)
		}
	}
}
