package appservices

import (
	"context"
	"errors"
	"regexp"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/registration"
)

// interest decides what concerns one service. Specification, "Registration": a service is told
// of events "in rooms where any user in its namespace is a member", of those by such users or
// about them, and of those in rooms of its room and alias namespaces.
type interest struct {
	store  *store.Store
	sender string
	users  []*regexp.Regexp
	rooms  []*regexp.Regexp
	alias  []*regexp.Regexp

	// members remembers whether a room has members of the service, byUser whether a user is one.
	members *lru.Cache[int64, bool]
	byUser  *lru.Cache[string, bool]
}

// Bounds of what is remembered.
const (
	membersMax = 10000
	byUserMax  = 50000
)

func newInterest(s *store.Store, server string, r *registration.Registration) *interest {
	i := &interest{store: s, sender: r.SenderID(server),
		users: compile(r.Namespaces.Users), rooms: compile(r.Namespaces.Rooms), alias: compile(r.Namespaces.Aliases)}
	i.members, _ = lru.New[int64, bool](membersMax)
	i.byUser, _ = lru.New[string, bool](byUserMax)
	return i
}

// compile compiles namespaces, which match from the start of a name. They were checked when the
// registration was read.
func compile(ns []registration.Namespace) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, n := range ns {
		if re, err := regexp.Compile(`^(?:` + n.Regex + `)`); err == nil {
			out = append(out, re)
		}
	}
	return out
}

func matchAny(res []*regexp.Regexp, s string) bool {
	for _, re := range res {
		if re.MatchString(s) {
			return true
		}
	}
	return false
}

// user tells whether a user is the service's.
func (i *interest) user(id string) bool {
	if id == i.sender {
		return true
	}
	if ok, known := i.byUser.Get(id); known {
		return ok
	}
	ok := matchAny(i.users, id)
	i.byUser.Add(id, ok)
	return ok
}

// event tells whether an event concerns the service.
func (i *interest) event(ctx context.Context, e *event.Event) (bool, error) {
	if e.Type == "m.room.member" && e.StateKey != nil {
		if i.user(*e.StateKey) {
			// The room may have got its first member of the service, or lost its last.
			i.members.Remove(e.Room)
			return true, nil
		}
	}
	if i.user(string(e.Sender)) {
		return true, nil
	}
	return i.room(ctx, e.Room)
}

// room tells whether a room concerns the service.
func (i *interest) room(ctx context.Context, nid int64) (bool, error) {
	if ok, known := i.members.Get(nid); known {
		return ok, nil
	}
	ok, err := i.lookRoom(ctx, nid)
	if err == nil {
		i.members.Add(nid, ok)
	}
	return ok, err
}

func (i *interest) lookRoom(ctx context.Context, nid int64) (bool, error) {
	name, err := i.store.RoomByNID(ctx, nid)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil // removed since
	} else if err != nil {
		return false, err
	}
	if matchAny(i.rooms, name.ID) {
		return true, nil
	}
	if len(i.alias) > 0 {
		aliases, err := i.store.AliasesOf(ctx, nid)
		if err != nil {
			return false, err
		}
		for _, a := range aliases {
			if matchAny(i.alias, a.Alias) {
				return true, nil
			}
		}
	}
	// Mostly the service's own bot is there, and need not be looked for among thousands.
	if bot, err := i.store.UserNID(ctx, i.sender); err == nil {
		if m, err := i.store.Membership(ctx, nid, bot); err == nil && m.Membership == "join" {
			return true, nil
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	members, err := i.store.MembersOf(ctx, nid)
	if err != nil {
		return false, err
	}
	for _, m := range members {
		if m.Membership != "join" {
			continue
		}
		id, err := i.store.UserID(ctx, m.User)
		if err != nil {
			return false, err
		}
		if i.user(id) {
			return true, nil
		}
	}
	return false, nil
}
