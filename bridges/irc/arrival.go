package irc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
)

const (
	// arrivalGroup is how many people arrive in one turn of a room: what is said
	// meanwhile comes between two turns.
	arrivalGroup = 256
	// arrivalWorkers is how many requests are made at a time.
	arrivalWorkers = 32
)

// arrivals are the people of a channel whose ghosts are still to join its room. It
// belongs to the turns of the room's portal.
type arrivals struct {
	list  []member
	gone  map[networkid.UserID]bool // what happened to them since is known
	round int                       // of the last list of names
	begun time.Time
	total int
	// fetched says that the room's members were asked for in this run.
	fetched bool
}

// drop takes somebody off the list.
func (a *arrivals) drop(ghost networkid.UserID) {
	if len(a.list) > 0 {
		a.gone[ghost] = true
	}
}

// next takes some people off the list.
func (a *arrivals) next() []member {
	var group []member
	for len(a.list) > 0 && len(group) < arrivalGroup {
		if m := a.list[0]; !a.gone[m.ghost] {
			group = append(group, m)
		}
		a.list = a.list[1:]
	}
	if len(a.list) == 0 {
		a.list, a.gone = nil, nil
	}
	return group
}

// onNames takes over the whole membership of a channel after a join. The room is
// there first, and its people come group by group.
func (n *network) onNames(e *names) {
	ch := n.channel(e.channel)
	if ch == nil {
		return
	}
	n.outbox.unblock(ch.Name)
	topic := plainTopic(e.topic)
	if was, closed := n.frozen.of(ch.Name); closed {
		topic = plainTopic(was.Topic)
	}
	meta := n.meta(bridgev2.RemoteEventChatResync, ch, e.time, "", "")
	meta.CreatePortal = true
	meta.PostHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) { n.takeOver(ctx, portal, ch, e.members) }
	n.queue(&simplevent.ChatResync{
		EventMeta: meta,
		GetChatInfoFunc: func(ctx context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
			info, err := n.GetChatInfo(ctx, portal)
			if err != nil {
				return nil, err
			}
			info.Topic = &topic
			if portal.MXID != "" {
				info.Members = nil // see takeOver
			}
			return info, nil
		},
	})
	n.outage.joined(ch)
}

// takeOver makes a room's ghosts those of a list of names.
func (n *network) takeOver(ctx context.Context, portal *bridgev2.Portal, ch *channel, members []member) {
	if portal.MXID == "" {
		return
	}
	a := &ch.arrivals
	current, err := n.roomMembers(ctx, portal, a)
	if err != nil {
		n.log.Error("the people of a channel are not all shown", "error", err)
		return
	}
	present := make(map[id.UserID]bool, len(members))
	*a = arrivals{gone: make(map[networkid.UserID]bool), round: a.round + 1, begun: time.Now(), fetched: true}
	all := n.all(ch)
	if !all {
		n.log.Info("the people of a channel come to its room when they say something", "channel", ch.Name, "people", len(members))
	}
	for _, m := range members {
		user := n.b.br.Matrix.GhostIntent(m.ghost).GetMXID()
		present[user] = true
		if !all && (current[user] == nil || current[user].Membership != event.MembershipJoin) {
			continue
		}
		if now := current[user]; now == nil || now.Membership != event.MembershipJoin || now.Displayname != m.nick {
			a.list = append(a.list, m)
		}
	}
	a.total = len(a.list)
	var left []networkid.UserID
	for user, now := range current {
		if present[user] || now.Membership != event.MembershipJoin && now.Membership != event.MembershipInvite {
			continue
		}
		ghost, ok := n.b.br.Matrix.ParseGhostMXID(user)
		if network, _, of := splitGhost(ghost); ok && of && network == n.cfg.ID {
			left = append(left, ghost)
		}
	}
	each(n, left, func(ghost networkid.UserID) {
		g, err := n.b.br.GetGhostByID(ctx, ghost)
		if err == nil {
			err = n.leave(ctx, portal, g, g.Intent, "", time.Time{})
		}
		if err != nil {
			n.log.Warn("somebody who has left is still shown", "ghost", ghost, "error", err)
		}
	})
	n.arrive(ctx, portal, ch, a.round)
	n.followRanks(ctx, portal, ch)
}

