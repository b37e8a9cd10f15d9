package outbound

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// world is a store with rooms that a server "far" is in, and that server.
type world struct {
	mu      sync.Mutex
	events  []*event.Event // Pos is the index and one
	edus    []store.EDU
	updates []store.DeviceUpdate
	// receipts are those in the store.
	receipts []store.Receipt
	row      *store.Destination
	backoff  store.Backoff
	down     bool
	// ill makes it answer with errors.
	ill bool
	// sent are the transactions, by id, and order their ids as they came.
	sent  map[string]fclient.Transaction
	order []string
	news  chan struct{}
}

func newWorld() *world {
	return &world{sent: map[string]fclient.Transaction{}, news: make(chan struct{}, 1000)}
}

const far = int64(7)

func (w *world) Position() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(len(w.events))
}
func (w *world) ServerNID(context.Context, string) (int64, error)  { return far, nil }
func (w *world) NameServer(context.Context, string) (int64, error) { return far, nil }
func (w *world) ServerName(context.Context, int64) (string, error) { return "far", nil }
func (w *world) ServersBehind(context.Context) ([]int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.row != nil && w.row.TxnUpto > w.row.Cursor {
		return []int64{far}, nil
	}
	return nil, nil
}
func (w *world) ServersSharing(context.Context, int64) ([]string, error) {
	return []string{"here", "far"}, nil
}
func (w *world) JoinedServers(context.Context, int64) ([]string, error) {
	return []string{"here", "far"}, nil
}
func (w *world) ReceiptsFor(_ context.Context, _, after, upto int64, limit int) (out []store.Receipt, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.receipts {
		if r.Pos > after && r.Pos <= upto && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}
func (w *world) NewServers(context.Context, int64, int64, string) (bool, error) { return false, nil }
func (w *world) UserID(_ context.Context, nid int64) (string, error) {
	return fmt.Sprintf("@u%d:here", nid), nil
}
func (w *world) Incomplete(int64) bool { return false }

func (w *world) RoomByNID(_ context.Context, nid int64) (store.RoomName, error) {
	return store.RoomName{NID: nid, ID: fmt.Sprintf("!r%d", nid)}, nil
}
func (w *world) ReceiptsAfter(_ context.Context, room, _, upto int64) ([]store.Receipt, error) {
	return []store.Receipt{{Room: room, User: 1, Kind: "m.read", EventID: fmt.Sprintf("$%d", upto), TS: 5, Pos: upto}}, nil
}
func (w *world) Destination(context.Context, int64) (store.Destination, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.row == nil {
		return store.Destination{}, store.ErrNotFound
	}
	return *w.row, nil
}

func (w *world) UserNID(context.Context, string) (int64, error)           { return 1, nil }
func (w *world) JoinedFrom(context.Context, int64, string) (int64, error) { return 1, nil }
func (w *world) MembersFrom(context.Context, int64, string) ([]string, error) {
	return []string{"@u:us"}, nil
}

// RoomsFor has rooms 1 and 2, in which events take turns.
func (w *world) RoomsFor(_ context.Context, _, after int64) ([]store.RoomFor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []store.RoomFor
	for room := int64(2); room > 0; room-- {
		last := int64(0)
		for _, e := range w.events {
			if e.Room == room {
				last = e.Pos
			}
		}
		if last > after {
			out = append(out, store.RoomFor{Room: room, LocalPos: last})
		}
	}
	return out, nil
}
func (w *world) LocalEvents(_ context.Context, room, after, upto int64, limit int) ([]*event.Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*event.Event
	for _, e := range w.events {
		if e.Room == room && e.Pos > after && e.Pos <= upto && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}
func (w *world) StateEvent(context.Context, statetree.Ref, string, string) (*event.Event, error) {
	return nil, store.ErrNotFound
}

func (w *world) Event(_ context.Context, nid int64) (*event.Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[nid-1], nil
}
func (w *world) EDUs(_ context.Context, _, after, upto int64, limit int) ([]store.EDU, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []store.EDU
	for _, e := range w.edus {
		if e.Pos > after && e.Pos <= upto && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}
func (w *world) DeviceUpdates(_ context.Context, _, after, upto int64, limit int) ([]store.DeviceUpdate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []store.DeviceUpdate
	for _, u := range w.updates {
		if u.Pos > after && u.Pos <= upto && len(out) < limit {
			out = append(out, u)
		}
	}
	return out, nil
}

// Write can't run a function of the store's; what it would write is taken by save.
func (w *world) Write(context.Context, func(*store.Tx) error) error { return errors.New("not used") }

func (w *world) save(_ context.Context, row store.Destination) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.row = &row
	w.edus = slices.DeleteFunc(w.edus, func(e store.EDU) bool { return e.Pos <= row.Cursor })
	return nil
}

func (w *world) State(context.Context, string) (store.Backoff, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.backoff, nil
}

func (w *world) DeviceUpdate(_ context.Context, user int64, device string) (string, map[string]any, error) {
	return "m.device_list_update", map[string]any{"user_id": user, "device_id": device}, nil
}

func (w *world) Send(_ context.Context, _, txn string, t fclient.Transaction) (map[string]string, error) {
	w.mu.Lock()
	defer func() {
		w.mu.Unlock()
		w.news <- struct{}{}
	}()
	if w.down {
		w.backoff = store.Backoff{Failures: 1, SinceTS: time.Now().UnixMilli(), RetryTS: time.Now().Add(time.Hour).UnixMilli()}
		return nil, errors.New("it is down")
	}
	if w.ill {
		return nil, &fclient.Error{Server: "far", Status: 500, Code: "M_UNKNOWN"}
	}
	w.sent[txn] = t
	w.order = append(w.order, txn)
	return nil, nil
}

// add makes events, in turns of two rooms, and gives what the log says of them.
func (w *world) add(n int) (entries []store.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		pos := int64(len(w.events) + 1)
		e := &event.Event{PDU: &pdu.PDU{Type: "m.x", Sender: id.UserID("@a:here"), Content: jsontext.Value(`{}`), Depth: pos}, NID: pos, Pos: pos, Room: pos%2 + 1, ID: fmt.Sprintf("$%d", pos)}
		w.events = append(w.events, e)
		entries = append(entries, store.Entry{Pos: pos, Kind: store.KindEvent, Room: e.Room, Ref: pos, Event: e, Servers: []string{"far"}})
	}
	return entries
}

// got lists what arrived by depth, which is the number of the event, and the EDUs by type.
func (w *world) got() (depths []int64, edus []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, txn := range w.order {
		for _, raw := range w.sent[txn].PDUs {
			depths = append(depths, gjson.GetBytes(raw, "depth").Int())
		}
		for _, raw := range w.sent[txn].EDUs {
			edus = append(edus, gjson.GetBytes(raw, "edu_type").Str)
		}
	}
	return depths, edus
}

func (w *world) run(t *testing.T) *Senders {
	t.Helper()
	s := New(Options{Server: "here", Source: w, Remote: w, Backoff: w, Devices: w, Typing: func(int64) []string { return []string{"@u1:here", "@x:far"} }, Log: slog.New(slog.DiscardHandler)})
	s.save = w.save
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func (w *world) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-w.news:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			depths, edus := w.got()
			t.Fatalf("waited in vain for %s: events %v, messages %v", what, depths, edus)
		}
	}
}

