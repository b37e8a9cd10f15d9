package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// oldSyncRoutes are the endpoints from before /sync. They are deprecated, and still there.
func (a *API) oldSyncRoutes() {
	a.on(http.MethodGet, v3, "/events", user, a.oldEvents)
	a.on(http.MethodGet, v3, "/events/{eventId}", user, a.oldEvent)
	a.on(http.MethodGet, v3, "/initialSync", user, a.initialSync)
	a.on(http.MethodGet, v3, "/rooms/{roomId}/initialSync", user, a.roomInitialSync)
}

// oldRender is render in the form of these endpoints.
func (c *call) oldRender() sync.Render {
	r := c.render()
	r.Old = true
	return r
}

// oldEvent is GET /events/{eventId}.
func (a *API) oldEvent(c *call) (any, error) {
	e, err := a.o.Store.ClientEvent(c.ctx, c.params[0])
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("There is no such event, or you may not see it.")
	} else if err != nil {
		return nil, err
	}
	r, err := a.o.Store.RoomByNID(c.ctx, e.Room)
	if err != nil {
		return nil, err
	}
	if e, _, err = a.visibleEvent(c, r, c.params[0]); err != nil {
		return nil, err
	}
	out, err := c.oldRender().Event(c.ctx, nil, e)
	return jsontext.Value(out), err
}

// roomInfo is what /initialSync says of a room.
type roomInfo struct {
	RoomID     string         `json:"room_id"`
	Membership string         `json:"membership,omitzero"`
	Inviter    string         `json:"inviter,omitzero"`
	Invite     jsontext.Value `json:"invite,omitzero"`
	Messages   *oldMessages   `json:"messages,omitzero"`
	State      jsontext.Value `json:"state,omitzero"`
	Visibility string         `json:"visibility,omitzero"`
	Data       []any          `json:"account_data"`
	// Presence and Receipts are told of a single room.
	Presence []sync.PresenceEvent `json:"presence,omitzero"`
	Receipts []oldEphemeral       `json:"receipts,omitzero"`
}

type oldMessages struct {
	Start string         `json:"start,omitzero"`
	End   string         `json:"end"`
	Chunk jsontext.Value `json:"chunk"`
}

// oldEphemeral is an event of a room that is not kept.
type oldEphemeral struct {
	Type    string `json:"type"`
	RoomID  string `json:"room_id,omitzero"`
	Sender  string `json:"sender,omitzero"`
	Content any    `json:"content"`
}

// oldLimit is how many messages of each room are told when nothing else is asked for.
const oldLimit = 10

// limitParam reads the parameter limit.
func (c *call) limitParam(absent int64) (int, error) {
	n, err := c.number("limit", absent)
	if err == nil && n < 0 {
		err = mxerror.InvalidParam("limit must not be negative.")
	}
	return int(min(n, pageMax)), err
}

// info describes a room that the caller may look into.
func (a *API) info(c *call, v view, limit int, from string) (*roomInfo, error) {
	out := &roomInfo{RoomID: v.room.ID, Membership: v.membership, Visibility: "private", Data: []any{}}
	at := sync.Position{Log: min(a.o.Store.Position(), v.upto), IsLog: true}
	place, err := at.In(c.ctx, a.o.Store, v.room.NID)
	if err != nil {
		return nil, err
	}
	events, start, err := a.page(c, v, page{from: place, to: store.Beginning, limit: limit, back: true})
	if err != nil {
		return nil, err
	}
	slices.Reverse(events)
	if from == "" {
		from = at.String()
	}
	out.Messages = &oldMessages{End: from}
	if start != nil {
		out.Messages.Start = start.String()
	}
	rend := c.oldRender()
	if out.Messages.Chunk, err = rend.Events(c.ctx, nil, events); err != nil {
		return nil, err
	}
	var nids []int64
	if err := a.o.Store.State().Walk(c.ctx, v.root, func(_, nid int64) bool { nids = append(nids, nid); return true }); err != nil {
		return nil, err
	}
	slices.Sort(nids)
	if events, err = a.o.Store.Events(c.ctx, nids); err != nil {
		return nil, err
	}
	rend.Membership = false
	if out.State, err = rend.Events(c.ctx, nil, events); err != nil {
		return nil, err
	}
	public, err := a.o.Store.IsPublic(c.ctx, v.room.NID)
	if public {
		out.Visibility = "public"
	}
	return out, err
}

