package admin

import (
	"cmp"
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// deletion is what is asked for when a room is deleted.
type deletion struct {
	NewRoomUser string `json:"new_room_user_id"`
	RoomName    string `json:"room_name"`
	Message     string `json:"message"`
	Block       bool   `json:"block"`
	Purge       *bool  `json:"purge"`
	Force       bool   `json:"force_purge"`
}

// shutdown is what has been done with a room's people.
type shutdown struct {
	Kicked  []string `json:"kicked_users"`
	Failed  []string `json:"failed_to_kick_users"`
	Aliases []string `json:"local_aliases"`
	NewRoom *string  `json:"new_room_id"`
}

// progress is what is kept of a deletion. Hidden tells that the room is found no more.
type progress struct {
	shutdown
	Hidden bool `json:"hidden"`
}

const (
	refugeName    = "Content Violation Notification"
	refugeMessage = "Sharing illegal content on this server is not permitted and rooms in violation will be blocked."
)

func hidden(k store.Task) bool {
	var p progress
	return json.Unmarshal([]byte(k.Result), &p) == nil && p.Hidden
}

// askDelete reads and checks a request to delete a room, and begins. The task is nil where the room
// is not known here and was only blocked.
func (a *Admin) askDelete(c client.AdminCall, unknownToo bool) (*store.Task, error) {
	var q deletion
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if q.NewRoomUser != "" {
		if err := a.local(q.NewRoomUser); err != nil {
			return nil, mxerror.InvalidParam("User must be our own: %s", q.NewRoomUser)
		}
		if _, err := a.o.Accounts.LocalAccount(c.Context(), q.NewRoomUser); err != nil {
			return nil, err
		}
	}
	id := c.Param(0)
	r, err := c.Room(0)
	if mxerror.Is(err, "M_NOT_FOUND") && unknownToo && q.Block {
		return nil, a.block(c, id, true)
	} else if err != nil {
		return nil, err
	}
	have, err := a.o.Store.TasksOfRoom(c.Context(), id)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(have, func(k store.Task) bool { return k.State == store.TaskActive }) {
		return nil, mxerror.New(400, "M_UNKNOWN", "Purge already in progress for %s", id)
	}
	if q.Block {
		if err := a.block(c, id, true); err != nil {
			return nil, err
		}
	}
	params, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	k, err := a.begin(c.Context(), store.Task{Kind: kindDelete, RoomID: r.ID, Room: r.NID, Params: string(params)})
	if err != nil {
		return nil, err
	}
	a.audit(c, "delete a room", id, "task", k.ID, "block", q.Block, "purge", q.Purge == nil || *q.Purge)
	return &k, nil
}

// DeleteRoom removes everybody from a room, and the room, and returns when that is done. What a crash
// interrupts is gone on with at the next start.
func (a *Admin) DeleteRoom(ctx context.Context, r store.RoomName) error {
	params, err := json.Marshal(deletion{})
	if err != nil {
		return err
	}
	k, err := a.begin(ctx, store.Task{Kind: kindDelete, RoomID: r.ID, Room: r.NID, Params: string(params)})
	if err != nil {
		return err
	}
	done, err := a.await(ctx, k.ID)
	if err == nil && done.State == store.TaskFailed {
		err = fmt.Errorf("deleting the room: %s", done.Error)
	}
	return err
}

// deleteRoom is DELETE v2/rooms/{roomId}.
func (a *Admin) deleteRoom(c client.AdminCall) (any, error) {
	k, err := a.askDelete(c, false)
	if err != nil {
		return nil, err
	}
	return object{"delete_id": k.ID}, nil
}

// deleteRoomNow is DELETE v1/rooms/{roomId}, which answers when all is done.
func (a *Admin) deleteRoomNow(c client.AdminCall) (any, error) {
	k, err := a.askDelete(c, true)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return shutdown{Kicked: []string{}, Failed: []string{}, Aliases: []string{}}, nil
	}
	done, err := a.await(c.Context(), k.ID)
	if err != nil {
		return nil, err
	}
	if done.State == store.TaskFailed {
		return nil, mxerror.New(500, "M_UNKNOWN", "%s", done.Error)
	}
	return progressOf(done).shutdown, nil
}

func progressOf(k store.Task) progress {
	p := progress{shutdown: shutdown{Kicked: []string{}, Failed: []string{}, Aliases: []string{}}}
	if k.Result != "" {
		_ = json.Unmarshal([]byte(k.Result), &p) // it is our own
	}
	return p
}

type deletionStatus struct {
	ID       string   `json:"delete_id"`
	Room     string   `json:"room_id"`
	State    string   `json:"status"`
	Error    string   `json:"error,omitempty"`
	Shutdown shutdown `json:"shutdown_room"`
}

func statusOf(k store.Task) deletionStatus {
	return deletionStatus{k.ID, k.RoomID, k.State, k.Error, progressOf(k).shutdown}
}

// deleteStatus is GET v2/rooms/delete_status/{deleteId}.
func (a *Admin) deleteStatus(c client.AdminCall) (any, error) {
	k, err := a.o.Store.Task(c.Context(), c.Param(0))
	if errors.Is(err, store.ErrNotFound) || err == nil && k.Kind != kindDelete {
		return nil, mxerror.NotFound("delete id '%s' not found", c.Param(0))
	}
	return statusOf(k), err
}

