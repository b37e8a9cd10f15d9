package app

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/internal/inproc"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/migration/desk"
	migrationrun "github.com/landbridge-im/landbridge/migration/run"
)

// openDesk makes what the migrations by pages are kept on.
func (s *serving) openDesk() (*desk.Desk, error) {
	exports, err := filepath.Abs(s.cfg.ExportFolder())
	if err != nil {
		return nil, err
	}
	return desk.New(desk.Options{
		Dir: filepath.Join(s.cfg.DataDir, "migrations"), Exports: exports, MaxUpload: func() int64 { return s.current.Load().Migration.MaxUpload.Bytes() },
		Open: s.openForDesk, Server: &migrationrun.Console{Client: &http.Client{Transport: inproc.Transport(s.hs.Console())}},
		HTTP: fileClient(), Recorder: s.tellBridge, Log: s.log})
}

// openForDesk opens an export as the command line does.
func (s *serving) openForDesk(path, mapping string, c desk.Choice) (*desk.Opened, error) {
	m, err := openExport(s.current.Load(), path, mapping, c)
	if err != nil {
		return nil, err
	}
	o := &desk.Opened{Export: m.export, Mapping: m.mapping, Clashes: m.clashes}
	if m.goesOn() {
		o.Bridge = m.configured.ID
	}
	return o, nil
}

// tellBridge opens the database of the bridge that goes on. Until done is called, the bridge is stopped; it is started
// then unless the server is stopping.
func (s *serving) tellBridge(ctx context.Context, o *desk.Opened) (_ migrationrun.Recorder, done func(context.Context) error, err error) {
	m := &migrating{cfg: s.current.Load(), export: o.Export, mapping: o.Mapping, network: o.Export.Source().Network}
	m.bridge(m.network, o.Bridge)
	if m.configured == nil {
		return nil, nil, sentence.Errorf("there is no bridge %s in the configuration any more", o.Bridge)
	}
	s.held.Store(&o.Bridge)
	end := func(context.Context) error { s.held.Store(nil); return nil }
	if s.runs(o.Bridge) {
		if err := s.host.Stop(o.Bridge); err != nil {
			return nil, nil, errors.Join(sentence.Errorf("stopping the bridge: %s", err), end(ctx))
		}
		end = func(life context.Context) error {
			s.held.Store(nil)
			if life.Err() != nil {
				return nil
			}
			if err := s.host.Start(life, o.Bridge); err != nil && life.Err() == nil {
				s.log.WarnContext(life, "the bridge that goes on after a migration does not start yet", "bridge", o.Bridge, "err", err)
			} else if life.Err() != nil {
				return s.host.Stop(o.Bridge) // all were stopped in this moment
			}
			return nil
		}
	}
	b, err := m.takeover(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, end(ctx))
	}
	return b, func(life context.Context) error { return errors.Join(b.Close(), end(life)) }, nil
}

// errHeld says that a bridge is being told what a migration brings in.
var errHeld = sentence.Errorf("a migration is telling the bridge what it brings in; it is started by itself afterwards")

// runs tells whether a bridge of this process was started.
func (s *serving) runs(id string) bool {
	for _, st := range s.host.Status() {
		if st.ID == id {
			return st.State != appservice.StateStopped && st.State != appservice.StateStopping
		}
	}
	return false
}
