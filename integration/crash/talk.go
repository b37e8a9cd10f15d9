package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// talkers is how many clients send at once.
const talkers = 16

// talk is clients in one room who send messages, redact some, change state, and leave and join.
type talk struct {
	room    string
	people  []*talker
	watcher *watcher
	// past is the history at the last check: what was there stays there.
	past []client.Event
}

// talker is one client. It does one thing after the other, so that the order of its
// acknowledgements is that of its events.
type talker struct {
	*client.Client
	n      int
	acked  []sent
	doubt  *request // begun and not answered
	inRoom bool
}

// sent is something that the server acknowledged.
type sent struct {
	request
	eventID string
}

// request is something to be sent, and once more after a crash.
type request struct {
	kind   string // "message", "redaction", "state", "join" or "leave"
	txn    string // or for state the content's value
	target string // of a redaction
}

func (t *talk) prepare(ctx context.Context, s *testserver.Server) error {
	anon := &client.Client{URL: s.URL()}
	for i := range talkers {
		c, err := anon.Register(ctx, fmt.Sprintf("talker%d", i))
		if err != nil {
			return err
		}
		if i == 0 {
			levels := map[string]any{"state_default": 0}
			t.room, err = c.CreateRoom(ctx, map[string]any{"preset": "public_chat", "power_level_content_override": levels})
		} else {
			err = c.Join(ctx, t.room)
		}
		if err != nil {
			return err
		}
		t.people = append(t.people, &talker{Client: c, inRoom: true})
	}
	c, err := anon.Register(ctx, "watcher")
	if err != nil {
		return err
	}
	if err := c.Join(ctx, t.room); err != nil {
		return err
	}
	t.watcher = &watcher{Client: c, room: t.room}
	return t.watcher.begin(ctx)
}

func (t *talk) run(ctx context.Context, rng *rand.Rand) error {
	var wg sync.WaitGroup
	errs := make([]error, len(t.people)+1)
	for i, p := range t.people {
		rng := rand.New(rand.NewPCG(rng.Uint64(), uint64(i)))
		wg.Go(func() { errs[i] = p.work(ctx, t.room, rng) })
	}
	wg.Go(func() { errs[len(t.people)] = t.watcher.follow(ctx) })
	wg.Wait()
	return errors.Join(errs...)
}

// work does one thing after the other until the server is gone.
func (p *talker) work(ctx context.Context, room string, rng *rand.Rand) error {
	for ctx.Err() == nil {
		r := p.next(rng)
		p.doubt = &r
		// Not ctx: a request is cut off by the crash, never by us.
		id, err := p.do(context.WithoutCancel(ctx), room, r)
		if gone(err) {
			return nil // settle asks again
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", p.UserID, r.kind, err)
		}
		p.ack(r, id)
	}
	return nil
}

func (p *talker) next(rng *rand.Rand) request {
	p.n++
	r := request{kind: "message", txn: fmt.Sprintf("%s-%d", p.UserID, p.n)}
	if !p.inRoom {
		r.kind = "join"
		return r
	}
	switch k := rng.IntN(20); {
	case k == 0:
		r.kind = "leave"
	case k <= 2:
		r.kind = "state"
	case k == 3:
		if m := p.lastMessage(); m != "" {
			r.kind, r.target = "redaction", m
		}
	}
	return r
}

func (p *talker) lastMessage() string {
	for i := len(p.acked) - 1; i >= 0 && i > len(p.acked)-10; i-- {
		if p.acked[i].kind == "message" {
			return p.acked[i].eventID
		}
	}
	return ""
}

const stateType = "test.state"

func (p *talker) do(ctx context.Context, room string, r request) (eventID string, err error) {
	switch r.kind {
	case "message":
		return p.Send(ctx, room, "m.room.message", r.txn, client.Message(r.txn))
	case "redaction":
		return p.Redact(ctx, room, r.target, r.txn)
	case "state":
		// A state key that begins with @ belongs to that user alone.
		return p.SetState(ctx, room, stateType, p.UserID, map[string]string{"value": r.txn})
	case "leave":
		return "", p.Leave(ctx, room)
	default:
		return "", p.Join(ctx, room)
	}
}

func (p *talker) ack(r request, id string) {
	p.doubt = nil
	p.acked = append(p.acked, sent{r, id})
	switch r.kind {
	case "join":
		p.inRoom = true
	case "leave":
		p.inRoom = false
	}
}

// settle repeats what had no answer, and what had one: a repetition gives the same event.
func (t *talk) settle(ctx context.Context) error {
	for _, p := range t.people {
		if p.doubt != nil {
			r := *p.doubt
			id, err := p.do(ctx, t.room, r)
			if err != nil {
				return fmt.Errorf("%s: repeating a %s: %w", p.UserID, r.kind, err)
			}
			p.ack(r, id)
		}
		for i := len(p.acked) - 1; i >= 0; i-- {
			a := p.acked[i]
			if a.kind != "message" && a.kind != "redaction" || !p.inRoom {
				continue
			}
			id, err := p.do(ctx, t.room, a.request)
			if err != nil {
				return fmt.Errorf("%s: repeating an acknowledged %s: %w", p.UserID, a.kind, err)
			}
			if id != a.eventID {
				return fmt.Errorf("%s: %s %s is event %s, and when repeated after the crash %s", p.UserID, a.kind, a.txn, a.eventID, id)
			}
			break
		}
	}
	if err := t.check(ctx); err != nil {
		return err
	}
	return t.watcher.catchUp(ctx, t.past)
}

func (t *talk) finish(ctx context.Context) error {
	if err := t.checkState(ctx); err != nil {
		return err
	}
	n := 0
	for _, p := range t.people {
		n += len(p.acked)
	}
	if n < 10*talkers {
		return fmt.Errorf("only %d requests were acknowledged in the whole: too few to mean anything", n)
	}
	return nil
}

// patience is how long the checks after a crash may take.
const patience = 2 * time.Minute
