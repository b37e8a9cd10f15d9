package appservice

import (
	"encoding/json"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/store"
)

// since is what has been in handling since before a time.
func (p *pump) since(t time.Time) (out []work) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lanes {
		if l.running && !l.begun.IsZero() && l.begun.Before(t) {
			out = append(out, l.now)
		}
	}
	return out
}

// queued is how many items wait in each room, what is being handled included.
func (p *pump) queued() map[id.RoomID]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[id.RoomID]int, len(p.lanes))
	for name, l := range p.lanes {
		n := len(l.items)
		if l.running {
			n++
		}
		out[id.RoomID(name)] = n
	}
	return out
}

// bury makes a dead letter of a room's event.
func (p *pump) bury(w work, reason string) {
	if w.Kind == store.KindEvent && w.EventID != "" {
		h := headOf(w.Body)
		p.conn.letters.bury(id.EventID(w.EventID), id.RoomID(w.Lane), id.UserID(h.Sender), h.Type, reason)
	}
}

// headOf reads type and sender as far as they can be read.
func headOf(body []byte) (h struct{ Type, Sender string }) {
	// What cannot be read stays empty.
	_ = json.Unmarshal(body, &h)
	return h
}
