package outbound

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// destination is a server that there is something for.
type destination struct {
	s    *Senders
	name string

	mu sync.Mutex
	// running tells that run is under way, and news that something came since it looked last.
	running, news bool
	timer         *time.Timer
	// asleep tells that it did not answer and is left alone until it is woken.
	asleep bool
	// refusals is how many transactions that follow each other it has answered with an error, and refused when
	// it did so last.
	refusals int
	refused  time.Time
	// hurry tells that it has called since.
	hurry bool
	// ring are the newest events for it. behind tells that there may be others in the store that
	// aren't among them, or messages; the ring is empty then.
	ring   []place
	behind bool
	// extra are events that are for it although it isn't in their room.
	extra []place
	// passing are messages that may get lost, by what makes newer ones replace older ones, and order
	// is that in which they came.
	passing map[string]jsontext.Value
	order   []string
}

// place is an event and its position.
type place struct{ pos, nid int64 }

// fallBehind makes the next look be one into the store; d.mu is held.
func (d *destination) fallBehind() { d.behind, d.ring = true, nil }

// event adds an event; d.mu is held.
func (d *destination) event(pos, nid int64) {
	if len(d.ring) == ringMax {
		d.fallBehind()
	}
	if !d.behind {
		d.ring = append(d.ring, place{pos, nid})
	}
}

// outsider adds an event of a room that the server isn't in; d.mu is held. Beyond a bound the oldest
// is dropped.
func (d *destination) outsider(pos, nid int64) {
	if len(d.extra) == eduMax {
		d.extra = d.extra[1:]
	}
	d.extra = append(d.extra, place{pos, nid})
}

// pass adds a message that takes the place of an older one with the same key; d.mu is held. Beyond
// a bound the oldest goes.
func (d *destination) pass(key string, edu jsontext.Value) {
	if d.passing == nil {
		d.passing = map[string]jsontext.Value{}
	}
	if _, ok := d.passing[key]; ok {
		d.order = slices.DeleteFunc(d.order, func(k string) bool { return k == key })
	}
	d.passing[key] = edu
	d.order = append(d.order, key)
	if len(d.order) > 3*eduMax {
		delete(d.passing, d.order[0])
		d.order = d.order[1:]
	}
}

// run sends until there is nothing left, or the server doesn't answer.
func (d *destination) run(ctx context.Context) {
	select {
	case d.s.slots <- struct{}{}:
		defer func() { <-d.s.slots }()
	case <-ctx.Done():
		return
	}
	again, err := d.send(ctx)
	if err != nil && ctx.Err() == nil {
		d.s.o.Log.WarnContext(ctx, "sending to another server", "server", d.name, "err", err)
		again = time.Minute
	}
	if d.ended(ctx, again, err) {
		d.s.Wake(d.name) // takes the lock that is taken before the destination's
	}
}

// ended takes note of the end of run, and reports whether there is more to send at once.
func (d *destination) ended(ctx context.Context, again time.Duration, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = false
	if d.hurry && again > heardPause {
		again = heardPause
	}
	d.hurry = false
	if err != nil || again != 0 {
		d.fallBehind()
		d.asleep = again != 0
	}
	if ctx.Err() == nil && again > 0 {
		d.timer = time.AfterFunc(again, func() { d.s.Wake(d.name) })
	}
	return ctx.Err() == nil && again == 0 && d.news
}

// never is how long to wait for a server that is not tried any more until it makes itself heard.
const never = time.Duration(-1)

// pause tells how long a server must be left alone; 0 if it may be sent to.
func (d *destination) pause(ctx context.Context) (time.Duration, error) {
	b, err := d.s.o.Backoff.State(ctx, d.name)
	if err != nil || b.RetryTS == 0 {
		return 0, err
	}
	now := d.s.o.Now()
	if b.Failures > 0 && now.Sub(time.UnixMilli(b.SinceTS)) > givenUp {
		return never, nil
	}
	if wait := fclient.Wait(b, now); wait > 0 {
		return wait + time.Second/10, nil
	}
	return 0, nil
}

