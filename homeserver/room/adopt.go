package room

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Prepare makes the event that a proposal of another server's user would become, for that server to
// sign. What the rules refuse fails with an mxerror.
func (m *Manager) Prepare(ctx context.Context, room int64, p Proposal) (event.Proto, error) {
	var proto event.Proto
	_, err := m.do(ctx, room, func(ctx context.Context, a *actor, b *batch) (err error) {
		if len(a.tips) == 0 || a.joined[a.m.o.Signer.Server] == 0 {
			return mxerror.NotFound("This server is not in that room.")
		}
		if p.Type == "m.room.member" && p.StateKey != nil {
			if p, err = a.authoriseJoin(ctx, p); err != nil {
				return err
			}
		}
		var auth []*event.Event
		var scrap batch // what resolving adds is made anew when the event comes
		if proto, _, auth, err = a.proto(ctx, &scrap, p); err != nil {
			return err
		}
		defer func() {
			a.m.o.Store.State().Dropped(scrap.packs)
			if len(scrap.packs) > 0 {
				clear(a.resolved)
			}
		}()
		draft, err := event.Build(proto, a.m.o.Signer)
		if err != nil {
			return err
		}
		if err := a.allowedOver(ctx, draft, auth); err != nil {
			return forbidden(err)
		}
		return nil
	})
	return proto, err
}

// Vouch signs a join that names a user of this server as the one who vouches for it, if it is so:
// specification, server-server API, "Restricted rooms": the resident server checks that the joining
// user meets one of the conditions, and adds its signature. It does nothing for other events, and
// is to be called before the rules are applied.
func (m *Manager) Vouch(ctx context.Context, room int64, e *event.Event) error {
	via := gjson.GetBytes(e.Content, viaKey).Str
	if e.Membership() != "join" || store.ServerOf(via) != m.o.Signer.Server || via == "" {
		return nil
	}
	_, err := m.do(ctx, room, func(ctx context.Context, a *actor, _ *batch) error {
		rules, err := a.state(ctx, "m.room.join_rules", "")
		if err != nil {
			return err
		}
		if rules == nil {
			return mxerror.Forbidden("The room is not open to members of other rooms.")
		}
		ok, sure, err := a.inAllowedRoom(ctx, rules, *e.StateKey)
		if err != nil {
			return err
		}
		member, err := a.state(ctx, "m.room.member", *e.StateKey)
		if err != nil {
			return err
		}
		in := member != nil && (member.Membership() == "join" || member.Membership() == "invite")
		if !ok && !in {
			return notAllowed(sure)
		}
		return nil
	})
	if err != nil {
		return err
	}
	signed := e.PDU.Clone()
	hash := signed.Hashes
	if err := signed.Sign(e.Version, m.o.Signer.Server, id.KeyID(m.o.Signer.KeyID), m.o.Signer.Key); err != nil {
		return fmt.Errorf("signing the join: %w", err)
	}
	signed.Hashes = hash
	e.PDU = signed
	return nil
}

// notAllowed answers somebody who is in none of the rooms that a join rule lists; not sure means that
// this server can't know.
func notAllowed(sure bool) error {
	if !sure {
		return mxerror.New(400, "M_UNABLE_TO_AUTHORISE_JOIN", "This server is not in the rooms whose members may join, and can't tell.")
	}
	return mxerror.Forbidden("This room is open to members of certain rooms or spaces only, and you are in none of them.")
}

// Adopt takes the signed event of a send_join, send_leave or send_knock in, after Vouch. Before,
// Packs and Reject are as for Receive. What is refused, softly too, fails with an mxerror and isn't
// kept. The event is sent to the other servers in the room as those made here are.
func (m *Manager) Adopt(ctx context.Context, room int64, r Received) (*event.Event, Snapshot, error) {
	var snap Snapshot
	if r.Reject != nil {
		m.o.Store.State().Dropped(r.Packs)
		return nil, snap, forbidden(r.Reject)
	}
	r.Raw = nil // it may have got our signature
	origin := store.ServerOf(string(r.Event.Sender))
	out, err := m.once(ctx, room, func(ctx context.Context, a *actor, b *batch) error {
		if a.joined[a.m.o.Signer.Server] == 0 {
			return mxerror.NotFound("This server is not in that room.")
		}
		snap.Servers, snap.Prior = a.others, a.others
		o, err := a.receive(ctx, b, r, 0)
		if err != nil {
			return err
		}
		if o.SoftFailed != nil {
			return forbidden(o.SoftFailed)
		}
		if o.Rejected != nil {
			return forbidden(o.Rejected)
		}
		snap.Servers = union(snap.Servers, a.others)
		if !o.Known {
			l := b.landings[len(b.landings)-1]
			l.servers = slices.DeleteFunc(slices.Clone(l.servers), func(s string) bool { return s == origin })
		}
		b.result = []*event.Event{o.Event}
		return nil
	})
	if err != nil {
		m.o.Store.State().Dropped(r.Packs)
		return nil, Snapshot{}, err
	}
	snap.Before = m.o.Store.StateBefore(out[0])
	snap.Servers = append([]string{m.o.Signer.Server}, snap.Servers...)
	snap.Prior = append([]string{m.o.Signer.Server}, snap.Prior...)
	return out[0], snap, nil
}
