package homeserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/room"
)

// TestBackfillOfImports: what was brought in is kept without signatures, and other servers, which take nothing without, get it with
// them: by backfill, one by one, and what was redacted too.
func TestBackfillOfImports(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	hall := a.room(alice, obj{"preset": "public_chat", "name": "Hall"})
	name, err := a.store.RoomByID(t.Context(), hall)
	if err != nil {
		t.Fatal(err)
	}
	const n = 130
	made, err := a.rooms.Chronicle(t.Context(), name.NID, func(s *room.Scribe) error {
		for i := range n {
			content := fmt.Appendf(nil, `{"msgtype":"m.text","body":"then %d"}`, i)
			if _, _, err := s.Append(room.Proposal{Sender: a.id("alice"), Type: "m.room.message", Content: content, TS: int64(1_500_000_000_000 + i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(made) != n {
		t.Fatalf("%d events were brought in: %v", len(made), err)
	}
	for _, e := range made {
		if kept, err := a.store.EventByID(t.Context(), e.ID); err != nil || len(kept.Signatures) > 0 {
			t.Fatalf("%s is kept with the signatures %v: %v", e.ID, kept.Signatures, err)
		}
	}
	a.ok(alice, "PUT", "/v3/rooms/"+hall+"/redact/"+made[3].ID+"/r", obj{})
	a.say(alice, hall, "now")
	b.joinVia(bob, hall, a)
	want, said := a.history(alice, hall, 100)
	eventually(t, "all of the history", func() bool {
		got, heard := b.history(bob, hall, 50)
		return slices.Equal(got[1:], want[max(0, len(want)-len(got)+1):]) && slices.Contains(heard, "then 0") && len(heard) == len(said)
	})
	_, heard := b.history(bob, hall, 50)
	if slices.Contains(heard, "then 3") || !slices.Contains(heard, "then 129") {
		t.Errorf("bob hears %s", strings.Join(heard, ", "))
	}
	// One that is asked for by its id.
	if body := b.ok(bob, "GET", "/v3/rooms/"+hall+"/context/"+made[70].ID+"?limit=2", nil).Get("event.content.body").Str; body != "then 70" {
		t.Errorf("bob finds %q", body)
	}
}
