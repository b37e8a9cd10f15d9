package homeserver

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// far speaks for another server in a room of this one, without a network.
type far struct {
	*hs
	signer event.Signer
	room   store.RoomName
	user   string
}

func (h *hs) far(roomID, user string) *far {
	h.Helper()
	name, err := h.store.RoomByID(h.Context(), roomID)
	if err != nil {
		h.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	return &far{h, event.Signer{Server: "far", KeyID: "ed25519:f", Key: key}, name, user}
}

// make signs an event that hangs after another one.
func (f *far) make(after *event.Event, p event.Proto) room.Received {
	f.Helper()
	ctx := f.Context()
	p.Version, p.RoomID, p.Sender, p.Depth, p.Prev = f.room.Version, f.room.ID, f.user, after.Depth+1, []string{after.ID}
	shape, err := event.Build(p, f.signer)
	if err != nil {
		f.Fatal(err)
	}
	var r room.Received
	view := store.StateView{Root: after.Root}
	for _, k := range shape.AuthEventSelection(p.Version) {
		if a, err := f.store.StateOf(ctx, view, k.Type, k.StateKey); err == nil {
			p.Auth, r.Auth = append(p.Auth, a.ID), append(r.Auth, a.NID)
		}
	}
	if r.Event, err = event.Build(p, f.signer); err != nil {
		f.Fatal(err)
	}
	if _, err := f.rooms.Number(ctx, f.room.NID, r.Event); err != nil {
		f.Fatal(err)
	}
	r.Prev = []int64{after.NID}
	if r.Before, r.Packs, err = f.rooms.StateBefore(ctx, f.room.NID, r.Prev); err != nil {
		f.Fatal(err)
	}
	return r
}

func (f *far) last() *event.Event {
	f.Helper()
	e, err := f.store.LastEvent(f.Context(), f.room.NID, 1<<62)
	if err != nil {
		f.Fatal(err)
	}
	return e
}

func (f *far) join() {
	f.Helper()
	r := f.make(f.last(), event.Proto{Type: "m.room.member", StateKey: &f.user, Content: []byte(`{"membership":"join"}`), TS: 1})
	if _, _, err := f.rooms.Adopt(f.Context(), f.room.NID, r); err != nil {
		f.Fatal(err)
	}
}

// send takes in an event that hangs after another one.
func (f *far) send(after *event.Event, p event.Proto) *event.Event {
	f.Helper()
	out, err := f.rooms.Receive(f.Context(), f.room.NID, []room.Received{f.make(after, p)})
	if err != nil {
		f.Fatal(err)
	}
	if out[0].Rejected != nil || out[0].SoftFailed != nil {
		f.Fatalf("%s: %+v", p.Type, out[0])
	}
	return out[0].Event
}

// follower works a room's state out of sync answers as clients do.
type follower struct{ state map[string]string }

func (f *follower) take(r gjson.Result) {
	for _, section := range []string{"state.events", "timeline.events"} {
		for _, e := range r.Get(section).Array() {
			if e.Get("state_key").Exists() {
				f.state[e.Get("type").Str+" "+e.Get("state_key").Str] = e.Get("event_id").Str
			}
		}
	}
}

// TestSyncOverForks has somebody follow a room in which another server's events come late and beside
// what was said here: the client ends with the room's state.
func TestSyncOverForks(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			syncForks(t, rand.New(rand.NewPCG(seed, 1)))
		})
	}
}

func syncForks(t *testing.T, random *rand.Rand) {
	h := start(t)
	alice := h.user("alice")
	id := h.room(alice, map[string]any{"preset": "public_chat", "room_version": "11", "power_level_content_override": map[string]any{"users": map[string]int{"@alice:test": 100, "@rob:far": 100}}})
	f := h.far(id, "@rob:far")
	f.join()
	const filter = `{"room":{"timeline":{"limit":4}}}`
	follow := &follower{map[string]string{}}
	since := ""
	none := ""
	turns, cut := 0, 0
	heads := []*event.Event{f.last()}
	for i := range 25 {
		for range 1 + random.IntN(3) {
			switch random.IntN(4) {
			case 0:
				h.must(alice, "PUT", "/v3/rooms/"+id+"/state/m.room.topic", map[string]string{"topic": fmt.Sprint(i, random.IntN(100))}, nil)
			case 1:
				h.text(alice, id, fmt.Sprint(i, random.Int64()), "here")
			default:
				p := event.Proto{Type: "m.room.message", Content: []byte(`{"body":"far"}`), TS: 1000 + random.Int64N(3_000_000_000_000)}
				if random.IntN(3) > 0 {
					p.Type, p.StateKey, p.Content = "m.room.topic", &none, fmt.Appendf(nil, `{"topic":"far %d"}`, i)
				}
				e := f.send(heads[random.IntN(len(heads))], p)
				if e.Has(event.Turn) {
					turns++
				}
			}
		}
		heads = append(heads, f.last())
		if random.IntN(2) == 0 {
			continue
		}
		var want map[string]string
		current := func() map[string]string {
			out := map[string]string{}
			for _, e := range h.get(alice, "/v3/rooms/"+id+"/state").Array() {
				out[e.Get("type").Str+" "+e.Get("state_key").Str] = e.Get("event_id").Str
			}
			return out
		}
		want = current()
		answer := h.sync(alice, since, "filter", filter)
		r := joined(answer, id)
		follow.take(r)
		if since != "" && r.Get("timeline.limited").Bool() && len(r.Get("timeline.events").Array()) < 4 {
			cut++
		}
		since = answer.Get("next_batch").Str
		if !maps.Equal(follow.state, want) {
			t.Fatalf("round %d: the client has %v\nthe room has %v\nfrom %s", i, follow.state, want, r)
		}
		fresh := &follower{map[string]string{}}
		r = joined(h.sync(alice, "", "filter", filter), id)
		fresh.take(r)
		if !maps.Equal(fresh.state, want) {
			t.Fatalf("round %d: a new client has %v\nthe room has %v\nfrom %s", i, fresh.state, want, r)
		}
		after := map[string]string{}
		r = joined(h.sync(alice, "", "filter", filter, "use_state_after", "true"), id)
		for _, e := range r.Get("state_after.events").Array() {
			after[e.Get("type").Str+" "+e.Get("state_key").Str] = e.Get("event_id").Str
		}
		if !maps.Equal(after, want) {
			t.Fatalf("round %d: state_after is %v\nthe room has %v", i, after, want)
		}
	}
	t.Logf("%d turns, %d timelines were cut", turns, cut)
	if turns == 0 {
		t.Error("nothing took a turn: the test has shown nothing")
	}
	if ok, err := sync.VisibleToServer(t.Context(), h.store, f.last(), "far"); err != nil || !ok {
		t.Errorf("visible to a server in the room: %v, %v", ok, err)
	}
	if ok, err := sync.VisibleToServer(t.Context(), h.store, f.last(), "farther"); err != nil || ok {
		t.Errorf("visible to a server outside: %v, %v", ok, err)
	}
}
