package sync

import (
	"context"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/invitefilter"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// invited writes a room that the user is invited to.
func (b *builder) invited(ctx context.Context, st Standing) (bool, error) {
	return b.stripped(ctx, st, "invite", "invite_state")
}

// knocked writes a room that the user has knocked on.
func (b *builder) knocked(ctx context.Context, st Standing) (bool, error) {
	return b.stripped(ctx, st, "knock", "knock_state")
}

// strippedTypes is what somebody outside is told of a room: specification, "Stripped state":
// "servers SHOULD include m.room.create, name, avatar, topic, join_rules, canonical_alias and
// encryption".
var strippedTypes = [...]string{"m.room.create", "m.room.name", "m.room.avatar", "m.room.topic",
	"m.room.join_rules", "m.room.canonical_alias", "m.room.encryption"}

// stripped writes a room of which the user sees no more than its stripped state. When the list of
// ignored users has changed, invitations are told again: among them may be one that was hidden.
func (b *builder) stripped(ctx context.Context, st Standing, membership, section string) (bool, error) {
	if st.Membership.Membership != membership {
		return false, nil
	}
	again := b.q.FullState || b.q.Initial || b.relisted && membership == "invite"
	if !again && st.Pos <= b.since() {
		return false, nil
	}
	name, ok, err := b.wants(ctx, st)
	if err != nil || !ok {
		return false, err
	}
	own, err := b.s.o.Store.Event(ctx, st.Event)
	if err != nil {
		return false, err
	}
	if membership == "invite" {
		ok, err := b.invitable(ctx, string(own.Sender))
		if err != nil || !ok {
			return false, err
		}
	}
	o := b.out
	o.quote(name.ID)
	o.str(`:{"` + section + `":{"events":`)
	if o.buf, err = b.rend.Stripped(ctx, o.buf, own); err != nil {
		return false, err
	}
	o.str("}}")
	return true, nil
}

// invitable tells whether the user is shown invitations by a sender.
func (b *builder) invitable(ctx context.Context, sender string) (bool, error) {
	if b.ignored[sender] {
		return false, nil
	}
	if b.invites == nil {
		f, err := invitefilter.Load(ctx, b.s.o.Store, b.q.User)
		if err != nil {
			return false, err
		}
		b.invites = &f
	}
	return b.invites.Judge(sender) == invitefilter.Allow, nil
}

// Stripped appends what an invited or knocking user is told of a room, as a JSON array: the
// stripped state, and the membership event itself.
func (r Render) Stripped(ctx context.Context, dst []byte, own *event.Event) ([]byte, error) {
	if own.Flags&event.Outlier != 0 {
		return r.told(ctx, dst, own)
	}
	events, err := StrippedState(ctx, r.Store, own)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '[')
	for i, e := range events {
		if i > 0 {
			dst = append(dst, ',')
		}
		// The create event whole, so that clients can tell who made the room (MSC4311).
		if e != own && e.Type != "m.room.create" {
			dst = e.AppendStripped(dst)
		} else if dst, err = r.Event(ctx, dst, e); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// told is Stripped for a room that this server is not in: what another one has told of it.
func (r Render) told(ctx context.Context, dst []byte, own *event.Event) (_ []byte, err error) {
	user, err := r.Store.UserNID(ctx, *own.StateKey)
	if err != nil {
		return dst, err
	}
	raw, err := r.Store.InviteState(ctx, own.Room, user)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return dst, err
	}
	dst = append(dst, '[')
	for _, e := range gjson.ParseBytes(raw).Array() {
		if !e.IsObject() || e.Get("type").Str == own.Type && e.Get("state_key").Str == *own.StateKey {
			continue
		}
		dst = append(append(dst, e.Raw...), ',')
	}
	if dst, err = r.Event(ctx, dst, own); err != nil {
		return dst, err
	}
	return append(dst, ']'), nil
}

// StrippedState is what an invited or knocking user is told of a room; the last is the
// membership event itself.
func StrippedState(ctx context.Context, s *store.Store, own *event.Event) ([]*event.Event, error) {
	var out []*event.Event
	add := func(typ, key string) error {
		e, err := s.StateEvent(ctx, own.Root, typ, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		out = append(out, e)
		return nil
	}
	for _, typ := range strippedTypes {
		if err := add(typ, ""); err != nil {
			return nil, err
		}
	}
	if string(own.Sender) != *own.StateKey {
		if err := add("m.room.member", string(own.Sender)); err != nil {
			return nil, err
		}
	}
	return append(out, own), nil
}
