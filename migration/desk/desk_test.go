package desk

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/plan"
	"github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/slackexport"
)

const golden = "../testdata/slack/workspace"

// deaf is a server that answers nothing, or waits for ever.
type deaf struct {
	run.Target
	hang chan struct{}
}

func (d *deaf) Open(ctx context.Context) (wire.Opened, error) {
	if d.hang != nil {
		close(d.hang)
		<-ctx.Done()
		return wire.Opened{}, ctx.Err()
	}
	return wire.Opened{}, errors.New("nobody is at home")
}

func (d *deaf) Do(context.Context, string, any, any) error { return errors.New("nobody is at home") }

func openSlack(path, mapping string, c Choice) (_ *Opened, err error) {
	o := &Opened{}
	if o.Export, err = slackexport.Open(path, slackexport.Options{Workspace: c.Workspace}); err != nil {
		return nil, err
	}
	if mapping != "" {
		o.Mapping, err = plan.Load(mapping)
		return o, err
	}
	o.Mapping, o.Clashes = plan.Default(o.Export, plan.Naming{Service: "slack", Bot: "slackbot", Ghosts: "slack_", Aliases: "slack_"}, "x")
	return o, nil
}

// rig is a desk that works until the test ends.
type rig struct {
	*Desk
	t   *testing.T
	o   Options
	end func()
}

func newRig(t *testing.T, server Server) *rig {
	t.Helper()
	r := &rig{t: t, o: Options{Dir: t.TempDir(), Exports: t.TempDir(), MaxUpload: func() int64 { return 1 << 20 }, Open: openSlack, Server: server, Log: slog.New(slog.DiscardHandler)}}
	r.begin()
	return r
}

func (r *rig) begin() {
	r.t.Helper()
	var err error
	if r.Desk, err = New(r.o); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.Work(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	r.end = func() { cancel(); <-done }
	r.t.Cleanup(r.end)
}

// await waits until a migration is not worked on any more.
func (r *rig) await(id string, want State) Migration {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		m, err := r.Get(id)
		if err != nil {
			r.t.Fatal(err)
		}
		if !m.Busy() {
			if m.State != want {
				r.t.Fatalf("the state is %s (%s), not %s", m.State, m.Error, want)
			}
			return m
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("it is %s for ever", m.State)
		}
		time.Sleep(time.Millisecond)
	}
}

