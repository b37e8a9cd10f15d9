package admin

import (
	"encoding/json/jsontext"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// block blocks a room, or ends that.
func (a *Admin) block(c client.AdminCall, id string, on bool) error {
	err := a.o.Store.Write(c.Context(), func(t *store.Tx) error { return t.BlockRoom(id, c.Session().UserID, a.nowMS(), on) })
	if err == nil {
		a.audit(c, "block a room", id, "on", on)
	}
	return err
}

func checkRoomID(id string) error {
	if !strings.HasPrefix(id, "!") || len(id) > 255 {
		return mxerror.InvalidParam("%s is not a legal room ID", strings.ToValidUTF8(id[:min(len(id), 255)], "\uFFFD"))
	}
	return nil
}

// getBlock is GET v1/rooms/{roomId}/block, also for rooms that are not known here.
func (a *Admin) getBlock(c client.AdminCall) (any, error) {
	if err := checkRoomID(c.Param(0)); err != nil {
		return nil, err
	}
	by, err := a.o.Store.RoomBlocked(c.Context(), c.Param(0))
	if err != nil || by == "" {
		return object{"block": false}, err
	}
	return object{"block": true, "user_id": by}, nil
}

// putBlock is PUT v1/rooms/{roomId}/block.
func (a *Admin) putBlock(c client.AdminCall) (any, error) {
	if err := checkRoomID(c.Param(0)); err != nil {
		return nil, err
	}
	var q struct {
		Block *bool `json:"block"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if q.Block == nil {
		return nil, mxerror.MissingParam("block is missing.")
	}
	return object{"block": *q.Block}, a.block(c, c.Param(0), *q.Block)
}

// makeRoomAdmin is POST v1/rooms/{roomId}/make_room_admin: the user of this server with the most
// power gives another as much, and invites who is not in the room.
func (a *Admin) makeRoomAdmin(c client.AdminCall) (any, error) {
	var q struct {
		UserID string `json:"user_id"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if q.UserID == "" {
		q.UserID = c.Session().UserID
	}
	ctx, s := c.Context(), a.o.Store
	if _, err := a.o.Accounts.LocalAccount(ctx, q.UserID); err != nil {
		return nil, err
	}
	name, err := c.Room(0)
	if err != nil {
		return nil, err
	}
	r, err := s.LoadRoom(ctx, name.NID)
	if err != nil {
		return nil, err
	}
	create, err := a.stateOf(ctx, r, "m.room.create")
	if err != nil {
		return nil, err
	}
	levels, err := a.stateOf(ctx, r, "m.room.power_levels")
	if err != nil {
		return nil, err
	}
	power, err := a.o.Rooms.Power(ctx, r.NID)
	if err != nil {
		return nil, err
	}
	by, err := a.strongest(c, r, create, levels, power)
	if err != nil {
		return nil, err
	}
	creators := []string{}
	if create != nil && r.Version.PrivilegedRoomCreators() {
		creators = room.Creators(create)
	}
	if !slices.Contains(creators, q.UserID) {
		level := power.User(by)
		if slices.Contains(creators, by) {
			level = max(100, power.Event("m.room.power_levels", true)) // creators stand above all levels
		}
		content := jsontext.Value(`{}`)
		if levels != nil {
			content = levels.Content
		}
		key := strings.NewReplacer(`\`, `\\`, `.`, `\.`, `*`, `\*`, `?`, `\?`, `|`, `\|`, `#`, `\#`, `@`, `\@`).Replace(q.UserID)
		content, err = sjson.SetBytes(slices.Clone(content), "users."+key, level)
		if err != nil {
			return nil, err
		}
		empty := ""
		if _, err := a.o.Rooms.Send(ctx, r.NID, room.Proposal{Sender: by, Type: "m.room.power_levels", StateKey: &empty, Content: content}); err != nil {
			return nil, err
		}
	}
	a.audit(c, "make the user an administrator of a room", q.UserID, "room", r.ID, "through", by)
	return nil, a.bring(c, name, by, q.UserID)
}

// strongest finds the user of this server in a room who may change the power levels and has the
// most power.
func (a *Admin) strongest(c client.AdminCall, r store.Room, create, levels *event.Event, power *room.Power) (string, error) {
	var candidates []string
	if create != nil {
		candidates = room.Creators(create)
	}
	if levels != nil {
		gjson.GetBytes(levels.Content, "users").ForEach(func(k, _ gjson.Result) bool { candidates = append(candidates, k.Str); return true })
	}
	best := ""
	for _, id := range candidates {
		if a.local(id) != nil || power.User(id) < power.Event("m.room.power_levels", true) || best != "" && power.User(id) <= power.User(best) {
			continue
		}
		user, err := a.o.Store.UserNID(c.Context(), id)
		if err != nil {
			continue
		}
		if m, err := a.o.Store.Membership(c.Context(), r.NID, user); err == nil && m.Membership == "join" {
			best = id
		}
	}
	if best == "" {
		return "", mxerror.New(400, "M_UNKNOWN", "No local admin user in room with power to update power levels.")
	}
	return best, nil
}

// bring invites somebody who is not in a room, unless it is open to all.
func (a *Admin) bring(c client.AdminCall, r store.RoomName, by, userID string) error {
	user, err := a.o.Store.UserNID(c.Context(), userID)
	if err != nil {
		return err
	}
	if m, err := a.o.Store.Membership(c.Context(), r.NID, user); err == nil && (m.Membership == "join" || m.Membership == "invite") {
		return nil
	}
	row, err := a.o.Store.LoadRoom(c.Context(), r.NID)
	if err != nil {
		return err
	}
	if rule, err := a.textOf(c.Context(), row, "m.room.join_rules", "join_rule"); err != nil || rule != nil && *rule == "public" {
		return err
	}
	return a.o.Client.Invite(c.Context(), r, by, userID)
}

type extremity struct {
	ID    string `json:"event_id"`
	State *int64 `json:"state_group"`
	Depth int64  `json:"depth"`
	TS    int64  `json:"received_ts"`
}

// extremities is GET v1/rooms/{roomId}/forward_extremities.
func (a *Admin) extremities(c client.AdminCall) (any, error) {
	name, err := c.Room(0)
	if err != nil {
		return nil, err
	}
	r, err := a.o.Store.LoadRoom(c.Context(), name.NID)
	if err != nil {
		return nil, err
	}
	events, err := a.o.Store.Events(c.Context(), r.Extremities)
	out := make([]extremity, len(events))
	for i, e := range events {
		root := int64(e.Root)
		out[i] = extremity{e.ID, &root, e.Depth, e.OriginServerTS}
	}
	return object{"count": len(out), "results": out}, err
}

// deleteExtremities is DELETE v1/rooms/{roomId}/forward_extremities. Here the state after forks is
// resolved as events come, so there is never one to be cut off.
func (a *Admin) deleteExtremities(c client.AdminCall) (any, error) {
	if _, err := c.Room(0); err != nil {
		return nil, err
	}
	return object{"deleted": 0}, nil
}
