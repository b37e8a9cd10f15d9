package homeserver

import (
	"encoding/json"
	"encoding/json/jsontext"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// memory is what the other server of a test tells of its past.
type memory struct {
	mu     sync.Mutex
	events map[string]jsontext.Value
	// state is that before any event that is asked for.
	state []string
	// ill makes it answer with errors.
	ill   bool
	asked int
}

// serve answers for a server.
func (m *memory) serve(t *testing.T, far *afar) {
	far.peer.answer = func(w http.ResponseWriter, r *http.Request) bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		var out any
		switch at := r.URL.Path; {
		case strings.Contains(at, "/get_missing_events/"):
			m.asked++
			out = obj{"events": []jsontext.Value{}}
		case strings.Contains(at, "/state_ids/"):
			out = obj{"pdu_ids": m.state, "auth_chain_ids": []string{}}
		case strings.Contains(at, "/v1/event/"):
			if raw := m.events[at[strings.LastIndexByte(at, '/')+1:]]; raw != nil {
				out = obj{"origin": far.peer.name, "origin_server_ts": 1, "pdus": []jsontext.Value{raw}}
			} else {
				w.WriteHeader(http.StatusNotFound)
				out = obj{"errcode": "M_NOT_FOUND", "error": "no"}
			}
		default:
			return false
		}
		if m.ill {
			w.WriteHeader(http.StatusInternalServerError)
			out = obj{"errcode": "M_UNKNOWN", "error": "not now"}
		}
		raw, err := json.Marshal(out)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(raw)
		return true
	}
}

// TestQuarantine: an event that can't be taken in, for what it needs can't be had, is put aside after three tries; the
// room and other rooms go on. When the server that has it comes back, it is tried at once.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	alice := h.user("alice")
	good := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	far.join(good, false)
	fine := *far
	far.join(room, false)
	past := &memory{events: map[string]jsontext.Value{}, ill: true}
	for _, e := range far.state {
		past.state = append(past.state, e.ID)
	}
	past.serve(t, far)
	seen := func(room string, e *event.Event) bool {
		return h.has(alice, room, e.ID)
	}
	hidden := far.next(far.bob(), "before")
	poison := far.next(far.bob(), "behind", hidden.ID)
	txn := 0
	put := func(f *afar, e *event.Event) {
		txn++
		f.put(fmt.Sprint("q", txn), nil, f.raw(e))
	}
	put(far, poison)
	tries := func() (n, until int64) {
		p, err := h.store.StagedPDU(t.Context(), room, poison.ID)
		if err != nil {
			return 0, 0
		}
		return p.Tries, p.ReceivedTS
	}
	eventually(t, "three tries", func() bool { n, _ := tries(); return n >= 3 })
	if _, until := tries(); until < time.Now().Add(30*time.Minute).UnixMilli() {
		t.Errorf("after three tries it waits until %v", time.UnixMilli(until))
	}
	beside, elsewhere := far.next(far.bob(), "beside"), fine.next(fine.bob(), "elsewhere")
	put(far, beside)
	put(&fine, elsewhere)
	h.eventually("what else is said in the room", func() bool { return seen(room, beside) })
	h.eventually("what is said in another room", func() bool { return seen(good, elsewhere) })
	if n, _ := tries(); n < 3 || seen(room, poison) {
		t.Error("the event is not put aside any more")
	}
	// It is back: this server did not reach it, and then it calls.
	past.mu.Lock()
	past.ill, past.events[hidden.ID] = false, far.raw(hidden)
	past.mu.Unlock()
	h.outside.backoff.Failed(far.peer.name, 0)
	put(&fine, fine.next(fine.bob(), "back"))
	h.eventually("the event that was put aside", func() bool { return seen(room, poison) })
	if n, _ := tries(); n != 0 {
		t.Error("it is still put aside")
	}
}

