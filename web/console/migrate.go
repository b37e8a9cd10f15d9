package console

import (
	"cmp"
	"encoding/json/v2"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/migration/desk"
	"github.com/landbridge-im/landbridge/migration/plan"
)

// pathMigrate is where the pages of migrations are.
const pathMigrate = Path + "/migrate"

func (c *Console) migrationRoutes(get, post func(string, func(*visit) error)) {
	get("/migrate", c.migrations)
	get("/migrate/show", c.migration)
	get("/migrate/progress", c.migrationProgress)
	get("/migrate/edit", c.migrationEdit)
	get("/migrate/mapping", c.migrationMapping)
	post("/migrate/edit", c.migrationEdit)
	post("/migrate/new", c.migrationNew)
	post("/migrate/do", c.migrationDo)
	c.mux.Handle("POST "+pathMigrate+"/upload", c.adminWith(c.readUpload, c.migrationUpload))
}

// to is the address of a page of one migration.
func migrationPage(page, id string) string {
	return pathMigrate + "/" + page + "?" + url.Values{"id": {id}}.Encode()
}

type migrationsView struct {
	List    []desk.Migration
	Exports []desk.Found
	Folder  string
	PartMax int
}

func (c *Console) migrations(v *visit) error {
	found, err := c.o.Desk.Exports()
	if err != nil {
		return problem{err}
	}
	return v.show("/migrate", say("Move a community in"), "migrations", migrationsView{c.o.Desk.List(), found, c.o.Desk.Folder(), desk.PartMax})
}

// choice reads what a form says of an export.
func choice(f url.Values) desk.Choice {
	c := desk.Choice{Network: f.Get("network"), Workspace: f.Get("workspace"), Bridge: f.Get("bridge"), Zone: f.Get("zone")}
	if c.Zone == "" {
		c.Zone = "UTC"
	}
	return c
}

// migrationNew begins with an export that lies in the folder for them.
func (c *Console) migrationNew(v *visit) error {
	f := v.r.PostForm
	var m desk.Migration
	to := pathMigrate
	return v.act("begin a migration of", f.Get("export"), "", to, sentence.Text{}, func() (err error) {
		if m, err = c.o.Desk.Add(f.Get("export"), choice(f)); err == nil {
			v.to = migrationPage("show", m.ID)
			err = c.o.Desk.Start(m.ID, desk.Plan, false)
		}
		return err
	})
}

type migrationView struct {
	desk.Migration
	Report   *plan.Report
	Mapping  *plan.Mapping
	Progress desk.Progress
	Kinds    []amount
	Rooms    []plan.RoomCount
	Bridge   string // that can go on
	Claims   *claimsView
}

func (c *Console) migration(v *visit) error {
	m, err := c.o.Desk.Get(v.r.URL.Query().Get("id"))
	if err != nil {
		return problem{err}
	}
	out := migrationView{Migration: m}
	if out.Progress, err = c.o.Desk.Progress(m.ID); err != nil {
		return problem{err}
	}
	if !m.Planned.IsZero() {
		if out.Report, err = c.o.Desk.Report(m.ID); err != nil {
			return problem{err}
		}
		if out.Mapping, _, err = c.o.Desk.Mapping(m.ID); err != nil {
			return problem{err}
		}
		for _, k := range []string{"public", "private", "group", "direct", "section", "thread"} {
			if n := out.Report.Kinds[kindOf(k)]; n > 0 {
				out.Kinds = append(out.Kinds, amount{Name: k, Bytes: int64(n)})
			}
		}
		out.Rooms = out.Report.Largest(20)
		for _, b := range c.o.Backend.Bridges() {
			if b.ID == out.Mapping.Naming.Service && b.Module == out.Report.Source.Network {
				out.Bridge = b.ID
			}
		}
	}
	if !m.Ran.IsZero() && out.Bridge != "" {
		if out.Claims, err = c.claimsOf(v, out.Bridge); err != nil {
			return err
		}
	}
	return v.show("/migrate", sentence.Data(cmp.Or(m.Title, m.File)), "migration", out)
}

// migrationProgress is what the page's script asks for.
func (c *Console) migrationProgress(v *visit) error {
	p, err := c.o.Desk.Progress(v.r.URL.Query().Get("id"))
	if err != nil {
		return problem{err}
	}
	return v.json(p)
}

// json answers a script of ours.
func (v *visit) json(what any) error {
	raw, err := json.Marshal(what)
	if err != nil {
		return err
	}
	v.c.o.Site.Headers(v.w.Header())
	v.w.Header().Set("Content-Type", "application/json")
	_, _ = v.w.Write(raw) // the browser may be gone
	return nil
}

