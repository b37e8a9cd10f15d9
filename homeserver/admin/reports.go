package admin

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"slices"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

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

// reportInfo reads what a report is about; ErrNotFound if that is not here any more.
func (a *Admin) reportInfo(ctx context.Context, p store.Report, whole bool) (out reportInfo, err error) {
	s := a.o.Store
	r, err := s.LoadRoom(ctx, p.Room)
	if err != nil {
		return out, err
	}
	e, err := s.Event(ctx, p.Event)
	if err != nil {
		return out, err
	}
	sender := string(e.Sender)
	out = reportInfo{ID: p.ID, TS: p.CreatedTS, Room: r.ID, EventID: e.ID, Sender: &sender, Reason: p.Reason, Score: p.Score}
	if out.User, err = s.UserID(ctx, p.Reporter); err != nil {
		return out, err
	}
	if out.Name, err = a.textOf(ctx, r, "m.room.name", "name"); err != nil {
		return out, err
	}
	if out.Alias, err = a.textOf(ctx, r, "m.room.canonical_alias", "alias"); err != nil || !whole {
		return out, err
	}
	raw, err := e.JSON()
	out.Event = raw
	return out, err
}

// listReports is GET v1/event_reports.
func (a *Admin) listReports(c client.AdminCall) (any, error) {
	from, limit, err := span(c, 100)
	if err != nil {
		return nil, err
	}
	newest, err := back(c, "b")
	if err != nil {
		return nil, err
	}
	q := c.Query()
	ctx := c.Context()
	var list []store.Report
	for before := int64(0); ; {
		page, err := a.o.Store.Reports(ctx, before, store.ReportEvent, pageMax)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			before = p.ID
			ok, err := a.about(ctx, p, q.Get("user_id"), q.Get("room_id"), q.Get("event_sender_user_id"))
			if err != nil {
				return nil, err
			}
			if ok {
				list = append(list, p)
			}
		}
		if len(page) < pageMax {
			break
		}
	}
	if !newest {
		slices.Reverse(list)
	}
	reports := []reportInfo{}
	for _, p := range cut(list, from, limit) {
		info, err := a.reportInfo(ctx, p, false)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		reports = append(reports, info)
	}
	out := object{"event_reports": reports, "total": len(list)}
	if next := from + limit; next < len(list) {
		out["next_token"] = next
	}
	return out, nil
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

// report finds the report of the path.
func (a *Admin) report(c client.AdminCall) (store.Report, error) {
	id, err := strconv.ParseInt(c.Param(0), 10, 64)
	if err != nil || id < 0 {
		return store.Report{}, mxerror.InvalidParam("The report_id parameter must be a string representing a positive integer.")
	}
	p, err := a.o.Store.Report(c.Context(), id)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Kind != store.ReportEvent {
		return p, mxerror.NotFound("Event report not found")
	}
	return p, err
}

// getReport is GET v1/event_reports/{reportId}.
func (a *Admin) getReport(c client.AdminCall) (any, error) {
	p, err := a.report(c)
	if err != nil {
		return nil, err
	}
	out, err := a.reportInfo(c.Context(), p, true)
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("Event report not found")
	}
	return out, err
}

// deleteReport is DELETE v1/event_reports/{reportId}.
func (a *Admin) deleteReport(c client.AdminCall) (any, error) {
	p, err := a.report(c)
	if err != nil {
		return nil, err
	}
	err = a.o.Store.Write(c.Context(), func(t *store.Tx) error { return t.DeleteReport(p.ID) })
	if err == nil {
		a.audit(c, "delete a report", c.Param(0))
	}
	return nil, err
}