// allAccountData lists all account data of the caller, by room; 0 is global. Push rules are not among
// it: clients of these endpoints ask for them at GET /pushrules.
func (a *API) allAccountData(c *call) (map[int64][]any, error) {
	all, err := a.o.Store.AccountDataAfter(c.ctx, c.session.User, 0, a.o.Store.Position())
	if err != nil {
		return nil, err
	}
	out := map[int64][]any{0: {}}
	for _, d := range all {
		if !d.Deleted() && !(d.Room == 0 && d.Type == push.Type) {
			out[d.Room] = append(out[d.Room], map[string]any{"type": d.Type, "content": jsontext.Value(d.Content)})
		}
	}
	return out, nil
}

// initialSync is GET /initialSync.
func (a *API) initialSync(c *call) (any, error) {
	limit, err := c.limitParam(oldLimit)
	if err != nil {
		return nil, err
	}
	if p := a.o.Presence; p != nil {
		defer p.Synced(c.ctx, c.session.User, c.session.UserID, c.session.DeviceID, "")()
	}
	now := a.o.Sync.Now()
	data, err := a.allAccountData(c)
	if err != nil {
		return nil, err
	}
	standings, err := a.o.Store.RoomsOf(c.ctx, c.session.User)
	if err != nil {
		return nil, err
	}
	rooms, receipts := []*roomInfo{}, []oldEphemeral{}
	for _, m := range standings {
		info, err := a.standingInfo(c, m, limit, now.String(), c.query.Get("archived") == "true")
		if err != nil {
			return nil, err
		}
		if info == nil {
			continue
		}
		if l := data[m.Room]; l != nil {
			info.Data = l
		}
		if m.Membership == "join" {
			more, err := a.oldReceipts(c.ctx, c, m.Room, info.RoomID, 0)
			if err != nil {
				return nil, err
			}
			receipts = append(receipts, more...)
		}
		rooms = append(rooms, info)
	}
	present, err := a.oldPresence(c, 0)
	return map[string]any{"end": now.String(), "rooms": rooms, "presence": present, "account_data": data[0], "receipts": receipts}, err
}

