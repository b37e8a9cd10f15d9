package inbound

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// chainMax is how many events are taken in by one write.
const chainMax = 50

// chain takes in the first of some staged events together with those that directly follow each other behind it, as
// what one server sends at once mostly does: the state before all of them is the same, so one turn of the room and one
// write do. taken is how many there were; where it is 0, the first has to be taken in by itself.
func (l *lane) chain(ctx context.Context, r store.RoomName, ready []item) (taken int, err error) {
	if len(ready) < 2 {
		return 0, nil
	}
	list, err := l.linked(ctx, r, ready[:min(len(ready), chainMax)])
	if err != nil || len(list) < 2 {
		return 0, err
	}
	for range stalePasses {
		var in []room.Received
		if in, err = l.i.assembleChain(ctx, r, list); err != nil {
			break
		}
		if len(in) < 2 {
			l.i.o.Store.State().Dropped(in[0].Packs)
			return 0, nil
		}
		if err = l.i.receive(ctx, r, in); err == nil {
			l.i.mu.Lock()
			defer l.i.mu.Unlock()
			for _, x := range in {
				delete(l.verified, x.Event.ID)
				delete(l.offered, x.Event.ID)
			}
			return len(in), nil
		}
		if !errors.Is(err, store.ErrStale) {
			break
		}
	}
	if err != nil && ctx.Err() == nil {
		// Each by itself tells which of them it is.
		l.i.o.Log.DebugContext(ctx, "taking in several events at once", "room", l.roomID, "err", err)
		return 0, nil
	}
	return 0, err
}

// linked lists the first of some events, if all that it rests on is here, and those that follow it one by one without
// changing the state.
func (l *lane) linked(ctx context.Context, r store.RoomName, ready []item) (out []*event.Event, err error) {
	in, err := l.i.o.Store.ServerInRoom(ctx, r.NID, l.i.o.Server)
	if err != nil || !in {
		return nil, err
	}
	for n, it := range ready {
		e := it.event
		if n > 0 {
			last := out[n-1]
			if last.IsState() || len(e.PrevEvents) != 1 || string(e.PrevEvents[0]) != last.ID {
				break
			}
		} else if missing, err := l.i.unplaced(ctx, e.PrevEvents); err != nil || len(missing) > 0 {
			return nil, err
		}
		l.i.mu.Lock()
		verified := l.verified[it.ID]
		l.i.mu.Unlock()
		if !verified {
			break
		}
		if known, err := l.i.known(ctx, e); err != nil {
			return nil, err
		} else if known {
			break
		}
		out = append(out, checkHash(e))
	}
	return out, nil
}

// assembleChain makes the checks 4 and 5 on events that follow each other. Those behind one that needs more than that
// are left out.
func (i *Intake) assembleChain(ctx context.Context, r store.RoomName, list []*event.Event) (out []room.Received, err error) {
	first, err := i.assemble(ctx, r, list[0], nil, nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			i.o.Store.State().Dropped(first.Packs)
		}
	}()
	first.Done = unstage(r, list[0])
	out = append(out, first)
	for _, e := range list[1:] {
		in := room.Received{Event: e, Prev: []int64{out[len(out)-1].Event.NID}, Before: first.Before, Partial: first.Partial, Done: unstage(r, e)}
		var unknown []string
		if in.Auth, unknown, err = i.numbers(ctx, r, idsOf(e.AuthEvents)); errors.Is(err, errNever) || err == nil && len(unknown) > 0 {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if err = i.judge(ctx, r, &in); err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, nil
}

// receive hands events over to their room.
func (i *Intake) receive(ctx context.Context, r store.RoomName, in []room.Received) error {
	out, err := i.o.Rooms.Receive(ctx, r.NID, in)
	if err != nil {
		return err
	}
	for _, o := range out {
		why := o.Rejected
		if why == nil {
			why = o.SoftFailed
		}
		if why != nil {
			i.o.Log.InfoContext(ctx, "an event of another server takes no part", "room", r.ID, "event", o.Event.ID, "rejected", o.Rejected != nil, "err", short(why))
		}
	}
	return nil
}

// unstage forgets an event, which may have been staged, with the write that takes it in.
func unstage(r store.RoomName, e *event.Event) func(*store.Tx) error {
	return func(t *store.Tx) error { return t.Unstage(r.ID, e.ID) }
}

// numbers are the numbers of events of a room; unknown are those that aren't here.
func (i *Intake) numbers(ctx context.Context, r store.RoomName, ids []string) (nids []int64, unknown []string, err error) {
	for _, id := range ids {
		x, err := i.o.Store.EventByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			unknown = append(unknown, id)
			continue
		} else if err != nil {
			return nil, nil, err
		}
		if x.Room != r.NID {
			return nil, nil, fmt.Errorf("%w: %s is of another room", errNever, id)
		}
		nids = append(nids, x.NID)
	}
	return nids, unknown, nil
}