// send sends transactions one after the other. again is how long to wait before more can be sent,
// if the server doesn't answer; 0 means that all was sent.
func (d *destination) send(ctx context.Context) (again time.Duration, err error) {
	if wait, err := d.pause(ctx); wait != 0 || err != nil {
		d.taken()
		return wait, err
	}
	nid, err := d.s.o.Source.NameServer(ctx, d.name)
	if err != nil {
		return 0, err
	}
	row, err := d.s.o.Source.Destination(ctx, nid)
	if errors.Is(err, store.ErrNotFound) {
		row, err = d.begin(ctx, nid)
	}
	if err != nil {
		return 0, err
	}
	moved := false
	for {
		resumed := row.TxnUpto > row.Cursor
		t, err := d.gather(ctx, row)
		if err != nil {
			return 0, err
		}
		if t.empty() {
			if t.upto > row.Cursor {
				row.Cursor, row.TxnUpto, moved = t.upto, 0, moved || resumed
			}
			if !resumed {
				d.mu.Lock()
				more := d.news
				d.mu.Unlock()
				if more {
					continue
				}
				if moved {
					return 0, d.s.save(ctx, row)
				}
				return 0, nil
			}
			continue
		}
		txn := strconv.FormatInt(row.Txn, 10)
		switch {
		case resumed:
		case t.upto > row.Cursor:
			// The range is stored first: after a crash this very transaction is sent again.
			row.Txn, row.TxnUpto = row.Txn+1, t.upto
			if err := d.s.save(ctx, row); err != nil {
				return 0, err
			}
			txn = strconv.FormatInt(row.Txn, 10)
		default:
			txn = fmt.Sprintf("%d-%d", row.Txn, d.s.o.Now().UnixNano())
		}
		refused, err := d.s.o.Remote.Send(ctx, d.name, txn, fclient.Transaction{Origin: d.s.o.Server, TS: d.s.o.Now().UnixMilli(), PDUs: t.pdus, EDUs: t.edus})
		if err != nil {
			if ctx.Err() != nil {
				return 0, ctx.Err()
			}
			return d.failed(ctx, t, err)
		}
		for id, why := range refused {
			d.s.o.Log.InfoContext(ctx, "another server did not take an event", "server", d.name, "event", fmt.Sprintf("%.64s", id), "why", fmt.Sprintf("%.200s", why))
		}
		d.mu.Lock()
		d.refusals = 0
		d.mu.Unlock()
		if t.upto > row.Cursor {
			row.Cursor, row.TxnUpto, moved = t.upto, 0, true
		}
	}
}

// refusedMin is how long a server is left alone that answered a transaction with an error; it doubles
// with each further one, up to refusedMax.
const refusedMin, refusedMax = time.Second, time.Hour

// heardPause is how long such a server is left alone at least that calls meanwhile.
const heardPause = 2 * time.Second

// heard has a server tried soon that has answered with an error and calls now: what ailed it may be over. d.mu is held.
func (d *destination) heard() {
	if d.refusals == 0 {
		return
	}
	if d.hurry = d.running; d.running || d.timer == nil {
		return
	}
	wait := min(max(heardPause-d.s.o.Now().Sub(d.refused), 0), heardPause)
	if d.timer.Stop() {
		d.timer = time.AfterFunc(wait, func() { d.s.Wake(d.name) })
	}
}

// failed decides when to try again, and keeps what may pass but need not be lost for a moment's
// trouble.
func (d *destination) failed(ctx context.Context, t *transaction, err error) (time.Duration, error) {
	d.s.o.Log.InfoContext(ctx, "another server does not take what is sent", "server", d.name, "err", err)
	wait, stateErr := d.pause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if wait == 0 {
		// It answered, with an error: it isn't for us to hurry.
		wait = min(refusedMin<<min(d.refusals, 20), refusedMax)
		d.refusals++
		d.refused, d.hurry = d.s.o.Now(), false
	}
	d.extra = append(t.extra, d.extra...)
	for i, key := range t.keys {
		if _, newer := d.passing[key]; !newer && lasting(key) && len(d.order) < eduMax {
			d.pass(key, t.passing[i])
		}
	}
	d.news = true
	return wait, stateErr
}

// taken forgets that there was news.
func (d *destination) taken() {
	d.mu.Lock()
	d.news = false
	d.mu.Unlock()
}

// begin finds where to begin with a server that nothing was ever sent to: just before the first that
// there is for it.
func (d *destination) begin(ctx context.Context, nid int64) (store.Destination, error) {
	row := store.Destination{Server: nid, Cursor: d.s.o.Source.Position()}
	// Rooms in which nothing was made here yet count too: the devices of those who came into them are
	// told.
	rooms, err := d.s.o.Source.RoomsFor(ctx, nid, -1)
	if err != nil {
		return row, err
	}
	for _, r := range rooms {
		row.Cursor = min(row.Cursor, r.Since)
	}
	edus, err := d.s.o.Source.EDUs(ctx, nid, 0, d.s.o.Source.Position(), 1)
	if err != nil {
		return row, err
	}
	for _, e := range edus {
		row.Cursor = min(row.Cursor, e.Pos-1)
	}
	return row, nil
}
