package appservices

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/registration"
)

// Bounds of delivery.
const (
	// pageSize is how many log entries are looked at at once.
	pageSize = 500
	// eventsMax is how many events one transaction carries.
	eventsMax = 100
	// bytesMax is from which size on a transaction carries no more.
	bytesMax = 384 << 10
	// askedMax bounds the users remembered as asked for.
	askedMax = 10000
	// txnTimeout is how long a service may take over one transaction, unless Options say otherwise.
	txnTimeout = 2 * time.Minute
	// saveEvery is after how many skipped entries the cursor is stored although nothing was sent.
	saveEvery = 5000
	// backoffMin and backoffMax bound the time between two tries.
	backoffMin = 200 * time.Millisecond
	backoffMax = time.Minute
	// heardFrom is from which pause on a service that is heard of meanwhile is tried at once: below, one that
	// asks much and takes nothing would be called all the time.
	heardFrom = 5 * time.Second
	// failuresTold is how many failures in a row are worth a line in the log: a bridge that is
	// just starting is not.
	failuresTold = 4
	replyMax     = 64 << 10
)

// sender delivers to one service.
type sender struct {
	s     *Services
	reg   *registration.Registration
	http  *http.Client
	base  string
	stop  context.CancelFunc
	ended chan struct{} // closed when nothing is done any more
	wake  chan struct{}
	heard chan struct{} // the service asks something; only a long pause receives
	rooms *interest
	began int64 // where a service without a cursor begins

	protocols protocols

	typed, present int64 // up to where the service was told of the news; the loop's own

	mu       sync.Mutex
	asked    *lru.Cache[string, bool] // users that the service was asked to make
	state    Status
	pos      int64
	failures int
}

func newSender(s *Services, r *registration.Registration, rt http.RoundTripper, stop context.CancelFunc) *sender {
	base := r.URL
	if base == "" {
		base = "http://in-process"
	}
	asked, _ := lru.New[string, bool](askedMax) // fails for sizes below 1 alone
	return &sender{s: s, reg: r, asked: asked, base: trimSlash(base), stop: stop, ended: make(chan struct{}), wake: make(chan struct{}, 1), heard: make(chan struct{}),
		began: s.began,
		http:  &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		rooms: newInterest(s.o.Store, s.o.ServerName, s.Set, r), typed: s.typed.last(), present: s.present.last(),
		state: Status{ID: r.ID, Reachable: true, Since: s.o.Now()}}
}

func trimSlash(s string) string {
	for len(s) > 0 && s[len(s)-1] == '/' {
		s = s[:len(s)-1]
	}
	return s
}

func escape(s string) string { return url.PathEscape(s) }

func quote(s string) string {
	raw, _ := jsontext.AppendQuote(nil, s)
	return string(raw)
}

// poke wakes the sender.
func (d *sender) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// speaks ends a long pause between two tries.
func (d *sender) speaks() {
	select {
	case d.heard <- struct{}{}:
	default:
	}
}

func (d *sender) status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.state
	st.Behind = max(d.s.o.Store.Position()-d.pos, 0)
	return st
}

// loop delivers until ctx ends.
func (d *sender) loop(ctx context.Context) {
	for {
		err := d.deliver(ctx)
		if ctx.Err() != nil {
			return
		}
		d.s.o.Log.ErrorContext(ctx, "delivery to an application service failed", "service", d.reg.ID, "err", err)
		if !pause(ctx, backoffMax/10) {
			return
		}
	}
}

