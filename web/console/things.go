package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/backup"
	"github.com/landbridge-im/landbridge/doctor"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// tokens shows the registration tokens.
func (c *Console) tokens(v *visit) error {
	list, err := c.o.Store.RegistrationTokens(v.ctx)
	if err != nil {
		return err
	}
	now := c.o.Now().UnixMilli()
	type row struct {
		store.RegistrationToken
		Valid bool
	}
	out := make([]row, len(list))
	for i, k := range list {
		out[i] = row{k, k.Valid(now)}
	}
	return v.show("/tokens", say("Registration tokens"), "tokens", out)
}

func (c *Console) tokenDo(v *visit) error {
	f := v.r.PostForm
	back := Path + "/tokens"
	switch f.Get("do") {
	case "create":
		body := map[string]any{"uses_allowed": nil, "expiry_time": nil}
		if s := strings.TrimSpace(f.Get("uses")); s != "" {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < 1 {
				return problemf("%q is no number of uses.", s)
			}
			body["uses_allowed"] = n
		}
		if s := strings.TrimSpace(f.Get("days")); s != "" {
			n, err := strconv.ParseInt(s, 10, 32)
			if err != nil || n < 1 || n > 36500 {
				return problemf("%q is no number of days.", s)
			}
			body["expiry_time"] = c.o.Now().AddDate(0, 0, int(n)).UnixMilli()
		}
		return v.act("create", "registration token", "", back, say("The token is made."), func() error {
			return v.api(http.MethodPost, "/v1/registration_tokens/new", body, nil)
		})
	case "delete":
		token := f.Get("token")
		if !v.sure(question{Text: say("Nobody can sign up with the token %s any more.", token), Yes: say("Delete the token"), Back: back}) {
			return nil
		}
		return v.act("delete", "registration token", "", back, say("The token is deleted."), func() error {
			return v.api(http.MethodDelete, "/v1/registration_tokens/"+url.PathEscape(token), nil, nil)
		})
	}
	return problemf("There is no action %q.", f.Get("do"))
}

type reportRow struct {
	store.Report
	RoomID, UserID, ReporterID string
	// EventID and Said are of the message that was reported; "" if it is not here, or no text.
	EventID, Said string
}

// saidMax is how much of a reported message is shown, in bytes.
const saidMax = 2000