// roomMembers returns who is in a room: for the first time in a run by asking, and
// then as it is remembered.
func (n *network) roomMembers(ctx context.Context, portal *bridgev2.Portal, a *arrivals) (map[id.UserID]*event.MemberEventContent, error) {
	client := clientOf(n.b.br.Bot)
	if client == nil || a.fetched {
		return n.b.br.Matrix.GetMembers(ctx, portal.MXID)
	}
	resp, err := client.Members(ctx, portal.MXID)
	if err != nil {
		return nil, err
	}
	out := make(map[id.UserID]*event.MemberEventContent, len(resp.Chunk))
	for _, evt := range resp.Chunk {
		out[id.UserID(evt.GetStateKey())] = evt.Content.AsMember()
	}
	return out, nil
}

// arrive lets the next group of people arrive, and queues a turn for the rest.
func (n *network) arrive(ctx context.Context, portal *bridgev2.Portal, ch *channel, round int) {
	a := &ch.arrivals
	if a.round != round {
		return // there is a newer list
	}
	group := a.next()
	n.introduceAll(ctx, group)
	n.joinAll(ctx, portal, group)
	if len(a.list) == 0 {
		if a.total > arrivalGroup {
			n.log.Info("the people of a channel are in its room", "channel", ch.Name, "people", a.total, "took", time.Since(a.begun))
		}
		return
	}
	// A portal must not wait for room in its own queue.
	n.background(func() {
		n.queueTurn(ch, func(ctx context.Context, portal *bridgev2.Portal) { n.arrive(ctx, portal, ch, round) })
	})
}

// each calls f for the elements of a list, from several goroutines.
func each[T any](n *network, list []T, f func(T)) {
	work := appservice.Work{By: n.b.spawn}
	next := make(chan T)
	for range min(arrivalWorkers, len(list)) {
		work.Go(func() {
			for x := range next {
				f(x)
			}
		})
	}
	for _, x := range list {
		next <- x
	}
	close(next)
	work.Wait()
}

// introduceAll is introduce for many at a time. Those who are being introduced
// elsewhere are left to that, and waited for: nobody can join who has no account yet.
func (n *network) introduceAll(ctx context.Context, group []member) {
	mine := n.people.claimNew(group)
	defer func() {
		for _, m := range group {
			n.people.await(m.ghost)
		}
	}()
	names := make(map[networkid.UserID]string, len(mine))
	defer func() {
		for _, m := range mine {
			n.people.release(m.ghost, names[m.ghost])
		}
	}()
	var fresh []*newGhost
	for _, m := range mine {
		row, err := n.b.br.DB.Ghost.GetByID(ctx, m.ghost)
		switch {
		case err != nil:
			n.log.Error("a person is not shown as they should be", "error", err)
		case row == nil:
			fresh = append(fresh, &newGhost{member: m, intent: n.b.br.Matrix.GhostIntent(m.ghost)})
		case row.Name == m.nick && row.NameSet && row.AvatarSet:
			names[m.ghost] = m.nick
		default:
			if n.updateGhost(ctx, m.ghost, m.nick) {
				names[m.ghost] = m.nick
			}
		}
	}
	each(n, fresh, func(g *newGhost) { g.err = n.registerGhost(ctx, g) })
	err := n.b.br.DB.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, g := range fresh {
			if err := n.storeGhost(ctx, g); err != nil {
				return err
			}
		}
		return nil
	})
	for _, g := range fresh {
		switch {
		case err == nil && g.err == nil:
			names[g.ghost] = g.nick
		case g.err != nil:
			n.log.Error("a person is not shown as they should be", "ghost", g.ghost, "error", g.err)
		}
	}
	if err != nil {
		n.log.Error("people are not shown as they should be", "people", len(fresh), "error", err)
	}
}

// newGhost is a ghost that the bridge has not met before.
type newGhost struct {
	member
	intent bridgev2.MatrixAPI
	err    error
}

