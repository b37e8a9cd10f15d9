package room

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Found makes a room out of a join by way of another server. What this server knew of the room's end
// before gives way: it may have been out of the room for long.
func (m *Manager) Found(ctx context.Context, f Foundation) (store.RoomName, error) {
	if f.Join.Reject != nil {
		return f.Room, forbidden(f.Join.Reject)
	}
	if !f.Join.Event.IsState() || f.Join.Event.Membership() != "join" {
		return f.Room, mxerror.BadJSON("That is no join.")
	}
	_, err := m.do(ctx, f.Room.NID, func(ctx context.Context, a *actor, b *batch) error {
		before, packs, err := m.StateTree(ctx, f.State)
		if err != nil {
			return err
		}
		b.packs = append(b.packs, packs...)
		if f.Partial {
			if before, err = a.ownMembers(ctx, b, before); err != nil {
				return err
			}
		}
		return a.found(ctx, b, f, before)
	})
	return f.Room, err
}

func (a *actor) found(ctx context.Context, b *batch, f Foundation, before statetree.Ref) error {
	had, err := a.find(ctx, b, f.Join.Event.ID)
	if err == nil && had.Flags&event.Outlier == 0 {
		b.after = a.flight(had)
		return nil
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	l := &landing{raw: f.Join.Raw, missing: f.Join.Missing, quiet: true, own: a.m.o.Signer.Server}
	if err == nil {
		l.placed, l.at = true, had.Pos
	} else {
		had = nil
	}
	e := a.copy(f.Join, had)
	e.Flags |= event.FromFederation | event.Founding
	if f.Partial {
		e.Flags |= event.Partial
	}
	e.Depth = min(max(e.PDU.Depth, a.room.Depth+1, 1), maxDepth)
	if err := a.apply(ctx, b, e, before); err != nil {
		return err
	}
	var changes []statetree.Change
	err = a.m.o.Store.State().Diff(ctx, a.room.Root, e.Root, func(c statetree.Change) { changes = append(changes, c) })
	if err != nil {
		return err
	}
	// Members that are no longer in the state have left as far as is known here.
	a.turned(e, changes)
	slices.SortFunc(changes, func(x, y statetree.Change) int {
		return cmp.Or(cmp.Compare(bit(y.Key == e.Key), bit(x.Key == e.Key)), cmp.Compare(x.Key, y.Key))
	})
	a.aloft[e.NID] = e
	b.add(e, l)
	clear(a.current)
	clear(a.resolved)
	a.power = nil
	b.bulk = true
	servers := slices.DeleteFunc(slices.Clone(f.Servers), func(s string) bool { return s == a.m.o.Signer.Server })
	if !f.Partial {
		servers = nil
	} else if servers == nil {
		servers = []string{}
	}
	a.hold(b, servers)
	for chunk := range slices.Chunk(changes, 64) {
		if err := a.warm(ctx, chunk); err != nil {
			return err
		}
		for _, c := range chunk {
			if err := a.changed(ctx, b, e, l, c); err != nil {
				return err
			}
		}
	}
	b.touched = nil // restore has nothing to take back but a cache that is cleared
	clear(a.current)
	a.list()
	a.room.Root, a.room.Depth, a.room.Extremities = e.Root, e.Depth, []int64{e.NID}
	a.tips = []*event.Event{e}
	b.extra = append(b.extra, func(t *store.Tx) error {
		if err := t.StaleDeviceListsIn(a.nid); err != nil {
			return err
		}
		user, err := t.NameUser(*e.StateKey)
		if err != nil {
			return err
		}
		if err := t.SetInviteState(a.nid, user, nil); err != nil {
			return err
		}
		if !f.Partial {
			return t.DeleteRoomPartial(a.nid)
		}
		return t.SetRoomPartial(store.RoomPartial{Room: a.nid, Join: e.NID, Via: f.Via, Servers: servers, Since: e.Pos})
	})
	b.result = []*event.Event{e}
	return nil
}

// ownMembers adds to a state, of which memberships were left out, those of users of this server as they
// were when the room was left.
func (a *actor) ownMembers(ctx context.Context, b *batch, before statetree.Ref) (statetree.Ref, error) {
	s := a.m.o.Store
	if a.room.Root == 0 {
		return before, nil
	}
	users, err := s.MembersFrom(ctx, a.nid, a.m.o.Signer.Server)
	if err != nil {
		return 0, err
	}
	edit := s.State().Edit(before)
	for _, user := range users {
		k, err := s.StateKeyNID(ctx, store.StateKey{Type: "m.room.member", Key: user})
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return 0, err
		}
		had, ok, err := s.State().Get(ctx, a.room.Root, k)
		if err != nil {
			return 0, err
		}
		if _, told, err := s.State().Get(ctx, before, k); err != nil {
			return 0, err
		} else if !ok || told {
			continue
		}
		if err := edit.Put(ctx, k, had); err != nil {
			return 0, err
		}
	}
	root, packs := edit.Finish()
	b.packs = append(b.packs, packs...)
	return root, nil
}

// warm reads the events of changes all at once.
func (a *actor) warm(ctx context.Context, changes []statetree.Change) error {
	var nids []int64
	for _, c := range changes {
		for _, nid := range [...]int64{c.Old, c.New} {
			if nid != 0 && a.aloft[nid] == nil {
				nids = append(nids, nid)
			}
		}
	}
	_, err := a.m.o.Store.Events(ctx, nids)
	return err
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