// stepsSaid is what is said when a step has been started.
var stepsSaid = map[desk.Step]string{desk.Plan: "The export is being looked at.", desk.Run: "The export is being brought in.", desk.Verify: "The rooms are being compared with the export."}

func (c *Console) migrationDo(v *visit) error {
	f := v.r.PostForm
	m, err := c.o.Desk.Get(f.Get("id"))
	if err != nil {
		return problem{err}
	}
	back := migrationPage("show", m.ID)
	whom := "migration " + m.ID + " (" + m.File + ")"
	switch what := f.Get("do"); what {
	case "plan", "run", "verify":
		step := desk.Step(what)
		if step == desk.Run && m.Ran.IsZero() && m.State == desk.Ready && !v.sure(question{Text: say("Rooms and people are made as the plan and the mapping say, and what was said is written into the rooms. It can be stopped and gone on with at any time; what is in the rooms stays."),
			Yes: say("Bring it in"), Back: back}) {
			return nil
		}
		return v.act(what, whom, "", back, say(stepsSaid[step]), func() error { return c.o.Desk.Start(m.ID, step, f.Get("alone") == "yes") })
	case "stop":
		return v.act("stop", whom, "", back, say("It stops. It can be gone on with."), func() error { return c.o.Desk.Stop(m.ID) })
	case "remove":
		if !v.sure(question{Text: say("The mapping, the reports and an export that was uploaded are deleted. Rooms and people that were brought in stay."), Yes: say("Remove the migration"), Back: back}) {
			return nil
		}
		return v.act("remove", whom, "", pathMigrate, say("The migration is removed."), func() error { return c.o.Desk.Remove(m.ID) })
	}
	return problemf("There is no action %q.", f.Get("do"))
}

// migrationMapping gives the mapping's file.
func (c *Console) migrationMapping(v *visit) error {
	_, text, err := c.o.Desk.Mapping(v.r.URL.Query().Get("id"))
	if err != nil && text == nil {
		return problem{err}
	}
	h := v.w.Header()
	c.o.Site.Headers(h)
	h.Set("Content-Type", "application/yaml")
	h.Set("Content-Disposition", `attachment; filename="mapping.yaml"`)
	http.ServeContent(v.w, v.r, "", time.Time{}, readerOf(text))
	return nil
}

// refused is an upload's answer to the script.
type refused struct {
	Error string `json:"error,omitempty"`
	ID    string `json:"id,omitempty"`
	Have  int64  `json:"have"`
}

// readUpload reads the form of a part of an upload.
func (c *Console) readUpload(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, desk.PartMax+1<<20)
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		return sentence.Errorf("the part could not be read: without the page's script, a file may have at most 16 MiB")
	}
	return c.o.Site.Form(w, r)
}

// migrationUpload takes an export in parts. The first call says what is going to come; each of the others
// has a part. A browser without scripts sends all in one.
func (c *Console) migrationUpload(v *visit) error {
	defer func() { _ = v.r.MultipartForm.RemoveAll() }() // temporary files
	f := v.r.PostForm
	script := f.Get("script") == "yes"
	id, offset := f.Get("id"), formNumber(f, "offset")
	out, err := c.upload(v, script, id, offset)
	if script {
		if err != nil {
			out.Error = v.say(sentence.Of(err))
		}
		return v.json(out)
	}
	if err != nil {
		return problem{err}
	}
	return v.done(migrationPage("show", out.ID), say("The export is here."))
}

func (c *Console) upload(v *visit, script bool, id string, offset int64) (out refused, err error) {
	f := v.r.PostForm
	name, size := f.Get("name"), formNumber(f, "size")
	part, head, err := v.r.FormFile("export")
	if err == nil {
		defer part.Close()
		if !script {
			name, size = head.Filename, head.Size
		}
	} else if !errors.Is(err, http.ErrMissingFile) {
		return out, err
	}
	if id == "" {
		m, err := c.o.Desk.Receive(name, size, choice(f))
		if err != nil {
			return out, err
		}
		id = m.ID
		if err := v.written("begin a migration of", name, ""); err != nil {
			return out, err
		}
	}
	if out.ID = id; part != nil {
		if out.Have, err = c.o.Desk.Put(id, offset, part); err != nil {
			return out, err
		}
	}
	m, err := c.o.Desk.Get(id)
	if err == nil && m.State == desk.Ready && m.Planned.IsZero() {
		err = c.o.Desk.Start(id, desk.Plan, false)
	}
	out.Have = m.Have
	return out, err
}
