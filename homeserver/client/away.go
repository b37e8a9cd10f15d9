package client

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Joins changes memberships of rooms that other servers are in; *joins.Joins does. Errors have a
// public face.
type Joins interface {
	Resident(ctx context.Context, roomID string) (store.RoomName, bool, error)
	Join(ctx context.Context, user, roomID string, via []string, content jsontext.Value) (name store.RoomName, local bool, err error)
	Another(ctx context.Context, user string, name store.RoomName, via []string, content jsontext.Value) (taken bool, err error)
	Vouched(ctx context.Context, user string, name store.RoomName, via []string, content jsontext.Value, here func() error) error
	Knock(ctx context.Context, user, roomID string, via []string, content jsontext.Value) (name store.RoomName, local bool, err error)
	Leave(ctx context.Context, user string, name store.RoomName, via []string, content jsontext.Value) error
	Invite(ctx context.Context, name store.RoomName, p room.Proposal) (*event.Event, error)
}

// located is a room that a client has named.
type located struct {
	id string
	// name is its row, and known tells that there is one; resident, that this server is in the room.
	name            store.RoomName
	known, resident bool
	// via are servers that may be in it.
	via []string
}

// viaMax is how many servers of a request are looked at.
const viaMax = 50

// locate finds a room by its id or alias, here or elsewhere. "via: The servers to attempt to join the
// room through. One of the servers must be participating in the room"; server_name is its name of old.
func (a *API) locate(c *call, s string) (l located, err error) {
	for _, server := range slices.Concat(c.query["via"], c.query["server_name"]) {
		if isServerName(server) && len(l.via) < viaMax {
			l.via = append(l.via, server)
		}
	}
	l.id = s
	if strings.HasPrefix(s, "#") {
		var servers []string
		if l.id, servers, err = a.roomOfAlias(c.ctx, s); err != nil {
			return l, err
		}
		l.via = append(l.via, servers...)
	}
	l.name, err = a.roomByID(c.ctx, l.id)
	if mxerror.Is(err, "M_NOT_FOUND") && a.o.Joins != nil {
		return l, nil
	} else if err != nil {
		return l, err
	}
	l.known, l.resident = true, true
	if a.o.Joins == nil {
		return l, nil
	}
	if _, l.resident, err = a.o.Joins.Resident(c.ctx, l.id); err != nil {
		return l, err
	}
	if !l.resident && len(l.via) > 0 {
		return l, nil // what is known here of who is in the room is of old
	}
	servers, err := a.o.Store.JoinedServers(c.ctx, l.name.NID)
	l.via = append(l.via, servers[:min(len(servers), viaMax)]...)
	return l, err
}

// inviter puts the server of who invited a user in front of those that are asked.
func (l *located) inviter(a *API, ctx context.Context, m store.Membership) error {
	if m.Event == 0 {
		return nil
	}
	e, err := a.o.Store.Event(ctx, m.Event)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	servers := []string{store.ServerOf(string(e.Sender))}
	if m.Membership == "knock" && *e.StateKey == string(e.Sender) {
		servers = nil
	}
	l.via = append(servers, l.via...)
	return nil
}

// joinAway joins a room that this server is not in.
func (a *API) joinAway(c *call, l located, extra object) error {
	if err := c.limit(a.limits.Load().joins); err != nil {
		return err
	}
	if c.session.Guest {
		// Whether they may is for the room to say, which isn't here to be asked.
		a.remotes.spaces.Remove(l.id) // what it said before may be old
		sum, err := a.awaySummary(c.ctx, l)
		if err != nil && !mxerror.Is(err, "M_NOT_FOUND") {
			return err
		}
		if err != nil || !sum.Guests {
			return guestForbidden("Guests may not join this room of another server.")
		}
	}
	content, err := a.memberContent(c.ctx, c.session.UserID, "join", extra)
	if err != nil {
		return err
	}
	name, local, err := a.o.Joins.Join(c.ctx, c.session.UserID, l.id, l.via, content)
	if err != nil || !local {
		return err
	}
	// Somebody else was faster, and so the room is here now.
	_, err = a.o.Rooms.Send(c.ctx, name.NID, room.Proposal{Sender: c.session.UserID, Type: "m.room.member", StateKey: &c.session.UserID, Content: content})
	return err
}

