package admin

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// reportKind is one of the lists of reports.
type reportKind struct {
	// path is the last part of the list's path and the name of its member of the answer, and name what is said of one.
	path, name string
	// kind is the store's.
	kind string
	// target is the parameter that asks for reports about one user.
	target string
	// info shows a report, with whole in full; ErrNotFound if what it is about is gone.
	info func(a *Admin, ctx context.Context, p store.Report, whole bool) (any, error)
}

var reportKinds = []reportKind{
	{"event_reports", "Event", store.ReportEvent, "event_sender_user_id", (*Admin).eventReport},
	{"user_reports", "User", store.ReportUser, "target_user_id", (*Admin).userReport},
	{"room_reports", "Room", store.ReportRoom, "", (*Admin).roomReport},
}

// listReports is GET v1/event_reports and its like.
func (a *Admin) listReports(k reportKind) handler {
	return func(c client.AdminCall) (any, error) {
		from, limit, err := span(c, 100)
		if err != nil {
			return nil, err
		}
		newest, err := back(c, "b")
		if err != nil {
			return nil, err
		}
		q, target := c.Query(), ""
		if k.target != "" {
			target = q.Get(k.target)
		}
		ctx := c.Context()
		var list []store.Report
		for before := int64(0); ; {
			page, err := a.o.Store.Reports(ctx, before, k.kind, pageMax)
			if err != nil {
				return nil, err
			}
			for _, p := range page {
				before = p.ID
				ok, err := a.about(ctx, p, q.Get("user_id"), q.Get("room_id"), target)
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
		reports := []any{}
		for _, p := range cut(list, from, limit) {
			info, err := k.info(a, ctx, p, false)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return nil, err
			}
			reports = append(reports, info)
		}
		out := object{k.path: reports, "total": len(list)}
		if next := from + limit; next < len(list) {
			out["next_token"] = next
		}
		return out, nil
	}
}

// report finds the report of the path.
func (a *Admin) report(c client.AdminCall, k reportKind) (store.Report, error) {
	id, err := strconv.ParseInt(c.Param(0), 10, 64)
	if err != nil || id < 0 {
		return store.Report{}, mxerror.InvalidParam("The report_id parameter must be a string representing a positive integer.")
	}
	p, err := a.o.Store.Report(c.Context(), id)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Kind != k.kind {
		return p, mxerror.NotFound("%s report not found", k.name)
	}
	return p, err
}

// getReport is GET v1/event_reports/{reportId} and its like.
func (a *Admin) getReport(k reportKind) handler {
	return func(c client.AdminCall) (any, error) {
		p, err := a.report(c, k)
		if err != nil {
			return nil, err
		}
		out, err := k.info(a, c.Context(), p, true)
		if errors.Is(err, store.ErrNotFound) {
			return nil, mxerror.NotFound("%s report not found", k.name)
		}
		return out, err
	}
}

// deleteReport is DELETE v1/event_reports/{reportId} and its like.
func (a *Admin) deleteReport(k reportKind) handler {
	return func(c client.AdminCall) (any, error) {
		p, err := a.report(c, k)
		if err != nil {
			return nil, err
		}
		err = a.o.Store.Write(c.Context(), func(t *store.Tx) error { return t.DeleteReport(p.ID) })
		if err == nil {
			a.audit(c, "delete a report", c.Param(0))
		}
		return nil, err
	}
}
