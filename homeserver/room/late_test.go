package room

import (
	"fmt"
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// TestInsert puts events between what was said, whatever the order in which they come.
func TestInsert(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	room := r.room("12", alice)
	at := func(p Proposal, ts int64) Proposal { p.TS = 1_600_000_000_000 + ts; return p }
	r.send(room, member(bob, "join"))
	r.send(room, at(text(alice, "live 100"), 100))
	r.send(room, at(text(alice, "live 200"), 200))
	insert := func(list ...Proposal) (out []*event.Event) {
		t.Helper()
		_, err := r.m.Chronicle(t.Context(), room.NID, func(s *Scribe) error {
			out = nil
			for _, p := range list {
				e, err := s.Insert(p, nil)
				if err != nil {
					return err
				}
				out = append(out, e)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	carl := "@carl:" + store.ServerOf(alice) // who was never here
	insert(at(text(carl, "at 150"), 150), at(text(carl, "at 50"), 50))
	old := insert(at(text(carl, "at 40"), 40), at(text(carl, "at 100"), 100), at(text(carl, "at 250"), 250))
	// What belongs to one of them comes beside it, also when it is of later.
	_, err := r.m.Chronicle(t.Context(), room.NID, func(s *Scribe) error {
		_, err := s.Insert(at(text(carl, "to what is at 40"), 500), old[0])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// It is taken back in the turn that brought it.
	_, err = r.m.Chronicle(t.Context(), room.NID, func(s *Scribe) error {
		e, err := s.Insert(at(text(carl, "taken back"), 60), nil)
		if err != nil {
			return err
		}
		_, _, err = s.Append(Proposal{Sender: alice, Type: "m.room.redaction", Redacts: e.ID, Content: []byte(fmt.Sprintf(`{"redacts":%q}`, e.ID)), TS: 1_600_000_000_060})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r.send(room, at(text(alice, "live 300"), 300))
	all, err := r.s.HistoryForward(t.Context(), room.NID, store.Beginning, store.End, 1<<60, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		if body := e.ContentString("body"); body != "" {
			got = append(got, body)
		} else if e.Type == "m.room.message" {
			got = append(got, "-")
		}
	}
	want := []string{"at 40", "at 50", "-", "to what is at 40", "live 100", "at 100", "at 150", "live 200", "at 250", "live 300"}
	if !slices.Equal(got, want) {
		t.Errorf("the room has %q, wanted %q", got, want)
	}
	if _, err := r.m.Chronicle(t.Context(), room.NID, func(s *Scribe) error {
		_, err := s.Insert(member(carl, "join"), nil)
		return err
	}); err == nil {
		t.Error("state was put into the past")
	}
	checkTips(t, r, room)
}

// checkTips sees to it that what is late is no end of the room.
func checkTips(t *testing.T, r *rig, room store.RoomName) {
	t.Helper()
	row, err := r.s.LoadRoom(t.Context(), room.NID)
	if err != nil || len(row.Extremities) != 1 {
		t.Fatalf("the room ends with %v, %v", row.Extremities, err)
	}
	if e, err := r.s.Event(t.Context(), row.Extremities[0]); err != nil || e.ContentString("body") != "live 300" {
		t.Errorf("the room ends with %v, %v", e, err)
	}
}
