package slidingsync

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
	homesync "github.com/landbridge-im/landbridge/homeserver/sync"
)

// roomResult is what is new of a room. What is absent has not changed, or in an initial one is not
// there. Fields with two names have that of the unstable endpoint first.
type roomResult struct {
	Initial    bool     `json:"initial,omitzero"`
	Membership string   `json:"membership"`
	Lists      []string `json:"lists,omitempty"`
	Bump       int64    `json:"bump_stamp,omitzero"`
	IsDM       *bool    `json:"is_dm,omitzero"`

	Name    jsontext.Value `json:"name,omitzero"`
	Avatar  jsontext.Value `json:"avatar,omitzero"`
	Heroes  []hero         `json:"heroes,omitempty"`
	Joined  *int64         `json:"joined_count,omitzero"`
	Invited *int64         `json:"invited_count,omitzero"`

	State       jsontext.Value `json:"required_state,omitzero"`
	Timeline    jsontext.Value `json:"timeline,omitzero"`
	Prev        string         `json:"prev_batch,omitzero"`
	Limited     bool           `json:"limited,omitzero"`
	Live        *int           `json:"num_live,omitzero"`
	OldExpanded bool           `json:"unstable_expanded_timeline,omitzero"`
	Expanded    bool           `json:"expanded_timeline,omitzero"`

	Notifications *int `json:"notification_count,omitzero"`
	Highlights    *int `json:"highlight_count,omitzero"`

	InviteState jsontext.Value `json:"invite_state,omitzero"`
	KnockState  jsontext.Value `json:"knock_state,omitzero"`
	Stripped    jsontext.Value `json:"stripped_state,omitzero"`
}

type hero struct {
	UserID string `json:"user_id"`
	Name   string `json:"displayname,omitzero"`
	Avatar string `json:"avatar_url,omitzero"`
}

// room appends what is new of a room.
func (b *builder) room(ctx context.Context, dst []byte, st homesync.Standing, n *needs) ([]byte, error) {
	name, err := b.store.RoomByNID(ctx, st.Room)
	if err != nil {
		return dst, err
	}
	in, err := b.wasIn(ctx, st)
	if err != nil {
		return dst, err
	}
	part := b.stripped
	if in {
		part = b.full
	}
	res, err := part(ctx, st, n)
	if err != nil {
		return dst, fmt.Errorf("room %s: %w", name.ID, err)
	}
	if res == nil {
		return dst, nil
	}
	b.some = true
	res.Membership, res.Lists = st.Membership.Membership, n.lists
	raw, err := json.Marshal(res)
	if err != nil {
		return dst, fmt.Errorf("room %s: %w", name.ID, err)
	}
	if len(dst) > 1 {
		dst = append(dst, ',')
	}
	dst, _ = jsontext.AppendQuote(dst, name.ID)
	return append(append(dst, ':'), raw...), nil
}

// wasIn tells whether the user is in a room or was until they left.
func (b *builder) wasIn(ctx context.Context, st homesync.Standing) (bool, error) {
	switch st.Membership.Membership {
	case "join":
		return true, nil
	case "leave", "ban":
		own, err := b.store.Event(ctx, st.Event)
		if err != nil || own.Replaces == 0 {
			return false, err
		}
		was, err := b.store.Event(ctx, own.Replaces)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return err == nil && was.Membership() == "join", err
	}
	return false, nil
}

// stripped is what somebody outside is told: "For rooms the user has not been joined to the client
// also gets the stripped state events. This is commonly the case for invites or knocks, but can also
// be for when the user has rejected an invite."
func (b *builder) stripped(ctx context.Context, st homesync.Standing, n *needs) (*roomResult, error) {
	sent, m := b.base.rooms[st.Room], st.Membership.Membership
	if sent != nil && sent.pos >= st.Pos {
		return nil, nil
	}
	own, err := b.store.Event(ctx, st.Event)
	if err != nil {
		return nil, err
	}
	res := &roomResult{Initial: true, Bump: st.Pos}
	var state []byte
	if m == "invite" || m == "knock" {
		state, err = b.rend.Stripped(ctx, nil, own)
	} else {
		// Somebody who does not get in any more needs to know no more than that.
		state = append(own.AppendStripped([]byte{'['}), ']')
	}
	if err != nil {
		return nil, err
	}
	switch {
	case b.q.Stable:
		res.Stripped = state
	case m == "knock":
		res.InviteState, res.KnockState = state, state
	default:
		res.InviteState = state
	}
	name, err := b.store.RoomByNID(ctx, st.Room)
	if err != nil {
		return nil, err
	}
	dm := b.own.dms[name.ID]
	if dm {
		res.IsDM = &dm
	}
	b.next.rooms[st.Room] = &sentRoom{pos: st.Pos, membership: m, bump: st.Pos, dm: dm}
	return res, nil
}