// deliver follows the log. It returns only when the store fails or ctx ends; what the service
// does wrong is tried again in here.
func (d *sender) deliver(ctx context.Context) error {
	cur, err := d.s.o.Store.Cursor(ctx, d.reg.ID)
	if errors.Is(err, store.ErrNotFound) {
		cur = store.Cursor{Pos: d.began, Upto: d.began}
		err = d.save(ctx, cur)
	}
	if err != nil {
		return err
	}
	if cur.Upto > cur.Pos {
		// A transaction was under way when we stopped: the same once more.
		if err := d.resume(ctx, &cur); err != nil {
			return err
		}
	}
	saved := cur.Pos
	for {
		d.at(cur.Pos)
		t, err := d.gather(ctx, cur.Pos, 1<<62-1)
		if err != nil {
			return err
		}
		switch {
		case t.empty() && t.upto > cur.Pos:
			cur.Pos, cur.Upto = t.upto, t.upto
			if cur.Pos-saved >= saveEvery {
				if err := d.save(ctx, cur); err != nil {
					return err
				}
				saved = cur.Pos
			}
			continue
		case t.empty():
			select {
			case <-d.wake:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		if t.upto > cur.Pos {
			// The range is stored first: after a crash this very transaction is sent again.
			cur.Txn, cur.Upto = cur.Txn+1, t.upto
			if err := d.keep(ctx, cur, t); err != nil {
				return err
			}
			t.id = strconv.FormatInt(cur.Txn, 10)
		} else {
			// Only what is not logged (typing): it needs a name, and no memory.
			t.id = fmt.Sprintf("%d-%d", cur.Txn, d.s.o.Now().UnixNano())
		}
		if err := d.put(ctx, t); err != nil {
			return err
		}
		cur.Pos, cur.Upto, saved = t.upto, t.upto, t.upto
	}
}

// resume sends the transaction again that was under way at the last stop.
func (d *sender) resume(ctx context.Context, cur *store.Cursor) error {
	t, err := d.kept(ctx, *cur)
	if err != nil {
		return err
	}
	if !t.empty() || t.raw != nil {
		t.id = strconv.FormatInt(cur.Txn, 10)
		if err := d.put(ctx, t); err != nil {
			return err
		}
	}
	// Of one that was made anew with other namespaces, less may have fitted: go on from there.
	cur.Pos, cur.Upto = t.upto, t.upto
	return nil
}

func (d *sender) save(ctx context.Context, cur store.Cursor) error {
	return d.s.o.Store.Write(ctx, func(t *store.Tx) error { return t.SetCursor(d.reg.ID, cur) })
}

func (d *sender) at(pos int64) {
	d.mu.Lock()
	d.pos = pos
	d.mu.Unlock()
}

// put sends a transaction until the service has taken it: "homeservers MUST ... retry
// transactions until they succeed, with exponential backoff", in order.
func (d *sender) put(ctx context.Context, t *transaction) error {
	body := t.raw
	if body == nil {
		body = t.body()
	}
	wait := backoffMin
	for {
		attempt, cancel := context.WithTimeout(ctx, d.s.o.TransactionTimeout)
		status, _, err := d.request(attempt, http.MethodPut, "/_matrix/app/v1/transactions/"+escape(t.id), body)
		cancel()
		if err == nil && status/100 != 2 {
			err = errStatus(status)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.note(ctx, err)
		if err == nil {
			return d.forget(ctx, t)
		}
		heard, err := d.rest(ctx, wait)
		if err != nil {
			return err
		}
		if wait = min(wait*2, backoffMax); heard {
			wait = backoffMin
		}
	}
}

// rest is the pause between two tries. It ends when the service is heard of after a longer silence: most
// likely it has just been started, and people wait for what they missed.
func (d *sender) rest(ctx context.Context, wait time.Duration) (heard bool, err error) {
	var spoken chan struct{}
	if wait >= heardFrom {
		spoken = d.heard
	}
	t := time.NewTimer(wait/2 + rand.N(wait/2))
	defer t.Stop()
	select {
	case <-t.C:
		return false, nil
	case <-spoken:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// forget drops messages to devices that the service has taken.
func (d *sender) forget(ctx context.Context, t *transaction) error {
	if len(t.taken) == 0 {
		return nil
	}
	return d.s.o.Store.Write(ctx, func(tx *store.Tx) error {
		for device, upto := range t.taken {
			if err := tx.DeleteToDevice(device, upto); err != nil {
				return err
			}
		}
		return nil
	})
}

// note records how a try went, and logs lasting failure and recovery.
func (d *sender) note(ctx context.Context, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.state.Transactions++
		if !d.state.Reachable {
			if d.failures >= failuresTold {
				d.s.o.Log.InfoContext(ctx, "application service takes transactions again", "service", d.reg.ID,
					"after", d.s.o.Now().Sub(d.state.Since).Round(time.Millisecond), "tries", d.failures)
			}
			d.state.Reachable, d.state.Since, d.state.LastError, d.failures = true, d.s.o.Now(), "", 0
		}
		return
	}
	d.failures++
	d.state.LastError = err.Error()
	if d.state.Reachable {
		d.state.Reachable, d.state.Since = false, d.s.o.Now()
	}
	if d.failures == failuresTold {
		d.s.o.Log.WarnContext(ctx, "application service does not take transactions", "service", d.reg.ID, "err", err)
	}
}

// pause waits; false means that ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
