package joins

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Join takes a user into a room that nobody of this server is in, by the servers given. content is
// that of the membership event, complete. It returns when the room can be used. One join of each room
// is under way at a time; whoever waited finds the room there and has to join in it: local is true
// then, and nothing was done.
func (j *Joins) Join(ctx context.Context, user, room string, via []string, content jsontext.Value) (name store.RoomName, local bool, err error) {
	done, err := j.alone(ctx, room)
	if err != nil {
		return store.RoomName{}, false, err
	}
	defer done()
	if name, ok, err := j.Resident(ctx, room); err != nil || ok {
		return name, true, err
	}
	servers := j.field(via, serverOf(room))
	if len(servers) == 0 {
		return store.RoomName{}, false, errNoServers
	}
	ask := func(ctx context.Context, server string) (fclient.Template, error) {
		return j.o.Remote.MakeJoin(ctx, server, room, user, versions())
	}
	use := func(server string, t fclient.Template) error {
		name, err = j.joinBy(fclient.Urgent(ctx), server, t, room, user, content)
		return err
	}
	if err := race(ctx, servers, ask, use, func(error) bool { return ctx.Err() != nil }); err != nil {
		j.o.Log.InfoContext(ctx, "joining a room of other servers failed", "room", room, "err", err)
		return store.RoomName{}, false, public(err)
	}
	return name, false, nil
}

// Resident tells whether this server is in a room, and so has a state of it that it keeps up. So it does
// with a room that nobody is in any more.
func (j *Joins) Resident(ctx context.Context, room string) (store.RoomName, bool, error) {
	name, err := j.o.Store.RoomByID(ctx, room)
	if errors.Is(err, store.ErrNotFound) {
		return name, false, nil
	} else if err != nil {
		return name, false, err
	}
	row, err := j.o.Store.LoadRoom(ctx, name.NID)
	if err != nil || row.Root == 0 {
		return name, false, err
	}
	servers, err := j.o.Store.JoinedServers(ctx, name.NID)
	return name, len(servers) == 0 || slices.Contains(servers, j.o.Signer.Server), err
}

// joinBy joins by one server, which has sent a template.
func (j *Joins) joinBy(ctx context.Context, server string, t fclient.Template, room, user string, content jsontext.Value) (store.RoomName, error) {
	join, err := j.complete(t, room, user, "join", content)
	if err != nil {
		return store.RoomName{}, err
	}
	raw, err := join.JSON()
	if err != nil {
		return store.RoomName{}, err
	}
	g := j.gather(ctx, join.Version, room)
	answer, err := j.o.Remote.SendJoin(ctx, server, room, join.ID, raw, true, g.add)
	if err != nil {
		return store.RoomName{}, err
	}
	if err := g.verify(); err != nil {
		return store.RoomName{}, err
	}
	if answer.Event != nil {
		if err := merge(join, answer.Event, room); err != nil {
			return store.RoomName{}, fmt.Errorf("%s answered a join with something else: %w", server, err)
		}
	}
	if err := j.verify(ctx, join); err != nil {
		return store.RoomName{}, fmt.Errorf("the join by %s: %w", server, err)
	}
	passed := g.ordered()
	state, err := g.stateOf(passed)
	if err != nil {
		return store.RoomName{}, fmt.Errorf("the state by %s: %w", server, err)
	}
	if err := g.checkJoin(join, state, answer.MembersOmitted); err != nil {
		return store.RoomName{}, fmt.Errorf("the state by %s: %w", server, err)
	}
	if left := len(g.events) - len(passed) + g.dropped; left > 0 {
		j.o.Log.WarnContext(ctx, "events of a room's state were left out at joining", "room", room, "server", server, "events", left)
	}
	var lacks *lack
	if answer.MembersOmitted {
		lacks = &lack{via: server, servers: j.partialServers(server, answer.ServersInRoom)}
	}
	return j.found(ctx, join, passed, state, lacks)
}

