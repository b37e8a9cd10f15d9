package room

import (
	"context"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

type rig struct {
	testing.TB
	s *store.Store
	m *Manager
}

func newRig(t testing.TB) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(t.TempDir(), "hs.db"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	m := NewManager(Options{Store: s, Log: log, Signer: testSigner()})
	t.Cleanup(func() {
		m.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{t, s, m}
}

func testSigner() event.Signer {
	seed := make([]byte, ed25519.SeedSize)
	return event.Signer{Server: "test", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(seed)}
}

func str(s string) *string { return &s }

func state(sender, typ, key, content string) Proposal {
	return Proposal{Sender: sender, Type: typ, StateKey: str(key), Content: jsontext.Value(content)}
}

func member(user, membership string) Proposal {
	return state(user, "m.room.member", user, `{"membership":"`+membership+`"}`)
}

func text(sender, body string) Proposal {
	return Proposal{Sender: sender, Type: "m.room.message", Content: jsontext.Value(fmt.Sprintf(`{"msgtype":"m.text","body":%q}`, body))}
}

// room makes a public room with its creator in it.
func (r *rig) room(v event.Version, creator string) store.RoomName {
	r.Helper()
	content := fmt.Sprintf(`{"room_version":%q}`, v)
	levels := fmt.Sprintf(`{"users":{%q:100},"state_default":50}`, creator)
	if v.CreatorInContent() {
		content = fmt.Sprintf(`{"room_version":%q,"creator":%q}`, v, creator)
	}
	if v.PrivilegedRoomCreators() {
		levels = `{"state_default":50}`
	}
	name, _, err := r.m.Create(r.Context(), Creation{Version: v, Creator: creator, Content: jsontext.Value(content),
		Events: func(string) ([]Proposal, error) {
			return []Proposal{member(creator, "join"), state(creator, "m.room.power_levels", "", levels),
				state(creator, "m.room.join_rules", "", `{"join_rule":"public"}`)}, nil
		}})
	if err != nil {
		r.Fatal(err)
	}
	return name
}

func (r *rig) send(room store.RoomName, p Proposal) *event.Event {
	r.Helper()
	e, err := r.m.Send(r.Context(), room.NID, p)
	if err != nil {
		r.Fatal(err)
	}
	return e
}

const (
	alice = "@alice:test"
	bob   = "@bob:test"
)

func TestEveryVersion(t *testing.T) {
	t.Parallel()
	for _, v := range event.Versions() {
		t.Run("v"+string(v), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			room := r.room(v, alice)
			if _, err := r.m.Send(t.Context(), room.NID, text(bob, "let me in")); !mxerror.Is(err, "M_FORBIDDEN") {
				t.Fatalf("a stranger's message: %v", err)
			}
			r.send(room, member(bob, "join"))
			sent := r.send(room, text(bob, "hello"))
			if _, err := r.m.Send(t.Context(), room.NID, state(bob, "m.room.name", "", `{"name":"mine"}`)); !mxerror.Is(err, "M_FORBIDDEN") {
				t.Fatalf("a name by someone without power: %v", err)
			}
			named := r.send(room, state(alice, "m.room.name", "", `{"name":"ours"}`))
			again := r.send(room, state(alice, "m.room.name", "", `{ "name" : "ours" }`))
			if again.ID != named.ID {
				t.Fatal("state that says the same made a new event")
			}
			r.send(room, Proposal{Sender: alice, Type: "m.room.redaction", Redacts: sent.ID,
				Content: jsontext.Value(fmt.Sprintf(`{"redacts":%q}`, sent.ID))})
			pruned, err := r.s.EventByID(t.Context(), sent.ID)
			if err != nil || !pruned.Has(event.Redacted) || pruned.ContentString("body") != "" {
				t.Fatalf("after the redaction: %+v, %v", pruned, err)
			}
			r.send(room, state(alice, "m.room.member", bob, `{"membership":"ban"}`))
			if _, err := r.m.Send(t.Context(), room.NID, member(bob, "join")); !mxerror.Is(err, "M_FORBIDDEN") {
				t.Fatalf("a banned user joined: %v", err)
			}
			checkChain(t, r.s, room)
		})
	}
}

// checkChain reads the room back and checks hashes, signatures, ids and links.
func checkChain(t *testing.T, s *store.Store, room store.RoomName) []*event.Event {
	t.Helper()
	events, err := s.TimelineForward(t.Context(), room.NID, 0, 1<<60, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		raw, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := event.Parse(raw, e.ID, room.ID, room.Version)
		if err != nil {
			t.Fatal(err)
		}
		id, err := event.ID(fresh.PDU, room.Version)
		if err != nil || id != e.ID {
			t.Fatalf("event %d (%s): id %s, computed %s, %v", i, e.Type, e.ID, id, err)
		}
		if !e.Has(event.Redacted) && !fresh.VerifyContentHash() {
			t.Fatalf("event %d (%s): wrong content hash", i, e.Type)
		}
		if len(fresh.Signatures["test"]) != 1 {
			t.Fatalf("event %d: not signed", i)
		}
		if i == 0 {
			continue
		}
		if len(e.PrevEvents) != 1 || string(e.PrevEvents[0]) != events[i-1].ID || e.Depth != int64(i+1) {
			t.Fatalf("event %d hangs after %v at depth %d", i, e.PrevEvents, e.Depth)
		}
	}
	return events
}

func TestRetries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	room := r.room("12", alice)
	p := text(alice, "once")
	p.TxnScope, p.Txn = 7, event.TxnKey("send", "t1")
	var wg sync.WaitGroup
	ids := make([]string, 50)
	for i := range ids {
		wg.Go(func() {
			e, err := r.m.Send(t.Context(), room.NID, p)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = e.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatal("retries made two events")
		}
	}
	other := p
	other.TxnScope = 8
	if e := r.send(room, other); e.ID == ids[0] {
		t.Fatal("another device's transaction got this one's event")
	}
}

func TestBadProposalsChangeNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	room := r.room("12", alice)
	before, err := r.s.LoadRoom(t.Context(), room.NID)
	if err != nil {
		t.Fatal(err)
	}
	long := make([]byte, 70000)
	for i := range long {
		long[i] = 'x'
	}
	for _, tc := range []struct {
		name, code string
		p          Proposal
	}{
		{"float", "M_BAD_JSON", Proposal{Sender: alice, Type: "x", Content: jsontext.Value(`{"a":1.5}`)}},
		{"big integer", "M_BAD_JSON", Proposal{Sender: alice, Type: "x", Content: jsontext.Value(`{"a":9007199254740992}`)}},
		{"duplicate key", "M_BAD_JSON", Proposal{Sender: alice, Type: "x", Content: jsontext.Value(`{"a":1,"a":2}`)}},
		{"invalid UTF-8", "M_BAD_JSON", Proposal{Sender: alice, Type: "x", Content: jsontext.Value("{\"a\":\"\xff\"}")}},
		{"no object", "M_BAD_JSON", Proposal{Sender: alice, Type: "x", Content: jsontext.Value(`[]`)}},
		{"too large", "M_TOO_LARGE", text(alice, string(long))},
		{"long type", "M_TOO_LARGE", Proposal{Sender: alice, Type: string(long[:256]), Content: jsontext.Value(`{}`)}},
		{"long state key", "M_TOO_LARGE", state(alice, "x", string(long[:256]), `{}`)},
		{"somebody else's state", "M_FORBIDDEN", state(alice, "x", bob, `{}`)},
		{"unknown membership", "M_FORBIDDEN", state(alice, "m.room.member", alice, `{"membership":"lurk"}`)},
		{"unknown redaction", "M_NOT_FOUND", Proposal{Sender: alice, Type: "m.room.redaction", Content: jsontext.Value(`{"redacts":"$nothing"}`)}},
	} {
		// A good event in front must not get through either.
		good := state(alice, "m.room.topic", "", `{"topic":"lost"}`)
		if _, err := r.m.SendAll(t.Context(), room.NID, []Proposal{good, tc.p}); !mxerror.Is(err, tc.code) {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.code)
		}
	}
	after, err := r.s.LoadRoom(t.Context(), room.NID)
	if err != nil || after.Root != before.Root || after.Depth != before.Depth {
		t.Fatalf("the room changed: %+v to %+v, %v", before, after, err)
	}
	r.send(room, state(alice, "m.room.topic", "", `{"topic":"kept"}`))
	checkChain(t, r.s, room)
}

