package room

import (
	"encoding/json/jsontext"
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

func past(n int, prefix string) []Past {
	out := make([]Past, n)
	for i := range out {
		out[i] = Past{Sender: bob, Type: "m.room.message", TS: int64(1000 + i), Name: fmt.Sprintf("$%s%d", prefix, i),
			Content: jsontext.Value(fmt.Sprintf(`{"msgtype":"m.text","body":"%s %d"}`, prefix, i))}
		if i > 0 {
			out[i].Content = jsontext.Value(fmt.Sprintf(`{"msgtype":"m.text","body":"%s %d","m.relates_to":{"m.in_reply_to":{"event_id":"$%s%d"}}}`, prefix, i, prefix, i-1))
		}
	}
	return out
}

// TestImport brings history into a room in which people talk: it stands between the room's making
// and the talk, older imports after newer ones, and its relations name the real events.
func TestImport(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	room := r.room("12", alice)
	r.send(room, text(alice, "live 0"))
	position := r.s.Position()
	for _, batch := range []string{"recent", "older"} {
		events, err := r.m.Import(t.Context(), room.NID, past(5, batch), Direction{ForwardIfQuiet: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range events[1:] {
			var c struct {
				Relates struct {
					Reply struct {
						ID string `json:"event_id"`
					} `json:"m.in_reply_to"`
				} `json:"m.relates_to"`
			}
			if err := unmarshal(e.Content, &c); err != nil || c.Relates.Reply.ID != events[i].ID {
				t.Fatalf("%s %d replies to %q, want %q (%v)", batch, i+1, c.Relates.Reply.ID, events[i].ID, err)
			}
		}
	}
	if r.s.Position() != position {
		t.Fatal("history was put into the log, where it is news")
	}
	r.send(room, text(alice, "live 1"))
	all, err := r.s.HistoryForward(t.Context(), room.NID, store.Beginning, store.End, 1<<60, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		if body := e.ContentString("body"); body != "" {
			got = append(got, body)
		} else if len(got) > 0 {
			t.Fatalf("%s stands after %q", e.Type, got)
		}
	}
	want := []string{}
	for _, batch := range []string{"older", "recent"} {
		for i := range 5 {
			want = append(want, fmt.Sprintf("%s %d", batch, i))
		}
	}
	want = append(want, "live 0", "live 1")
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("history is\n%q, want\n%q", got, want)
	}
	back, err := r.s.HistoryBack(t.Context(), room.NID, store.Before(all[len(all)-1]), store.Beginning, 1<<60, 3)
	if err != nil || len(back) != 3 || back[0].ContentString("body") != "live 0" || back[1].ContentString("body") != "recent 4" {
		t.Fatalf("paging back: %d events, %v", len(back), err)
	}
}

// TestImportIntoQuietRoom appends, when nobody has said anything yet, so that clients see it.
func TestImportIntoQuietRoom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	room := r.room("12", alice)
	r.send(room, member(bob, "join"))
	if _, err := r.m.Import(t.Context(), room.NID, past(3, "quiet"), Direction{ForwardIfQuiet: true}); err != nil {
		t.Fatal(err)
	}
	events := checkChain(t, r.s, room)
	if last := events[len(events)-1]; last.ContentString("body") != "quiet 2" || last.OriginServerTS != 1002 {
		t.Fatalf("the room ends with %s at %d", last.Content, last.OriginServerTS)
	}
}
