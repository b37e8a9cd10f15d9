package console

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Act is the command /act: a request to the administrators' API, or, with Client, to the client-server API, on behalf of
// an administrator. The path begins behind the prefix or the version.
type Act struct {
	// As is the administrator; "" for the one who has been it for longest.
	As     string         `json:"as,omitempty"`
	Client bool           `json:"client,omitempty"`
	Method string         `json:"method"`
	Path   string         `json:"path"`
	Body   jsontext.Value `json:"body,omitzero"`
	// Did, To and More are what the audit log has of it; without Did it has nothing, as for what only looks.
	Did  string `json:"did,omitempty"`
	To   string `json:"to,omitempty"`
	More string `json:"more,omitempty"`
}

// Acted is what the API answered.
type Acted struct {
	As     string         `json:"as"`
	Answer jsontext.Value `json:"answer,omitzero"`
}

// API makes a request for Act as a user who is an administrator.
type API func(ctx context.Context, user int64, userID string, q Act) (jsontext.Value, error)

// act does what an Act says.
func (c *console) act(ctx context.Context, q Act) (out Acted, err error) {
	user, err := c.administrator(ctx, q.As)
	if err != nil {
		return out, err
	}
	if out.As, err = c.o.Store.UserID(ctx, user); err != nil {
		return out, err
	}
	out.Answer, err = c.o.API(ctx, user, out.As, q)
	if q.Did == "" {
		return out, err
	}
	entry := store.Audit{TS: time.Now().UnixMilli(), Who: "command line, as " + out.As, Did: q.Did, To: q.To, More: q.More}
	if err != nil {
		entry.Did, entry.More = entry.Did+" (failed)", err.Error()
	}
	return out, errors.Join(err, c.o.Store.Write(context.WithoutCancel(ctx), func(t *store.Tx) error { return t.AddAudit(entry) }))
}

// administrator finds the account that commands act as.
func (c *console) administrator(ctx context.Context, name string) (int64, error) {
	if name == "" {
		user, err := c.o.Store.FirstAdmin(ctx)
		if errors.Is(err, store.ErrNotFound) {
			err = mxerror.NotFound("Nobody here is an administrator, on whose behalf this could be done: make one with landbridge user admin NAME.")
		}
		return user, err
	}
	id, account, err := c.find(ctx, name)
	if err != nil {
		return 0, err
	}
	if !account.Admin || account.DeactivatedTS != 0 {
		return 0, mxerror.Forbidden("%s is no administrator.", id)
	}
	return account.User, nil
}

// Report is something that a user has reported.
type Report struct {
	ID        int64  `json:"id"`
	Kind      string `json:"kind"`
	RoomID    string `json:"room_id,omitempty"`
	EventID   string `json:"event_id,omitempty"`
	UserID    string `json:"user_id,omitempty"`
	Reporter  string `json:"reporter"`
	Reason    string `json:"reason,omitempty"`
	CreatedTS int64  `json:"created_ts"`
}

// Reports are a part of all reports, newest first; Next is where the rest begins, 0 at the end.
type Reports struct {
	Reports []Report `json:"reports"`
	Next    int64    `json:"next"`
}

// listReports is the command /report/list.
func (c *console) listReports(ctx context.Context, q Page) (out Reports, err error) {
	list, err := c.o.Store.Reports(ctx, q.After, "", q.limit())
	if err != nil {
		return out, err
	}
	out.Reports = []Report{}
	for _, p := range list {
		r := Report{ID: p.ID, Kind: p.Kind, Reason: p.Reason, CreatedTS: p.CreatedTS}
		if p.Room != 0 {
			if room, err := c.o.Store.RoomByNID(ctx, p.Room); err == nil {
				r.RoomID = room.ID
			} else if !errors.Is(err, store.ErrNotFound) {
				return out, err
			}
		}
		if p.Event != 0 {
			if e, err := c.o.Store.Event(ctx, p.Event); err == nil {
				r.EventID = e.ID
			} else if !errors.Is(err, store.ErrNotFound) {
				return out, err
			}
		}
		for nid, to := range map[int64]*string{p.User: &r.UserID, p.Reporter: &r.Reporter} {
			if nid == 0 {
				continue
			}
			if *to, err = c.o.Store.UserID(ctx, nid); err != nil {
				return out, err
			}
		}
		out.Reports = append(out.Reports, r)
	}
	if len(list) == q.limit() {
		out.Next = list[len(list)-1].ID
	}
	return out, nil
}

// Numbered names something by its number.
type Numbered struct {
	ID int64 `json:"id"`
}

// dismissReport is the command /report/dismiss.
func (c *console) dismissReport(ctx context.Context, q Numbered) (Numbered, error) {
	if _, err := c.o.Store.Report(ctx, q.ID); errors.Is(err, store.ErrNotFound) {
		return q, mxerror.NotFound("There is no report %d.", q.ID)
	} else if err != nil {
		return q, err
	}
	return q, c.o.Store.Write(ctx, func(t *store.Tx) error { return t.DeleteReport(q.ID) })
}