func upto(n int64) (out []int64) {
	for i := int64(1); i <= n; i++ {
		out = append(out, i)
	}
	return out
}

func TestSendsAllOnceInOrder(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 50, 51, 100} {
		w := newWorld()
		s := w.run(t)
		for _, e := range w.add(n) {
			s.Publish([]store.Entry{e})
		}
		w.wait(t, "all events", func() bool { d, _ := w.got(); return len(d) >= n })
		if d, _ := w.got(); !slices.Equal(d, upto(int64(n))) {
			t.Errorf("%d events: %v", n, d)
		}
		for txn, x := range w.sent {
			if len(x.PDUs) > fclient.MaxPDUs || x.Origin != "here" {
				t.Errorf("transaction %s has %d events and the origin %s", txn, len(x.PDUs), x.Origin)
			}
		}
	}
}

// TestDownAndBack: the transaction that failed comes again as it was; of what came then, if it is much,
// only the newest of each room.
func TestDownAndBack(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		missed int
		want   []int64
	}{{20, upto(21)}, {400, []int64{1, 2, 400, 401}}} {
		w := newWorld()
		s := w.run(t)
		s.Publish(w.add(1))
		w.wait(t, "the first event", func() bool { d, _ := w.got(); return len(d) == 1 })
		w.mu.Lock()
		w.down = true
		w.mu.Unlock()
		s.Publish(w.add(1))
		w.wait(t, "a failure", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.backoff.Failures > 0 })
		s.Publish(w.add(tc.missed - 1))
		w.mu.Lock()
		w.down, w.backoff = false, store.Backoff{}
		w.mu.Unlock()
		if d, _ := w.got(); len(d) != 1 {
			t.Errorf("a server that is down got %v", d)
		}
		s.Wake("far")
		w.wait(t, "what was missed", func() bool { d, _ := w.got(); return len(d) > 1 && d[len(d)-1] == int64(tc.missed+1) })
		if d, _ := w.got(); !slices.Equal(d, tc.want) {
			t.Errorf("after %d events: %v, want %v", tc.missed, d, tc.want)
		}
	}
}

