package outbound

import (
	"cmp"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// transaction is what a server gets at once: what lies in the log up to a position.
type transaction struct {
	upto int64
	pdus []jsontext.Value
	edus []jsontext.Value
	// keys and passing are those of edus that aren't stored.
	keys    []string
	passing []jsontext.Value
	// extra are those of pdus that the server gets although it isn't in their room.
	extra []place
}

func (t *transaction) empty() bool { return len(t.pdus)+len(t.edus) == 0 }

// gather takes what there is for the server behind its cursor, or what was in a transaction that is
// under way.
func (d *destination) gather(ctx context.Context, row store.Destination) (*transaction, error) {
	src := d.s.o.Source
	resumed := row.TxnUpto > row.Cursor
	d.mu.Lock()
	ring, behind := slices.Clone(d.ring), d.behind || resumed
	d.news = false
	// Looked at while nothing can be added: what is published until here is in the store.
	upto := src.Position()
	d.mu.Unlock()
	if resumed {
		upto = row.TxnUpto
	} else if !behind {
		upto = row.Cursor
		if len(ring) > 0 {
			upto = max(upto, ring[len(ring)-1].pos)
		}
	}
	t := &transaction{}
	var events []*event.Event
	var err error
	if behind {
		events, err = d.catchUp(ctx, row, upto)
	} else {
		events, err = d.recent(ctx, ring, row.Cursor)
	}
	if err != nil {
		return nil, err
	}
	more := len(events) > fclient.MaxPDUs
	if more {
		events = events[:fclient.MaxPDUs]
		upto = events[len(events)-1].Pos
	}
	if behind {
		var cut int64
		if t.edus, cut, err = d.stored(ctx, row, upto); err != nil {
			return nil, err
		}
		if cut < upto {
			upto, more = cut, true
			events = slices.DeleteFunc(events, func(e *event.Event) bool { return e.Pos > upto })
		}
	}
	for _, e := range events {
		raw, err := e.JSON()
		if err != nil {
			return nil, err
		}
		t.pdus = append(t.pdus, raw)
	}
	t.upto = upto
	d.mu.Lock()
	defer d.mu.Unlock()
	// What there was may be nothing that is sent: there is more all the same.
	d.news = d.news || more
	if !resumed {
		if !more {
			// What came meanwhile is not in the ring.
			d.behind = d.behind && d.news
		}
		d.ring = slices.DeleteFunc(d.ring, func(p place) bool { return p.pos <= upto })
	}
	d.takePassing(t)
	n := min(len(d.extra), fclient.MaxPDUs-len(t.pdus))
	for _, p := range d.extra[:n] {
		e, err := src.Event(ctx, p.nid)
		if err != nil {
			continue // purged since
		}
		raw, err := e.JSON()
		if err != nil {
			return nil, err
		}
		t.pdus, t.extra = append(t.pdus, raw), append(t.extra, p)
	}
	if d.extra = d.extra[n:]; len(d.extra) > 0 {
		d.news = true
	}
	return t, nil
}

// takePassing adds messages that aren't stored; d.mu is held.
func (d *destination) takePassing(t *transaction) {
	n := min(len(d.order), fclient.MaxEDUs-len(t.edus))
	if n <= 0 {
		return
	}
	for _, key := range d.order[:n] {
		t.keys, t.passing = append(t.keys, key), append(t.passing, d.passing[key])
		t.edus = append(t.edus, d.passing[key])
		delete(d.passing, key)
	}
	if d.order = d.order[n:]; len(d.order) > 0 {
		d.news = true
	}
}

// recent reads the events of the ring.
func (d *destination) recent(ctx context.Context, ring []place, after int64) ([]*event.Event, error) {
	var out []*event.Event
	for _, p := range ring {
		if p.pos <= after {
			continue
		}
		if len(out) > fclient.MaxPDUs {
			break
		}
		e, err := d.s.o.Source.Event(ctx, p.nid)
		if errors.Is(err, store.ErrNotFound) {
			continue // purged since
		} else if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// catchUp reads what the server may have of what was made here in (Cursor, upto], one more than goes
// into a transaction. If it is much, it is only the newest of each room: the server asks for what
// comes before if it wants it.
func (d *destination) catchUp(ctx context.Context, row store.Destination, upto int64) ([]*event.Event, error) {
	src := d.s.o.Source
	rooms, err := src.RoomsFor(ctx, row.Server, row.Cursor)
	if err != nil {
		return nil, err
	}
	window := func(r store.RoomFor) (after, end int64) {
		after, end = max(row.Cursor, r.Since), upto
		if r.Until != 0 {
			end = min(end, r.Until)
		}
		return after, end
	}
	var out []*event.Event
	for _, r := range rooms {
		after, end := window(r)
		events, err := src.LocalEvents(ctx, r.Room, after, end, manyBehind+1)
		if err != nil {
			return nil, err
		}
		if out = append(out, events...); len(out) > manyBehind {
			break
		}
	}
	if len(out) > manyBehind {
		out = out[:0]
		for _, r := range rooms {
			after, end := window(r)
			last := min(end, r.LocalPos)
			events, err := src.LocalEvents(ctx, r.Room, max(after, last-1), last, 1)
			if err != nil {
				return nil, err
			}
			if len(events) == 0 && last > after {
				// The newest of all lies beyond what the server may have, or the range.
				if events, err = src.LocalEvents(ctx, r.Room, after, last, 1000); err != nil {
					return nil, err
				}
				events = events[max(len(events)-1, 0):]
			}
			out = append(out, events...)
		}
	}
	// The server that made an event which was taken in here (a join, say) has it.
	out = slices.DeleteFunc(out, func(e *event.Event) bool { return store.ServerOf(string(e.Sender)) == d.name })
	if out, err = d.s.allowed(ctx, out, d.name); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b *event.Event) int { return cmp.Compare(a.Pos, b.Pos) })
	return out, nil
}

// stored reads messages that the store has for the server in (Cursor, upto], and up to which position
// they are all.
func (d *destination) stored(ctx context.Context, row store.Destination, upto int64) (edus []jsontext.Value, cut int64, err error) {
	src := d.s.o.Source
	waiting, err := src.EDUs(ctx, row.Server, row.Cursor, upto, eduMax/2+1)
	if err != nil {
		return nil, 0, err
	}
	cut = upto
	if len(waiting) > eduMax/2 {
		waiting = waiting[:eduMax/2]
		cut = waiting[len(waiting)-1].Pos
	}
	updates, err := src.DeviceUpdates(ctx, row.Server, row.Cursor, cut, eduMax/4+1)
	if err != nil {
		return nil, 0, err
	}
	if len(updates) > eduMax/4 {
		updates = updates[:eduMax/4]
		cut = updates[len(updates)-1].Pos
	}
	receipts, err := src.ReceiptsFor(ctx, row.Server, row.Cursor, cut, eduMax/4+1)
	if err != nil {
		return nil, 0, err
	}
	if len(receipts) > eduMax/4 {
		receipts = receipts[:eduMax/4]
		cut = receipts[len(receipts)-1].Pos
		updates = slices.DeleteFunc(updates, func(u store.DeviceUpdate) bool { return u.Pos > cut })
	}
	for _, e := range waiting {
		if e.Pos <= cut {
			edus = append(edus, jsontext.Value(e.JSON))
		}
	}
	for _, u := range updates {
		typ, content, err := d.s.o.Devices.DeviceUpdate(ctx, u.User, u.Device)
		if err != nil {
			return nil, 0, err
		}
		if content == nil {
			continue
		}
		if u.Device != "" {
			content["stream_id"] = u.Pos
			content["prev_id"] = []int64{}
			if u.Prev != 0 {
				content["prev_id"] = []int64{u.Prev}
			}
		}
		edus = append(edus, encode(typ, content))
	}
	for _, r := range receipts {
		edu, err := d.s.receiptEDU(ctx, r)
		if err != nil {
			return nil, 0, err
		}
		edus = append(edus, edu)
	}
	return edus, cut, nil
}

func mustJSON(v any) jsontext.Value {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return jsontext.Value("{}") // of strings, numbers and valid JSON alone
	}
	return raw
}
