package app

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/database"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/backup"
	"github.com/landbridge-im/landbridge/bridges/slack"
	"github.com/landbridge-im/landbridge/doctor"
	"github.com/landbridge-im/landbridge/homeserver/oauth"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/console"
	"github.com/landbridge-im/landbridge/web/page"
	"github.com/landbridge-im/landbridge/web/reading"
	"github.com/landbridge-im/landbridge/web/start"
)

// webPages are what people see in a browser.
type webPages struct {
	site    *page.Site
	start   *start.Start
	console *console.Console
	reading *reading.Reading
}

// openPages makes the pages.
func (s *serving) openPages() (err error) {
	c := s.cfg
	p := &s.pages
	p.site = s.hs.Pages()
	if s.desk, err = s.openDesk(); err != nil {
		return err
	}
	so := start.Options{Site: p.site, Server: c.Server.Name, Address: c.PublicURL(), Rooms: s.publicRooms, Networks: s.networks,
		Policy: s.policy, Console: console.Path + "/", Reading: reading.Path, Log: s.log}
	co := console.Options{Site: p.site, Server: c.Server.Name, Version: s.std.build.Version, Store: s.hs.Store(), Backend: backend{s},
		Metrics: s.metrics, Lines: s.lines, Desk: s.desk, Claims: claimPages{s}, Log: s.log,
		Manifest: func() ([]byte, error) { return slack.App{Name: "Landbridge"}.Manifest() }}
	if c.OAuth.Enabled { // and with it the pages of accounts
		so.SignUp, so.Account = oauth.PathSignUp, oauth.PathAccount
		co.SignIn = oauth.SignInTo
	}
	p.start, err = start.New(so)
	if err != nil {
		return err
	}
	if p.reading, err = reading.New(p.site, readable{s.hs}, s.log); err != nil {
		return err
	}
	p.console, err = console.New(co)
	return err
}

// servePage answers a request for a page; false if it is for something else.
func (s *serving) servePage(w http.ResponseWriter, r *http.Request) bool {
	switch p := r.URL.Path; {
	case p == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		s.pages.start.ServeHTTP(w, r)
	case p == console.Path, strings.HasPrefix(p, console.Path+"/"):
		s.pages.console.ServeHTTP(w, r)
	case p == reading.Path, strings.HasPrefix(p, reading.Path+"/"):
		s.pages.reading.ServeHTTP(w, r)
	case strings.HasPrefix(p, page.AssetPrefix):
		s.pages.site.ServeAsset(w, r)
	default:
		return false
	}
	return true
}

func (s *serving) publicRooms(ctx context.Context, limit int) ([]start.Room, error) {
	list, err := s.hs.PublicRooms(ctx, limit)
	out := make([]start.Room, len(list))
	for i, r := range list {
		out[i] = start.Room(r)
	}
	return out, err
}

func (s *serving) networks() (out []start.Network) {
	for _, b := range (backend{s}).Bridges() {
		if len(b.Logins) == 0 {
			out = append(out, start.Network{Name: b.ID, Up: b.State == "running"})
		}
		for _, l := range b.Logins {
			out = append(out, start.Network{Name: l.Name, Up: l.State == "CONNECTED"})
		}
	}
	return out
}

func (s *serving) policy() start.Policy {
	c := s.current.Load()
	switch {
	case c.Registration.Open:
		return start.Open
	case slices.ContainsFunc(c.Login.OIDC, func(p configOIDC) bool { return p.Register }):
		return start.OpenIDs
	}
	return start.Closed
}

// backend is the server behind the console.
type backend struct{ s *serving }

var _ console.Backend = backend{}

// Admin implements console.Backend.
func (b backend) Admin(ctx context.Context, by *page.Session, method, path string, body, out any) error {
	return b.s.hs.Admin(ctx, by.User, by.UserID, method, path, body, out)
}

// Act implements console.Backend.
func (b backend) Act(ctx context.Context, by *page.Session, method, path string, body, out any) error {
	return b.s.hs.Act(ctx, by.UserID, method, path, body, out)
}

// SignIn implements console.Backend: it is a login by the client API, with its limits, which ends at
// once.
func (b backend) SignIn(r *http.Request, name, password string) (int64, error) {
	var login struct {
		UserID string `json:"user_id"`
		Token  string `json:"access_token"`
	}
	err := b.call(r, "/_matrix/client/v3/login", "", map[string]any{"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": name},
		"password": password, "initial_device_display_name": "Console"}, &login)
	if err != nil {
		return 0, err
	}
	if err := b.call(r, "/_matrix/client/v3/logout", login.Token, map[string]any{}, &struct{}{}); err != nil {
		return 0, err
	}
	return b.s.hs.Store().UserNID(r.Context(), login.UserID)
}

// Bridges implements console.Backend.
func (b backend) Bridges() (out []console.Bridge) {
	for _, st := range b.s.host.Status() {
		c := console.Bridge{ID: st.ID, Module: st.Module, State: string(st.State), Error: st.LastError, Since: st.Since, Restarts: st.Restarts, Waiting: st.Waiting}
		for _, l := range st.Logins {
			c.Logins = append(c.Logins, console.Login{Name: l.Name, State: string(l.State), Message: l.Message})
		}
		out = append(out, c)
	}
	return out
}

