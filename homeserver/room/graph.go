package room

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/stateres"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// citeMax is how many previous events an event made here has at most, and tipsMax how many forward
// extremities a room is held to have.
const citeMax, tipsMax = 10, 64

// resolvedMax bounds how many resolved states an actor remembers.
const resolvedMax = 64

// source lets forks be resolved with events that aren't durable yet.
type source struct {
	*store.Store
	aloft map[int64]*event.Event
}

var _ stateres.Source = source{}

// Links implements stateres.Source.
func (s source) Links(ctx context.Context, nids []int64) ([]stateres.Link, error) {
	out := make([]stateres.Link, len(nids))
	var rest []int64
	var at []int
	for i, nid := range nids {
		if e := s.aloft[nid]; e != nil {
			out[i] = stateres.Link{Key: e.Key, Rejected: e.Flags&event.Rejected != 0, Auth: e.Auth}
		} else {
			rest, at = append(rest, nid), append(at, i)
		}
	}
	if len(rest) == 0 {
		return out, nil
	}
	links, err := s.Store.Links(ctx, rest)
	for i, l := range links {
		out[at[i]] = stateres.Link{Key: l.Key, Rejected: l.Flags&event.Rejected != 0, Auth: l.Auth}
	}
	return out, err
}

// Events implements stateres.Source.
func (s source) Events(ctx context.Context, nids []int64) ([]*event.Event, error) {
	out := make([]*event.Event, len(nids))
	var rest []int64
	var at []int
	for i, nid := range nids {
		if e := s.aloft[nid]; e != nil {
			out[i] = e
		} else {
			rest, at = append(rest, nid), append(at, i)
		}
	}
	if len(rest) == 0 {
		return out, nil
	}
	events, err := s.Store.Events(ctx, rest)
	for i, e := range events {
		out[at[i]] = e
	}
	return out, err
}

// StateKey implements stateres.Source.
func (s source) StateKey(ctx context.Context, typ, key string) (int64, error) {
	nid, err := s.StateKeyNID(ctx, store.StateKey{Type: typ, Key: key})
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return nid, err
}

// resolve resolves the states of a fork.
func (s source) resolve(ctx context.Context, v event.Version, roots []statetree.Ref) (statetree.Ref, []statetree.Pack, error) {
	roots = distinct(roots)
	switch len(roots) {
	case 0:
		return 0, nil, errors.New("there is no state to resolve")
	case 1:
		return roots[0], nil, nil
	}
	key, err := s.StateKey(ctx, "m.room.create", "")
	if err != nil {
		return 0, nil, err
	}
	nid, ok, err := s.State().Get(ctx, roots[0], key)
	if err != nil {
		return 0, nil, err
	} else if !ok {
		return 0, nil, errors.New("a state has no create event")
	}
	create, err := s.Events(ctx, []int64{nid})
	if err != nil {
		return 0, nil, err
	}
	r, err := stateres.Resolver{Trees: s.State(), Source: s}.Resolve(ctx, stateres.Fork{Version: v, Create: create[0], Roots: roots})
	if err != nil {
		return 0, nil, err
	}
	return r.Apply(ctx, s.State())
}

