package admin

import (
	"context"
	"encoding/json/jsontext"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// reportInfo is the report of an event.
type reportInfo struct {
	ID      int64          `json:"id"`
	TS      int64          `json:"received_ts"`
	Room    string         `json:"room_id"`
	Name    *string        `json:"name"`
	Alias   *string        `json:"canonical_alias"`
	EventID string         `json:"event_id"`
	User    string         `json:"user_id"`
	Sender  *string        `json:"sender"`
	Reason  string         `json:"reason"`
	Score   int64          `json:"score"`
	Event   jsontext.Value `json:"event_json,omitzero"`
}

// eventReport reads what a report of an event is about; ErrNotFound if that is not here any more.
func (a *Admin) eventReport(ctx context.Context, p store.Report, whole bool) (any, error) {
	var out reportInfo
	s := a.o.Store
	r, err := s.LoadRoom(ctx, p.Room)
	if err != nil {
		return nil, err
	}
	e, err := s.Event(ctx, p.Event)
	if err != nil {
		return nil, err
	}
	sender := string(e.Sender)
	out = reportInfo{ID: p.ID, TS: p.CreatedTS, Room: r.ID, EventID: e.ID, Sender: &sender, Reason: p.Reason, Score: p.Score}
	if out.User, err = s.UserID(ctx, p.Reporter); err != nil {
		return nil, err
	}
	if out.Name, err = a.textOf(ctx, r, "m.room.name", "name"); err != nil {
		return nil, err
	}
	if out.Alias, err = a.textOf(ctx, r, "m.room.canonical_alias", "alias"); err != nil {
		return nil, err
	}
	if !whole {
		return out, nil
	}
	raw, err := e.JSON()
	out.Event = raw
	return out, err
}

// about tells whether a report is by somebody, of a room, and of somebody's event, as far as these
// are given.
func (a *Admin) about(ctx context.Context, p store.Report, reporter, room, sender string) (bool, error) {
	for want, nid := range map[string]int64{reporter: p.Reporter, sender: p.User} {
		if want == "" {
			continue
		}
		if id, err := a.o.Store.UserID(ctx, nid); err != nil || id != want {
			return false, err
		}
	}
	if reporter != "" && reporter == sender && p.Reporter != p.User {
		return false, nil
	}
	if room == "" {
		return true, nil
	}
	r, err := a.o.Store.RoomByNID(ctx, p.Room)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return r.ID == room, err
}

// userReport is the report of a user.
type userReport struct {
	ID     int64  `json:"id"`
	TS     int64  `json:"received_ts"`
	Target string `json:"target_user_id"`
	User   string `json:"user_id"`
	Reason string `json:"reason"`
}

func (a *Admin) userReport(ctx context.Context, p store.Report, _ bool) (any, error) {
	target, err := a.o.Store.UserID(ctx, p.User)
	if err != nil {
		return nil, err
	}
	by, err := a.o.Store.UserID(ctx, p.Reporter)
	return userReport{p.ID, p.CreatedTS, target, by, p.Reason}, err
}

// roomReport is the report of a room. Synapse has no list of them; this one is like its others.
type roomReport struct {
	ID     int64   `json:"id"`
	TS     int64   `json:"received_ts"`
	Room   string  `json:"room_id"`
	Name   *string `json:"name"`
	Alias  *string `json:"canonical_alias"`
	User   string  `json:"user_id"`
	Reason string  `json:"reason"`
}

func (a *Admin) roomReport(ctx context.Context, p store.Report, _ bool) (any, error) {
	r, err := a.o.Store.LoadRoom(ctx, p.Room)
	if err != nil {
		return nil, err
	}
	out := roomReport{ID: p.ID, TS: p.CreatedTS, Room: r.ID, Reason: p.Reason}
	if out.User, err = a.o.Store.UserID(ctx, p.Reporter); err != nil {
		return nil, err
	}
	if out.Name, err = a.textOf(ctx, r, "m.room.name", "name"); err != nil {
		return nil, err
	}
	out.Alias, err = a.textOf(ctx, r, "m.room.canonical_alias", "alias")
	return out, err
}
