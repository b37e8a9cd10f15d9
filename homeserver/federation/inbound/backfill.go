package inbound

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of fetching history.
const (
	// fillTime is how long a client waits for history of other servers.
	fillTime = 15 * time.Second
	// fillServers is how many servers are asked for the same, and fillEvents for how many events.
	fillServers = 4
	fillEvents  = 100
	// fillGaps is how many gaps are looked at and fillStates how many states fetched at once.
	fillGaps   = 200
	fillStates = 10
	// barrenTime is for how long nobody is asked again for what nobody had.
	barrenTime = 10 * time.Minute
	barrenMax  = 10_000
)

// cleft is a place where the graph ends that is here.
type cleft struct {
	missing string
	// depth is that of the event which follows, and from the server of its sender.
	depth int64
	from  string
}

// clefts lists where a room's graph ends, as far as that isn't known to be for good.
func (i *Intake) clefts(ctx context.Context, room int64) ([]cleft, error) {
	all, err := i.o.Store.MissingPrevs(ctx, room, fillGaps)
	if err != nil {
		return nil, err
	}
	var out []cleft
	for _, m := range all {
		if _, barren := i.barren.Get(m.ID); barren {
			continue
		}
		e, err := i.o.Store.Event(ctx, m.After)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		if !e.Has(event.Outlier) {
			out = append(out, cleft{m.ID, e.Depth, store.ServerOf(string(e.Sender))})
		}
	}
	return out, nil
}

// Backfill fetches history that is missing before events of a room whose depth is at least low and at
// most high: specification, "Backfilling and retrieving missing events". more tells that some came.
func (a *API) Backfill(ctx context.Context, r store.RoomName, low, high int64) (more bool, err error) {
	if a.o.Closed {
		return false, nil
	}
	i := a.intake
	all, err := i.clefts(ctx, r.NID)
	if err != nil {
		return false, err
	}
	all = slices.DeleteFunc(all, func(c cleft) bool { return c.depth < low || c.depth > high })
	if len(all) == 0 {
		return false, nil
	}
	in, err := i.o.Store.ServerInRoom(ctx, r.NID, i.o.Server)
	if err != nil || !in {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, fillTime)
	defer cancel()
	// Whoever wants the same waits, and finds it.
	done, err := i.filling.Begin(ctx, r.NID)
	if err != nil {
		return false, nil
	}
	defer done()
	var left []cleft
	for _, c := range all {
		if missing, err := i.unplaced(ctx, []eventID{eventID(c.missing)}); err != nil {
			return false, err
		} else if len(missing) > 0 {
			left = append(left, c)
		}
	}
	if len(left) == 0 {
		return true, nil
	}
	slices.SortStableFunc(left, func(x, y cleft) int { return int(min(max(y.depth-x.depth, -1), 1)) })
	left = left[:min(len(left), prevMax)]
	servers, err := i.holders(ctx, r, left)
	if err != nil {
		return false, err
	}
	for _, server := range servers {
		n, err := i.fill(ctx, r, server, left)
		if n > 0 {
			return true, nil
		}
		if ctx.Err() != nil {
			return false, nil
		}
		if err != nil {
			i.o.Log.InfoContext(ctx, "history can't be had", "room", r.ID, "server", server, "err", err)
		}
	}
	for _, c := range left {
		i.barren.Add(c.missing, struct{}{})
	}
	return false, nil
}

// holders are the servers to ask for history: those that made what follows, then others in the room.
func (i *Intake) holders(ctx context.Context, r store.RoomName, at []cleft) ([]string, error) {
	joined, err := i.o.Store.JoinedServers(ctx, r.NID)
	if err != nil {
		return nil, err
	}
	var out []string
	add := func(server string) {
		if server != i.o.Server && slices.Contains(joined, server) && !slices.Contains(out, server) && len(out) < fillServers {
			out = append(out, server)
		}
	}
	for _, c := range at {
		add(c.from)
	}
	add(store.ServerOf(r.ID))
	for _, server := range joined {
		add(server)
	}
	return out, nil
}

