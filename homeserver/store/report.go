package store

import "context"

// Kinds of reports.
const (
	ReportRoom  = "room"
	ReportEvent = "event"
	ReportUser  = "user"
)

// Report is something that a user has reported to the server's administrators.
type Report struct {
	ID int64
	// Kind is one of ReportRoom, ReportEvent and ReportUser.
	Kind string
	// Room, Event and User are what is reported; 0 for what does not apply. The user of a reported
	// event is its sender.
	Room, Event, User int64
	Reporter          int64
	Reason            string
	// Score is how bad old clients say that it is, from -100, the worst, to 0.
	Score     int64
	CreatedTS int64
}

func scanReport(r scanner) (p Report, err error) {
	return p, r.Scan(&p.ID, &p.Kind, &p.Room, &p.Event, &p.User, &p.Reporter, &p.Reason, &p.Score, &p.CreatedTS)
}

// AddReport files a report; its ID is allotted.
func (t *Tx) AddReport(p Report) error {
	return t.exec("report_insert", p.Kind, p.Room, p.Event, p.User, p.Reporter, p.Reason, p.Score, p.CreatedTS)
}

// DeleteReport removes a report that has been dealt with.
func (t *Tx) DeleteReport(id int64) error { return t.exec("report_delete", id) }

// Report reads one report; ErrNotFound if there is none such.
func (s *Store) Report(ctx context.Context, id int64) (Report, error) {
	return scanReport(s.row(ctx, "report_get", id))
}

// Reports lists the reports with an id below the given one (0 for all), newest first; of one kind
// only unless that is empty.
func (s *Store) Reports(ctx context.Context, before int64, kind string, limit int) ([]Report, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	return collect(ctx, s, "report_list", scanReport, before, kind, limit)
}

// ReportCount counts the reports.
func (s *Store) ReportCount(ctx context.Context) (n int64, err error) {
	return n, s.row(ctx, "report_count").Scan(&n)
}