// Peer is another server.
type Peer struct {
	Server    string `json:"server"`
	Reachable bool   `json:"reachable"`
	Failures  int64  `json:"failures,omitempty"`
	SinceTS   int64  `json:"failing_since_ts,omitempty"`
	RetryTS   int64  `json:"retry_ts,omitempty"`
	Rooms     int64  `json:"rooms"`
	Waiting   int64  `json:"waiting"`
	LastError string `json:"last_error,omitempty"`
}

// PeersOf asks for other servers behind one.
type PeersOf struct {
	After   string `json:"after,omitempty"`
	Search  string `json:"search,omitempty"`
	Failing bool   `json:"failing,omitempty"`
}

// Peers are a part of the other servers; Next is where the rest begins, "" at the end.
type Peers struct {
	Peers []Peer `json:"peers"`
	Next  string `json:"next"`
}

// peersPart is how many servers one answer has.
const peersPart = 500

// listPeers is the command /federation/list.
func (c *console) listPeers(ctx context.Context, q PeersOf) (out Peers, err error) {
	list, err := c.o.Store.Peers(ctx, c.o.Server, q.After, q.Search, q.Failing, peersPart)
	if err != nil {
		return out, err
	}
	out.Peers = []Peer{}
	for _, p := range list {
		r := Peer{Server: p.Server, Reachable: p.Failures == 0, Failures: int64(p.Failures), SinceTS: p.SinceTS, RetryTS: p.RetryTS, Rooms: p.Rooms, Waiting: p.Waiting}
		if c.o.LastFailure != nil {
			r.LastError, _ = c.o.LastFailure(p.Server)
		}
		out.Peers = append(out.Peers, r)
	}
	if len(list) == peersPart {
		out.Next = list[len(list)-1].Server
	}
	return out, nil
}

// retryPeer is the command /federation/retry.
func (c *console) retryPeer(ctx context.Context, q Named) (Named, error) {
	if c.o.Retry == nil {
		return q, mxerror.InvalidParam("The server does not run; it tries all others when it starts.")
	}
	c.o.Retry(ctx, q.Name)
	return q, nil
}

// Audit is an entry of the audit log.
type Audit struct {
	TS   int64  `json:"ts"`
	Who  string `json:"who"`
	Did  string `json:"did"`
	To   string `json:"to,omitempty"`
	More string `json:"more,omitempty"`
}

// Audits are a part of the audit log, newest first; Next is where the rest begins, 0 at the end.
type Audits struct {
	Audits []Audit `json:"audits"`
	Next   int64   `json:"next"`
}

// listAudits is the command /audit/list.
func (c *console) listAudits(ctx context.Context, q Page) (out Audits, err error) {
	list, err := c.o.Store.Audits(ctx, q.After, q.limit())
	out.Audits = []Audit{}
	for _, a := range list {
		out.Audits = append(out.Audits, Audit{a.TS, a.Who, a.Did, a.To, a.More})
	}
	if len(list) == q.limit() {
		out.Next = list[len(list)-1].NID
	}
	return out, err
}

// SamplesOf asks for what was measured since a time, in seconds; by the hour, or by the minute.
type SamplesOf struct {
	Hourly bool  `json:"hourly,omitempty"`
	Since  int64 `json:"since"`
}

// Series is what one thing measured over time.
type Series struct {
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"` // seconds since 1970, and the value
}

// AllSeries are those of all things.
type AllSeries struct {
	Series []Series `json:"series"`
}

// listSamples is the command /chart/list.
func (c *console) listSamples(ctx context.Context, q SamplesOf) (out AllSeries, err error) {
	span := int64(60)
	if q.Hourly {
		span = 3600
	}
	list, err := c.o.Store.Samples(ctx, span, q.Since, 1)
	out.Series = []Series{}
	for _, p := range list {
		i := slices.IndexFunc(out.Series, func(s Series) bool { return s.Name == p.Series })
		if i < 0 {
			i = len(out.Series)
			out.Series = append(out.Series, Series{Name: p.Series})
		}
		out.Series[i].Points = append(out.Series[i].Points, [2]float64{float64(p.TS), p.Value})
	}
	return out, err
}

// lookCommands are those that are not about one noun of the homeserver alone.
func (c *console) lookCommands(mux *http.ServeMux) {
	if c.o.API != nil {
		serve(mux, c, "/act", c.act) // writes the audit log itself
	}
	serve(mux, c, "/report/list", c.listReports)
	changing(mux, c, "/report/dismiss", func(q Numbered) string { return strconv.FormatInt(q.ID, 10) }, c.dismissReport)
	serve(mux, c, "/federation/list", c.listPeers)
	changing(mux, c, "/federation/retry", func(q Named) string { return q.Name }, c.retryPeer)
	serve(mux, c, "/audit/list", c.listAudits)
	serve(mux, c, "/chart/list", c.listSamples)
}
