package inbound

import (
	"cmp"
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"slices"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

type eventID = id.EventID

// Bounds of a gap.
const (
	gapRounds = 10
	gapEvents = 100
	gapLimit  = 20
	// others is how many servers besides the origin are asked for a state.
	others = 2
)

// errNever: an event can't be taken in, whatever else comes.
var errNever = errors.New("the event can't be taken in")

// gap takes an event in together with what is missing before it. It is used by one goroutine.
type gap struct {
	i      *Intake
	room   store.RoomName
	origin string
	// slot tells that it may call other servers.
	slot bool
	// placed is the event that was stored last, which is staged no more.
	placed string
}

// Take takes in a verified event that a server has taken in already, with what is missing before it.
func (a *API) Take(ctx context.Context, from string, r store.RoomName, e *event.Event) error {
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	g := &gap{i: a.intake, room: r, origin: from}
	defer g.release()
	return g.receive(ctx, e, false)
}

// call waits until it may call other servers.
func (g *gap) call(ctx context.Context) error {
	if g.slot {
		return nil
	}
	select {
	case g.i.slots <- struct{}{}:
		g.slot = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gap) release() {
	if g.slot {
		<-g.i.slots
		g.slot = false
	}
}

// unplaced lists those of some events that have no place in the graph here.
func (i *Intake) unplaced(ctx context.Context, ids []eventID) (out []string, err error) {
	for _, id := range ids {
		e, err := i.o.Store.EventByID(ctx, string(id))
		if errors.Is(err, store.ErrNotFound) || err == nil && e.Has(event.Outlier) {
			out = append(out, string(id))
		} else if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// errBadGap: what was told of a gap is not acceptable, so that what comes after it hangs in the air.
var errBadGap = errors.New("what is missing before the event is not acceptable")

// errOpenGap: nobody tells what is missing directly before an event.
var errOpenGap = errors.New("what is missing before the event can't be had")

// receive takes an event in: what is missing before it first, as far as it can be had. first tells that
// this was not tried before.
func (g *gap) receive(ctx context.Context, e *event.Event, first bool) error {
	missing, err := g.i.unplaced(ctx, e.PrevEvents)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return g.one(ctx, e)
	}
	found, bad, err := g.between(ctx, e)
	if err != nil {
		return err
	}
	if first {
		// What comes next may be of a server that knows more. Only if nothing does is the state behind
		// what is missing, or not acceptable, asked for.
		open, err := g.open(ctx, e, found)
		switch {
		case err != nil:
			return err
		case open[e.ID]:
			return errOpenGap
		case bad && len(open) > 0:
			return errBadGap
		}
	}
	for _, x := range found {
		// One of them that makes no sense must not keep the others out.
		if err := g.one(ctx, x); err != nil {
			if ctx.Err() != nil || !errors.Is(err, errNever) && !errors.Is(err, errUnknownAuth) {
				return fmt.Errorf("an event before it, %s: %w", x.ID, err)
			}
			g.i.o.Log.InfoContext(ctx, "an event of a gap was left out", "room", g.room.ID, "event", x.ID, "err", err)
		}
	}
	return g.one(ctx, e)
}

// open lists those of an event and what was found before it that have previous events which are neither
// here nor among them; the event itself only if none of its own is.
func (g *gap) open(ctx context.Context, e *event.Event, found []*event.Event) (map[string]bool, error) {
	have := map[string]bool{}
	for _, x := range found {
		have[x.ID] = true
	}
	out := map[string]bool{}
	for _, x := range append([]*event.Event{e}, found...) {
		missing, err := g.i.unplaced(ctx, x.PrevEvents)
		if err != nil {
			return nil, err
		}
		n := len(missing)
		missing = slices.DeleteFunc(missing, func(id string) bool { return have[id] })
		if x == e && len(missing) < n {
			continue
		}
		if len(missing) > 0 {
			out[x.ID] = true
		}
	}
	return out, nil
}

// between fetches the events between those that are here and one whose previous events aren't, the least
// deep first. bad tells that there were some that are not acceptable.
func (g *gap) between(ctx context.Context, e *event.Event) (_ []*event.Event, bad bool, err error) {
	if err := g.call(ctx); err != nil {
		return nil, false, err
	}
	row, err := g.i.o.Store.LoadRoom(ctx, g.room.NID)
	if err != nil {
		return nil, false, err
	}
	tips, err := g.i.o.Store.Events(ctx, row.Extremities)
	if err != nil {
		return nil, false, err
	}
	q := fclient.Gap{Limit: gapLimit, Latest: []string{e.ID}}
	for n, tip := range tips {
		if len(q.Earliest) < gapLimit {
			q.Earliest = append(q.Earliest, tip.ID)
		}
		if n == 0 || tip.PDU.Depth < q.MinDepth {
			q.MinDepth = tip.PDU.Depth
		}
	}
	// Depth is a claim: one that is too large must not hide what is missing.
	if q.MinDepth >= e.PDU.Depth {
		q.MinDepth = 0
	}
	found := map[string]*event.Event{}
	for range gapRounds {
		list, err := g.i.o.Remote.MissingEvents(ctx, g.origin, g.room.ID, q)
		if err != nil {
			if ctx.Err() != nil {
				return nil, false, err
			}
			break // what is before the event can be told otherwise
		}
		fresh := 0
		for _, raw := range list[:min(len(list), gapLimit)] {
			x, err := g.read(ctx, raw, prevMax, authMax)
			if err != nil {
				if ctx.Err() != nil || errors.Is(err, keyring.ErrUnavailable) {
					return nil, false, err
				}
				bad = true
				g.i.o.Log.InfoContext(ctx, "an event of a gap is not acceptable", "room", g.room.ID, "origin", g.origin, "err", err)
				continue
			}
			if found[x.ID] != nil || x.ID == e.ID {
				continue
			}
			if have, err := g.i.known(ctx, x); err != nil {
				return nil, false, err
			} else if have {
				continue
			}
			found[x.ID] = x
			fresh++
		}
		if fresh == 0 || len(list) < gapLimit || len(found) >= gapEvents {
			break // "stopping at the limit": a server that tells fewer has no more to tell
		}
		q.Latest = nil
		for _, x := range found {
			missing, err := g.i.unplaced(ctx, x.PrevEvents)
			if err != nil {
				return nil, false, err
			}
			if slices.ContainsFunc(missing, func(id string) bool { return found[id] == nil }) && len(q.Latest) < gapLimit {
				q.Latest = append(q.Latest, x.ID)
			}
		}
		if len(q.Latest) == 0 {
			break
		}
		slices.Sort(q.Latest)
	}
	// What doesn't lead to the event was not asked for.
	var out []*event.Event
	front := idsOf(e.PrevEvents)
	for len(front) > 0 {
		x := found[front[0]]
		front = front[1:]
		if x != nil {
			delete(found, x.ID)
			out = append(out, x)
			front = append(front, idsOf(x.PrevEvents)...)
		}
	}
	return inOrder(out), bad, nil
}

// inOrder sorts events so that each comes after those before it.
func inOrder(events []*event.Event) []*event.Event {
	byID := map[string]*event.Event{}
	for _, e := range events {
		byID[e.ID] = e
	}
	slices.SortStableFunc(events, func(x, y *event.Event) int { return cmp.Compare(x.PDU.Depth, y.PDU.Depth) })
	out := make([]*event.Event, 0, len(events))
	state := map[string]int{} // 1: being looked at, 2: done
	var visit func(e *event.Event)
	visit = func(e *event.Event) {
		if state[e.ID] != 0 {
			return
		}
		state[e.ID] = 1
		for _, id := range e.PrevEvents {
			if x := byID[string(id)]; x != nil {
				visit(x)
			}
		}
		state[e.ID] = 2
		out = append(out, e)
	}
	for _, e := range events {
		visit(e)
	}
	return out
}

// read parses and verifies an event that another server answered with.
func (g *gap) read(ctx context.Context, raw jsontext.Value, prevs, auths int) (*event.Event, error) {
	e, err := parsePDUWithin(raw, g.room.ID, g.room.Version, prevs, auths)
	if err != nil {
		return nil, err
	}
	return g.i.check.verify(ctx, e)
}

// one takes an event in. Where previous events are not here, other servers are asked what the state
// was there.
func (g *gap) one(ctx context.Context, e *event.Event) error {
	if done, err := g.i.known(ctx, e); err != nil || done {
		return err
	}
	missing, err := g.i.unplaced(ctx, e.PrevEvents)
	if err != nil {
		return err
	}
	// The state comes with the auth chain, so it is asked for first.
	var told []statetree.Ref
	for _, id := range missing {
		root, packs, err := g.stateAfter(ctx, e, id)
		if err != nil {
			return fmt.Errorf("the state at %s, which is not known: %w", id, err)
		}
		if err := g.keepTold(ctx, id, root, packs); err != nil {
			return err
		}
		told = append(told, root)
	}
	// Last, since states bring auth events along.
	if err := g.authOf(ctx, e); err != nil {
		return err
	}
	if err := g.i.place(ctx, g.room, e, missing, told); err != nil {
		return err
	}
	g.placed = e.ID
	return nil
}

// keepPacks stores a state that was told. Other states are built on it, so it must not be forgotten with
// one of them.
func (g *gap) keepPacks(ctx context.Context, packs []statetree.Pack) error {
	if len(packs) == 0 {
		return nil
	}
	err := g.i.o.Store.Write(ctx, func(t *store.Tx) error { return t.AddPacks(packs) })
	if err != nil {
		g.i.o.Store.State().Dropped(packs)
		return err
	}
	g.i.o.Store.State().Stored(packs)
	return nil
}

// keepTold stores the state that was told for after an event. While the room is incomplete, which event
// it is of is remembered too: it is needed again when the room is completed.
func (g *gap) keepTold(ctx context.Context, id string, root statetree.Ref, packs []statetree.Pack) error {
	if !g.i.o.Store.Incomplete(g.room.NID) {
		return g.keepPacks(ctx, packs)
	}
	err := g.i.o.Store.Write(ctx, func(t *store.Tx) error {
		if err := t.AddPacks(packs); err != nil {
			return err
		}
		return t.SetToldState(g.room.NID, id, root)
	})
	if err != nil {
		g.i.o.Store.State().Dropped(packs)
		return err
	}
	g.i.o.Store.State().Stored(packs)
	return nil
}

// authOf sees to it that the auth events of an event are here.
func (g *gap) authOf(ctx context.Context, e *event.Event) error {
	unknown, err := g.unknown(ctx, idsOf(e.AuthEvents))
	if err != nil || len(unknown) == 0 {
		return err
	}
	if err := g.call(ctx); err != nil {
		return err
	}
	p := newPool(g)
	defer p.settle()
	err = g.i.o.Remote.EventAuth(ctx, g.origin, g.room.ID, e.ID, func(_ fclient.Section, raw jsontext.Value) error { return p.add(ctx, raw) })
	if err != nil && (ctx.Err() != nil || errors.Is(err, errPoolFull)) {
		return err
	}
	if err := p.store(ctx, g.origin, idsOf(e.AuthEvents)); err != nil {
		return err
	}
	if unknown, err = g.unknown(ctx, idsOf(e.AuthEvents)); err != nil {
		return err
	}
	if len(unknown) > 0 {
		return fmt.Errorf("%w: %s", errUnknownAuth, unknown[0])
	}
	return nil
}

// unknown lists those of some events that aren't stored.
func (g *gap) unknown(ctx context.Context, ids []string) (out []string, err error) {
	for _, id := range ids {
		_, err := g.i.o.Store.EventNID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			out = append(out, id)
		} else if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// stateAfter asks other servers for the state after an event that is not here, which e follows.
func (g *gap) stateAfter(ctx context.Context, e *event.Event, id string) (statetree.Ref, []statetree.Pack, error) {
	if err := g.call(ctx); err != nil {
		return 0, nil, err
	}
	servers := []string{g.origin}
	joined, err := g.i.o.Store.JoinedServers(ctx, g.room.NID)
	if err != nil {
		return 0, nil, err
	}
	for _, s := range joined {
		if s != g.i.o.Server && s != g.origin && len(servers) <= others {
			servers = append(servers, s)
		}
	}
	var failed []error
	for _, server := range servers {
		root, packs, err := g.stateFrom(ctx, server, id, true)
		if err == nil {
			return root, packs, nil
		}
		failed = append(failed, fmt.Errorf("from %s: %w", server, err))
		if ctx.Err() != nil {
			break
		}
	}
	return 0, nil, errors.Join(failed...)
}

// stateFrom asks one server for the state before an event, or, with after, the one after it.
func (g *gap) stateFrom(ctx context.Context, server, id string, after bool) (statetree.Ref, []statetree.Pack, error) {
	state, auth, err := g.i.o.Remote.StateIDs(ctx, server, g.room.ID, id)
	if err != nil {
		return 0, nil, err
	}
	if len(state) > poolMax || len(auth) > poolMax {
		return 0, nil, fmt.Errorf("%w: the state has more than %d events", errNever, poolMax)
	}
	p := newPool(g)
	defer p.settle()
	want := append(slices.Clone(state), auth...)
	unknown, err := g.unknown(ctx, want)
	if err != nil {
		return 0, nil, err
	}
	if len(unknown) > fetchSingly {
		err = g.i.o.Remote.State(ctx, server, g.room.ID, id, func(_ fclient.Section, raw jsontext.Value) error { return p.add(ctx, raw) })
		if err != nil {
			return 0, nil, err
		}
	}
	members := slices.Clone(state)
	if after {
		// The event itself belongs to the state after it.
		want, members = append(want, id), append(members, id)
	}
	if err := p.store(ctx, server, want); err != nil {
		return 0, nil, err
	}
	type stateKey struct{ typ, key string }
	at := map[stateKey]int64{}
	for _, x := range members {
		e, err := g.i.o.Store.EventByID(ctx, x)
		if errors.Is(err, store.ErrNotFound) {
			if after && x == id {
				return 0, nil, fmt.Errorf("the event %s can't be had", id)
			}
			continue // it was not acceptable
		} else if err != nil {
			return 0, nil, err
		}
		if e.Room != g.room.NID || !e.IsState() || e.Has(event.Rejected) {
			continue
		}
		at[stateKey{e.Type, *e.StateKey}] = e.NID
	}
	nids := make([]int64, 0, len(at))
	for _, nid := range at {
		nids = append(nids, nid)
	}
	slices.Sort(nids)
	if _, ok := at[stateKey{"m.room.create", ""}]; !ok {
		return 0, nil, mxerror.NotFound("The state has no create event.")
	}
	return g.i.o.Rooms.StateTree(ctx, nids)
}
