package admin

import (
	"context"
	"encoding/json/v2"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/retention"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// purging is what of a room's history is to go: messages above a depth, where Local is set also
// those of users of this server.
type purging struct {
	Depth int64 `json:"depth"`
	Local bool  `json:"local"`
}

// purgeHistory is POST v1/purge_history/{roomId}[/{eventId}].
func (a *Admin) purgeHistory(c client.AdminCall) (any, error) {
	var q struct {
		Event string `json:"purge_up_to_event_id"`
		TS    *int64 `json:"purge_up_to_ts"`
		Local bool   `json:"delete_local_events"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if c.Params() > 1 {
		q.Event = c.Param(1)
	}
	r, err := c.Room(0)
	if err != nil {
		return nil, err
	}
	ctx, p := c.Context(), purging{Local: q.Local}
	switch {
	case q.Event != "":
		e, err := a.o.Store.EventByID(ctx, q.Event)
		if errors.Is(err, store.ErrNotFound) || err == nil && e.Room != r.NID {
			return nil, mxerror.New(400, "M_BAD_JSON", "Event is for wrong room.")
		} else if err != nil {
			return nil, err
		}
		p.Depth = e.Depth
	case q.TS != nil:
		found, err := a.o.Store.EventsByTime(ctx, r.NID, a.o.Store.Position(), store.Timed{TS: *q.TS, NID: 1<<63 - 1}, true, 1)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, mxerror.NotFound("there is no event to be purged")
		}
		e, err := a.o.Store.Event(ctx, found[0].NID)
		if err != nil {
			return nil, err
		}
		p.Depth = e.Depth
	default:
		return nil, mxerror.New(400, "M_BAD_JSON", "must specify purge_up_to_event_id or purge_up_to_ts")
	}
	params, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	have, err := a.o.Store.TasksOfRoom(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(have, func(k store.Task) bool { return k.State == store.TaskActive }) {
		return nil, mxerror.New(400, "M_UNKNOWN", "History purge already in progress for %s", r.ID)
	}
	k, err := a.begin(ctx, store.Task{Kind: kindPurge, RoomID: r.ID, Room: r.NID, Params: string(params)})
	if err != nil {
		return nil, err
	}
	a.audit(c, "purge history", r.ID, "task", k.ID, "local", q.Local)
	return object{"purge_id": k.ID}, nil
}

// purgeStatus is GET v1/purge_history_status/{purgeId}.
func (a *Admin) purgeStatus(c client.AdminCall) (any, error) {
	k, err := a.o.Store.Task(c.Context(), c.Param(0))
	if errors.Is(err, store.ErrNotFound) || err == nil && k.Kind != kindPurge {
		return nil, mxerror.NotFound("purge id '%s' not found", c.Param(0))
	}
	out := object{"status": k.State}
	if k.Error != "" {
		out["error"] = k.Error
	}
	return out, err
}

// doPurge removes messages. State stays, and so do the events that nothing follows yet: those are
// the deepest.
func (a *Admin) doPurge(ctx context.Context, k *store.Task) error {
	var p purging
	if err := json.Unmarshal([]byte(k.Params), &p); err != nil {
		return err
	}
	r, err := a.o.Store.LoadRoom(ctx, k.Room)
	if err != nil {
		return err
	}
	var index retention.Index
	if a.o.Search != nil {
		index = a.o.Search
	}
	at := store.Beginning
	for {
		list, err := a.o.Store.MessagesToPurge(ctx, k.Room, at, p.Depth, purgeBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		last, err := a.o.Store.Event(ctx, list[len(list)-1].NID)
		if err != nil {
			return err
		}
		at = store.After(last)
		var gone []store.Purged
		for _, e := range list {
			keep := slices.Contains(r.Extremities, e.NID)
			if !keep && !p.Local {
				if _, err := a.o.Store.Account(ctx, e.Author); err == nil {
					keep = true
				} else if !errors.Is(err, store.ErrNotFound) {
					return err
				}
			}
			if !keep {
				gone = append(gone, e)
			}
		}
		if len(gone) == 0 {
			continue
		}
		if err := retention.Drop(ctx, a.o.Store, index, gone); err != nil {
			return err
		}
	}
}