// Portals implements console.Backend.
func (b backend) Portals(ctx context.Context, id, search string, offset, limit int) ([]console.Portal, int, error) {
	br := b.s.host.Bridge(id)
	if br == nil {
		return nil, 0, nil // it does not run
	}
	list, err := br.DB.Portal.GetAllWithMXID(ctx)
	if err != nil {
		return nil, 0, sentence.Errorf("listing the portals of %s: %s", id, err)
	}
	search = strings.ToLower(search)
	list = slices.DeleteFunc(list, func(p *database.Portal) bool {
		return !strings.Contains(strings.ToLower(p.Name+" "+string(p.ID)), search)
	})
	slices.SortFunc(list, func(x, y *database.Portal) int { return strings.Compare(x.Name+string(x.ID), y.Name+string(y.ID)) })
	total := len(list)
	passed := map[string]appservice.PortalStatus{}
	for _, st := range b.s.host.Status() {
		if st.ID == id {
			for _, p := range st.Portals {
				passed[string(p.Room)] = p
			}
		}
	}
	var out []console.Portal
	for _, p := range list[min(offset, total):min(offset+limit, total)] {
		went := passed[string(p.MXID)]
		row := console.Portal{Name: p.Name, Remote: string(p.ID), Room: string(p.MXID), ToRemote: went.ToRemote, ToMatrix: went.ToMatrix,
			Failed: went.Failed + went.Refused, Waiting: went.Waiting, Latency: went.Latency.Round(100 * time.Microsecond)}
		var last int64
		err := br.DB.QueryRow(ctx, "SELECT count(*), coalesce(max(timestamp), 0) FROM message WHERE bridge_id = $1 AND room_id = $2 AND room_receiver = $3",
			id, p.ID, p.Receiver).Scan(&row.Messages, &last)
		if err != nil {
			return nil, 0, sentence.Errorf("counting the messages of a portal of %s: %s", id, err)
		}
		row.LastTS = last / int64(time.Millisecond)
		out = append(out, row)
	}
	return out, total, nil
}

// Letters implements console.Backend.
func (b backend) Letters(ctx context.Context, id string) ([]console.Letter, error) {
	list, err := b.s.host.DeadLetters(ctx, id)
	if errors.Is(err, appservice.ErrNotRunning) {
		return nil, nil
	}
	var out []console.Letter
	for _, l := range list {
		out = append(out, console.Letter{Event: l.EventID, Room: l.Room, Sender: l.Sender, Type: l.Type, Reason: l.Reason, Tries: l.Tries, AtTS: l.At.UnixMilli()})
	}
	return out, err
}

// RetryLetters implements console.Backend.
func (b backend) RetryLetters(ctx context.Context, id string, events []string) (int, error) {
	return b.s.host.RetryDeadLetters(ctx, id, events...)
}

// DropLetters implements console.Backend.
func (b backend) DropLetters(ctx context.Context, id string, events []string) (int, error) {
	return b.s.host.DropDeadLetters(ctx, id, events...)
}

// LastFailure implements console.Backend.
func (b backend) LastFailure(server string) (string, time.Time) { return b.s.hs.LastFailure(server) }

// SetBridge implements console.Backend.
func (b backend) SetBridge(ctx context.Context, id, action string) error {
	if held := b.s.held.Load(); held != nil && *held == id {
		return errHeld
	}
	switch action {
	case "start":
		return b.s.host.Start(ctx, id)
	case "restart":
		return b.s.host.Restart(ctx, id)
	case "stop":
		return b.s.host.Stop(id)
	}
	return sentence.Errorf("there is no such action")
}

// Services implements console.Backend.
func (b backend) Services() (out []console.Service) {
	own := map[string]bool{}
	for _, st := range b.s.host.Status() {
		own[st.ID] = true
	}
	for _, st := range b.s.hs.Services().Status() {
		out = append(out, console.Service{ID: st.ID, Error: st.LastError, Own: own[st.ID], Reachable: st.Reachable, Since: st.Since, Behind: st.Behind, Transactions: st.Transactions})
	}
	return out
}

// Retry implements console.Backend.
func (b backend) Retry(ctx context.Context, server string) error {
	b.s.hs.TryAgain(ctx, server)
	return nil
}

// Doctor implements console.Backend.
func (b backend) Doctor(ctx context.Context) []doctor.Finding {
	o, err := doctorOptions(b.s.current.Load(), b.s.std.build.Version)
	if err != nil {
		return []doctor.Finding{{Area: sentence.Say("configuration"), Verdict: doctor.Bad, Text: sentence.Of(err), Mend: sentence.Data("landbridge config check")}}
	}
	o.Ask = func(context.Context) (*doctor.Running, error) {
		r := b.s.running()
		return &r, nil
	}
	return doctor.Examine(ctx, o)
}

// Backup implements console.Backend.
func (b backend) Backup(ctx context.Context) (string, error) {
	c := b.s.current.Load()
	path, err := filepath.Abs(filepath.Join(c.BackupFolder(), backup.Name(backup.Asked, time.Now())))
	if err != nil {
		return "", err
	}
	made, err := b.s.backup(ctx, path, backup.Asked, c.Backup.Media)
	return made.Path, err
}

// Backups implements console.Backend.
func (b backend) Backups() ([]backup.Stored, error) {
	return backup.List(b.s.current.Load().BackupFolder())
}

// Disk implements console.Backend.
func (b backend) Disk() map[string]int64 {
	c := b.s.current.Load()
	out := map[string]int64{"bridges": folderSize(filepath.Join(c.DataDir, "bridges")), "backups": folderSize(c.BackupFolder())}
	out["search"] = filesSize(filepath.Join(c.DataDir, "search.db"))
	if path := store.SQLitePath(c.DatabaseURI().Reveal()); path != "" {
		out["database"] = filesSize(path)
	}
	if totals, err := b.s.hs.Store().Totals(context.Background()); err == nil {
		out["media"] = totals.Bytes
	}
	return out
}

// filesSize is the size of a SQLite database.
func filesSize(path string) (n int64) {
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		if info, err := os.Stat(p); err == nil {
			n += info.Size()
		}
	}
	return n
}

func folderSize(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // what can't be read is not counted
	})
	return n
}