// deleteStatusOfRoom is GET v2/rooms/{roomId}/delete_status.
func (a *Admin) deleteStatusOfRoom(c client.AdminCall) (any, error) {
	if !strings.HasPrefix(c.Param(0), "!") {
		return nil, mxerror.InvalidParam("%s is not a legal room ID", c.Param(0))
	}
	list, err := a.o.Store.TasksOfRoom(c.Context(), c.Param(0))
	if err != nil {
		return nil, err
	}
	results := []deletionStatus{}
	for _, k := range list {
		if k.Kind == kindDelete {
			results = append(results, statusOf(k))
		}
	}
	if len(results) == 0 {
		return nil, mxerror.NotFound("No delete task for room_id '%s' found", c.Param(0))
	}
	return object{"results": results}, nil
}

// doDelete removes the people from a room, and then the room. It may be begun again anywhere.
func (a *Admin) doDelete(ctx context.Context, k *store.Task) error {
	var q deletion
	if err := json.Unmarshal([]byte(k.Params), &q); err != nil {
		return err
	}
	p := progressOf(*k)
	r := store.RoomName{NID: k.Room, ID: k.RoomID}
	if !p.Hidden {
		if err := a.evict(ctx, k, q, &p, r); err != nil {
			return err
		}
	}
	if q.Purge != nil && !*q.Purge {
		return nil
	}
	if len(p.Failed) > 0 && !q.Force {
		return mxerror.New(500, "M_UNKNOWN", "Not everybody could be removed from the room, so it was not purged.")
	}
	if err := a.o.Rooms.Bar(ctx, r.NID); err != nil {
		return err
	}
	if !p.Hidden {
		p.Hidden = true
		if err := a.hide(ctx, k, p, r); err != nil {
			return err
		}
	}
	a.o.Dropped(r.NID)
	if err := a.drop(ctx, r.NID); err != nil || a.o.Search == nil {
		return err
	}
	return a.o.Search.RemoveRoom(ctx, r.NID)
}

// hide makes a room disappear, and records in the same moment that it has.
func (a *Admin) hide(ctx context.Context, k *store.Task, p progress, r store.RoomName) error {
	raw, err := json.Marshal(p, json.Deterministic(true))
	if err != nil {
		return err
	}
	k.Result, k.ChangedTS = string(raw), a.nowMS()
	return a.o.Store.Write(ctx, func(t *store.Tx) error {
		if err := t.HideRoom(r); err != nil {
			return err
		}
		return t.SetTask(*k)
	})
}

// purgeBatch is how many events one write removes.
const purgeBatch = 200

// drop removes the events of a hidden room.
func (a *Admin) drop(ctx context.Context, room int64) error {
	for {
		list, err := a.o.Store.EventsToPurge(ctx, room, purgeBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		if err := a.o.Store.Write(ctx, func(t *store.Tx) error { return t.DropEvents(list, true) }); err != nil {
			return fmt.Errorf("removing events: %w", err)
		}
	}
}

// evict makes a refuge if one is wanted, and all users of this server leave.
func (a *Admin) evict(ctx context.Context, k *store.Task, q deletion, p *progress, r store.RoomName) error {
	var refuge store.RoomName
	var err error
	switch {
	case p.NewRoom != nil:
		refuge, err = a.o.Store.RoomByID(ctx, *p.NewRoom)
	case q.NewRoomUser != "":
		refuge, err = a.o.Client.MakeRefuge(ctx, client.Refuge{Creator: q.NewRoomUser, Name: cmp.Or(q.RoomName, refugeName), Message: cmp.Or(q.Message, refugeMessage)})
		p.NewRoom = &refuge.ID
	}
	if err != nil {
		return err
	}
	if refuge.NID != 0 {
		if err := a.saveResult(ctx, k, p); err != nil {
			return err
		}
	}
	aliases, err := a.o.Store.AliasesOf(ctx, r.NID)
	if err != nil {
		return err
	}
	for after := int64(0); ; {
		members, err := a.o.Store.LocalMembers(ctx, r.NID, after, purgeBatch)
		if err != nil {
			return err
		}
		if len(members) == 0 {
			break
		}
		for _, m := range members {
			after = m.User
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := a.o.Client.MoveMember(ctx, r, m.ID, "leave"); err != nil {
				a.o.Log.WarnContext(ctx, "somebody could not be removed from a room that is deleted", "room", r.ID, "user", m.ID, "err", err)
				p.Failed = append(p.Failed, m.ID)
				continue
			}
			p.Kicked = append(p.Kicked, m.ID)
			if refuge.NID == 0 || m.ID == q.NewRoomUser {
				continue
			}
			if err := a.o.Client.MoveMember(ctx, refuge, m.ID, "join"); err != nil {
				a.o.Log.WarnContext(ctx, "somebody could not be brought into the new room", "room", refuge.ID, "user", m.ID, "err", err)
			}
		}
		if err := a.saveResult(ctx, k, p); err != nil {
			return err
		}
	}
	for _, al := range aliases {
		if refuge.NID != 0 {
			p.Aliases = append(p.Aliases, al.Alias)
		}
	}
	return a.o.Store.Write(ctx, func(t *store.Tx) error {
		if err := t.SetPublic(r.NID, false); err != nil || refuge.NID == 0 {
			return err
		}
		return t.MoveRoom(r.NID, refuge.NID)
	})
}
