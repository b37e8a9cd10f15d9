package slidingsync

import (
	"context"
	"encoding/json/jsontext"

	homesync "github.com/landbridge-im/landbridge/homeserver/sync"
)

// names writes what the room is called by, and how many are in it.
func (b *builder) names(ctx context.Context, x *slice, res *roomResult) error {
	name, err := content(ctx, b.store, x.root, "m.room.name", "", "name")
	if err != nil {
		return err
	}
	avatar, err := content(ctx, b.store, x.root, "m.room.avatar", "", "url")
	if err != nil {
		return err
	}
	value := func(s string, changed bool) jsontext.Value {
		switch {
		case s != "" && (x.initial || changed):
			v, _ := jsontext.AppendQuote(nil, s)
			return v
		case changed:
			return jsontext.Value("null")
		}
		return nil
	}
	res.Name, res.Avatar = value(name, x.name), value(avatar, x.avatar)
	if !x.initial && !x.members && !x.name {
		return nil
	}
	if x.initial || x.members {
		joined, invited, err := b.s.syncer.Members(ctx, x.st)
		if err != nil {
			return err
		}
		res.Joined, res.Invited = &joined, &invited
	}
	if name != "" {
		return nil // "Heroes are only included if the room name is not set."
	}
	heroes, err := b.s.syncer.Heroes(ctx, x.st, b.q.User)
	if err != nil {
		return err
	}
	for _, nid := range heroes {
		id, err := b.store.UserID(ctx, nid)
		if err != nil {
			return err
		}
		h := hero{UserID: id}
		if h.Name, err = content(ctx, b.store, x.root, member, id, "displayname"); err != nil {
			return err
		}
		if h.Avatar, err = content(ctx, b.store, x.root, member, id, "avatar_url"); err != nil {
			return err
		}
		res.Heroes = append(res.Heroes, h)
	}
	return nil
}

// unread counts unread notifications, where they may have changed.
func (b *builder) unread(ctx context.Context, x *slice) (homesync.Unread, error) {
	c := b.s.o.Counter
	if c == nil || x.st.Membership.Membership != "join" {
		return homesync.Unread{}, nil
	}
	if !x.initial && x.st.Last <= x.from && x.st.Receipts <= x.from {
		return x.sent.unread, nil
	}
	n, err := c.Unread(ctx, b.q.User, b.q.UserID, x.st.Room, b.view.Pos)
	return n.Total(), err
}

// bump is the newest proper activity of a room as of a position.
type bump struct{ pos, at int64 }

// bumpScan is how many events are looked through for it.
const bumpScan = 100

// bump finds the position of a room's newest proper activity: "For rooms that the user is not
// currently joined to, this instead represents when the relevant membership happened".
func (b *builder) bump(ctx context.Context, x *slice) (int64, error) {
	if x.st.Membership.Membership != "join" {
		return x.st.Pos, nil
	}
	have, ok := b.s.bumps.Get(x.st.Room)
	if ok && have.at >= x.st.Last {
		return have.pos, nil
	}
	if ok {
		if pos, known := x.st.Bump(have.at, x.upto); known {
			have = bump{max(have.pos, pos), x.upto}
			b.s.bumps.Add(x.st.Room, have)
			return have.pos, nil
		}
	}
	events, err := b.store.Timeline(ctx, x.st.Room, 0, x.upto, bumpScan)
	if err != nil {
		return 0, err
	}
	have.at = x.upto
	for _, e := range events {
		if homesync.Bumps(e) {
			have.pos = e.Pos
			break
		}
		if len(events) < bumpScan {
			have.pos = e.Pos // nothing but its beginning
		}
	}
	b.s.bumps.Add(x.st.Room, have)
	return have.pos, nil
}
