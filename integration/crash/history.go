package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/integration/client"
)

// check reads the room's whole history, both ways, and compares it with what was acknowledged.
func (t *talk) check(ctx context.Context) error {
	// The watcher has never left: it sees all.
	back, err := t.watcher.History(ctx, t.room, "b", 500)
	if err != nil {
		return err
	}
	forth, err := t.watcher.History(ctx, t.room, "f", 333)
	if err != nil {
		return err
	}
	if a, b := ids(back), ids(forth); !slices.Equal(a, b) {
		return fmt.Errorf("history read backwards has %d events, forwards %d, and they differ", len(a), len(b))
	}
	if err := t.extends(back); err != nil {
		return err
	}
	place := map[string]int{}
	for i, e := range back {
		if at, twice := place[e.ID]; twice {
			return fmt.Errorf("event %s is there twice, at %d and %d", e.ID, at, i)
		}
		place[e.ID] = i
	}
	for _, p := range t.people {
		if err := p.check(back, place); err != nil {
			return fmt.Errorf("%s: %w", p.UserID, err)
		}
	}
	return nil
}

// extends makes sure that what was there at the last check is there still, in the same places.
func (t *talk) extends(now []client.Event) error {
	before, after := ids(t.past), ids(now)
	if len(after) < len(before) || !slices.Equal(before, after[:len(before)]) {
		return fmt.Errorf("the history of %d events that was there before is not the beginning of that of %d", len(before), len(after))
	}
	t.past = now
	return nil
}

// check compares what was acknowledged to one talker with the history.
func (p *talker) check(all []client.Event, place map[string]int) error {
	last := -1
	redacted := map[string]bool{}
	for _, a := range p.acked {
		if a.kind == "redaction" {
			redacted[a.target] = true
		}
	}
	want := map[string]int{} // by kind, memberships apart
	for _, a := range p.acked {
		want[a.kind]++
		if a.eventID == "" {
			continue
		}
		at, ok := place[a.eventID]
		if !ok {
			return fmt.Errorf("the acknowledged %s %s (%s) is lost", a.kind, a.txn, a.eventID)
		}
		if at <= last {
			return fmt.Errorf("the acknowledged %s %s is at %d, before what was acknowledged earlier at %d", a.kind, a.txn, at, last)
		}
		last = at
		e := all[at]
		if e.Sender != p.UserID {
			return fmt.Errorf("%s has the sender %s", a.eventID, e.Sender)
		}
		switch {
		case a.kind == "message" && redacted[a.eventID]:
			if e.Body() != "" || len(e.Unsigned.Because) == 0 {
				return fmt.Errorf("the redacted message %s shows its content", a.eventID)
			}
		case a.kind == "message" && e.Body() != a.txn:
			return fmt.Errorf("%s should say %q and says %q", a.eventID, a.txn, e.Body())
		}
	}
	// Exactly once: as many of the talker's events are there as were acknowledged. Nothing is in
	// doubt now.
	have := map[string]int{}
	for _, e := range all {
		if e.Sender != p.UserID {
			continue
		}
		switch e.Type {
		case "m.room.message":
			have["message"]++
		case "m.room.redaction":
			have["redaction"]++
		case stateType:
			have["state"]++
		}
	}
	for _, kind := range []string{"message", "redaction", "state"} {
		if have[kind] != want[kind] {
			return fmt.Errorf("%d of kind %s were acknowledged, and %d are there", want[kind], kind, have[kind])
		}
	}
	return nil
}

// checkState makes sure that the current state is what the last acknowledgements say.
func (t *talk) checkState(ctx context.Context) error {
	state, err := t.watcher.State(ctx, t.room)
	if err != nil {
		return err
	}
	values, memberships := map[string]string{}, map[string]string{}
	for _, e := range state {
		switch e.Type {
		case stateType:
			var c struct{ Value string }
			if err := json.Unmarshal(e.Content, &c); err != nil {
				return err
			}
			values[*e.StateKey] = c.Value
		case "m.room.member":
			memberships[*e.StateKey] = e.Membership()
		}
	}
	for _, p := range t.people {
		want := "leave"
		if p.inRoom {
			want = "join"
		}
		if got := memberships[p.UserID]; got != want {
			return fmt.Errorf("%s should be %s and is %s", p.UserID, want, got)
		}
		value := ""
		for _, a := range p.acked {
			if a.kind == "state" {
				value = a.txn
			}
		}
		if values[p.UserID] != value {
			return fmt.Errorf("the state of %s should be %q and is %q", p.UserID, value, values[p.UserID])
		}
	}
	return nil
}

func ids(l []client.Event) []string {
	out := make([]string, len(l))
	for i, e := range l {
		out[i] = e.ID
	}
	return out
}
