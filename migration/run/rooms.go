package run

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
)

// object is JSON whose keys are in order.
func object(v any) jsontext.Value {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic("what is made here is JSON: " + err.Error())
	}
	return raw
}

type fields = map[string]any

// spaceRemote is what the space is called in the ledger.
const spaceRemote = "space"

// makeRooms makes the space, its sections and the channels' rooms.
func (r *Runner) makeRooms(ctx context.Context) error {
	channels := r.o.Export.Channels()
	r.order = ordered(channels)
	conf := map[string]plan.Channel{}
	for _, c := range r.o.Mapping.Channels {
		conf[c.ID] = c
	}
	began := time.Now().Truncate(24 * time.Hour)
	for _, c := range channels {
		if !c.Created.IsZero() && c.Created.Before(began) {
			began = c.Created
		}
	}
	adopt, err := r.bridged(ctx, nil)
	if err != nil {
		return err
	}
	space, err := r.o.Target.Room(ctx, wire.Room{
		Adopt:  adopt,
		Source: r.source.Key(), Remote: spaceRemote, Creator: r.bot, TS: began.UnixMilli(), Content: object(fields{"type": "m.space"}),
		State: r.firstState(cmp.Or(r.o.Mapping.Name, r.source.Name), r.o.Mapping.SpaceAudience, 100, &model.Channel{Kind: model.Section}),
		Alias: r.alias(r.o.Mapping.Naming.Aliases + r.source.ID),
	})
	if err != nil {
		return err
	}
	r.space = space.RoomID
	var links []wire.Item
	for _, a := range r.o.Mapping.Admins {
		if space.Adopted {
			break // it is as it is
		}
		links = append(links, wire.Item{Kind: wire.KindJoin, Sender: a, TS: began.UnixMilli()})
	}
	if r.source.Description != "" && !space.Adopted {
		links = append(links, r.once("m.room.topic", "", "topic", fields{"topic": r.source.Description}, began))
	}
	if icon := r.source.Icon; icon != nil && !space.Adopted {
		if uri := r.media.bring(ctx, icon, "the icon"); uri != "" {
			links = append(links, r.once("m.room.avatar", "", "avatar", fields{"url": uri}, began))
		}
	}
	for i, pack := range r.packs() {
		key := ""
		if i > 0 {
			key = fmt.Sprint(i)
		}
		links = append(links, r.once("im.ponies.room_emotes", key, "emoji/"+key, pack, began))
	}
	if err := r.tell(ctx, Room{RoomID: r.space, Name: cmp.Or(r.o.Mapping.Name, r.source.Name), Topic: r.source.Description}); err != nil {
		return err
	}
	// Sections first: what is in them links to them.
	order := slices.Clone(channels)
	slices.SortStableFunc(order, func(a, b model.Channel) int {
		return cmp.Compare(b2i(b.Kind == model.Section), b2i(a.Kind == model.Section))
	})
	for i := range order {
		c := &order[i]
		e := conf[c.ID]
		if e.Without {
			continue
		}
		if e.ID == "" {
			e = plan.Channel{ID: c.ID, Name: cmp.Or(c.Name, c.ID), Audience: plan.Invited}
		}
		m, err := r.makeRoom(ctx, c, e, began)
		if err != nil {
			return err
		}
		if c.Kind == model.Direct || c.Kind == model.Group || m.adopted {
			continue // those are not in the space, or are there already
		}
		child := r.once("m.space.child", m.id, "child/"+c.Key, r.child(c), began)
		if p := r.rooms[c.Parent]; p != nil {
			if err := r.state(ctx, p.id, []wire.Item{child}); err != nil {
				return err
			}
		} else {
			links = append(links, child)
		}
	}
	for len(links) > 0 {
		n := min(len(links), wire.MaxItems)
		if err := r.state(ctx, r.space, links[:n]); err != nil {
			return err
		}
		links = links[n:]
	}
	return nil
}

// ordered numbers the channels that say where they stand.
func ordered(channels []model.Channel) map[string]int {
	var list []*model.Channel
	for i := range channels {
		if channels[i].Order != "" {
			list = append(list, &channels[i])
		}
	}
	slices.SortStableFunc(list, func(a, b *model.Channel) int { return cmp.Compare(a.Order, b.Order) })
	out := make(map[string]int, len(list))
	for i, c := range list {
		out[c.Key] = i
	}
	return out
}