// slice is what there is to tell of a room that the user is or was in.
type slice struct {
	st         homesync.Standing
	n          *needs
	sent       *sentRoom // what the client has; never nil
	initial    bool
	expanded   bool
	from, upto int64
	was, root  statetree.Ref
	diff       []homesync.StateEntry
	// members and name tell whether these have changed.
	members, name, avatar bool
	events                []*event.Event
	limited               bool
}

// full is what somebody inside is told.
func (b *builder) full(ctx context.Context, st homesync.Standing, n *needs) (*roomResult, error) {
	x := &slice{st: st, n: n, sent: b.base.rooms[st.Room], upto: b.view.Pos}
	m := st.Membership.Membership
	if m != "join" {
		x.upto = st.Pos
	}
	// Somebody who comes in meets the room, whatever they knew of it from outside.
	if x.initial = x.sent == nil || m == "join" && x.sent.membership != "join"; x.initial {
		x.sent = &sentRoom{}
	} else if x.from = x.sent.pos; m != "join" && x.sent.membership == "invite" {
		x.initial, x.from = true, 0
	}
	x.expanded = !x.initial && n.limit > x.sent.limit && !x.sent.whole
	required := keyOf(n.configs)
	name, err := b.store.RoomByNID(ctx, st.Room)
	if err != nil {
		return nil, err
	}
	dm := b.own.dms[name.ID]
	unread, err := b.unread(ctx, x)
	if err != nil {
		return nil, err
	}
	counts := unread.Notifications != x.sent.unread.Notifications || unread.Highlights != x.sent.unread.Highlights
	news := x.initial || st.Last > x.from && x.from < x.upto
	if !news && !x.expanded && required == x.sent.required && dm == x.sent.dm && !counts {
		return nil, nil
	}
	res := &roomResult{Initial: x.initial}
	if err := b.timeline(ctx, x, res, news); err != nil {
		return nil, err
	}
	if err := b.changes(ctx, x, news); err != nil {
		return nil, err
	}
	nids, err := b.required(ctx, x, required)
	if err != nil {
		return nil, err
	}
	if res.State, err = b.state(ctx, x, nids); err != nil {
		return nil, err
	}
	if err := b.names(ctx, x, res); err != nil {
		return nil, err
	}
	if dm != x.sent.dm {
		res.IsDM = &dm
	}
	if m == "join" && (x.initial || counts || !b.q.Stable) {
		res.Notifications, res.Highlights = &unread.Notifications, &unread.Highlights
	}
	bump, err := b.bump(ctx, x)
	if err != nil {
		return nil, err
	}
	if bump != x.sent.bump {
		res.Bump = bump
	}
	b.remember(x, sentRoom{pos: x.upto, membership: m, required: required, configs: n.configs, bump: bump, dm: dm, unread: unread})
	if !x.initial && !x.expanded && !counts && len(x.events) == 0 && !x.limited && res.State == nil && res.Name == nil && res.Avatar == nil &&
		res.IsDM == nil && res.Joined == nil && m == x.sent.membership {
		return nil, nil // nothing that this user may see
	}
	return res, nil
}

// remember keeps what the client has been sent.
func (b *builder) remember(x *slice, s sentRoom) {
	s.limit = max(x.n.limit, x.sent.limit)
	s.whole = x.sent.whole && !x.limited
	if x.initial || x.expanded {
		s.whole = !x.limited
	}
	s.data, s.receipts = x.sent.data, x.sent.receipts
	b.next.rooms[x.st.Room] = &s
}