// distinct leaves out repetitions; what is first stays first.
func distinct(roots []statetree.Ref) []statetree.Ref {
	var out []statetree.Ref
	for _, r := range roots {
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// resolve is source.resolve with what the actor remembers. Packs go into the batch.
func (a *actor) resolve(ctx context.Context, b *batch, roots []statetree.Ref) (statetree.Ref, error) {
	if roots = distinct(roots); len(roots) == 1 {
		return roots[0], nil
	}
	sorted := slices.Clone(roots)
	slices.Sort(sorted)
	var key []byte
	for _, r := range sorted {
		key = binary.AppendVarint(key, int64(r))
	}
	if root, ok := a.resolved[string(key)]; ok {
		return root, nil
	}
	root, packs, err := source{a.m.o.Store, a.aloft}.resolve(ctx, a.room.Version, roots)
	if err != nil {
		return 0, fmt.Errorf("resolving the state of room %s: %w", a.room.ID, err)
	}
	b.packs = append(b.packs, packs...)
	if len(a.resolved) >= resolvedMax {
		clear(a.resolved)
	}
	a.resolved[string(key)] = root
	return root, nil
}

// cite chooses the previous events of an event made here, and gives the state before it: the
// tips, the deepest if there are too many.
func (a *actor) cite(ctx context.Context, b *batch) ([]*event.Event, statetree.Ref, error) {
	if len(a.tips) <= citeMax {
		return a.tips, a.room.Root, nil
	}
	tips := slices.Clone(a.tips)
	slices.SortStableFunc(tips, func(x, y *event.Event) int {
		return cmp.Or(cmp.Compare(y.Depth, x.Depth), cmp.Compare(y.NID, x.NID))
	})
	tips = tips[:citeMax]
	roots := make([]statetree.Ref, len(tips))
	for i, t := range tips {
		roots[i] = t.Root
	}
	root, err := a.resolve(ctx, b, roots)
	return tips, root, err
}

// land puts an event that is neither rejected nor soft-failed at the end of the room: it becomes
// one of the tips in the place of its previous events, and the current state is what the states
// after the tips resolve to.
func (a *actor) land(ctx context.Context, b *batch, e *event.Event, before statetree.Ref, l *landing) error {
	if err := a.apply(ctx, b, e, before); err != nil {
		return err
	}
	// The event is known from here on: resolving asks for it.
	b.add(e, l)
	a.aloft[e.NID] = e
	prev, err := through(ctx, a.event, e)
	if err != nil {
		return err
	}
	tips := a.follow(e, prev)
	roots := make([]statetree.Ref, 0, len(tips))
	roots = append(roots, e.Root)
	for _, t := range tips {
		roots = append(roots, t.Root)
	}
	now, err := a.resolve(ctx, b, roots)
	if err != nil {
		return err
	}
	l.servers = a.others
	var changes []statetree.Change
	switch {
	case now == a.room.Root:
		a.turned(e, nil)
	case now == e.Root && before == a.room.Root && e.Replaces == 0:
		changes = append(changes, statetree.Change{Key: e.Key, New: e.NID, InNew: true})
	case now == e.Root && before == a.room.Root:
		changes = append(changes, statetree.Change{Key: e.Key, New: e.NID, InNew: true, Old: e.Replaces, InOld: true})
	default:
		err := a.m.o.Store.State().Diff(ctx, a.room.Root, now, func(c statetree.Change) { changes = append(changes, c) })
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			now = a.room.Root
		}
		slices.SortFunc(changes, func(x, y statetree.Change) int { return cmp.Compare(x.Key, y.Key) })
		a.turned(e, changes)
	}
	if now != e.Root {
		e.Current = now
	}
	a.room.Root, a.tips = now, tips
	// Own changes are written right after the event: its log entry tells of them.
	own := slices.IndexFunc(changes, func(c statetree.Change) bool { return c.Key == e.Key })
	if own > 0 {
		c := changes[own]
		changes = slices.Insert(slices.Delete(changes, own, own+1), 0, c)
	}
	for _, c := range changes {
		if err := a.changed(ctx, b, e, l, c); err != nil {
			return err
		}
	}
	if len(a.others) > 0 || len(l.servers) > 0 {
		l.servers = union(l.servers, a.others)
	}
	a.room.Depth = max(a.room.Depth, e.Depth)
	a.room.Extremities = make([]int64, len(tips))
	for i, t := range tips {
		a.room.Extremities[i] = t.NID
	}
	return nil
}

// turned flags an event after which the current state is otherwise than the event says.
func (a *actor) turned(e *event.Event, changes []statetree.Change) {
	won := !e.IsState()
	for _, c := range changes {
		switch {
		case e.IsState() && c.Key == e.Key && c.New == e.NID:
			won = true
		case !e.IsState() || c.Key != e.Key:
			e.Flags |= event.Turn
		}
	}
	if !won {
		e.Flags |= event.Turn
	}
}

// apply computes the state after an event.
func (a *actor) apply(ctx context.Context, b *batch, e *event.Event, before statetree.Ref) error {
	e.Root = before
	if !e.IsState() || e.Flags&event.Rejected != 0 {
		e.Replaces = 0
		return nil
	}
	f := a.m.o.Store.State()
	if before != 0 {
		var err error
		if e.Replaces, _, err = f.Get(ctx, before, e.Key); err != nil {
			return err
		}
	}
	edit := f.Edit(before)
	if err := edit.Put(ctx, e.Key, e.NID); err != nil {
		return fmt.Errorf("changing the state: %w", err)
	}
	var packs []statetree.Pack
	e.Root, packs = edit.Finish()
	b.packs = append(b.packs, packs...)
	return nil
}

// changed brings all that is derived from the current state in step with one change of it. It is the
// only way that the current state changes, for events made here too.
func (a *actor) changed(ctx context.Context, b *batch, e *event.Event, l *landing, c statetree.Change) error {
	self := e.IsState() && c.Key == e.Key && c.New == e.NID
	l.own = a.m.o.Signer.Server
	var k store.StateKey
	if e.IsState() && c.Key == e.Key {
		k = store.StateKey{Type: e.Type, Key: *e.StateKey}
	} else {
		var err error
		if k, err = a.m.o.Store.StateKey(ctx, c.Key); err != nil {
			return err
		}
	}
	b.touched = append(b.touched, k)
	delete(a.current, k)
	if self {
		a.remember(k, e)
	}
	if k.Type == "m.room.power_levels" || k.Type == "m.room.create" {
		a.power = nil
	}
	ch := change{key: c.Key, ref: c.New, self: self}
	if k.Type == "m.room.member" {
		if err := a.moved(ctx, b, &ch, k.Key, c); err != nil {
			return err
		}
	}
	l.changes = append(l.changes, ch)
	return nil
}

// moved works out what a change of a membership means.
func (a *actor) moved(ctx context.Context, b *batch, ch *change, user string, c statetree.Change) error {
	membership := func(nid int64) (string, error) {
		if nid == 0 {
			return "leave", nil
		}
		e, err := a.event(ctx, nid)
		if err != nil {
			return "", err
		}
		if m := e.Membership(); m != "" {
			return m, nil
		}
		return "leave", nil
	}
	was, err := membership(c.Old)
	if err != nil {
		return err
	}
	if ch.membership, err = membership(c.New); err != nil {
		return err
	}
	ch.user, ch.member = user, cmp.Or(c.New, c.Old)
	if (was == "join") == (ch.membership == "join") {
		return nil
	}
	ch.joined = 1
	if was == "join" {
		ch.joined = -1
	}
	server := store.ServerOf(user)
	n := a.joined[server] + ch.joined
	a.recount(b)[server] = n
	if b.bulk || server == a.m.o.Signer.Server || n > 1 || n == 1 && ch.joined < 0 {
		return nil
	}
	a.list()
	return nil
}

// list makes the list of the other servers in the room anew.
func (a *actor) list() {
	var out []string
	for server, n := range a.joined {
		if n > 0 && server != a.m.o.Signer.Server {
			out = append(out, server)
		}
	}
	slices.Sort(out)
	a.others = out
}

// loadServers reads which servers are in the room.
func (a *actor) loadServers(ctx context.Context) error {
	s := a.m.o.Store
	a.joined, a.partial = map[string]int64{}, nil
	servers, err := s.RoomServers(ctx, a.nid)
	if err != nil {
		return err
	}
	for _, x := range servers {
		name, err := s.ServerName(ctx, x.Server)
		if err != nil {
			return err
		}
		a.joined[name] = x.Joined
	}
	p, err := s.RoomPartial(ctx, a.nid)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	a.partial = p.Servers
	a.list()
	return nil
}

// union merges two sorted lists; it gives the one that has the other in it, if there is one.
func union(x, y []string) []string {
	if slices.Equal(x, y) || len(x) == 0 {
		return y
	}
	out := append(slices.Clone(x), y...)
	slices.Sort(out)
	return slices.Compact(out)
}

// mergeType is the type of events that say nothing: they join the ends of a forked room, so that
// other servers needn't resolve so many states.
const mergeType = "m.dummy"

// merge makes such an event, if somebody of this server may. That it fails is of no consequence: the
// next event that anybody makes does the same.
func (a *actor) merge() {
	t := turn{ctx: context.Background(), done: make(chan answer, 1)}
	t.build = func(ctx context.Context, a *actor, b *batch) error {
		user, err := a.speaker(ctx, func(p *Power) int64 { return p.Event(mergeType, false) })
		if err != nil || user == "" {
			return err
		}
		e, err := a.propose(ctx, b, Proposal{Sender: user, Type: mergeType, Content: []byte(`{}`)})
		b.result = []*event.Event{e}
		return err
	}
	a.turn(t)
}
