package slidingsync

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/invitefilter"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
	homesync "github.com/landbridge-im/landbridge/homeserver/sync"
)

// listResult is the answer to a list. The operations are of the unstable endpoint only: clients that
// are older than the MSC's end know by them which rooms are in which list.
type listResult struct {
	Count int      `json:"count"`
	Ops   []listOp `json:"ops,omitzero"`
}

type listOp struct {
	Op    string   `json:"op"`
	Range [2]int   `json:"range"`
	Rooms []string `json:"room_ids"`
}

// lists works out which rooms the lists' windows hold.
func (b *builder) lists(ctx context.Context) (map[string]listResult, error) {
	out := map[string]listResult{}
	if len(b.q.Lists) == 0 {
		return out, nil
	}
	all, err := b.eligible(ctx)
	if err != nil {
		return nil, err
	}
	for name, l := range b.q.Lists {
		match, err := b.filter(ctx, all, l.Filters)
		if err != nil {
			return nil, err
		}
		if l.Required.everybody() {
			match = slices.DeleteFunc(match, func(st homesync.Standing) bool { return b.store.Span(st.Room).At(b.view.Pos) })
		}
		res := listResult{Count: len(match)}
		windows := l.windows()
		if windows == nil && len(match) > 0 {
			windows = [][2]int{{0, len(match) - 1}}
		}
		for _, w := range windows {
			from, to := min(w[0], len(match)), min(w[1], len(match)-1)+1
			op := listOp{Op: "SYNC", Range: w, Rooms: []string{}}
			for _, st := range match[from:to] {
				n := b.need(st.Room)
				if !slices.Contains(n.lists, name) {
					n.lists = append(n.lists, name)
					n.add(l.Config)
				}
				id, err := b.store.RoomByNID(ctx, st.Room)
				if err != nil {
					return nil, err
				}
				op.Rooms = append(op.Rooms, id.ID)
			}
			if !b.q.Stable {
				res.Ops = append(res.Ops, op)
			}
		}
		out[name] = res
	}
	for _, n := range b.needed {
		slices.Sort(n.lists)
	}
	return out, nil
}

func (b *builder) need(room int64) *needs {
	n := b.needed[room]
	if n == nil {
		n = &needs{userID: b.q.UserID}
		b.needed[room] = n
	}
	return n
}

// subscriptions adds the rooms that are subscribed to: "Rooms that a user subscribes to that they do
// not have permission to see, or that does not exist, should be ignored by the server."
func (b *builder) subscriptions(ctx context.Context) error {
	for id, c := range b.q.Subscriptions {
		name, err := b.store.RoomByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		st, ok := b.rooms[name.NID]
		if !ok || st.Forgotten || c.Required.everybody() && b.store.Span(name.NID).At(b.view.Pos) {
			continue
		}
		if ok, err := b.mayShow(ctx, st); err != nil {
			return err
		} else if ok {
			b.need(name.NID).add(c)
		}
	}
	return nil
}

// mayShow keeps back invitations by those whom the user ignores, and rooms that the user was banned
// from without ever having been in: "the server should only return rooms the user: is or has
// previously been joined to, is invited to (or rejected an invite to), or has knocked on".
func (b *builder) mayShow(ctx context.Context, st homesync.Standing) (bool, error) {
	switch st.Membership.Membership {
	case "invite":
		own, err := b.store.Event(ctx, st.Event)
		if err != nil || b.own.ignored[string(own.Sender)] {
			return false, err
		}
		if b.own.invites == nil {
			f, err := invitefilter.Load(ctx, b.store, b.q.User)
			if err != nil {
				return false, err
			}
			b.own.invites = &f
		}
		return b.own.invites.Judge(string(own.Sender)) == invitefilter.Allow, nil
	case "ban":
		return b.thrownOut(ctx, st)
	}
	return true, nil
}