// zipped is the golden export in a file.
func zipped(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	err := fs.WalkDir(os.DirFS(golden), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(filepath.Join(golden, name))
		if err != nil {
			return err
		}
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(raw)
		}
		return err
	})
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestUpload: parts make the whole, whatever happens between them.
func TestUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t, &deaf{})
	raw := zipped(t)
	size := int64(len(raw))
	for name, begin := range map[string]func() error{
		"no archive": func() error { _, err := r.Receive("evil.exe", 10, Choice{}); return err },
		"empty":      func() error { _, err := r.Receive("x.zip", 0, Choice{}); return err },
		"too large":  func() error { _, err := r.Receive("x.zip", 2<<20, Choice{}); return err },
	} {
		if begin() == nil {
			t.Errorf("%s: is taken", name)
		}
	}
	m, err := r.Receive(`C:\Users\..\Acme export.zip`, size, Choice{Workspace: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(m.ID, Plan, false); err == nil {
		t.Error("half an export is planned")
	}
	if _, err := r.Receive("second.zip", 1<<20, Choice{}); err == nil {
		t.Error("two uploads are larger than what is allowed")
	}
	put := func(from, to int64) (int64, error) { return r.Put(m.ID, from, bytes.NewReader(raw[from:to])) }
	if have, err := put(0, 1000); have != 1000 || err != nil {
		t.Fatal(have, err)
	}
	if have, err := put(0, 1000); have != 1000 || err == nil {
		t.Errorf("a part that is there is taken again: %d %v", have, err)
	}
	if have, err := put(2000, 3000); have != 1000 || err == nil {
		t.Errorf("a gap is left: %d %v", have, err)
	}
	// A connection that breaks in the middle of a part, and a restart.
	have, err := r.Put(m.ID, 1000, io.MultiReader(bytes.NewReader(raw[1000:1500]), broken{}))
	if have != 1500 || err == nil {
		t.Errorf("%d %v", have, err)
	}
	r.end()
	r.begin()
	if got, err := r.Get(m.ID); err != nil || got.Have != 1500 || got.State != Receiving {
		t.Fatalf("%+v %v", got, err)
	}
	if have, err := r.Put(m.ID, 1500, bytes.NewReader(append(raw[1500:], "more than was announced"...))); have != size || err != nil {
		t.Fatal(have, err)
	}
	if _, err := put(0, 1); err == nil {
		t.Error("more is taken than the whole")
	}
	if err := r.Start(m.ID, Plan, false); err != nil {
		t.Fatal(err)
	}
	if got := r.await(m.ID, Ready); got.Planned.IsZero() || got.Messages == 0 || got.Choice.Network != "slack" {
		t.Errorf("%+v", got)
	}
	if err := r.Remove(m.ID); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(r.o.Dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestSteps: from the plan over the mapping to what goes wrong.
func TestSteps(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	server := &deaf{}
	r := newRig(t, server)
	if err := os.WriteFile(filepath.Join(r.o.Exports, "acme.zip"), zipped(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add("../acme.zip", Choice{}); err == nil {
		t.Error("a file elsewhere is taken")
	}
	m, err := r.Add("acme.zip", Choice{Workspace: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Mapping(m.ID); !errors.Is(err, ErrNoPlan) {
		t.Errorf("a mapping without a plan: %v", err)
	}
	for _, s := range []Step{Run, Verify} {
		if err := r.Start(m.ID, s, false); err == nil {
			t.Errorf("%s before a plan", s)
		}
	}
	if err := r.Start(m.ID, Plan, false); err != nil {
		t.Fatal(err)
	}
	r.await(m.ID, Ready)
	report, err := r.Report(m.ID)
	if err != nil || report.Messages == 0 || len(report.Cannot) == 0 {
		t.Fatalf("%+v %v", report, err)
	}
	mapping, text, err := r.Mapping(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	mapping.People[0].Account = "@ann:x"
	edited, err := mapping.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetMapping(m.ID, edited); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{"of another export": strings.Replace(string(text), "source: slack:acme", "source: slack:other", 1),
		"broken": string(text) + "people: 7\n"} {
		if err := r.SetMapping(m.ID, []byte(bad)); err == nil {
			t.Errorf("a mapping is taken that is %s", name)
		}
	}
	// Planning again keeps what was decided.
	if err := r.Start(m.ID, Plan, false); err != nil {
		t.Fatal(err)
	}
	r.await(m.ID, Ready)
	if mapping, _, err = r.Mapping(m.ID); err != nil || mapping.People[0].Account != "@ann:x" {
		t.Errorf("%+v %v", mapping.People[0], err)
	}
	if err := r.Start(m.ID, Run, false); err != nil {
		t.Fatal(err)
	}
	if got := r.await(m.ID, Failed); !strings.Contains(got.Error, "nobody is at home") {
		t.Errorf("%+v", got)
	}
	server.hang = hang
	if err := r.Start(m.ID, Run, true); err != nil {
		t.Fatal(err)
	}
	<-hang
	if err := r.Remove(m.ID); !errors.Is(err, ErrBusy) {
		t.Errorf("removed while it is worked on: %v", err)
	}
	if err := r.SetMapping(m.ID, edited); !errors.Is(err, ErrBusy) {
		t.Errorf("changed while it is worked on: %v", err)
	}
	if p, err := r.Progress(m.ID); err != nil || p.State != Working || p.Step != Run || p.AllChannels == 0 {
		t.Errorf("%+v %v", p, err)
	}
	if err := r.Stop(m.ID); err != nil {
		t.Fatal(err)
	}
	r.await(m.ID, Stopped)

	// The server ends in the middle of it.
	server.hang = make(chan struct{})
	if err := r.Start(m.ID, Run, true); err != nil {
		t.Fatal(err)
	}
	<-server.hang
	r.end()
	r.begin()
	if got, err := r.Get(m.ID); err != nil || got.State != Stopped || !got.Alone {
		t.Errorf("%+v %v", got, err)
	}
}