// standingInfo describes a room that the caller has to do with; nil if it is not to be told of.
func (a *API) standingInfo(c *call, m store.Membership, limit int, now string, archived bool) (*roomInfo, error) {
	r, err := a.o.Store.RoomByNID(c.ctx, m.Room)
	if err != nil {
		return nil, err
	}
	switch m.Membership {
	case "join":
	case "invite":
		own, err := a.o.Store.Event(c.ctx, m.Event)
		if err != nil {
			return nil, err
		}
		raw, err := c.oldRender().Event(c.ctx, nil, own)
		if err != nil {
			return nil, err
		}
		state, err := c.oldRender().Stripped(c.ctx, nil, own)
		return &roomInfo{RoomID: r.ID, Membership: "invite", Inviter: string(own.Sender), Invite: raw, State: state, Data: []any{}}, err
	default:
		if !archived || m.Forgotten || m.Membership == "knock" {
			return nil, nil
		}
	}
	v, err := c.look(r)
	if mxerror.Is(err, "M_FORBIDDEN") {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return a.info(c, v, limit, now)
}

// roomInitialSync is GET /rooms/{roomId}/initialSync: "used for "peeking" into viewable rooms you're
// not a member of".
func (a *API) roomInitialSync(c *call) (any, error) {
	r, err := c.room(0)
	if mxerror.Is(err, "M_NOT_FOUND") {
		err = mxerror.Forbidden("There is no such room, or you may not look into it.")
	}
	if err != nil {
		return nil, err
	}
	limit, err := c.limitParam(oldLimit)
	if err != nil {
		return nil, err
	}
	v, err := c.look(r)
	if err != nil {
		return nil, err
	}
	now := a.o.Sync.Now()
	out, err := a.info(c, v, limit, now.String())
	if err != nil {
		return nil, err
	}
	data, err := a.allAccountData(c)
	if err != nil {
		return nil, err
	}
	if l := data[r.NID]; l != nil {
		out.Data = l
	}
	out.Presence = []sync.PresenceEvent{}
	if v.membership != "join" {
		out.Receipts = []oldEphemeral{}
		return out, nil
	}
	if out.Receipts, err = a.oldReceipts(c.ctx, c, r.NID, r.ID, 0); err != nil {
		return nil, err
	}
	out.Presence, err = a.roomPresence(c, r.NID)
	return out, err
}

// oldPresenceMax bounds of how many members of a room /rooms/{roomId}/initialSync tells the presence.
const oldPresenceMax = 1000

// roomPresence lists how the members of a room are there, also those who are not.
func (a *API) roomPresence(c *call, room int64) ([]sync.PresenceEvent, error) {
	out := []sync.PresenceEvent{}
	if a.o.Presence == nil {
		return out, nil
	}
	members, err := a.o.Store.MembersOf(c.ctx, room)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if m.Membership != "join" || len(out) >= oldPresenceMax {
			continue
		}
		id, err := a.o.Store.UserID(c.ctx, m.User)
		if err != nil {
			return nil, err
		}
		raw, err := json.Marshal(presence.Content(a.o.Presence.Get(m.User), a.o.Now()))
		if err != nil {
			return nil, err
		}
		out = append(out, sync.PresenceEvent{Sender: id, Type: "m.presence", Content: raw})
	}
	return out, withUserIDs(out)
}

// oldReceipts are a room's receipts that are newer than a position.
func (a *API) oldReceipts(ctx context.Context, c *call, room int64, id string, after int64) ([]oldEphemeral, error) {
	all, err := a.o.Store.ReceiptsAfter(ctx, room, after, a.o.Store.Position())
	if err != nil {
		return nil, err
	}
	contents, err := sync.ReceiptsByThread(ctx, a.o.Store, all, c.session.User)
	if err != nil {
		return nil, err
	}
	out := []oldEphemeral{}
	for _, content := range contents {
		out = append(out, oldEphemeral{Type: "m.receipt", RoomID: id, Content: content})
	}
	return out, nil
}

// oldPresence lists whose presence changed after a position. The content has the user's id, which it
// had then.
func (a *API) oldPresence(c *call, after int64) ([]sync.PresenceEvent, error) {
	if a.o.Presence == nil {
		return []sync.PresenceEvent{}, nil
	}
	events, err := a.o.Presence.Changed(c.ctx, c.session.User, after, nil)
	if err != nil {
		return nil, err
	}
	out := slices.Concat([]sync.PresenceEvent{}, events)
	return out, withUserIDs(out)
}

// withUserIDs adds to presence events whose they are, in the old place.
func withUserIDs(events []sync.PresenceEvent) error {
	for i, e := range events {
		var content map[string]any
		err := json.Unmarshal(e.Content, &content)
		if err != nil {
			return err
		}
		content["user_id"] = e.Sender
		if events[i].Content, err = json.Marshal(content, json.Deterministic(true)); err != nil {
			return err
		}
	}
	return nil
}

// isOwn tells whether an event is about the membership of a user.
func isOwn(e *event.Event, userID string) bool { return e.Is("m.room.member", userID) }

// ignoredBy lists whom the caller ignores.
func (a *API) ignoredBy(c *call) (map[string]bool, error) {
	d, err := a.o.Store.AccountData(c.ctx, c.session.User, 0, "m.ignored_user_list")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	out := map[string]bool{}
	gjson.Get(d.Content, "ignored_users").ForEach(func(k, _ gjson.Result) bool {
		out[k.Str] = true
		return true
	})
	return out, nil
}
