package event

import (
	"bytes"
	"testing"
)

// TestDrafts: an event that is not signed at first is the same as one that is, once it leaves the server: fresh, read back, and
// redacted. Events of other servers' users, and those that have their signature, stay as they are.
func TestDrafts(t *testing.T) {
	t.Parallel()
	s := testSigner()
	d := NewDrafts(s)
	for _, v := range Versions() {
		for _, body := range []string{"a", "<b>&\u2028ö", "long " + string(bytes.Repeat([]byte("x"), 2000)), "b"} {
			p := Proto{Version: v, RoomID: "!room:test", Type: "m.room.message", Sender: "@alice:test", Content: []byte(`{"msgtype":"m.text","body":"` + body + `"}`),
				TS: 1700000000000, Depth: 3, Prev: []string{"$prev"}, Auth: []string{"$auth"}}
			signed, err := Build(p, s)
			if err != nil {
				t.Fatal(err)
			}
			want := out(t, signed)
			e, err := d.Build(p)
			if err != nil {
				t.Fatal(err)
			}
			raw, size, err := e.Stored()
			if err != nil || bytes.Contains(raw, []byte("signatures")) {
				t.Fatalf("version %s: stored as %s, %v", v, raw, err)
			}
			if size != len(want) {
				t.Errorf("version %s: said to have %d bytes, has %d", v, size, len(want))
			}
			read, err := ParseFor(raw, e.ID, e.InRoom, v, &s)
			if err != nil {
				t.Fatal(err)
			}
			if e.ID != signed.ID || !bytes.Equal(out(t, e), want) || !bytes.Equal(out(t, read), want) {
				t.Errorf("version %s: %s leaves as %s, read back %s; want %s %s", v, e.ID, out(t, e), out(t, read), signed.ID, want)
			}
			if again, _, err := e.Stored(); err != nil || !bytes.Equal(again, raw) {
				t.Errorf("version %s: an event changes when it leaves: %s, %v", v, again, err)
			}
			if got, want := out(t, read.Pruned(7)), out(t, signed.Pruned(7)); !bytes.Equal(got, want) {
				t.Errorf("version %s: redacted, %s instead of %s", v, got, want)
			}
			kept, err := ParseFor(want, e.ID, e.InRoom, v, &s)
			if err != nil || !bytes.Equal(out(t, kept), want) {
				t.Errorf("version %s: a signed event leaves as %s, %v", v, out(t, kept), err)
			}
		}
	}
	far := []byte(`{"content":{},"sender":"@bob:far","type":"m.room.message"}`)
	e, err := ParseFor(far, "$e", "!room:test", "12", &s)
	if err != nil || bytes.Contains(out(t, e), []byte("signatures")) {
		t.Errorf("an event of another server leaves as %s, %v", out(t, e), err)
	}
}

func out(t *testing.T, e *Event) []byte {
	t.Helper()
	raw, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