// registerGhost makes a ghost's account and profile.
func (n *network) registerGhost(ctx context.Context, g *newGhost) error {
	client := clientOf(g.intent)
	if client == nil {
		return nil
	}
	// Not EnsureRegistered, which stores the success with a commit of its own; see
	// storeGhost.
	if err := client.Register(ctx); err != nil && !errors.Is(err, mautrix.MUserInUse) {
		return fmt.Errorf("register a ghost: %w", err)
	}
	client.Registered = true
	name := n.b.br.Network.GetName()
	profile := profile{BeeperProfileExtra: event.BeeperProfileExtra{
		RemoteID: string(g.ghost), Identifiers: identifiers(g.nick), Service: name.BeeperBridgeType, Network: name.NetworkID,
	}, Displayname: g.nick}
	caps := n.b.br.Matrix.GetCapabilities()
	if caps.ReplaceEntireProfile {
		return g.intent.SetProfile(ctx, profile)
	}
	if err := g.intent.SetDisplayName(ctx, g.nick); err != nil || !caps.ExtraProfileMeta {
		return err
	}
	return g.intent.SetExtraProfileMeta(ctx, profile.BeeperProfileExtra)
}

// profile is a ghost's whole profile.
type profile struct {
	event.BeeperProfileExtra
	Displayname string `json:"displayname"`
}

// storeGhost stores that a ghost is registered and named, as the framework does.
func (n *network) storeGhost(ctx context.Context, g *newGhost) error {
	if client := clientOf(g.intent); client != nil && client.Registered {
		if err := client.StateStore.(registrations).MarkRegistered(ctx, client.UserID); err != nil {
			return fmt.Errorf("store that a ghost is registered: %w", err)
		}
	}
	if g.err != nil {
		return nil
	}
	if row, err := n.b.br.DB.Ghost.GetByID(ctx, g.ghost); err != nil || row != nil {
		return err
	}
	caps := n.b.br.Matrix.GetCapabilities()
	row := &database.Ghost{ID: g.ghost, Name: g.nick, NameSet: true, AvatarSet: true}
	if caps.ReplaceEntireProfile || caps.ExtraProfileMeta {
		row.ContactInfoSet, row.Identifiers = true, identifiers(g.nick)
	}
	return n.b.br.DB.Ghost.Insert(ctx, row)
}

// registrations is the part of appservice.StateStore that storeGhost needs.
type registrations interface {
	MarkRegistered(context.Context, id.UserID) error
}

// joinAll brings ghosts into a room.
func (n *network) joinAll(ctx context.Context, portal *bridgev2.Portal, group []member) {
	type arriving struct {
		user    id.UserID
		content *event.MemberEventContent
		store   mautrix.StateStore
	}
	var mu sync.Mutex
	var joined []arriving
	each(n, group, func(m member) {
		intent := n.b.br.Matrix.GhostIntent(m.ghost)
		client := clientOf(intent)
		name, known := n.people.name(m.ghost) // perhaps not the one on the list any more
		if client == nil || !known {
			if ghost, err := n.b.br.GetGhostByID(ctx, m.ghost); err == nil {
				err = n.join(ctx, portal, ghost, time.Time{})
				n.logArrival(m, err)
			}
			return
		}
		content := &event.MemberEventContent{Membership: event.MembershipJoin, Displayname: name}
		// Not SendState, which stores the success with a commit of its own.
		url := client.BuildClientURL("v3", "rooms", portal.MXID, "state", "m.room.member", intent.GetMXID())
		_, err := client.MakeRequest(ctx, http.MethodPut, url, content, nil)
		if errors.Is(err, mautrix.MForbidden) {
			err = n.admit(ctx, portal, intent)
		}
		n.logArrival(m, err)
		if err == nil {
			mu.Lock()
			joined = append(joined, arriving{intent.GetMXID(), content, client.StateStore})
			mu.Unlock()
		}
	})
	err := n.b.br.DB.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, j := range joined {
			if err := j.store.SetMember(ctx, portal.MXID, j.user, j.content); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		// The next thing that they do shows that they are there.
		n.log.Warn("the bridge does not remember who is in a room", "error", err)
	}
}

func (n *network) logArrival(m member, err error) {
	if err != nil {
		n.log.Warn("somebody on IRC is not in their room", "ghost", m.ghost, "error", err)
	}
}

func identifiers(nick string) []string { return []string{"irc:" + nick} }