// fill asks one server for what is missing, and takes it in. n is how many events came.
func (i *Intake) fill(ctx context.Context, r store.RoomName, server string, at []cleft) (n int, err error) {
	g := &gap{i: i, room: r, origin: server}
	defer g.release()
	if err := g.call(ctx); err != nil {
		return 0, err
	}
	// below is what the depth of an event has to be less than, so that it stands before what follows it.
	below := map[string]int64{}
	var from []string
	for _, c := range at {
		if d, ok := below[c.missing]; !ok || c.depth < d {
			below[c.missing] = c.depth
		}
		if !slices.Contains(from, c.missing) {
			from = append(from, c.missing)
		}
	}
	list, err := i.o.Remote.Backfill(fclient.Urgent(ctx), server, r.ID, from, fillEvents)
	if err != nil {
		return 0, err
	}
	found := map[string]*event.Event{}
	for _, raw := range list {
		e, err := g.read(ctx, raw, prevMaxPast, authMaxPast)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, keyring.ErrUnavailable) {
				return 0, err
			}
			i.o.Log.InfoContext(ctx, "an event of the history is not acceptable", "room", r.ID, "server", server, "err", err)
			continue
		}
		if have, err := i.known(ctx, e); err != nil {
			return 0, err
		} else if !have {
			found[e.ID] = e
		}
	}
	// What doesn't lead to where the graph ends was not asked for.
	var reached []*event.Event
	for front := slices.Clone(from); len(front) > 0; front = front[1:] {
		if e := found[front[0]]; e != nil {
			delete(found, e.ID)
			reached = append(reached, e)
			front = append(front, idsOf(e.PrevEvents)...)
		}
	}
	order := inOrder(reached)
	depth := make(map[string]int64, len(order))
	for _, e := range slices.Backward(order) {
		d := e.PDU.Depth
		if most, ok := below[e.ID]; ok {
			d = min(d, most-1)
		}
		d = max(d, 0)
		depth[e.ID] = d
		for _, p := range e.PrevEvents {
			if most, ok := below[string(p)]; !ok || d < most {
				below[string(p)] = d
			}
		}
	}
	states := 0
	var placed []string
	for _, e := range order {
		switch err := g.past(ctx, e, depth[e.ID], &states); {
		case err == nil:
			placed = append(placed, e.ID)
		case ctx.Err() != nil:
			return len(placed), err
		default:
			i.o.Log.InfoContext(ctx, "an event of the history was left out", "room", r.ID, "event", e.ID, "err", err)
		}
	}
	if len(placed) == 0 {
		return 0, nil
	}
	// Also of those that the rules refuse: they are here.
	err = i.o.Store.Write(ctx, func(t *store.Tx) error {
		for _, id := range placed {
			if err := t.DeleteMissingPrev(r.NID, id); err != nil {
				return err
			}
		}
		return nil
	})
	return len(placed), err
}

// errManyStates: too many states would have to be fetched for one answer.
var errManyStates = errors.New("the history has too many ends")

// past takes an event of the history in, at a depth. states counts the states that were fetched.
func (g *gap) past(ctx context.Context, e *event.Event, depth int64, states *int) error {
	missing, err := g.i.unplaced(ctx, e.PrevEvents)
	if err != nil {
		return err
	}
	var told []statetree.Ref
	if len(missing) > 0 {
		if *states++; *states > fillStates {
			return errManyStates
		}
		root, packs, err := g.stateFrom(ctx, g.origin, e.ID, false)
		if err != nil {
			return fmt.Errorf("the state before it: %w", err)
		}
		if err := g.keepPacks(ctx, packs); err != nil {
			return err
		}
		told = append(told, root)
	}
	if err := g.authOf(ctx, e); err != nil {
		return err
	}
	return g.i.placeAt(ctx, g.room, e, missing, told, &depth)
}

// Nearest asks other servers for the event of a room that is nearest to a time, and takes it in:
// specification, GET /timestamp_to_event: "the server should also try to backfill this event". It is
// nil if none of them has one that is better than what lies at bound; better tells that.
func (a *API) Nearest(ctx context.Context, r store.RoomName, ts int64, back bool, better func(ts int64) bool) (*event.Event, error) {
	if a.o.Closed {
		return nil, nil
	}
	i := a.intake
	open, err := i.o.Store.MissingPrevs(ctx, r.NID, 1)
	if err != nil || len(open) == 0 {
		return nil, err // all there is is here
	}
	in, err := i.o.Store.ServerInRoom(ctx, r.NID, i.o.Server)
	if err != nil || !in {
		return nil, err
	}
	servers, err := i.holders(ctx, r, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(fclient.Urgent(ctx), fillTime)
	defer cancel()
	dir := "f"
	if back {
		dir = "b"
	}
	for _, server := range servers {
		id, at, err := i.o.Remote.TimestampToEvent(ctx, server, r.ID, ts, dir)
		if err != nil {
			i.o.Log.DebugContext(ctx, "another server tells of no event near a time", "room", r.ID, "server", server, "err", err)
			continue
		}
		if !better(at) {
			continue
		}
		e, err := i.single(ctx, r, server, id)
		if err != nil {
			i.o.Log.InfoContext(ctx, "an event near a time can't be had", "room", r.ID, "server", server, "err", err)
			continue
		}
		if e != nil && better(e.OriginServerTS) && (back && e.OriginServerTS <= ts || !back && e.OriginServerTS >= ts) {
			return e, nil
		}
	}
	return nil, nil
}

// single takes one event of the history in.
func (i *Intake) single(ctx context.Context, r store.RoomName, server, id string) (*event.Event, error) {
	have := func() (*event.Event, error) {
		e, err := i.o.Store.EventByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && (e.Has(event.Outlier) || e.Room != r.NID) {
			return nil, nil
		}
		return e, err
	}
	if e, err := have(); e != nil || err != nil {
		return e, err
	}
	g := &gap{i: i, room: r, origin: server}
	defer g.release()
	if err := g.call(ctx); err != nil {
		return nil, err
	}
	raw, err := i.o.Remote.Event(ctx, server, id)
	if err != nil {
		return nil, err
	}
	e, err := g.read(ctx, raw, prevMaxPast, authMaxPast)
	if err != nil {
		return nil, err
	}
	if e.ID != id {
		return nil, errors.New("the server tells of another event")
	}
	row, err := i.o.Store.LoadRoom(ctx, r.NID)
	if err != nil {
		return nil, err
	}
	states := 0
	if err := g.past(ctx, e, max(min(e.PDU.Depth, row.Depth-1), 0), &states); err != nil {
		return nil, err
	}
	return have()
}
