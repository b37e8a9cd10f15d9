package stateres

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"testing"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// kit is a room in memory: it is the Source, and keeps the states.
type kit struct {
	version event.Version
	events  []*event.Event // by number less one
	links   []Link
	byID    map[string]int64
	keys    map[stateKey]int64
	forest  *statetree.Forest
	packs   map[int64][]byte
	last    int64
}

var _ Source = (*kit)(nil)

func newKit(t testing.TB, v event.Version) *kit {
	t.Helper()
	k := &kit{version: v, byID: map[string]int64{}, keys: map[stateKey]int64{}, packs: map[int64][]byte{}}
	var err error
	if k.forest, err = statetree.NewForest(k, func() int64 { k.last++; return k.last }, 1<<12); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kit) StatePack(_ context.Context, nid int64) ([]byte, error) { return k.packs[nid], nil }

func (k *kit) Links(_ context.Context, nids []int64) ([]Link, error) {
	out := make([]Link, len(nids))
	for i, nid := range nids {
		out[i] = k.links[nid-1]
	}
	return out, nil
}

func (k *kit) Events(_ context.Context, nids []int64) ([]*event.Event, error) {
	out := make([]*event.Event, len(nids))
	for i, nid := range nids {
		out[i] = k.events[nid-1]
	}
	return out, nil
}

func (k *kit) StateKey(_ context.Context, typ, key string) (int64, error) {
	return k.keys[stateKey{typ, key}], nil
}

func (k *kit) key(typ, key string) int64 {
	s := stateKey{typ, key}
	if k.keys[s] == 0 {
		k.keys[s] = int64(len(k.keys) + 1)
	}
	return k.keys[s]
}

// proto is what a test says of an event.
type proto struct {
	typ, key, sender, content string
	ts                        int64
	prev, auth                []int64
}

// make builds an event without adding it to the room.
func (k *kit) make(t testing.TB, p proto) *event.Event {
	t.Helper()
	u := &pdu.PDU{Type: p.typ, StateKey: &p.key, Sender: id.UserID(p.sender), Content: jsontext.Value(p.content), OriginServerTS: p.ts,
		AuthEvents: []id.EventID{}, PrevEvents: []id.EventID{}, Depth: int64(len(k.events) + 1)}
	if len(k.events) > 0 {
		u.RoomID = id.RoomID(k.events[0].InRoom)
	} else if !k.version.RoomIDIsCreateEventID() {
		u.RoomID = "!room:a"
	}
	for _, a := range p.auth {
		u.AuthEvents = append(u.AuthEvents, id.EventID(k.events[a-1].ID))
	}
	for _, a := range p.prev {
		u.PrevEvents = append(u.PrevEvents, id.EventID(k.events[a-1].ID))
	}
	eventID, err := u.GetEventID(k.version)
	if err != nil {
		t.Fatal(err)
	}
	e := &event.Event{PDU: u, ID: string(eventID), InRoom: string(u.RoomID), Version: k.version, Key: k.key(p.typ, p.key)}
	if e.InRoom == "" {
		e.InRoom = "!" + e.ID[1:]
	}
	return e
}

// add puts an event into the room and returns its number.
func (k *kit) add(e *event.Event, auth []int64) int64 {
	k.events = append(k.events, e)
	e.NID = int64(len(k.events))
	k.links = append(k.links, Link{Key: e.Key, Auth: auth})
	k.byID[e.ID] = e.NID
	return e.NID
}

// state is a state as a map of key and event numbers.
type state map[int64]int64

func (k *kit) root(t testing.TB, s state) statetree.Ref {
	t.Helper()
	edit := k.forest.Edit(0)
	for key, nid := range s {
		if err := edit.Put(t.Context(), key, nid); err != nil {
			t.Fatal(err)
		}
	}
	root, packs := edit.Finish()
	k.store(packs)
	return root
}

func (k *kit) store(packs []statetree.Pack) {
	for _, p := range packs {
		k.packs[p.ID] = p.Data
	}
	k.forest.Stored(packs)
}

func (k *kit) state(t testing.TB, root statetree.Ref) state {
	t.Helper()
	s := state{}
	if err := k.forest.Walk(t.Context(), root, func(key, nid int64) bool { s[key] = nid; return true }); err != nil {
		t.Fatal(err)
	}
	return s
}

// resolve resolves states and returns the tree of the result.
func (k *kit) resolve(t testing.TB, roots ...statetree.Ref) statetree.Ref {
	t.Helper()
	res, err := Resolver{Trees: k.forest, Source: k}.Resolve(t.Context(), Fork{Version: k.version, Create: k.events[0], Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	root, packs, err := res.Apply(t.Context(), k.forest)
	if err != nil {
		t.Fatal(err)
	}
	k.store(packs)
	return root
}

func (k *kit) resolveStates(t testing.TB, states ...state) state {
	t.Helper()
	roots := make([]statetree.Ref, len(states))
	for i, s := range states {
		roots[i] = k.root(t, s)
	}
	return k.state(t, k.resolve(t, roots...))
}

// selectAuth picks the auth events for an event out of a state.
func (k *kit) selectAuth(t testing.TB, p proto, s func(key int64) int64) []int64 {
	t.Helper()
	shape := pdu.PDU{Type: p.typ, Sender: id.UserID(p.sender), StateKey: &p.key, Content: jsontext.Value(p.content)}
	var auth []int64
	for _, want := range shape.AuthEventSelection(k.version) {
		if nid := s(k.key(want.Type, want.StateKey)); nid != 0 {
			auth = append(auth, nid)
		}
	}
	return auth
}

// allows applies the rules over some auth events.
func (k *kit) allows(e *event.Event, auth []int64) bool {
	pdus := make([]*pdu.PDU, len(auth))
	for i, nid := range auth {
		pdus[i] = k.events[nid-1].PDU
	}
	get := func([]id.EventID) ([]*pdu.PDU, error) { return []*pdu.PDU{k.events[0].PDU}, nil }
	return authrules.Authorize(k.version, e.PDU, pdus, get, noKey) == nil
}

// show names a state for a failed test.
func (k *kit) show(s state) string {
	out := map[string]string{}
	for key, nid := range s {
		for name, n := range k.keys {
			if n == key {
				e := k.events[nid-1]
				out[name.typ+"|"+name.key] = fmt.Sprintf("%d by %s %s", nid, e.Sender, e.Content)
			}
		}
	}
	raw, _ := json.Marshal(out, json.Deterministic(true), jsontext.Multiline(true))
	return string(raw)
}