// child is the content of m.space.child for a channel.
func (r *Runner) child(c *model.Channel) fields {
	out := fields{"via": []string{r.server}}
	if at, ok := r.order[c.Key]; ok {
		out["order"] = fmt.Sprintf("%06d", at)
	}
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *Runner) makeRoom(ctx context.Context, c *model.Channel, e plan.Channel, began time.Time) (*made, error) {
	created := c.Created
	if created.IsZero() {
		created = began
	}
	parent := r.space
	if p := r.rooms[c.Parent]; p != nil {
		parent = p.id
	}
	state := r.firstState(e.Name, e.Audience, 0, &model.Channel{Kind: c.Kind})
	if c.Kind != model.Direct && c.Kind != model.Group {
		state = append(state, wire.State{Type: "m.space.parent", Key: parent, Content: object(fields{"via": []string{r.server}, "canonical": true})})
	}
	adopt, err := r.bridged(ctx, c)
	if err != nil {
		return nil, err
	}
	content := fields{}
	if c.Kind == model.Section {
		content["type"] = "m.space"
	}
	out, err := r.o.Target.Room(ctx, wire.Room{Source: r.source.Key(), Remote: "channel/" + c.Key, Creator: r.bot, TS: created.UnixMilli(),
		Content: object(content), State: state, Alias: r.alias(e.Alias), Adopt: adopt})
	if err != nil {
		return nil, err
	}
	if out.NoAlias {
		r.problem("channel "+e.Name, "the address #%s belongs to another room", e.Alias)
	}
	m := &made{c: *c, conf: e, id: out.RoomID, name: e.Name, adopted: out.Adopted, lived: out.Lived}
	r.rooms[c.Key], r.byID[c.ID] = m, m
	return m, r.tell(ctx, Room{Channel: c, RoomID: m.id, Name: m.name, Topic: c.Topic})
}

// bridged is the room that a channel has already by a bridge, or the community if c is nil; "" for none.
func (r *Runner) bridged(ctx context.Context, c *model.Channel) (string, error) {
	if r.o.Recorder == nil {
		return "", nil
	}
	return r.o.Recorder.Bridged(ctx, c)
}

func (r *Runner) tell(ctx context.Context, room Room) error {
	if r.o.Recorder == nil {
		return nil
	}
	return r.o.Recorder.Room(ctx, room)
}

func (r *Runner) alias(local string) string {
	if local == "" {
		return ""
	}
	return "#" + local + ":" + r.server
}

// firstState is the state that a room begins with. Until all is here, those who changed the topic
// there can change it here.
func (r *Runner) firstState(name, audience string, speak int, c *model.Channel) []wire.State {
	join := fields{"join_rule": "invite"}
	switch audience {
	case plan.Anyone:
		join["join_rule"] = "public"
	case plan.Space:
		join["join_rule"] = "restricted"
		join["allow"] = []fields{{"type": "m.room_membership", "room_id": r.space}}
	}
	return []wire.State{
		{Type: "m.room.power_levels", Content: object(r.power(speak, 0, c))},
		{Type: "m.room.join_rules", Content: object(join)},
		{Type: "m.room.history_visibility", Content: object(fields{"history_visibility": "shared"})},
		{Type: "m.room.guest_access", Content: object(fields{"guest_access": "forbidden"})},
		{Type: "m.room.name", Content: object(fields{"name": name})},
	}
}

// writerLevel is the power of those who may write where not everybody may.
const writerLevel = 10

// power is the content of m.room.power_levels. c need not be a whole channel.
func (r *Runner) power(speak, change int, c *model.Channel) fields {
	kind, users := c.Kind, fields{}
	if c.ReadOnly && speak < writerLevel {
		speak = writerLevel
	}
	for _, ghost := range c.Writers {
		if s := r.people.known[ghost]; s != nil && !s.without {
			users[s.self()] = writerLevel
		}
	}
	if kind != model.Private && kind != model.Direct && kind != model.Group {
		for _, a := range r.o.Mapping.Admins {
			users[a] = 100
		}
	}
	for _, p := range r.o.Export.People() {
		if s := r.people.known[p.Ghost]; s != nil && p.Power > 0 && !s.without && !p.Deactivated {
			users[s.self()] = p.Power
		}
	}
	invite := 0
	if kind == model.Section {
		invite = 50
	}
	return fields{
		"users": users, "users_default": 0, "events_default": speak, "state_default": 50, "ban": 50, "kick": 50, "redact": 50, "invite": invite,
		"events": fields{"m.room.name": max(change, 0), "m.room.topic": max(change, 0), "m.room.pinned_events": 50, "m.reaction": speak, "m.room.redaction": 0,
			"m.room.power_levels": 100, "m.room.history_visibility": 100, "m.room.canonical_alias": 50, "m.room.avatar": 50, "m.room.tombstone": 150, "m.room.server_acl": 100, "m.room.encryption": 100},
	}
}

// once is an item of state that is set once for each value: what is changed here later stays.
func (r *Runner) once(typ, key, name string, content fields, at time.Time) wire.Item {
	raw := object(content)
	sum := sha256.Sum256(raw)
	return wire.Item{Remote: "state/" + name + "/" + hex.EncodeToString(sum[:6]), Sender: r.bot, Type: typ, StateKey: &key, Content: raw, TS: at.UnixMilli()}
}

// state sets state of a room.
func (r *Runner) state(ctx context.Context, room string, items []wire.Item) error {
	out, err := r.o.Target.Batch(ctx, wire.Batch{Source: r.source.Key(), RoomID: room, Creator: r.bot, Items: items})
	if err != nil {
		return err
	}
	for i, d := range out.Items {
		if d.Problem != "" {
			r.problem("room "+room, "%s%s of %s: %s", items[i].Type, items[i].Kind, items[i].Sender, d.Problem)
		}
	}
	return nil
}