// eligible lists the rooms that lists are made of, the newest first: "the set of rooms that the user
// either joined, been invited, knocked on, left, or been kicked or banned from, sorted by recent
// activity"; "Rooms that the user has been in but left are only included if the room was previously
// sent to the client in that connection. Rooms the user has been kicked or banned from will always be
// included".
func (b *builder) eligible(ctx context.Context) ([]homesync.Standing, error) {
	all := make([]homesync.Standing, 0, len(b.view.Rooms))
	for _, st := range b.view.Rooms {
		ok := !st.Forgotten
		var err error
		switch st.Membership.Membership {
		case "leave":
			if ok = ok && b.base.rooms[st.Room] != nil; !ok && !st.Forgotten {
				ok, err = b.thrownOut(ctx, st)
			}
		case "invite", "ban":
			ok, err = b.mayShow(ctx, st)
		}
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, st)
		}
	}
	slices.SortFunc(all, compareRooms)
	return all, nil
}

// thrownOut tells whether a user who is not in a room any more was put out of it by somebody else.
func (b *builder) thrownOut(ctx context.Context, st homesync.Standing) (bool, error) {
	if v, ok := b.s.left.Get(st.Event); ok {
		return v, nil
	}
	own, err := b.store.Event(ctx, st.Event)
	if err != nil {
		return false, err
	}
	out := string(own.Sender) != b.q.UserID
	if out && own.Replaces != 0 {
		was, err := b.store.Event(ctx, own.Replaces)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		out = err == nil && was.Membership() == "join"
	} else {
		out = false
	}
	b.s.left.Add(st.Event, out)
	return out, nil
}

// facts are what filters look at: that in known, as of a state.
type facts struct {
	known     facet
	root      statetree.Ref
	typ, name string
	encrypted bool
}

// facet is a set of facts.
type facet int

const (
	hasType facet = 1 << iota
	hasName
	hasEncryption
)

// looks tells which facts a filter looks at.
func (f Filters) looks() (out facet) {
	if f.RoomTypes != nil || f.NotRoomTypes != nil {
		out |= hasType
	}
	if f.NameLike != "" {
		out |= hasName
	}
	if f.IsEncrypted != nil {
		out |= hasEncryption
	}
	return out
}

// factsOf reads facts; of a room that one is not in they are those of the invitation.
func (b *builder) factsOf(ctx context.Context, st homesync.Standing, need facet) (facts, error) {
	if st.Membership.Membership != "join" {
		own, err := b.store.Event(ctx, st.Event)
		if err != nil {
			return facts{}, err
		}
		return b.readFacts(ctx, facts{root: own.Root}, need)
	}
	f, _ := b.s.facts.Get(st.Room)
	if need == hasType && f.known&hasType != 0 {
		return f, nil // it never changes
	}
	root, err := st.RootAt(ctx, b.store, b.view.Pos)
	if err != nil {
		return f, err
	}
	if f.root != root {
		f.root, f.known = root, f.known&hasType
	}
	if f.known&need == need {
		return f, nil
	}
	if f, err = b.readFacts(ctx, f, need); err == nil {
		b.s.facts.Add(st.Room, f)
	}
	return f, err
}

func (b *builder) readFacts(ctx context.Context, f facts, need facet) (_ facts, err error) {
	if need &^= f.known; need&hasType != 0 {
		if f.typ, err = content(ctx, b.store, f.root, "m.room.create", "", "type"); err != nil {
			return f, err
		}
	}
	if need&hasName != 0 {
		if f.name, err = content(ctx, b.store, f.root, "m.room.name", "", "name"); err != nil {
			return f, err
		}
	}
	if need&hasEncryption != 0 {
		nid, err := stateNID(ctx, b.store, f.root, store.StateKey{Type: "m.room.encryption"})
		if err != nil {
			return f, err
		}
		f.encrypted = nid != 0
	}
	f.known |= need
	return f, nil
}

