package room

import (
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// redaction makes a redaction of a's room that follows an event, as another server might send it: sending it there
// would refuse what may not be.
func redaction(t *testing.T, a *side, after *event.Event, sender, target string) *event.Event {
	t.Helper()
	proto := event.Proto{Version: "11", RoomID: a.room.ID, Type: "m.room.redaction", Sender: sender, TS: 5, Depth: after.Depth + 1,
		Content: []byte(fmt.Sprintf(`{"redacts":%q}`, target)), Prev: []string{after.ID}}
	for _, x := range after.AuthEvents {
		proto.Auth = append(proto.Auth, string(x))
	}
	e, err := event.Build(proto, a.m.o.Signer)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestWithheldRedactions are redactions that are not, or never, applied, and that clients don't see.
func TestWithheldRedactions(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "11")
	elsewhere := b.rig.room("11", b.user("bob"))
	theirs := b.send(elsewhere, text(b.user("bob"), "in another room"))
	b.take(a.send(a.room, state(a.user("alice"), "m.room.power_levels", "", `{"users":{"@bob:two":100,"@alice:one":0},"redact":50}`)))
	// Alice may not redact what bob says.
	bobs := b.send(b.room, text(b.user("bob"), "mine"))
	a.take(bobs)
	after := a.send(a.room, text(a.user("alice"), "hers"))
	b.take(after)
	for _, tt := range []struct{ name, target string }{{"of another room", theirs.ID}, {"that she may not", bobs.ID}, {"that nobody has", "$nothing"}} {
		e := redaction(t, a, after, a.user("alice"), tt.target)
		if out := b.take(e); out.Rejected != nil || out.SoftFailed != nil {
			t.Errorf("%s: %+v", tt.name, out)
		}
		if x, err := b.s.EventByID(t.Context(), e.ID); err != nil || !x.Has(event.Withheld) || x.Pos != 0 {
			t.Errorf("%s is shown: %+v, %v", tt.name, x, err)
		}
	}
	for _, id := range []string{theirs.ID, bobs.ID} {
		if x, err := b.s.EventByID(t.Context(), id); err != nil || x.Has(event.Redacted) {
			t.Errorf("%s was redacted (%v)", id, err)
		}
	}
	// What it hangs on is a tip of the room nonetheless: the next event cites it.
	last := redaction(t, a, after, a.user("alice"), "$nothing2")
	b.take(last)
	next := b.send(b.room, text(b.user("bob"), "next"))
	found := false
	for _, p := range next.PrevEvents {
		found = found || string(p) == last.ID
	}
	if !found {
		t.Errorf("the next event cites %v", next.PrevEvents)
	}
	// A redaction of a redaction that is withheld waits as well, and both are shown when the first one's target comes.
	target := a.send(a.room, text(a.user("alice"), "late"))
	first := redaction(t, a, after, a.user("alice"), target.ID)
	second := redaction(t, a, first, a.user("alice"), first.ID)
	b.take(first)
	b.take(second)
	for _, e := range []*event.Event{first, second} {
		if x, err := b.s.EventByID(t.Context(), e.ID); err != nil || !x.Has(event.Withheld) {
			t.Errorf("%s is shown (%v)", e.ID, err)
		}
	}
	b.take(target)
	for id, redacted := range map[string]bool{target.ID: true, first.ID: true, second.ID: false} {
		x, err := b.s.EventByID(t.Context(), id)
		if err != nil || x.Has(event.Withheld) || x.Pos == 0 || x.Has(event.Redacted) != redacted {
			t.Errorf("%s: flags %b at %d, %v", id, x.Flags, x.Pos, err)
		}
	}
}
