package appservices

import (
	"context"
	"errors"
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/registration"
)

// interest decides what concerns one service. Specification, "Registration": a service is told
// of events "in rooms where any user in its namespace is a member", of those by such users or
// about them, and of those in rooms of its room and alias namespaces.
//
// It judges each event by the state of its room at that event, so that a service that comes back
// after a day hears of what happened while its users were in a room, and not of what came after.
type interest struct {
	store  *store.Store
	set    func() *registration.Set
	id     string
	sender string
	alias  bool // has namespaces of aliases

	// members remembers whether a room has members of the service, as of the last event that was
	// looked at.
	members *lru.Cache[int64, bool]
}

// membersMax bounds what is remembered.
const membersMax = 10000

func newInterest(s *store.Store, server string, set func() *registration.Set, r *registration.Registration) *interest {
	i := &interest{store: s, set: set, id: r.ID, sender: r.SenderID(server), alias: len(r.Namespaces.Aliases) > 0}
	i.members, _ = lru.New[int64, bool](membersMax) // fails for sizes below 1 alone
	return i
}

func (i *interest) among(regs []*registration.Registration) bool {
	return slices.ContainsFunc(regs, func(r *registration.Registration) bool { return r.ID == i.id })
}

// user tells whether a user is the service's: "application services can only register interest in
// local users".
func (i *interest) user(id string) bool {
	return id == i.sender || i.among(i.set().InterestedInUser(id))
}

// event tells whether an event concerns the service. Events must come in the order of the log.
func (i *interest) event(ctx context.Context, e *event.Event) (bool, error) {
	if e.Type == "m.room.member" && e.StateKey != nil && i.user(*e.StateKey) {
		// The room may have got its first member of the service, or lost its last.
		i.members.Remove(e.Room)
		return true, nil
	}
	if i.user(string(e.Sender)) {
		return true, nil
	}
	if e.Type == "m.room.canonical_alias" {
		i.members.Remove(e.Room)
	}
	if ok, known := i.members.Get(e.Room); known {
		return ok, nil
	}
	ok, err := i.lookRoom(ctx, e.Room, i.store.StateBefore(e))
	if err == nil {
		i.members.Add(e.Room, ok)
	}
	return ok, err
}

// room tells whether a room concerns the service at a position of the log.
func (i *interest) room(ctx context.Context, nid, pos int64) (bool, error) {
	if ok, known := i.members.Get(nid); known {
		return ok, nil
	}
	root, err := i.store.RootAt(ctx, nid, pos)
	if err != nil {
		return false, err
	}
	return i.lookRoom(ctx, nid, store.StateView{Root: root, Complete: true})
}

func (i *interest) lookRoom(ctx context.Context, nid int64, state store.StateView) (bool, error) {
	name, err := i.store.RoomByNID(ctx, nid)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil // removed since
	} else if err != nil {
		return false, err
	}
	if i.among(i.set().InterestedInRoom(name.ID)) {
		return true, nil
	}
	if i.alias {
		aliases, err := i.store.AliasesOf(ctx, nid)
		if err != nil {
			return false, err
		}
		for _, a := range aliases {
			if i.among(i.set().InterestedInAlias(a.Alias)) {
				return true, nil
			}
		}
	}
	// Mostly the service's own bot is there, and need not be looked for among thousands.
	if ok, err := i.joined(ctx, state, i.sender); ok || err != nil {
		return ok, err
	}
	// Everybody who was ever a member has a row, also who is gone by now.
	members, err := i.store.MembersOf(ctx, nid)
	if err != nil {
		return false, err
	}
	for _, m := range members {
		id, err := i.store.UserID(ctx, m.User)
		if err != nil {
			return false, err
		}
		if !i.user(id) {
			continue
		}
		if ok, err := i.joined(ctx, state, id); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// joined tells whether a user is a member, in a state of a room.
func (i *interest) joined(ctx context.Context, state store.StateView, user string) (bool, error) {
	e, err := i.store.StateOf(ctx, state, "m.room.member", user)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && e.Membership() == "join", err
}
