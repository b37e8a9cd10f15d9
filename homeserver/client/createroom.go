package client

import (
	"cmp"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// object is a JSON object whose members are kept as they are.
type object = map[string]jsontext.Value

type createRoomRequest struct {
	Visibility string   `json:"visibility"`
	AliasName  string   `json:"room_alias_name"`
	Name       string   `json:"name"`
	Topic      string   `json:"topic"`
	Invite     []string `json:"invite"`
	// away are those of Invite who are of other servers.
	away            []string
	Version         string         `json:"room_version"`
	CreationContent object         `json:"creation_content"`
	InitialState    []initialState `json:"initial_state"`
	Preset          string         `json:"preset"`
	IsDirect        bool           `json:"is_direct"`
	PowerOverride   object         `json:"power_level_content_override"`
	Invite3PID      []invite3PID   `json:"invite_3pid"`

	// For application services: members who are simply there, without an invitation to accept,
	// and the time of the room's making.
	InitialMembers  []string `json:"com.beeper.initial_members"`
	AutoJoinInvites bool     `json:"com.beeper.auto_join_invites"`
	CreateTS        int64    `json:"fi.mau.origin_server_ts"`
}

type initialState struct {
	Type     string         `json:"type"`
	StateKey string         `json:"state_key"`
	Content  jsontext.Value `json:"content"`
}

// maxInitial bounds what one createRoom may bring.
const maxInitial = 20000

// maxAddresses bounds how many people one createRoom may invite by an address.
const maxAddresses = 50

// preset is what a preset stands for: specification, POST /createRoom.
type preset struct{ joinRule, history, guests string }

var presets = map[string]preset{
	"private_chat":         {"invite", "shared", "can_join"},
	"trusted_private_chat": {"invite", "shared", "can_join"},
	"public_chat":          {"public", "shared", "forbidden"},
}

// createRoom is POST /createRoom.
func (a *API) createRoom(c *call) (any, error) {
	var q createRoomRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	name, err := a.makeRoom(c, q)
	if err != nil {
		return nil, err
	}
	return map[string]string{"room_id": name.ID}, nil
}

// makeRoom makes a room as its creator asks.
func (a *API) makeRoom(c *call, q createRoomRequest) (name store.RoomName, err error) {
	if err := a.checkCreate(c, &q); err != nil {
		return name, err
	}
	version := event.Version(q.Version)
	if q.Version == "" {
		version = a.roomVersion()
		if c.session.Service != nil && version.PrivilegedRoomCreators() && q.namesCreator(c.session.UserID) {
			version = lastNamingCreator
		}
	}
	if !event.Supported(version) {
		return name, versionError(version)
	}
	if err := a.knownAddresses(c, &q); err != nil {
		return name, err
	}
	creation, err := a.creationContent(c, &q, version)
	if err != nil {
		return name, err
	}
	alias := ""
	if q.AliasName != "" {
		alias = "#" + q.AliasName + ":" + a.o.ServerName
		if err := a.checkNewAlias(c, alias); err != nil {
			return name, err
		}
	}
	q.away = a.inviteAway(&q)
	name, _, err = a.o.Rooms.Create(c.ctx, room.Creation{
		Version: version, Creator: c.session.UserID, Content: creation, TS: q.CreateTS,
		Events: func(string) ([]room.Proposal, error) { return a.firstEvents(c.ctx, c.session, &q, version, alias) },
		Extra: func(t *store.Tx, r store.Room) error {
			if alias != "" {
				ok, err := t.AddAlias(store.Alias{Alias: alias, Room: r.NID, Creator: c.session.User}, r.CreatedTS)
				if err != nil {
					return err
				}
				if !ok {
					return store.Refuse(errAliasTaken(alias))
				}
			}
			if q.Visibility == "public" {
				return t.SetPublic(r.NID, true)
			}
			return nil
		},
	})
	if fail, ok := mxerror.As(err); ok && fail.Code == "M_FORBIDDEN" {
		// "The initial state implied by the parameters to the request is invalid: for example, the
		// user's power_level is set below that necessary to set the room name".
		return name, mxerror.New(400, "M_INVALID_ROOM_STATE", "The room would not be valid. %s", fail.Message).Because(err)
	} else if err != nil {
		return name, err
	}
	a.inviteAfter(c, name, q.away, q.IsDirect)
	for _, p := range q.Invite3PID {
		if err := a.storeInvite(c, name, p); err != nil {
			return name, err
		}
	}
	return name, a.settleIn(c.ctx, c.session, name)
}

// lastNamingCreator is the last version of rooms whose power levels name their creator.
const lastNamingCreator event.Version = "11"

// namesCreator says whether the room is asked for with power levels that name its creator. Bridges
// from before room version 12 do so, and will name themselves again whenever they change the levels;
// so a service that leaves the version to us gets a room that allows it.
func (q *createRoomRequest) namesCreator(creator string) bool {
	contents := []object{q.PowerOverride}
	for _, s := range q.InitialState {
		if s.givesLevels() {
			var content object
			_ = json.Unmarshal(s.Content, &content) // checkCreate has seen that it is an object
			contents = append(contents, content)
		}
	}
	return slices.ContainsFunc(contents, func(levels object) bool {
		var named object
		// What is no object names nobody, and is refused where the levels are made.
		return json.Unmarshal(levels["users"], &named) == nil && named[creator] != nil
	})
}

func (s initialState) givesLevels() bool { return s.Type == "m.room.power_levels" && s.StateKey == "" }

// roomVersion is the version of new rooms unless asked otherwise.
func (a *API) roomVersion() event.Version {
	return cmp.Or(a.settings.Load().RoomVersion, event.DefaultVersion)
}

func versionError(v event.Version) error {
	return mxerror.New(400, "M_UNSUPPORTED_ROOM_VERSION", "This server does not speak room version %q; it speaks 3 to 12.", clip(string(v)))
}

func errAliasTaken(alias string) error {
	return mxerror.New(400, "M_ROOM_IN_USE", "The alias %s is taken.", alias)
}

func (a *API) checkCreate(c *call, q *createRoomRequest) error {
	switch q.Visibility {
	case "", "private":
		q.Visibility = "private"
	case "public":
	default:
		return mxerror.InvalidParam("visibility must be \"public\" or \"private\".")
	}
	if q.Preset == "" {
		// "If unspecified, the server should use the visibility to determine which preset to use."
		q.Preset = "private_chat"
		if q.Visibility == "public" {
			q.Preset = "public_chat"
		}
	}
	if _, ok := presets[q.Preset]; !ok {
		return mxerror.InvalidParam("preset must be \"private_chat\", \"trusted_private_chat\" or \"public_chat\".")
	}
	if c.session.Service == nil {
		q.InitialMembers, q.AutoJoinInvites, q.CreateTS = nil, false, 0
	}
	if len(q.Invite)+len(q.InitialMembers)+len(q.InitialState) > maxInitial || len(q.Invite3PID) > maxAddresses {
		return mxerror.TooLarge("A new room can have at most %d invitations and state events.", maxInitial)
	}
	for i := range q.Invite3PID {
		if err := q.Invite3PID[i].check(a); err != nil {
			return err
		}
	}
	for _, id := range slices.Concat(q.Invite, q.InitialMembers) {
		if err := checkUserID(id); err != nil {
			return err
		}
	}
	for _, id := range q.Invite {
		if err := a.mayInvite(c, id); err != nil {
			return err
		}
	}
	if strings.ContainsAny(q.AliasName, ": \t\r\n\x00") || strings.HasPrefix(q.AliasName, "#") {
		return mxerror.InvalidParam("room_alias_name is only the part of an alias between # and :, without spaces.")
	}
	if raw, ok := q.CreationContent["room_version"]; ok && raw.Kind() != '"' {
		return mxerror.BadJSON("creation_content.room_version must be text.")
	}
	for i, s := range q.InitialState {
		if s.Type == "" || s.Content.Kind() != '{' {
			return mxerror.BadJSON("initial_state[%d] needs a type and a content that is an object.", i)
		}
	}
	return nil
}

// creationContent is the content of the m.room.create event.
func (a *API) creationContent(c *call, q *createRoomRequest, v event.Version) (jsontext.Value, error) {
	content := object{}
	for k, val := range q.CreationContent {
		content[k] = val
	}
	// "The server will overwrite the following keys: creator, room_version."
	delete(content, "creator")
	content["room_version"] = quoted(string(v))
	if v.CreatorInContent() {
		content["creator"] = quoted(c.session.UserID)
	}
	if v.PrivilegedRoomCreators() {
		extra, err := additionalCreators("creation_content.additional_creators", content["additional_creators"])
		if err != nil {
			return nil, err
		}
		if q.Preset == "trusted_private_chat" {
			// "the server SHOULD combine additional_creators specified here and the invite array
			// into the eventual m.room.create event's additional_creators, deduplicating".
			for _, u := range q.Invite {
				if !slices.Contains(extra, u) && u != c.session.UserID {
					extra = append(extra, u)
				}
			}
		}
		if len(extra) > 0 {
			raw, err := json.Marshal(extra)
			if err != nil {
				return nil, err
			}
			content["additional_creators"] = raw
		}
	}
	return json.Marshal(content, json.Deterministic(true))
}

// additionalCreators reads the additional_creators of a room: room version 12: "If
// additional_creators is present in content and is not an array of strings where each string
// passes the same user ID validation applied to sender, reject."
func additionalCreators(name string, raw jsontext.Value) ([]string, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil || raw.Kind() != '[' {
		return nil, mxerror.BadJSON("%s must be a list of user ids.", name)
	}
	if len(list) > maxCreators {
		return nil, mxerror.InvalidParam("%s can have at most %d users.", name, maxCreators)
	}
	var out []string
	for i, id := range list {
		_, server, _ := strings.Cut(id, ":")
		if checkUserID(id) != nil || !isServerName(server) {
			return nil, mxerror.InvalidParam("%s[%d] is not a user id.", name, i)
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// maxCreators bounds the creators of a room.
const maxCreators = 500

// isServerName applies the grammar of the specification, "Server name": a host name, an IPv4
// address or an IPv6 address in brackets, and perhaps a port.
func isServerName(s string) bool {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		if len(port) == 0 || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	if v6, ok := strings.CutPrefix(host, "["); ok {
		v6, ok = strings.CutSuffix(v6, "]")
		return ok && len(v6) >= 2 && len(v6) <= 45 && !strings.ContainsFunc(v6, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF:.", r) })
	}
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-."
	return len(host) >= 1 && len(host) <= 255 && !strings.ContainsFunc(host, func(r rune) bool { return !strings.ContainsRune(alphabet, r) })
}

// firstEvents lists what follows the create event, in the order that the specification gives.
func (a *API) firstEvents(ctx context.Context, s *Session, q *createRoomRequest, v event.Version, alias string) ([]room.Proposal, error) {
	me := s.UserID
	var out []room.Proposal
	state := func(typ, key string, content any) error {
		raw, err := json.Marshal(content, json.Deterministic(true))
		if err != nil {
			return mxerror.BadJSON("The content of %s is not valid.", clip(typ)).Because(err)
		}
		out = append(out, room.Proposal{Sender: me, Type: typ, StateKey: &key, Content: raw})
		return nil
	}
	join, err := a.memberContent(ctx, me, "join", nil)
	if err != nil {
		return nil, err
	}
	levels, err := powerLevels(q, me, v, s.Service != nil)
	if err != nil {
		return nil, err
	}
	err = errors.Join(state("m.room.member", me, join), state("m.room.power_levels", "", levels))
	if alias != "" {
		err = errors.Join(err, state("m.room.canonical_alias", "", map[string]string{"alias": alias}))
	}
	p := presets[q.Preset]
	// What initial_state sets anyway need not be set twice.
	given := func(typ string) bool {
		return slices.ContainsFunc(q.InitialState, func(s initialState) bool { return s.Type == typ && s.StateKey == "" })
	}
	for _, d := range [...]struct{ typ, field, value string }{
		{"m.room.join_rules", "join_rule", p.joinRule},
		{"m.room.history_visibility", "history_visibility", p.history},
		{"m.room.guest_access", "guest_access", p.guests},
	} {
		// Without the event guests are kept out: "If this event is absent, servers should act as if it is
		// present and has the guest_access value forbidden", so
		// a room that says it anyway only has one event more.
		if !given(d.typ) && d.value != "forbidden" {
			err = errors.Join(err, state(d.typ, "", map[string]string{d.field: d.value}))
		}
	}
	for _, st := range q.InitialState {
		if st.StateKey == "" && (st.Type == "m.room.name" && q.Name != "" || st.Type == "m.room.topic" && q.Topic != "") {
			continue // "This overwrites any m.room.name event in initial_state."
		}
		err = errors.Join(err, state(st.Type, st.StateKey, st.Content))
	}
	if q.Name != "" {
		err = errors.Join(err, state("m.room.name", "", map[string]string{"name": q.Name}))
	}
	if q.Topic != "" {
		err = errors.Join(err, state("m.room.topic", "", topicContent(q.Topic)))
	}
	if err != nil {
		return nil, err
	}
	more, err := a.firstMembers(ctx, s, q)
	return append(out, more...), err
}

// firstMembers invites, and where asked for joins, the first other members.
func (a *API) firstMembers(ctx context.Context, s *Session, q *createRoomRequest) ([]room.Proposal, error) {
	var out []room.Proposal
	done := map[string]bool{s.UserID: true}
	add := func(user string, join bool) error {
		if done[user] {
			return nil
		}
		done[user] = true
		extra := object{}
		if q.IsDirect {
			extra["is_direct"] = jsontext.Value("true")
		}
		content, err := a.memberContent(ctx, user, "invite", extra)
		if err != nil {
			return err
		}
		key := user
		out = append(out, room.Proposal{Sender: s.UserID, Type: "m.room.member", StateKey: &key, Content: content})
		if !join || !strings.HasSuffix(user, ":"+a.o.ServerName) {
			return nil
		}
		if content, err = a.memberContent(ctx, user, "join", nil); err != nil {
			return err
		}
		out = append(out, room.Proposal{Sender: user, Type: "m.room.member", StateKey: &key, Content: content})
		return nil
	}
	for _, u := range q.InitialMembers {
		if err := add(u, true); err != nil {
			return nil, err
		}
	}
	for _, u := range q.Invite {
		if err := add(u, q.AutoJoinInvites); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// powerLevels is the content of the first m.room.power_levels event.
func powerLevels(q *createRoomRequest, creator string, v event.Version, service bool) (object, error) {
	users := map[string]int{}
	events := map[string]int{
		"m.room.name": 50, "m.room.power_levels": 100, "m.room.history_visibility": 100, "m.room.canonical_alias": 50,
		"m.room.avatar": 50, "m.room.tombstone": 100, "m.room.server_acl": 100, "m.room.encryption": 100,
	}
	if v.PrivilegedRoomCreators() {
		// "the power level for sending m.room.tombstone events MUST explicitly be higher than
		// state_default. For example, set to 150 instead of 100."
		events["m.room.tombstone"] = 150
	} else {
		users[creator] = 100
		// Nobody could lower these again, so they are left to levels that initial_state has.
		if q.Preset == "trusted_private_chat" && !slices.ContainsFunc(q.InitialState, initialState.givesLevels) {
			for _, u := range slices.Concat(q.Invite, q.away) {
				users[u] = 100
			}
		}
	}
	// In a room that anybody can find, inviting is for those who look after it; among friends everybody
	// may bring somebody along.
	invite := 0
	if q.Preset == "public_chat" {
		invite = 50
	}
	defaults := map[string]any{
		"users": users, "events": events, "users_default": 0, "events_default": 0, "state_default": 50,
		"ban": 50, "kick": 50, "redact": 50, "invite": invite, "historical": 100,
	}
	out := object{}
	for k, d := range defaults {
		raw, err := json.Marshal(d, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		out[k] = raw
	}
	for k, o := range q.PowerOverride {
		out[k] = o
	}
	if v.PrivilegedRoomCreators() && q.PowerOverride["users"] != nil && service {
		// A bridge that asks for such a version and yet names itself has as a creator more power than it
		// asks for anyway. Others are refused.
		var named map[string]jsontext.Value
		if err := json.Unmarshal(q.PowerOverride["users"], &named); err != nil {
			return nil, mxerror.BadJSON("power_level_content_override.users must be an object.")
		}
		delete(named, creator)
		if q.Preset == "trusted_private_chat" {
			for _, u := range q.Invite {
				delete(named, u)
			}
		}
		raw, err := json.Marshal(named, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		out["users"] = raw
	}
	return out, nil
}

// topicContent is the content of m.room.topic with the text in both forms that clients read.
func topicContent(topic string) any {
	return map[string]any{"topic": topic, "m.topic": map[string]any{
		"m.text": []map[string]string{{"body": topic, "mimetype": "text/plain"}},
	}}
}

func quoted(s string) jsontext.Value {
	raw, _ := jsontext.AppendQuote(nil, s)
	return raw
}

// checkUserID refuses what is no user id: specification, "User identifiers": "@localpart:domain",
// at most 255 bytes.
func checkUserID(id string) error {
	local, server, ok := strings.Cut(strings.TrimPrefix(id, "@"), ":")
	if !ok || !strings.HasPrefix(id, "@") || local == "" && !strings.HasPrefix(id, "@:") || server == "" || len(id) > 255 {
		return mxerror.InvalidParam("%q is not a user id.", clip(id))
	}
	return nil
}
