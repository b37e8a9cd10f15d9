package inbound

import (
	"crypto/ed25519"
	"encoding/json/jsontext"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// signed makes an event of another server.
func signed(t testing.TB, p event.Proto) *event.Event {
	t.Helper()
	if p.Version == "" {
		p.Version = "11"
	}
	if p.Content == nil {
		p.Content = []byte(`{"body":"hello"}`)
	}
	e, err := event.Build(p, event.Signer{Server: "far", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, 32))})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func message(t testing.TB) (*event.Event, []byte) {
	t.Helper()
	e := signed(t, event.Proto{RoomID: "!r:far", Type: "m.room.message", Sender: "@a:far", TS: 1, Depth: 5, Prev: []string{"$p"}, Auth: []string{"$a"}})
	raw, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return e, raw
}

func TestParsePDU(t *testing.T) {
	t.Parallel()
	want, raw := message(t)
	got, err := parsePDU(raw, "!r:far", "11")
	if err != nil || got.ID != want.ID {
		t.Fatalf("%v %v", got, err)
	}
	set := func(path string, v any) string {
		out, err := sjson.SetBytes(append([]byte{}, raw...), path, v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	setRaw := func(path, v string) string {
		out, err := sjson.SetRawBytes(append([]byte{}, raw...), path, []byte(v))
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	without := func(path string) string {
		out, err := sjson.DeleteBytes(append([]byte{}, raw...), path)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	many := func(n int) (ids []string) {
		for i := range n {
			ids = append(ids, fmt.Sprintf("$%d", i))
		}
		return ids
	}
	bad := map[string]string{
		"another room":       set("room_id", "!other:far"),
		"no room":            without("room_id"),
		"no type":            without("type"),
		"no sender":          without("sender"),
		"a sender without @": set("sender", "a:far"),
		"a sender's server":  set("sender", "@a"),
		"no hash":            without("hashes"),
		"a short hash":       set("hashes.sha256", "aaaa"),
		"no prev_events":     without("prev_events"),
		"no auth_events":     without("auth_events"),
		"many prevs":         set("prev_events", many(21)),
		"many auths":         set("auth_events", many(11)),
		"an id that is none": set("prev_events", []string{"x"}),
		"negative depth":     set("depth", -1),
		"huge depth":         setRaw("depth", "9007199254740992"),
		"text as depth":      set("depth", "1"),
		"huge int":           setRaw("content.n", "9007199254740992"),
		"huge negative int":  setRaw("content.n", "-9007199254740992"),
		"a fraction":         setRaw("content.n", "1.5"),
		"an exponent":        setRaw("content.n", "1e400"),
		"content is a list":  setRaw("content", "[]"),
		"content is null":    setRaw("content", "null"),
		"long type":          set("type", strings.Repeat("x", 256)),
		"long state key":     set("state_key", strings.Repeat("x", 256)),
		"too large":          set("content.body", strings.Repeat("x", 65536)),
		"duplicate key":      `{"type":"a",` + string(raw[1:]),
		"duplicate deep":     setRaw("content", `{"a":{"b":1,"b":2}}`),
		"invalid UTF-8":      strings.Replace(string(raw), "hello", "h\xffllo", 1),
		"not JSON":           string(raw[:len(raw)-1]),
		"a list":             "[]",
		"null":               "null",
		"nothing":            "",
		"prevs with hashes":  setRaw("prev_events", `[["$a",{"sha256":"x"}]]`),
		"deep nesting":       setRaw("content.x", strings.Repeat("[", 20000)+strings.Repeat("]", 20000)),
	}
	for name, doc := range bad {
		if e, err := parsePDU(jsontext.Value(doc), "!r:far", "11"); err == nil {
			t.Errorf("%s: taken as %s", name, e.ID)
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
	// What is in unsigned is the sender's claim, and is dropped.
	e, err := parsePDU(jsontext.Value(setRaw("unsigned", `{"age":1,"redacted_because":{}}`)), "!r:far", "11")
	if err != nil || e.Unsigned != nil || e.ID != want.ID {
		t.Errorf("with unsigned: %v", err)
	}
	// History may cite more than is allowed today.
	if _, err := parsePDUWithin(jsontext.Value(bad["many prevs"]), "!r:far", "11", prevMaxPast, authMaxPast); err != nil {
		t.Errorf("history: %v", err)
	}
}

// TestHash changes what the hash covers: the event is pruned, and its id stays.
func TestHash(t *testing.T) {
	t.Parallel()
	want, raw := message(t)
	forged, err := sjson.SetBytes(raw, "content.body", "goodbye")
	if err != nil {
		t.Fatal(err)
	}
	e, err := parsePDU(forged, "!r:far", "11")
	if err != nil {
		t.Fatal(err)
	}
	e = checkHash(e)
	if e.ID != want.ID || string(e.Content) != "{}" || !e.Has(event.Redacted) {
		t.Errorf("%s %s", e.ID, e.Content)
	}
}

// TestCreate parses the create event of version 12, which has no room_id.
func TestCreate(t *testing.T) {
	t.Parallel()
	none := ""
	e := signed(t, event.Proto{Version: "12", Type: "m.room.create", Sender: "@a:far", StateKey: &none, TS: 1, Depth: 1, Content: []byte(`{"room_version":"12"}`)})
	raw, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if gjson.GetBytes(raw, "room_id").Exists() {
		t.Fatal("it has a room_id")
	}
	if got, err := parsePDU(raw, e.InRoom, "12"); err != nil || got.ID != e.ID {
		t.Errorf("%v", err)
	}
	if _, err := parsePDU(raw, "!other", "12"); err == nil {
		t.Error("it creates any room")
	}
}

func FuzzParsePDU(f *testing.F) {
	_, raw := message(f)
	f.Add(raw)
	f.Add([]byte(`{"prev_events":[],"auth_events":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := parsePDU(raw, "!r:far", "11")
		if err != nil {
			return
		}
		again, err := e.JSON()
		if err != nil || len(again) > event.MaxSize {
			t.Fatalf("%d bytes, %v", len(again), err)
		}
		if e2, err := parsePDU(again, "!r:far", "11"); err != nil || e2.ID != e.ID {
			t.Fatalf("what was taken is not what is kept: %v", err)
		}
	})
}

// TestCycles: events that cite each other, which takes another hash function than there is, are no reason to go round
// in a circle.
func TestCycles(t *testing.T) {
	t.Parallel()
	var list []*event.Event
	const n = 4
	for i := range n {
		next := []string{fmt.Sprint("$", (i+1)%n)}
		e := signed(t, event.Proto{RoomID: "!r:far", Type: "m.room.message", Sender: "@a:far", TS: 1, Depth: 5, Prev: next, Auth: next})
		e.ID = fmt.Sprint("$", i)
		list = append(list, e)
	}
	if out := inOrder(list); len(out) != n {
		t.Errorf("%d of %d events of a circle", len(out), n)
	}
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(t.TempDir(), "hs.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// Nobody is asked for anything, and nothing is stored: what would is nil.
	p := newPool(&gap{i: &Intake{o: intakeOptions{Store: s, Log: slog.New(slog.DiscardHandler)}}})
	for _, e := range list {
		p.events[e.ID] = e
	}
	if err := p.store(t.Context(), "far", []string{"$0", "$2"}); err != nil {
		t.Error(err)
	}
}