// reports shows what users have reported.
func (c *Console) reports(v *visit) error {
	list, err := c.o.Store.Reports(v.ctx, v.number("before"), "", pageSize+1)
	if err != nil {
		return err
	}
	var out listView[reportRow]
	if len(list) > pageSize {
		list = list[:pageSize]
		out.Next = link("/reports", "", false, "before", strconv.FormatInt(list[pageSize-1].ID, 10))
	}
	for _, p := range list {
		r := reportRow{Report: p}
		if p.Room != 0 {
			if room, err := c.o.Store.RoomByNID(v.ctx, p.Room); err == nil {
				r.RoomID = room.ID
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		if p.Event != 0 {
			if e, err := c.o.Store.Event(v.ctx, p.Event); err == nil {
				said := e.ContentString("body")
				r.EventID, r.Said = e.ID, strings.ToValidUTF8(said[:min(len(said), saidMax)], "")
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		for nid, to := range map[int64]*string{p.User: &r.UserID, p.Reporter: &r.ReporterID} {
			if nid == 0 {
				continue
			}
			if *to, err = c.o.Store.UserID(v.ctx, nid); err != nil {
				return err
			}
		}
		out.List = append(out.List, r)
	}
	return v.show("/reports", say("Reports"), "reports", out)
}

func (c *Console) reportDo(v *visit) error {
	f := v.r.PostForm
	if f.Get("do") == "redact" {
		return v.redact(f.Get("room"), f.Get("event"), "", Path+"/reports")
	}
	id, err := strconv.ParseInt(f.Get("id"), 10, 64)
	if err != nil {
		return problemf("There is no such report.")
	}
	if !v.sure(question{Text: say("The report is removed from the list. What was reported stays as it is."), Yes: say("It is dealt with"), Back: Path + "/reports"}) {
		return nil
	}
	return v.act("dismiss", "report "+strconv.FormatInt(id, 10), "", Path+"/reports", say("The report is dealt with."), func() error {
		return c.o.Store.Write(v.ctx, func(t *store.Tx) error { return t.DeleteReport(id) })
	})
}

type peerRow struct {
	store.Peer
	// LastError is why a call failed last, and when; "" if that is not remembered.
	LastError string
	LastTS    int64
}

type federationView struct {
	listView[peerRow]
	Sharing, Failing int64
}

// federation shows other servers: whether they can be reached, what waits for them, and why not.
func (c *Console) federation(v *visit) error {
	q := v.r.URL.Query()
	out := federationView{listView: listView[peerRow]{Search: strings.TrimSpace(q.Get("q")), All: q.Get("all") == "yes"}}
	var err error
	if out.Sharing, out.Failing, err = c.o.Store.PeerCounts(v.ctx, c.o.Server); err != nil {
		return err
	}
	list, err := c.o.Store.Peers(v.ctx, c.o.Server, q.Get("after"), out.Search, !out.All, pageSize+1)
	if err != nil {
		return err
	}
	if len(list) > pageSize {
		list = list[:pageSize]
		out.Next = link("/federation", out.Search, out.All, "after", list[pageSize-1].Server)
	}
	for _, p := range list {
		r := peerRow{Peer: p}
		text, at := c.o.Backend.LastFailure(p.Server)
		if r.LastError = text; text != "" {
			r.LastTS = at.UnixMilli()
		}
		out.List = append(out.List, r)
	}
	return v.show("/federation", say("Federation"), "federation", out)
}

func (c *Console) federationDo(v *visit) error {
	server := v.r.PostForm.Get("server")
	return v.act("retry", server, "", Path+"/federation", say("The server is tried again at once."), func() error { return c.o.Backend.Retry(v.ctx, server) })
}

// audit shows what administrators did.
func (c *Console) audit(v *visit) error {
	list, err := c.o.Store.Audits(v.ctx, v.number("before"), pageSize+1)
	if err != nil {
		return err
	}
	var out listView[store.Audit]
	if len(list) > pageSize {
		list = list[:pageSize]
		out.Next = link("/audit", "", false, "before", strconv.FormatInt(list[pageSize-1].NID, 10))
	}
	out.List = list
	return v.show("/audit", say("Audit log"), "audit", out)
}

type mediaView struct {
	Files, Bytes int64
	Users        []mediaUser
}

type mediaUser struct {
	ID    string `json:"user_id"`
	Files int64  `json:"media_count"`
	Bytes int64  `json:"media_length"`
}

// media shows who has stored most.
func (c *Console) media(v *visit) error {
	totals, err := c.totals.get(func() (store.Totals, error) { return c.o.Store.Totals(v.ctx) })
	if err != nil {
		return err
	}
	out := mediaView{Files: totals.Files, Bytes: totals.Bytes}
	var most struct {
		Users []mediaUser `json:"users"`
	}
	if err := v.api(http.MethodGet, "/v1/statistics/users/media?order_by=media_length&dir=b&limit=20", nil, &most); err != nil {
		return err
	}
	out.Users = most.Users
	return v.show("/media", say("Media"), "media", out)
}

// mediaDo acts on one file, which is named as mxc://server/id.
func (c *Console) mediaDo(v *visit) error {
	f := v.r.PostForm
	what := f.Get("do")
	server, id, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(f.Get("mxc")), "mxc://"), "/")
	if !ok || server == "" || id == "" {
		return problemf("Write the address of a file: mxc://%s/...", c.o.Server)
	}
	name := url.PathEscape(server) + "/" + url.PathEscape(id)
	back := Path + "/media"
	if user := f.Get("user"); user != "" { // whose files were being looked at
		back = Path + "/users/show?" + url.Values{"id": {user}}.Encode()
	}
	switch what {
	case "quarantine", "unquarantine":
		return v.act(what, "mxc://"+server+"/"+id, "", back, say("Done."), func() error {
			return v.api(http.MethodPost, "/v1/media/"+what+"/"+name, map[string]any{}, nil)
		})
	case "delete":
		if !v.sure(question{Text: say("The file %s is deleted for good.", "mxc://"+server+"/"+id), Yes: say("Delete the file"), Back: back}) {
			return nil
		}
		return v.act(what, "mxc://"+server+"/"+id, "", back, say("The file is deleted."), func() error {
			return v.api(http.MethodDelete, "/v1/media/"+name, nil, nil)
		})
	}
	return problemf("There is no action %q.", what)
}

func (c *Console) doctor(v *visit) error {
	var out []doctor.Finding
	run := v.r.URL.Query().Get("run") == "yes"
	if run {
		out = c.o.Backend.Doctor(v.ctx)
	}
	return v.show("/doctor", say("Doctor"), "doctor", map[string]any{"Run": run, "Found": out})
}

func (c *Console) backups(v *visit) error {
	list, err := c.o.Backend.Backups()
	if err != nil {
		return problem{err}
	}
	return v.show("/backups", say("Backups"), "backups", map[string]any{"List": list, "Why": map[backup.Kind]string{backup.Asked: "asked for", backup.Scheduled: "by the clock", backup.Upgrade: "before an upgrade"}})
}

func (c *Console) backupDo(v *visit) error {
	return v.act("create", "backup", "", Path+"/backups", say("The backup is made."), func() error {
		_, err := c.o.Backend.Backup(v.ctx)
		return err
	})
}