// partialServers are the servers that are said to be in a room: "servers_in_room ... Required if
// members_omitted is true". It is one that answers the join in any case.
func (j *Joins) partialServers(server string, said []string) []string {
	out := []string{server}
	seen := map[string]bool{server: true, j.o.Signer.Server: true}
	for _, s := range said {
		if s != "" && len(s) <= 255 && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// Leave takes a user out of a room that nobody of this server is in: it turns down an invitation or
// takes back a knock. Where no server helps, the user is out of it here at least.
func (j *Joins) Leave(ctx context.Context, user string, name store.RoomName, via []string, content jsontext.Value) error {
	done, err := j.alone(ctx, name.ID)
	if err != nil {
		return err
	}
	defer done()
	var left *event.Event
	ask := func(ctx context.Context, server string) (fclient.Template, error) {
		return j.o.Remote.MakeLeave(ctx, server, name.ID, user)
	}
	use := func(server string, t fclient.Template) error {
		e, err := j.complete(t, name.ID, user, "leave", content)
		if err != nil {
			return err
		}
		raw, err := e.JSON()
		if err != nil {
			return err
		}
		if err := j.o.Remote.SendLeave(fclient.Urgent(ctx), server, name.ID, e.ID, raw); err != nil {
			return err
		}
		left = e
		return nil
	}
	servers := j.field(via, serverOf(name.ID))
	if err := race(ctx, servers, ask, use, func(error) bool { return ctx.Err() != nil }); err != nil || left == nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		j.o.Log.InfoContext(ctx, "no server took note that a user leaves a room", "room", name.ID, "err", err)
		p := event.Proto{Version: name.Version, RoomID: name.ID, Type: "m.room.member", Sender: user, StateKey: &user, Content: content,
			TS: j.o.Now().UnixMilli(), Depth: 1}
		if left, err = event.Build(p, j.o.Signer); err != nil {
			return err
		}
	}
	return j.outside(ctx, left, nil)
}

// Knock asks to be let into a room that nobody of this server is in.
func (j *Joins) Knock(ctx context.Context, user, room string, via []string, content jsontext.Value) (name store.RoomName, local bool, err error) {
	done, err := j.alone(ctx, room)
	if err != nil {
		return store.RoomName{}, false, err
	}
	defer done()
	if name, ok, err := j.Resident(ctx, room); err != nil || ok {
		return name, true, err
	}
	servers := j.field(via, serverOf(room))
	if len(servers) == 0 {
		return store.RoomName{}, false, errNoServers
	}
	var knock *event.Event
	var state []jsontext.Value
	ask := func(ctx context.Context, server string) (fclient.Template, error) {
		return j.o.Remote.MakeKnock(ctx, server, room, user, versions())
	}
	use := func(server string, t fclient.Template) error {
		e, err := j.complete(t, room, user, "knock", content)
		if err != nil {
			return err
		}
		raw, err := e.JSON()
		if err != nil {
			return err
		}
		if state, err = j.o.Remote.SendKnock(fclient.Urgent(ctx), server, room, e.ID, raw); err == nil {
			knock = e
		}
		return err
	}
	if err := race(ctx, servers, ask, use, func(error) bool { return ctx.Err() != nil }); err != nil {
		return store.RoomName{}, false, public(err)
	}
	if err := j.outside(ctx, knock, state); err != nil {
		return store.RoomName{}, false, err
	}
	name, err = j.o.Store.RoomByID(ctx, room)
	return name, false, err
}

// anotherTime is how long other servers may take to let somebody else in.
const anotherTime = 20 * time.Second

// Another takes a further user into a room that this server is in without knowing all of its state, and
// so who is banned: other servers decide. taken is false, without an error, where none of them could be
// reached: whether the user may be in the room turns out when the state is complete.
func (j *Joins) Another(ctx context.Context, user string, name store.RoomName, via []string, content jsontext.Value) (taken bool, err error) {
	asking, cancel := context.WithTimeout(ctx, anotherTime)
	defer cancel()
	ask := func(ctx context.Context, server string) (fclient.Template, error) {
		return j.o.Remote.MakeJoin(ctx, server, name.ID, user, versions())
	}
	use := func(server string, t fclient.Template) error {
		join, err := j.sendJoin(fclient.Urgent(asking), server, t, name, user, content)
		if err != nil {
			return err
		}
		// From here on the others take the user to be in the room.
		if err := j.o.Take(context.WithoutCancel(ctx), server, name, join); err != nil {
			return fmt.Errorf("taking in the join by %s: %w", server, err)
		}
		taken = true
		return nil
	}
	if err := race(asking, j.field(via, ""), ask, use, func(error) bool { return false }); err != nil && !taken {
		if e, ok := mxerror.As(public(err)); ok && e.Status == 403 {
			return false, e
		}
		j.o.Log.InfoContext(ctx, "no server of an incomplete room let a further user in", "room", name.ID, "err", err)
	}
	return taken, ctx.Err()
}

// sendJoin completes a template and sends it, for a room whose state is here as far as it is needed.
func (j *Joins) sendJoin(ctx context.Context, server string, t fclient.Template, name store.RoomName, user string, content jsontext.Value) (*event.Event, error) {
	join, err := j.complete(t, name.ID, user, "join", content)
	if err != nil {
		return nil, err
	}
	raw, err := join.JSON()
	if err != nil {
		return nil, err
	}
	skip := func(fclient.Section, jsontext.Value) error { return nil } // we have the state
	answer, err := j.o.Remote.SendJoin(ctx, server, name.ID, join.ID, raw, true, skip)
	if err != nil {
		return nil, err
	}
	if answer.Event != nil {
		if err := merge(join, answer.Event, name.ID); err != nil {
			return nil, fmt.Errorf("%s answered a join with something else: %w", server, err)
		}
	}
	if err := j.verify(ctx, join); err != nil {
		return nil, fmt.Errorf("the join by %s: %w", server, err)
	}
	return join, nil
}

// errBehind: the other server's room goes on behind what is known here.
var errBehind = mxerror.Forbidden("This server has yet to hear of what has changed in the room.")

// Vouched joins a restricted room that this server is in by another one that vouches for the user. here joins by this
// server, which could not vouch: when the other one is ready it is tried once more, since the room may have changed
// meanwhile; and if the other one knows of events that are not here, it is for the caller to try again: that is
// M_FORBIDDEN then. With here nil the other server does it in any case.
func (j *Joins) Vouched(ctx context.Context, user string, name store.RoomName, via []string, content jsontext.Value, here func() error) error {
	ask := func(ctx context.Context, server string) (fclient.Template, error) {
		return j.o.Remote.MakeJoin(ctx, server, name.ID, user, versions())
	}
	use := func(server string, t fclient.Template) error {
		if here != nil {
			behind, err := j.behind(ctx, t)
			if err != nil {
				return err
			} else if behind {
				return errBehind
			}
			if err := here(); !mxerror.Is(err, "M_UNABLE_TO_GRANT_JOIN") {
				return err
			}
		}
		join, err := j.sendJoin(fclient.Urgent(ctx), server, t, name, user, content)
		if err != nil {
			return err
		}
		_, err = j.adopt(ctx, name, join)
		return err
	}
	servers := j.field(via, "")
	if len(servers) == 0 {
		return errNoServers
	}
	return public(race(ctx, servers, ask, use, func(err error) bool { return ctx.Err() != nil || errors.Is(err, errBehind) }))
}

// behind tells whether a template follows events that are not here.
func (j *Joins) behind(ctx context.Context, t fclient.Template) (bool, error) {
	for n, id := range gjson.GetBytes(t.Event, "prev_events").Array() {
		if n == prevMax {
			break
		}
		_, err := j.o.Store.EventNID(ctx, id.Str)
		if errors.Is(err, store.ErrNotFound) {
			return true, nil
		} else if err != nil {
			return false, err
		}
	}
	return false, nil
}

// prevMax is how many previous events a template may have.
const prevMax = 20