// prefetch reads the create events of rooms whose type is not known yet all at once, which is much
// faster than one by one.
func (b *builder) prefetch(ctx context.Context, all []homesync.Standing) error {
	var nids []int64
	for _, st := range all {
		if f, ok := b.s.facts.Get(st.Room); ok && f.known&hasType != 0 || st.Membership.Membership != "join" {
			continue
		}
		root, err := st.RootAt(ctx, b.store, b.view.Pos)
		if err != nil {
			return err
		}
		nid, err := stateNID(ctx, b.store, root, store.StateKey{Type: "m.room.create"})
		if err != nil {
			return err
		}
		if nid != 0 {
			nids = append(nids, nid)
		}
	}
	for chunk := range slices.Chunk(nids, prefetchChunk) {
		if _, err := b.store.Events(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

// prefetchChunk is how many events are asked for at a time.
const prefetchChunk = 512

// filter keeps the rooms that match.
func (b *builder) filter(ctx context.Context, all []homesync.Standing, f Filters) ([]homesync.Standing, error) {
	invited := f.IsInvited
	if invited == nil {
		invited = f.IsInvite
	}
	var children map[string]bool
	var err error
	if f.Spaces != nil {
		if children, err = b.children(ctx, f.Spaces); err != nil {
			return nil, err
		}
	}
	need := f.looks()
	if need&hasType != 0 {
		if err := b.prefetch(ctx, all); err != nil {
			return nil, err
		}
	}
	out := make([]homesync.Standing, 0, len(all))
	for _, st := range all {
		if invited != nil && *invited != (st.Membership.Membership == "invite") {
			continue
		}
		if tags := b.own.tags[st.Room]; f.Tags != nil && !slices.ContainsFunc(f.Tags, func(t string) bool { return tags[t] }) ||
			slices.ContainsFunc(f.NotTags, func(t string) bool { return tags[t] }) {
			continue
		}
		if f.IsDM != nil || children != nil {
			name, err := b.store.RoomByNID(ctx, st.Room)
			if err != nil {
				return nil, err
			}
			if f.IsDM != nil && *f.IsDM != b.own.dms[name.ID] || children != nil && !children[name.ID] {
				continue
			}
		}
		if need != 0 {
			r, err := b.factsOf(ctx, st, need)
			if err != nil {
				return nil, err
			}
			if !f.match(r) {
				continue
			}
		}
		out = append(out, st)
	}
	return out, nil
}

func (f Filters) match(r facts) bool {
	is := func(t *string) bool { return t == nil && r.typ == "" || t != nil && *t == r.typ && *t != "" }
	return (f.IsEncrypted == nil || *f.IsEncrypted == r.encrypted) &&
		(f.RoomTypes == nil || slices.ContainsFunc(*f.RoomTypes, is)) && !slices.ContainsFunc(f.NotRoomTypes, is) &&
		(f.NameLike == "" || strings.Contains(strings.ToLower(r.name), strings.ToLower(f.NameLike)))
}

// children lists the rooms in some spaces: "The server will inspect the m.space.child state events
// for the JOINED space room IDs given. Servers MUST NOT navigate subspaces."
func (b *builder) children(ctx context.Context, spaces []string) (map[string]bool, error) {
	out := map[string]bool{}
	for _, id := range spaces {
		name, err := b.store.RoomByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		st, ok := b.rooms[name.NID]
		if !ok || st.Membership.Membership != "join" {
			continue
		}
		root, err := st.RootAt(ctx, b.store, b.view.Pos)
		if err != nil {
			return nil, err
		}
		entries, err := homesync.StateChanges(ctx, b.store, st.Room, 0, root, true)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			k, err := b.store.StateKey(ctx, e.Key)
			if err != nil {
				return nil, err
			}
			if k.Type != "m.space.child" {
				continue
			}
			// A child is one only while it says by which servers to reach it.
			if child, err := b.store.Event(ctx, e.NID); err != nil {
				return nil, err
			} else if gjson.GetBytes(child.Content, "via").IsArray() {
				out[k.Key] = true
			}
		}
	}
	return out, nil
}
