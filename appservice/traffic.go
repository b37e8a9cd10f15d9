package appservice

import (
	"slices"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// PortalStatus is what has gone through one room of a bridge since the bridge was added to the host.
type PortalStatus struct {
	Room id.RoomID `json:"room_id"`
	// ToRemote and ToMatrix are what got across; Failed and Refused what did not, in the same order.
	ToRemote int64 `json:"to_remote"`
	Failed   int64 `json:"to_remote_failed"`
	ToMatrix int64 `json:"to_matrix"`
	Refused  int64 `json:"to_matrix_failed"`
	// Latency is how long the last event took from the homeserver's hand-over to its effects being committed.
	Latency time.Duration `json:"latency_ns,format:nano"`
	// Waiting are events from Matrix that are not handled yet.
	Waiting int       `json:"waiting"`
	Last    time.Time `json:"last"`
}

// maxPortals bounds the rooms that are counted one by one; what goes through others is in the bridge's
// own numbers.
const maxPortals = 1000

// traffic counts what goes through the rooms of one instance. It is safe for concurrent use.
type traffic struct {
	mu    sync.Mutex
	rooms map[id.RoomID]*PortalStatus
}

func newTraffic() *traffic { return &traffic{rooms: map[id.RoomID]*PortalStatus{}} }

func (t *traffic) count(room id.RoomID, add func(*PortalStatus)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.rooms[room]
	if p == nil {
		if len(t.rooms) >= maxPortals || room == "" {
			return
		}
		p = &PortalStatus{Room: room}
		t.rooms[room] = p
	}
	p.Last = time.Now()
	add(p)
}

func (t *traffic) toRemote(room id.RoomID, status event.MessageStatus) {
	t.count(room, func(p *PortalStatus) {
		switch status {
		case event.MessageStatusSuccess:
			p.ToRemote++
		case event.MessageStatusRetriable, event.MessageStatusFail:
			p.Failed++
		}
	})
}

func (t *traffic) toMatrix(room id.RoomID, ok bool) {
	t.count(room, func(p *PortalStatus) {
		if ok {
			p.ToMatrix++
		} else {
			p.Refused++
		}
	})
}

func (t *traffic) handled(room id.RoomID, took time.Duration) {
	t.count(room, func(p *PortalStatus) { p.Latency = took })
}

// list gives the rooms, with what waits in them, in the order of their ids.
func (t *traffic) list(waiting map[id.RoomID]int) []PortalStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]PortalStatus, 0, len(t.rooms))
	for _, p := range t.rooms {
		s := *p
		s.Waiting = waiting[s.Room]
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b PortalStatus) int { return strings.Compare(string(a.Room), string(b.Room)) })
	return out
}
