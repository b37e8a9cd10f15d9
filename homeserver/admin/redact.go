package admin

import (
	"context"
	"encoding/json/v2"
	"errors"
	"math"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// redaction is what of somebody's is to be redacted.
type redaction struct {
	// Rooms are where; none stands for all that the user is in or banned from.
	Rooms  []string `json:"rooms"`
	Reason string   `json:"reason,omitempty"`
	// Limit is how many of the newest events of each room are looked at.
	Limit *int64 `json:"limit,omitempty"`
	// UseAdmin has the administrator redact where the user could.
	UseAdmin bool   `json:"use_admin,omitempty"`
	BeforeTS *int64 `json:"before_ts,omitempty"`
	AfterTS  *int64 `json:"after_ts,omitempty"`
	// By is the administrator.
	By string `json:"by"`
}

const (
	// redactUsual is how many events of each room are looked at unless more is asked for.
	redactUsual = 1000
	// redactRooms bounds the rooms of one request.
	redactRooms = 10000
	// redactBatch is how many events are read at once.
	redactBatch = 500
	// redactFailures bounds what is remembered of those that could not be redacted.
	redactFailures = 1000
)

// redactUser is POST v1/user/{userId}/redact.
func (a *Admin) redactUser(c client.AdminCall) (any, error) {
	id := c.Param(0)
	if err := checkUser(id); err != nil {
		return nil, err
	}
	var q struct {
		redaction
		Rooms *[]string `json:"rooms"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	switch {
	case q.Rooms == nil:
		return nil, mxerror.MissingParam("rooms is missing.")
	case len(*q.Rooms) > redactRooms:
		return nil, mxerror.InvalidParam("At most %d rooms can be named.", redactRooms)
	case q.Limit != nil && *q.Limit <= 0:
		return nil, mxerror.InvalidParam("If limit is provided it must be a non-negative integer greater than 0.")
	}
	r := q.redaction
	r.Rooms, r.By = *q.Rooms, c.Session().UserID
	for _, room := range r.Rooms {
		if err := checkRoomID(room); err != nil {
			return nil, err
		}
	}
	params, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	k, err := a.begin(c.Context(), store.Task{Kind: kindRedact, RoomID: id, Params: string(params)})
	if err != nil {
		return nil, err
	}
	a.audit(c, "redact what the user has sent", id, "task", k.ID, "rooms", len(r.Rooms))
	return object{"redact_id": k.ID}, nil
}

// redactStatus is GET v1/user/redact_status/{redactId}.
func (a *Admin) redactStatus(c client.AdminCall) (any, error) {
	k, err := a.o.Store.Task(c.Context(), c.Param(0))
	if errors.Is(err, store.ErrNotFound) || err == nil && k.Kind != kindRedact {
		return nil, mxerror.NotFound("redact id '%s' not found", c.Param(0))
	} else if err != nil {
		return nil, err
	}
	out := object{"status": k.State}
	switch k.State {
	case store.TaskComplete:
		out["failed_redactions"] = raw(k.Result)
	case store.TaskFailed:
		out["error"] = k.Error
	}
	return out, nil
}

// doRedact redacts what somebody has sent. What is redacted already is left alone, so it may be begun again anywhere.
func (a *Admin) doRedact(ctx context.Context, k *store.Task) error {
	var q redaction
	if err := json.Unmarshal([]byte(k.Params), &q); err != nil {
		return err
	}
	failed := map[string]string{}
	user, err := a.o.Store.UserNID(ctx, k.RoomID)
	if err == nil {
		var rooms []store.RoomName
		if rooms, err = a.redactWhere(ctx, user, q.Rooms); err != nil {
			return err
		}
		for _, r := range rooms {
			if err := a.redactIn(ctx, r, user, k.RoomID, q, failed); err != nil {
				return err
			}
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return a.saveResult(ctx, k, failed)
}

// redactWhere finds the rooms that are named, or all that a user is in or banned from. Those that are not here are left out.
func (a *Admin) redactWhere(ctx context.Context, user int64, named []string) (out []store.RoomName, err error) {
	add := func(r store.RoomName, err error) error {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		out = append(out, r)
		return err
	}
	for _, id := range named {
		if err := add(a.o.Store.RoomByID(ctx, id)); err != nil {
			return nil, err
		}
	}
	if len(named) > 0 {
		return out, nil
	}
	list, err := a.o.Store.RoomsOf(ctx, user)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if m.Membership == "join" || m.Membership == "ban" {
			if err := add(a.o.Store.RoomByNID(ctx, m.Room)); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// redactIn redacts somebody's events in a room, newest first.
func (a *Admin) redactIn(ctx context.Context, r store.RoomName, user int64, userID string, q redaction, failed map[string]string) error {
	s := a.o.Store
	left := int64(redactUsual)
	if q.Limit != nil {
		left = *q.Limit
	}
	by := q.By
	if a.local(userID) == nil && !q.UseAdmin {
		m, err := s.Membership(ctx, r.NID, user)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if m.Membership == "join" { // nobody else may redact in a room
			by = userID
		}
	}
	find := store.Authored{Room: r.NID, Author: user, Before: math.MaxInt64, ToTS: math.MaxInt64}
	if q.BeforeTS != nil {
		find.ToTS = *q.BeforeTS
	}
	if q.AfterTS != nil {
		find.FromTS = *q.AfterTS
	}
	for left > 0 {
		nids, last, err := s.EventsByAuthor(ctx, find, int(min(left, redactBatch)))
		if err != nil || len(nids) == 0 {
			return err
		}
		left -= int64(len(nids))
		find.Before = last
		events, err := s.Events(ctx, nids)
		if err != nil {
			return err
		}
		for _, e := range events {
			if !redactable(e) {
				continue
			}
			if err := a.redactOne(ctx, r, e, by, q.Reason); ctx.Err() != nil {
				return ctx.Err()
			} else if err != nil && len(failed) < redactFailures {
				failed[e.ID] = err.Error()
				if public, ok := mxerror.As(err); ok {
					failed[e.ID] = public.Message
				}
			}
		}
	}
	return nil
}

// redactable tells whether an event holds something of its sender's that can go: what they said, and their own name
// and picture in the room. Other state is the room's, and would leave it without its rules.
func redactable(e *event.Event) bool {
	if e.Has(event.Redacted) || e.Type == "m.room.redaction" {
		return false
	}
	return e.StateKey == nil || e.Type == "m.room.member" && *e.StateKey == string(e.Sender)
}

func (a *Admin) redactOne(ctx context.Context, r store.RoomName, e *event.Event, by, reason string) error {
	content := object{}
	if reason != "" {
		content["reason"] = reason
	}
	if r.Version.RedactsInContent() {
		content["redacts"] = e.ID
	}
	raw, err := json.Marshal(content, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = a.o.Rooms.Send(ctx, r.NID, room.Proposal{Sender: by, Type: "m.room.redaction", Content: raw, Redacts: e.ID, ByAdmin: true})
	return err
}

// checkUser refuses what is no user id of any server.
func checkUser(id string) error {
	if len(id) > 255 || !strings.HasPrefix(id, "@") || !strings.Contains(id, ":") {
		return mxerror.InvalidParam("Expected a user ID such as @user:server.")
	}
	return nil
}