// momentWait is how long somebody waits for a room to be complete before others are asked.
const momentWait = time.Second

// joinAnother joins a room of which this server doesn't know all of the state, by way of another server.
// taken is false where that is not so, or none could be reached.
func (a *API) joinAnother(c *call, l located, extra object) (taken bool, err error) {
	if a.o.Joins == nil || !a.o.Store.Incomplete(l.name.NID) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, momentWait)
	defer cancel()
	if a.o.Store.WaitComplete(ctx, l.name.NID) == nil {
		return false, nil // as most rooms are in a moment
	}
	if err := c.limit(a.limits.Load().joins); err != nil {
		return false, err
	}
	if err := a.guestMayJoin(c, l.name); err != nil {
		return false, err
	}
	content, err := a.memberContent(c.ctx, c.session.UserID, "join", extra)
	if err != nil {
		return false, err
	}
	return a.o.Joins.Another(c.ctx, c.session.UserID, l.name, l.via, content)
}

// joinVouched joins a restricted room that this server is in while nobody of it may invite: "If the
// resident server ... cannot authorise the join, another server must be tried". here is as for Joins.Vouched.
func (a *API) joinVouched(c *call, l located, extra object, here func() error) error {
	content, err := a.memberContent(c.ctx, c.session.UserID, "join", extra)
	if err != nil {
		return err
	}
	return a.o.Joins.Vouched(c.ctx, c.session.UserID, l.name, l.via, content, here)
}

// knockAway knocks on a room that this server is not in.
func (a *API) knockAway(c *call, l located, why object) error {
	if err := c.limit(a.limits.Load().joins); err != nil {
		return err
	}
	content, err := a.memberContent(c.ctx, c.session.UserID, "knock", why)
	if err != nil {
		return err
	}
	name, local, err := a.o.Joins.Knock(c.ctx, c.session.UserID, l.id, l.via, content)
	if err != nil || !local {
		return err
	}
	_, err = a.o.Rooms.Send(c.ctx, name.NID, room.Proposal{Sender: c.session.UserID, Type: "m.room.member", StateKey: &c.session.UserID, Content: content})
	return err
}

// leaveAway turns down an invitation to a room that this server is not in, or takes back a knock.
func (a *API) leaveAway(c *call, l located, m store.Membership, why object) error {
	if err := l.inviter(a, c.ctx, m); err != nil {
		return err
	}
	content, err := a.memberContent(c.ctx, c.session.UserID, "leave", why)
	if err != nil {
		return err
	}
	return a.o.Joins.Leave(c.ctx, c.session.UserID, l.name, l.via, content)
}

// foreign tells whether a user is of another server, which can be asked.
func (a *API) foreign(userID string) bool {
	return a.o.Joins != nil && store.ServerOf(userID) != a.o.ServerName
}

// inviteAway takes the users of other servers out of those whom a new room invites; they are invited
// when there is a room.
func (a *API) inviteAway(q *createRoomRequest) (away []string) {
	if a.o.Joins == nil {
		return nil
	}
	here := []string{}
	for _, u := range q.Invite {
		if !a.foreign(u) {
			here = append(here, u)
		} else if !slices.Contains(away, u) && !slices.Contains(q.InitialMembers, u) {
			away = append(away, u)
		}
	}
	q.Invite = here
	return away
}

// inviteAfter invites users of other servers into a new room. The room is there: where a server does
// not answer, its user can be invited again.
func (a *API) inviteAfter(c *call, name store.RoomName, users []string, direct bool) {
	for _, u := range users {
		extra := object{}
		if direct {
			extra["is_direct"] = jsontext.Value("true")
		}
		content, err := a.memberContent(c.ctx, u, "invite", extra)
		if err == nil {
			_, err = a.o.Joins.Invite(c.ctx, name, room.Proposal{Sender: c.session.UserID, Type: "m.room.member", StateKey: &u, Content: content})
		}
		if err != nil {
			a.o.Log.WarnContext(c.ctx, "inviting a user of another server into a new room", "room", name.ID, "user", u, "err", err)
		}
	}
}
