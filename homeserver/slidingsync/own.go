package slidingsync

import (
	"context"
	"encoding/json/jsontext"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/invitefilter"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// ownData is what a user's account data says of rooms.
type ownData struct {
	ignored map[string]bool
	// invites tells whose invitations are wanted; nil until there is one.
	invites *invitefilter.Filter
	dms     map[string]bool
	tags    map[int64]map[string]bool
}

// loadOwn reads what the request needs to know.
func (b *builder) loadOwn(ctx context.Context) (err error) {
	if b.own.ignored, err = b.s.syncer.Ignored(ctx, b.q.User, b.view.AccountData); err != nil {
		return err
	}
	b.own.dms = map[string]bool{}
	d, err := b.store.AccountData(ctx, b.q.User, 0, "m.direct")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	gjson.Parse(d.Content).ForEach(func(_, rooms gjson.Result) bool {
		for _, r := range rooms.Array() {
			b.own.dms[r.Str] = true
		}
		return true
	})
	for _, l := range b.q.Lists {
		if l.Filters.Tags != nil || l.Filters.NotTags != nil {
			return b.loadTags(ctx)
		}
	}
	return nil
}

func (b *builder) loadTags(ctx context.Context) error {
	all, err := b.store.AccountDataAfter(ctx, b.q.User, 0, b.view.Pos)
	if err != nil {
		return err
	}
	b.own.tags = map[int64]map[string]bool{}
	for _, d := range all {
		if d.Type != "m.tag" {
			continue
		}
		tags := map[string]bool{}
		gjson.Get(d.Content, "tags").ForEach(func(k, _ gjson.Result) bool {
			tags[k.Str] = true
			return true
		})
		b.own.tags[d.Room] = tags
	}
	return nil
}

// dataEvent is account data as clients see it.
type dataEvent struct {
	Type    string         `json:"type"`
	Content jsontext.Value `json:"content"`
}

type accountResult struct {
	Global []dataEvent            `json:"global,omitzero"`
	Rooms  map[string][]dataEvent `json:"rooms,omitempty"`
}

// accountData tells of global account data, and that of the rooms that are sent.
func (b *builder) accountData(ctx context.Context, order []int64) (*accountResult, error) {
	e := b.q.Extensions.AccountData
	if !e.Enabled {
		return nil, nil
	}
	out := &accountResult{Rooms: map[string][]dataEvent{}}
	after := b.base.token.Log
	rooms := b.scope(ctx, e, order)
	// Of a room that is sent for the first time everything is told, also what is old.
	from := after
	for _, room := range rooms {
		if s := b.base.rooms[room]; s == nil || s.data == 0 {
			from = 0
		}
	}
	var all []store.AccountData
	if b.view.AccountData > from || b.initial {
		var err error
		if all, err = b.store.AccountDataAfter(ctx, b.q.User, from, b.view.Pos); err != nil {
			return nil, err
		}
	}
	byRoom := map[int64][]store.AccountData{}
	rules := false
	for _, d := range all {
		if d.Room != 0 {
			byRoom[d.Room] = append(byRoom[d.Room], d)
			continue
		}
		if d.Pos <= after {
			continue
		}
		if d.Type == push.Type {
			rules = true
			continue
		}
		if !b.initial || d.Content != "{}" {
			out.Global = append(out.Global, dataEvent{d.Type, jsontext.Value(d.Content)})
		}
	}
	if b.initial || rules {
		// Everybody has push rules, also who never changed any.
		d, err := b.store.AccountData(ctx, b.q.User, 0, push.Type)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		raw, err := push.Render(b.q.UserID, d.Content)
		if err != nil {
			return nil, err
		}
		out.Global = append(out.Global, dataEvent{push.Type, jsontext.Value(raw)})
	}
	if err := b.roomData(ctx, rooms, byRoom, out); err != nil {
		return nil, err
	}
	b.some = b.some || len(out.Global) > 0 || len(out.Rooms) > 0
	return out, nil
}

func (b *builder) roomData(ctx context.Context, rooms []int64, byRoom map[int64][]store.AccountData, out *accountResult) error {
	for _, room := range rooms {
		was := int64(0)
		if s := b.base.rooms[room]; s != nil {
			was = s.data
		}
		var events []dataEvent
		for _, d := range byRoom[room] {
			if d.Pos > was && (was > 0 || d.Content != "{}") {
				events = append(events, dataEvent{d.Type, jsontext.Value(d.Content)})
			}
		}
		b.sent(room, func(s *sentRoom) { s.data = b.view.Pos })
		if len(events) == 0 {
			continue
		}
		name, err := b.store.RoomByNID(ctx, room)
		if err != nil {
			return err
		}
		out.Rooms[name.ID] = events
	}
	return nil
}

// sent changes what is remembered of a room that the client knows.
func (b *builder) sent(room int64, fn func(*sentRoom)) {
	if s := b.next.rooms[room]; s != nil {
		c := *s
		fn(&c)
		b.next.rooms[room] = &c
	}
}