// TestGapClosed: an event behind a gap does not wait any longer once what was missing is here.
func TestGapClosed(t *testing.T) {
	t.Parallel()
	h, _, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	far.join(room, false)
	past := &memory{}
	past.serve(t, far)
	one := far.next(far.bob(), "one")
	two := far.next(far.bob(), "two", one.ID)
	three := far.next(far.bob(), "three", two.ID)
	far.put("c1", nil, far.raw(three))
	eventually(t, "the question what is missing", func() bool { past.mu.Lock(); defer past.mu.Unlock(); return past.asked > 0 })
	staged := func() bool {
		p, err := h.store.StagedPDU(t.Context(), room, three.ID)
		return err == nil && p.Tries > 0
	}
	eventually(t, "the event to be put off", staged)
	// As long as it is to wait for, nothing but what is missing can bring it on.
	if err := h.store.Write(t.Context(), func(tx *store.Tx) error {
		p, err := h.store.StagedPDU(t.Context(), room, three.ID)
		if err != nil {
			return err
		}
		p.Tries, p.ReceivedTS = 3, time.Now().Add(50*time.Minute).UnixMilli()
		return tx.Restage(p)
	}); err != nil {
		t.Fatal(err)
	}
	far.put("c2", nil, far.raw(one), far.raw(two))
	h.eventually("what came behind the gap", func() bool {
		return h.has(alice, room, three.ID)
	})
	order := h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&limit=3", nil).Get("chunk.#.event_id").String()
	if order != fmt.Sprintf("[%q,%q,%q]", three.ID, two.ID, one.ID) {
		t.Errorf("the room says %s", order)
	}
}

// TestInARow: what a server sends at once is taken in in its order, whatever is among it.
func TestInARow(t *testing.T) {
	t.Parallel()
	h, name, far := resident(t)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat", "room_version": "12"})
	far.join(room, false)
	var pdus []jsontext.Value
	var want, refused []string
	empty := ""
	for n := range 50 {
		e := far.next(far.bob(), fmt.Sprint("row ", n))
		switch {
		case n%10 == 3: // the name of the room is not bob's to give
			e = far.build(event.Proto{Version: "12", RoomID: room, Type: "m.room.name", Sender: far.bob(), StateKey: &empty, Content: []byte(`{"name":"mine"}`),
				TS: 1, Depth: far.depth, Prev: []string{far.tip.ID}, Auth: []string{far.state["m.room.power_levels|"].ID, far.state["m.room.member|"+far.bob()].ID}})
			refused = append(refused, e.ID)
		case n%10 == 5: // a message of somebody who is not there
			e = far.next("@nobody:"+far.peer.name, "not there")
			refused = append(refused, e.ID)
		case n%10 == 7: // bob has another name
			who := far.bob()
			e = far.build(event.Proto{Version: "12", RoomID: room, Type: "m.room.member", Sender: who, StateKey: &who, Content: fmt.Appendf(nil, `{"membership":"join","displayname":"%d"}`, n),
				TS: 1, Depth: far.depth, Prev: []string{far.tip.ID}, Auth: []string{far.state["m.room.power_levels|"].ID, far.state["m.room.join_rules|"].ID, far.state["m.room.member|"+who].ID}})
			far.state["m.room.member|"+who] = e
			want = append(want, e.ID)
		default:
			want = append(want, e.ID)
		}
		far.tip = e
		pdus = append(pdus, far.raw(e))
	}
	if out := far.put("row", nil, pdus...); len(out) != 0 {
		t.Errorf("the answer: %v", out)
	}
	h.eventually("the last of them", func() bool {
		return h.has(alice, room, far.tip.ID)
	})
	var got []string
	for _, x := range h.ok(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&limit=60", nil).Get("chunk").Array() {
		if x.Get("sender").Str != "@alice:"+name {
			got = append(got, x.Get("event_id").Str)
		}
	}
	slices.Reverse(got)
	if got = got[1:]; !slices.Equal(got, want) { // the first is the join
		t.Errorf("the room has %d of %d: %v", len(got), len(want), got)
	}
	for _, id := range refused {
		if status, _ := h.do(alice, "GET", "/v3/rooms/"+room+"/event/"+id, nil); status != 404 {
			t.Errorf("an event that is forbidden is shown: %d", status)
		}
	}
	if got := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/"+far.bob(), nil).Get("displayname").Str; got != "47" {
		t.Errorf("bob is called %q", got)
	}
	if rooms, err := h.store.StagedRooms(t.Context()); err != nil || len(rooms) != 0 {
		eventually(t, "nothing to wait", func() bool { rooms, err := h.store.StagedRooms(t.Context()); return err == nil && len(rooms) == 0 })
	}
}
