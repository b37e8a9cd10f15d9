package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func (a *API) upgradeRoutes() {
	a.on(http.MethodPost, v3, "/rooms/{roomId}/upgrade", user, a.upgrade)
}

// movedState is what a replacement room takes over: specification, "Room Upgrades", "Server
// behaviour".
var movedState = [...]string{"m.room.server_acl", "m.room.encryption", "m.room.name", "m.room.avatar", "m.room.topic",
	"m.room.guest_access", "m.room.history_visibility", "m.room.join_rules"}

// movedMax bounds how many bans and children of a space are taken along.
const movedMax = 20000

// upgrade is POST /rooms/{roomId}/upgrade.
func (a *API) upgrade(c *call) (any, error) {
	r, err := c.joinedRoom(0)
	if err != nil {
		return nil, err
	}
	var q struct {
		Version  string         `json:"new_version"`
		Creators jsontext.Value `json:"additional_creators"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Version == "" {
		return nil, mxerror.MissingParam("new_version is missing.")
	}
	version := event.Version(q.Version)
	if !event.Supported(version) {
		return nil, versionError(version)
	}
	// "Checks that the user has permission to send m.room.tombstone events in the room."
	if ok, err := a.mayChange(c, r.NID, "m.room.tombstone"); err != nil {
		return nil, err
	} else if !ok {
		return nil, mxerror.Forbidden("You may not send m.room.tombstone in this room, which upgrading it needs.")
	}
	if err := c.whole(r.NID); err != nil { // bans are taken along
		return nil, err
	}
	if err := c.limit(a.limits.Load().messages); err != nil {
		return nil, err
	}
	u := &roomUpgrade{a: a, c: c, old: r, version: version, me: c.session.UserID}
	if version.PrivilegedRoomCreators() {
		if u.creators, err = additionalCreators("additional_creators", q.Creators); err != nil {
			return nil, err
		}
		u.creators = slices.DeleteFunc(u.creators, func(id string) bool { return id == u.me })
	}
	id, err := u.run(c.ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"replacement_room": id}, nil
}

// roomUpgrade replaces one room.
type roomUpgrade struct {
	a        *API
	c        *call
	old      store.RoomName
	version  event.Version
	me       string
	creators []string
	state    map[store.StateKey]*event.Event
}

func (u *roomUpgrade) run(ctx context.Context) (string, error) {
	if err := u.load(ctx); err != nil {
		return "", err
	}
	creation := room.Creation{Version: u.version, Creator: u.me}
	// What can go wrong should before the old room is closed.
	events, err := u.events(ctx)
	if err != nil {
		return "", err
	}
	tombstoned := false
	predecessor := map[string]string{"room_id": u.old.ID}
	if !u.version.RoomIDIsCreateEventID() {
		// The new room's id is known beforehand, so that the two can name each other: the
		// predecessor's event_id is "The event ID of the last known event in the old room".
		creation.RoomID = u.a.o.Rooms.NewID()
		e, err := u.tombstone(ctx, creation.RoomID)
		if err != nil {
			return "", err
		}
		predecessor["event_id"], tombstoned = e.ID, true
	}
	if creation.Content, err = u.create(predecessor); err != nil {
		return "", err
	}
	creation.Events = func(string) ([]room.Proposal, error) { return events, nil }
	creation.Extra = func(t *store.Tx, r store.Room) error { return t.MoveRoom(u.old.NID, r.NID) }
	name, _, err := u.a.o.Rooms.Create(ctx, creation)
	if err != nil {
		return "", err
	}
	if !tombstoned {
		if _, err := u.tombstone(ctx, name.ID); err != nil {
			return "", err
		}
	}
	if err := u.close(ctx); err != nil {
		return "", err
	}
	if err := u.a.replaced(ctx, u.old, name); err != nil {
		return "", err
	}
	return name.ID, u.a.takeSettings(ctx, u.c.session.User, u.old, name)
}

// load reads the old room's state.
func (u *roomUpgrade) load(ctx context.Context) error {
	s := u.a.o.Store
	row, err := s.LoadRoom(ctx, u.old.NID)
	if err != nil {
		return err
	}
	u.state = map[store.StateKey]*event.Event{}
	var nids []int64
	var failed error
	err = s.State().Walk(ctx, row.Root, func(key, nid int64) bool {
		k, err := s.StateKey(ctx, key)
		if err != nil {
			failed = err
			return false
		}
		// All but the memberships, of which the bans are asked for by themselves.
		if k.Type != "m.room.member" {
			nids = append(nids, nid)
		}
		return true
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	events, err := s.Events(ctx, nids)
	if err != nil {
		return err
	}
	for _, e := range events {
		u.state[store.StateKey{Type: e.Type, Key: *e.StateKey}] = e
	}
	return nil
}

// content is that of a state event of the old room; nil if there is none.
func (u *roomUpgrade) content(typ string) jsontext.Value {
	if e := u.state[store.StateKey{Type: typ}]; e != nil {
		return e.Content
	}
	return nil
}

// create is the content of the new m.room.create: "containing a predecessor field, the applicable
// room_version, and a type field which is copied from the predecessor room". Whether other servers
// may come in is kept too.
func (u *roomUpgrade) create(predecessor map[string]string) (jsontext.Value, error) {
	content := map[string]any{"room_version": string(u.version), "predecessor": predecessor}
	was := u.content("m.room.create")
	for _, key := range [...]string{"type", `m\.federate`} {
		if v := gjson.GetBytes(was, key); v.Exists() {
			content[strings.ReplaceAll(key, `\`, "")] = jsontext.Value(v.Raw)
		}
	}
	if u.version.CreatorInContent() {
		content["creator"] = u.me
	}
	if len(u.creators) > 0 {
		content["additional_creators"] = u.creators
	}
	return json.Marshal(content, json.Deterministic(true))
}

// events are the first events of the new room.
func (u *roomUpgrade) events(ctx context.Context) ([]room.Proposal, error) {
	var out []room.Proposal
	state := func(typ, key string, content jsontext.Value) {
		out = append(out, room.Proposal{Sender: u.me, Type: typ, StateKey: &key, Content: content})
	}
	join, err := u.a.memberContent(ctx, u.me, "join", nil)
	if err != nil {
		return nil, err
	}
	levels, err := u.levels()
	if err != nil {
		return nil, err
	}
	first, err := u.enabling(levels)
	if err != nil {
		return nil, err
	}
	state("m.room.member", u.me, join)
	state("m.room.power_levels", "", first)
	for _, typ := range movedState {
		content := u.content(typ)
		if typ == "m.room.join_rules" {
			content = u.joinRules(content)
		}
		if content != nil {
			state(typ, "", content)
		}
	}
	// The aliases move along, so the names in it stay true.
	if content := u.content("m.room.canonical_alias"); content != nil {
		state("m.room.canonical_alias", "", content)
	}
	if gjson.GetBytes(u.content("m.room.create"), "type").Str == "m.space" {
		// What a space is made of is its children.
		for k, e := range u.state {
			if k.Type == "m.space.child" && gjson.GetBytes(e.Content, "via").IsArray() && len(out) < movedMax {
				state(k.Type, k.Key, e.Content)
			}
		}
	}
	bans, err := u.bans(ctx, room.LevelsOf(first, u.version))
	if err != nil {
		return nil, err
	}
	for _, ban := range bans {
		state("m.room.member", *ban.StateKey, ban.Content)
	}
	if string(first) != string(levels) {
		state("m.room.power_levels", "", levels)
	}
	return out, nil
}

// joinRules are the old ones, or where the new version does not know them, invitations.
func (u *roomUpgrade) joinRules(content jsontext.Value) jsontext.Value {
	switch rule := gjson.GetBytes(content, "join_rule").Str; {
	case rule == "restricted" && !u.version.RestrictedJoins(), rule == "knock_restricted" && !u.version.KnockRestricted(),
		rule == "knock" && !u.version.Knocks():
		return jsontext.Value(`{"join_rule":"invite"}`)
	}
	return content
}

// bans lists the bans of the old room, which nobody should escape by an upgrade. Of those banned
// who have as much power as the one who upgrades, the rules let no ban be made.
func (u *roomUpgrade) bans(ctx context.Context, levels *room.Power) ([]*event.Event, error) {
	members, err := u.a.o.Store.MembersOf(ctx, u.old.NID)
	if err != nil {
		return nil, err
	}
	var nids []int64
	for _, m := range members {
		if m.Membership == "ban" && len(nids) < movedMax {
			nids = append(nids, m.Event)
		}
	}
	events, err := u.a.o.Store.Events(ctx, nids)
	mine := levels.User(u.me)
	if u.version.PrivilegedRoomCreators() {
		mine = room.Infinite
	}
	return slices.DeleteFunc(events, func(e *event.Event) bool {
		return *e.StateKey == u.me || slices.Contains(u.creators, *e.StateKey) || levels.User(*e.StateKey) >= mine
	}), err
}

// tombstone closes the old room: "Sends a m.room.tombstone event to the old room to indicate that
// it is not intended to be used any further."
func (u *roomUpgrade) tombstone(ctx context.Context, replacement string) (*event.Event, error) {
	content, err := json.Marshal(map[string]string{"body": "This room has been replaced", "replacement_room": replacement}, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	none := ""
	return u.a.o.Rooms.Send(ctx, u.old.NID, room.Proposal{Sender: u.me, Type: "m.room.tombstone", StateKey: &none, Content: content})
}

// close takes the aliases out of the old room's state, as they are the new one's now, and keeps
// people from talking on: "If possible, the power levels in the old room should also be modified to
// prevent sending of events and inviting new users. For example, setting events_default and invite
// to the greater of 50 and users_default + 1."
func (u *roomUpgrade) close(ctx context.Context) error {
	none := ""
	send := func(typ string, content jsontext.Value) error {
		_, err := u.a.o.Rooms.Send(ctx, u.old.NID, room.Proposal{Sender: u.me, Type: typ, StateKey: &none, Content: content})
		if mxerror.Is(err, "M_FORBIDDEN") {
			return nil // not possible, and the room is replaced all the same
		}
		return err
	}
	if content := u.content("m.room.canonical_alias"); content != nil {
		if err := send("m.room.canonical_alias", jsontext.Value("{}")); err != nil {
			return err
		}
	}
	levels, err := u.a.o.Rooms.Power(ctx, u.old.NID)
	if err != nil {
		return err
	}
	users, events := levels.Defaults()
	least := max(50, users+1)
	content := u.content("m.room.power_levels")
	if content == nil {
		content = jsontext.Value("{}")
		if !u.old.Version.PrivilegedRoomCreators() {
			if content, err = json.Marshal(map[string]any{"users": map[string]int{string(u.state[store.StateKey{Type: "m.room.create"}].Sender): 100}}); err != nil {
				return err
			}
		}
	}
	for name, have := range map[string]int64{"events_default": events, "invite": levels.Invite} {
		raw, err := sjson.SetBytes(content, name, max(least, have))
		if err != nil {
			return err
		}
		content = raw
	}
	return send("m.room.power_levels", content)
}