// judge makes the checks 4 and 5, and asks the policy server, about an event whose auth events are here and before
// which the state is known, and numbers it.
func (i *Intake) judge(ctx context.Context, r store.RoomName, in *room.Received) (err error) {
	if in.Reject, err = i.check.byAuth(ctx, in.Event, nil); err != nil {
		return err
	}
	in.ByAuth = in.Reject != nil
	if _, err = i.o.Rooms.Number(ctx, r.NID, in.Event); err != nil {
		return err
	}
	if in.Reject == nil {
		if in.Reject, err = i.byState(ctx, r, *in); err != nil {
			return err
		}
	}
	if in.Reject == nil {
		in.SoftFail, err = i.wanted(ctx, r.NID, in.Event)
	}
	return err
}

// byState is check 5, over what the event claims too where not all of the state before it is known.
func (i *Intake) byState(ctx context.Context, r store.RoomName, in room.Received) (reject, err error) {
	before := in.Before
	if in.Partial {
		root, packs, err := i.o.Rooms.StateClaimed(ctx, r.NID, before, in.Auth)
		defer i.o.Store.State().Dropped(packs)
		if err != nil {
			return nil, err
		}
		before = root
	}
	return i.check.byState(ctx, in.Event, before)
}

// assemble makes the checks 4 and 5 on an event whose auth events are all here. missing are the ids of
// previous events that stay unknown, and told the states that other servers tell for them.
func (i *Intake) assemble(ctx context.Context, r store.RoomName, e *event.Event, missing []string, told []statetree.Ref) (out room.Received, err error) {
	s := i.o.Store
	out = room.Received{Event: e, Missing: missing}
	var unknown []string
	if out.Auth, unknown, err = i.numbers(ctx, r, idsOf(e.AuthEvents)); err != nil {
		return out, err
	}
	if len(unknown) > 0 {
		return out, fmt.Errorf("%w: %s", errUnknownAuth, unknown[0])
	}
	var prevs []int64
	for _, id := range e.PrevEvents {
		x, err := s.EventByID(ctx, string(id))
		if errors.Is(err, store.ErrNotFound) {
			if !slices.Contains(missing, string(id)) {
				return out, fmt.Errorf("%w: %s is not known", errNever, id)
			}
			continue
		} else if err != nil {
			return out, err
		}
		if x.Room != r.NID {
			return out, fmt.Errorf("%w: %s is of another room", errNever, id)
		}
		out.Prev = append(out.Prev, x.NID)
		out.Partial = out.Partial || x.Has(event.Partial)
		// The state after an outlier isn't known here; what it is is told.
		if !x.Has(event.Outlier) {
			prevs = append(prevs, x.NID)
		}
	}
	first := e.Type == "m.room.create" && len(e.PrevEvents) == 0
	if len(prevs)+len(told) == 0 && !first {
		return out, fmt.Errorf("%w: none of its previous events is here", errNever)
	}
	if !first {
		if out.Before, out.Packs, err = i.o.Rooms.StateBefore(ctx, r.NID, prevs, told...); err != nil {
			return out, err
		}
	}
	if err = i.judge(ctx, r, &out); err != nil {
		s.State().Dropped(out.Packs)
	}
	return out, err
}
