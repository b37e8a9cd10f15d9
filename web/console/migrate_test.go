package console

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/desk"
	"github.com/landbridge-im/landbridge/migration/plan"
	"github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/slackexport"
)

// nobody is a server that brings nothing in.
type nobody struct{ run.Target }

func (nobody) Open(context.Context) (wire.Opened, error) {
	return wire.Opened{}, errors.New("nobody is at home")
}
func (nobody) Do(context.Context, string, any, any) error { return errors.New("nobody is at home") }

// newDesk makes a desk with an export in its folder, which works until the test ends.
func newDesk(t *testing.T, log *slog.Logger) *desk.Desk {
	t.Helper()
	exports := t.TempDir()
	if err := os.CopyFS(filepath.Join(exports, "acme"), os.DirFS("../../migration/testdata/slack/workspace")); err != nil {
		t.Fatal(err)
	}
	d, err := desk.New(desk.Options{Dir: t.TempDir(), Exports: exports, MaxUpload: func() int64 { return 1 << 20 }, Server: nobody{}, Log: log,
		Open: func(path, mapping string, _ desk.Choice) (_ *desk.Opened, err error) {
			o := &desk.Opened{}
			if o.Export, err = slackexport.Open(path, slackexport.Options{Workspace: "acme"}); err != nil {
				return nil, err
			}
			if mapping != "" {
				o.Mapping, err = plan.Load(mapping)
				return o, err
			}
			o.Mapping, o.Clashes = plan.Default(o.Export, plan.Naming{Service: "irc", Bot: "ircbot", Ghosts: "irc_"}, "x")
			return o, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = d.Work(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return d
}

// part sends a part of an upload.
func (r *rig) part(fields map[string]string, data []byte) *httptest.ResponseRecorder {
	r.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			r.t.Fatal(err)
		}
	}
	if data != nil {
		f, err := w.CreateFormFile("export", "x.zip")
		if err == nil {
			_, err = f.Write(data)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	w.Close()
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodPost, "https://m.x/console/migrate/upload", &b)
	req.Header.Set("Content-Type", w.FormDataContentType())
	for k, v := range r.jar {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	out := httptest.NewRecorder()
	r.c.ServeHTTP(out, req)
	return out
}

// awaitIdle waits until a migration is not worked on.
func (r *rig) awaitIdle(id string) desk.Migration {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		m, err := r.desk.Get(id)
		if err != nil {
			r.t.Fatal(err)
		}
		if !m.Busy() {
			return m
		}
		if time.Now().After(deadline) {
			r.t.Fatal("it is at work for ever")
		}
	}
}

// TestMigrationPages: an export from the disk, its plan, its mapping through forms, and what fails.
func TestMigrationPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.signIn("anna")
	token := func() string { return r.token("/console/migrate") }
	w := r.do("POST", "/console/migrate/new", url.Values{"export": {"acme"}, "csrf": {token()}})
	at := w.Header().Get("Location")
	if w.Code != http.StatusSeeOther || !strings.HasPrefix(at, "/console/migrate/show?id=") {
		t.Fatalf("%d %s", w.Code, at)
	}
	id := strings.TrimPrefix(at, "/console/migrate/show?id=")
	if m := r.awaitIdle(id); m.State != desk.Ready {
		t.Fatalf("%+v", m)
	}
	r.do("GET", at, nil) // takes the message
	body := r.do("GET", at, nil).Body.String()
	for _, want := range []string{"What it becomes", "be carried over", "Who is who", `value="run"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the plan has no %q: %s", want, body)
		}
	}
	if strings.Contains(body, `value="verify"`) {
		t.Error("what was not brought in can be verified")
	}
	edit := func(form url.Values) string {
		t.Helper()
		form.Set("id", id)
		form.Set("csrf", token())
		w := r.do("POST", "/console/migrate/edit", form)
		if w.Code == http.StatusSeeOther {
			return "redirect to " + w.Header().Get("Location")
		}
		return w.Body.String()
	}
	mapping, _, err := r.desk.Mapping(id)
	if err != nil {
		t.Fatal(err)
	}
	person, channel := mapping.People[0].ID, mapping.Channels[0].ID
	for name, test := range map[string]struct {
		form url.Values
		want string
	}{
		"nothing":           {url.Values{"part": {"people"}, "account." + person: {""}}, "redirect to"},
		"no such part":      {url.Values{"part": {"weather"}}, "has no part"},
		"an unknown person": {url.Values{"part": {"people"}, "account." + person: {"@zoe:x"}}, "There is no account @zoe:x"},
		"no user id":        {url.Values{"part": {"people"}, "account." + person: {"zoe"}}, "There is no account zoe"},
		"a bad alias":       {url.Values{"part": {"channels"}, "audience." + channel: {"space"}, "name." + channel: {"x"}, "alias." + channel: {"#x:y"}}, "must be the part between # and :"},
		"a bad audience":    {url.Values{"part": {"channels"}, "audience." + channel: {"all"}, "name." + channel: {"x"}}, "must be anyone, space or invited"},
		"a review":          {url.Values{"part": {"people"}, "account." + person: {"@anna:x"}}, "&#43;     account: &#39;@anna:x&#39;"},
		"the space":         {url.Values{"part": {"general"}, "name": {"New name"}, "admins": {"@anna:x"}, "space_audience": {"anyone"}}, "space_audience: anyone"},
	} {
		if got := edit(test.form); !strings.Contains(got, test.want) {
			t.Errorf("%s: no %q in %s", name, test.want, got)
		}
	}
	if now, _, err := r.desk.Mapping(id); err != nil || now.People[0].Account != "" || now.Name != mapping.Name {
		t.Fatalf("it was written before it was said: %+v %v", now.People[0], err)
	}
	if got := edit(url.Values{"part": {"people"}, "account." + person: {"@anna:x"}, "step": {"done"}}); !strings.HasPrefix(got, "redirect to") {
		t.Error(got)
	}
	if now, _, err := r.desk.Mapping(id); err != nil || now.People[0].Account != "@anna:x" {
		t.Errorf("%+v %v", now.People[0], err)
	}
	for _, p := range []string{"edit?part=people&q=zz&id=", "edit?part=people&id=", "edit?part=channels&id=", "edit?part=general&id=", "mapping?id=", "progress?id="} {
		if w := r.do("GET", "/console/migrate/"+p+id, nil); w.Code != 200 {
			t.Errorf("%s: %d %s", p, w.Code, w.Body)
		}
	}
	do := url.Values{"id": {id}, "do": {"run"}, "csrf": {token()}}
	if w := r.do("POST", "/console/migrate/do", do); !strings.Contains(w.Body.String(), "Are you sure?") {
		t.Errorf("not asked: %s", w.Body)
	}
	do.Set("sure", "yes")
	r.do("POST", "/console/migrate/do", do)
	if m := r.awaitIdle(id); m.State != desk.Failed {
		t.Errorf("%+v", m)
	}
	if body := r.do("GET", at, nil).Body.String(); !strings.Contains(body, "nobody is at home") {
		t.Errorf("the failure is not told: %s", body)
	}
	r.do("POST", "/console/migrate/do", url.Values{"id": {id}, "do": {"remove"}, "sure": {"yes"}, "csrf": {token()}})
	if list := r.desk.List(); len(list) > 0 {
		t.Errorf("%v is left", list)
	}
}

// TestMigrationUpload: parts are taken from administrators with a form of ours only.
func TestMigrationUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.signIn("berta")
	if w := r.part(map[string]string{"script": "yes", "name": "x.zip", "size": "4"}, nil); w.Code != 403 {
		t.Errorf("of somebody else: %d", w.Code)
	}
	r.signIn("anna")
	if w := r.part(map[string]string{"script": "yes", "name": "x.zip", "size": "4"}, nil); w.Code != 403 || len(r.desk.List()) > 0 {
		t.Errorf("without a token: %d", w.Code)
	}
	csrf := r.token("/console/migrate")
	send := func(data string, fields ...string) string {
		t.Helper()
		all := map[string]string{"script": "yes", "csrf": csrf}
		for i := 0; i < len(fields); i += 2 {
			all[fields[i]] = fields[i+1]
		}
		var raw []byte
		if data != "" {
			raw = []byte(data)
		}
		return r.part(all, raw).Body.String()
	}
	if got := send("", "name", "x.exe", "size", "4"); !strings.Contains(got, `"error":"an export is a file`) {
		t.Error(got)
	}
	send("", "name", "x.zip", "size", "4")
	list := r.desk.List()
	if len(list) != 1 {
		t.Fatal(list)
	}
	id := list[0].ID
	if got := send("ab", "id", id, "offset", "0"); !strings.Contains(got, `"have":2`) {
		t.Error(got)
	}
	if got := send("ab", "id", id, "offset", "0"); !strings.Contains(got, `"have":2`) || !strings.Contains(got, "begins at byte 2") {
		t.Error(got)
	}
	if body := r.do("GET", "/console/migrate/show?id="+id, nil).Body.String(); !strings.Contains(body, "2 B of 4 B are here") {
		t.Error(body)
	}
	if got := send("cd", "id", id, "offset", "2"); !strings.Contains(got, `"have":4`) {
		t.Error(got)
	}
	if m := r.awaitIdle(id); m.State != desk.Failed || !strings.Contains(m.Error, "zip") {
		t.Errorf("%+v", m)
	}
}