func TestRestrictedJoin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	space, club := r.room("12", alice), r.room("12", alice)
	r.send(club, state(alice, "m.room.join_rules", "", fmt.Sprintf(`{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":%q}]}`, space.ID)))
	if _, err := r.m.Send(t.Context(), club.NID, member(bob, "join")); !mxerror.Is(err, "M_FORBIDDEN") {
		t.Fatalf("joined from outside: %v", err)
	}
	r.send(space, member(bob, "join"))
	e := r.send(club, member(bob, "join"))
	if e.ContentString("join_authorised_via_users_server") != alice {
		t.Fatalf("not vouched for: %s", e.Content)
	}
	// Who is in already needs nobody to vouch, and can't name somebody either.
	e = r.send(club, state(bob, "m.room.member", bob, `{"membership":"join","displayname":"Bobby","join_authorised_via_users_server":"unused"}`))
	if e.ContentString("displayname") != "Bobby" || e.ContentString("join_authorised_via_users_server") != "" {
		t.Fatalf("the new name made %s", e.Content)
	}
}

// TestManyAtOnce sends from many goroutines into a few rooms while actors come and go.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var rooms []store.RoomName
	for range 4 {
		rooms = append(rooms, r.room("12", alice))
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 25 {
				room := rooms[(i+j)%len(rooms)]
				p := text(alice, fmt.Sprint(i, j))
				if j%5 == 0 {
					p = state(alice, "m.room.topic", "", fmt.Sprintf(`{"topic":"%d %d"}`, i, j))
				}
				if _, err := r.m.Send(context.WithoutCancel(t.Context()), room.NID, p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, room := range rooms {
		total += len(checkChain(t, r.s, room))
	}
	if want := 4*4 + 16*25; total != want {
		t.Fatalf("%d events, want %d", total, want)
	}
}

func BenchmarkSend(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRig(b)
			room := r.room("12", alice)
			b.SetParallelism(n / 2)
			var i atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					p := text(alice, fmt.Sprintf("message %d", i.Add(1)))
					p.TxnScope, p.Txn = 1, fmt.Sprint(i.Add(1))
					if _, err := r.m.Send(b.Context(), room.NID, p); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func unmarshal(raw []byte, into any) error { return json.Unmarshal(raw, into) }