// TestIllAndCalling: a server that answers with errors is tried again when it calls, however long it was to be left
// alone.
func TestIllAndCalling(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.run(t)
	s.Publish(w.add(1))
	w.wait(t, "the first event", func() bool { d, _ := w.got(); return len(d) == 1 })
	var d *destination
	s.mu.Lock()
	d = s.dest["far"]
	s.mu.Unlock()
	d.mu.Lock()
	d.refusals = 20 // an hour
	d.mu.Unlock()
	w.mu.Lock()
	w.ill = true
	w.mu.Unlock()
	s.Publish(w.add(1))
	w.wait(t, "a refusal", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.refusals == 21 && d.timer != nil })
	w.mu.Lock()
	w.ill = false
	w.mu.Unlock()
	s.Publish(w.add(1))
	if d, _ := w.got(); len(d) != 1 {
		t.Errorf("a server that is to be left alone got %v", d)
	}
	s.Heard("elsewhere")
	s.Heard("far")
	w.wait(t, "what was refused", func() bool { d, _ := w.got(); return len(d) == 3 })
}

// TestEndWaitsForNobody: the end of a run has the destination's lock alone. Who hands out what is to be sent holds the senders' lock
// while it waits for the destination's, so that each would wait for the other for ever.
func TestEndWaitsForNobody(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.run(t)
	s.Publish(w.add(1))
	w.wait(t, "the first event", func() bool { d, _ := w.got(); return len(d) == 1 })
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.dest["far"]
	w.wait(t, "the end of the run", func() bool { d.mu.Lock(); defer d.mu.Unlock(); return !d.running })
	d.mu.Lock()
	d.news = true
	d.mu.Unlock()
	more := make(chan bool)
	go func() { more <- d.ended(t.Context(), 0, nil) }()
	select {
	case again := <-more:
		if !again {
			t.Error("there is news, and nothing is sent")
		}
	case <-time.After(30 * time.Second):
		t.Error("the end of a run waits for who hands out")
	}
}

// TestSameTransactionAfterCrash finds a transaction under way in the store.
func TestSameTransactionAfterCrash(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.add(5)
	w.row = &store.Destination{Server: far, Cursor: 1, Txn: 42, TxnUpto: 3}
	w.run(t)
	w.wait(t, "the rest", func() bool { d, _ := w.got(); return len(d) == 4 })
	if d, _ := w.got(); !slices.Equal(d, []int64{2, 3, 4, 5}) || w.order[0] != "42" || len(w.sent["42"].PDUs) != 2 || w.order[1] != "43" {
		t.Errorf("%v in %v", d, w.order)
	}
}

// TestReceiptsAfterCrash: what a process that is gone had in memory is in the store too, more than go into one
// transaction.
func TestReceiptsAfterCrash(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.add(60)
	w.row = &store.Destination{Server: far, Cursor: 1, Txn: 42, TxnUpto: 3}
	for pos := int64(1); pos <= 60; pos++ {
		w.receipts = append(w.receipts, store.Receipt{Room: 1, User: pos, Kind: "m.read", EventID: "$x", TS: 5, Pos: pos})
	}
	w.run(t)
	w.wait(t, "the rest", func() bool { d, e := w.got(); return len(d) == 59 && len(e) == 59 })
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.sent["42"].EDUs); n != 2 {
		t.Errorf("%d messages in the transaction that was under way", n)
	}
	for _, x := range w.sent {
		if len(x.EDUs) > fclient.MaxEDUs {
			t.Errorf("%d messages at once", len(x.EDUs))
		}
		for _, raw := range x.EDUs {
			if gjson.GetBytes(raw, "content.!r1.m\\.read.@*.event_ids.0").Str != "$x" {
				t.Errorf("%s", raw)
			}
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := w.run(t)
	w.add(1)
	w.mu.Lock()
	w.edus = []store.EDU{{Pos: 1, JSON: []byte(`{"edu_type":"m.direct_to_device"}`)}}
	w.updates = []store.DeviceUpdate{{User: 1, Device: "D", Pos: 1}}
	w.mu.Unlock()
	s.TypingChanged(1)
	s.PresenceChanged(1, Presence{UserID: "@u1:here", Presence: "online"})
	s.Publish([]store.Entry{{Pos: 1, Kind: store.KindEDU, Ref: far}, {Pos: 1, Kind: store.KindReceipt, Room: 1, User: 1}})
	want := []string{"m.device_list_update", "m.direct_to_device", "m.presence", "m.receipt", "m.typing"}
	w.wait(t, "all messages", func() bool { _, e := w.got(); return len(e) >= len(want) })
	_, edus := w.got()
	slices.Sort(edus)
	if !slices.Equal(edus, want) {
		t.Errorf("%v", edus)
	}
	w.wait(t, "the stored message to be dropped", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.edus) == 0 })
}