// timeline reads the newest events: those since, or where the room is new to the client or it wants
// more than before, the newest at all.
func (b *builder) timeline(ctx context.Context, x *slice, res *roomResult, news bool) error {
	if !news && !x.expanded {
		return nil
	}
	q := homesync.Slice{UserID: b.q.UserID, Standing: x.st, After: x.from, Upto: x.upto, Limit: x.n.limit, Ignored: b.own.ignored}
	if x.expanded {
		q.After = 0
		res.Expanded = b.q.Stable
		res.OldExpanded = !b.q.Stable
	}
	events, limited, prev, err := b.s.syncer.Timeline(ctx, q)
	if err != nil {
		return err
	}
	x.events, x.limited, res.Limited = events, limited, limited
	live := 0
	for _, e := range events {
		b.shown[x.st.Room] = append(b.shown[x.st.Room], e.NID)
		if !b.initial && e.Pos > b.base.token.Log {
			live++
		}
	}
	res.Live = &live
	if x.n.limit == 0 && len(events) == 0 {
		return nil
	}
	res.Prev = prev.String()
	if res.Timeline, err = b.rend.Bundling(true, b.q.User, x.upto).Events(ctx, nil, events); err != nil {
		return err
	}
	return nil
}

// changes finds out what of the state has changed.
func (b *builder) changes(ctx context.Context, x *slice, news bool) (err error) {
	if x.root, err = x.st.RootAt(ctx, b.store, x.upto); err != nil || x.initial || !news {
		return err
	}
	if x.was, err = x.st.RootAt(ctx, b.store, x.from); err != nil || x.was == x.root {
		return err
	}
	if x.diff, err = homesync.StateChanges(ctx, b.store, x.st.Room, x.was, x.root, false); err != nil {
		return err
	}
	for _, e := range x.diff {
		k, err := b.store.StateKey(ctx, e.Key)
		if err != nil {
			return err
		}
		x.members = x.members || k.Type == member
		x.name = x.name || k == store.StateKey{Type: "m.room.name"}
		x.avatar = x.avatar || k == store.StateKey{Type: "m.room.avatar"}
	}
	return nil
}

// required lists the state events to send.
func (b *builder) required(ctx context.Context, x *slice, key string) (nids []int64, err error) {
	if x.initial {
		if nids, err = x.n.whole(ctx, b.store, x.st.Room, x.root); err != nil {
			return nil, err
		}
	}
	for _, e := range x.diff {
		k, err := b.store.StateKey(ctx, e.Key)
		if err != nil {
			return nil, err
		}
		// "All membership updates since the last sync when limited is false".
		if e.NID != 0 && (x.n.want(k) || k.Type == member && x.n.lazy() && !x.limited) {
			nids = append(nids, e.NID)
		}
	}
	if !x.initial && key != x.sent.required {
		more, err := x.n.whole(ctx, b.store, x.st.Room, x.root)
		if err != nil {
			return nil, err
		}
		events, err := b.store.Events(ctx, more)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if !wanted(x.sent.configs, store.StateKey{Type: e.Type, Key: *e.StateKey}, b.q.UserID) {
				nids = append(nids, e.NID)
			}
		}
	}
	if x.n.lazy() {
		more, err := b.lazyMembers(ctx, x.st.Room, x.root, x.initial, x.events)
		if err != nil {
			return nil, err
		}
		nids = append(nids, more...)
	}
	slices.Sort(nids)
	return slices.Compact(nids), nil
}

// state renders state events, and stubs for what is no more: "To handle state being deleted, the list
// may include a StateStub type that only has type and state_key fields."
func (b *builder) state(ctx context.Context, x *slice, nids []int64) (jsontext.Value, error) {
	events, err := b.store.Events(ctx, nids)
	if err != nil {
		return nil, err
	}
	rend := b.rend
	rend.Membership = false
	out, err := rend.Events(ctx, nil, events)
	if err != nil {
		return nil, err
	}
	for _, e := range x.diff {
		k, err := b.store.StateKey(ctx, e.Key)
		if err != nil {
			return nil, err
		}
		if e.NID != 0 || !x.n.want(k) {
			continue
		}
		raw, err := json.Marshal(struct {
			Type string `json:"type"`
			Key  string `json:"state_key"`
		}{k.Type, k.Key})
		if err != nil {
			return nil, err
		}
		if out = out[:len(out)-1]; len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(out, raw...), ']')
	}
	if len(out) == len("[]") && !x.initial {
		return nil, nil
	}
	return out, nil
}
