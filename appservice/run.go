package appservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/community"
	"github.com/landbridge-im/landbridge/appservice/crypto"
	"github.com/landbridge-im/landbridge/appservice/store"
	"github.com/landbridge-im/landbridge/appservice/txnid"
	"github.com/landbridge-im/landbridge/appservice/zlog"
)

// run is one life of an instance, from a start to the next stop. bridgev2's
// objects cannot be started twice, so a restart is a new run on the same files.
type run struct {
	bridge Bridge
	br     *bridgev2.Bridge
	conn   *connector
	db     *dbutil.Database
	box    *store.Inbox
	pump   *pump
	log    *slog.Logger

	ready   atomic.Bool   // br has started
	others  func() []*run // the runs of the host's other instances
	mapping community.Mapping
	kept    *keptRooms
	guard   *community.Guard // nil if nothing is mapped
	tending sync.WaitGroup   // what start leaves running

	ctx     context.Context // lives until close
	cancel  context.CancelFunc
	began   bool       // br.Start was called
	crashed chan error // gets why the run cannot go on
	limits  Limits
	deliver sync.Mutex // orders Accept and add
	closed  bool       // with deliver
}

const (
	// closeTimeout bounds how long each step of a stop may take.
	closeTimeout = 10 * time.Second
	databaseFile = "bridge.db"
)

// guard turns a panic of f into an error.
func guard(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s: panic: %v\n%s", what, v, debug.Stack())
		}
	}()
	return f()
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// newRun opens the files and makes the objects; nothing is started but the
// inbox, which takes over what the homeserver sends from now on.
func (in *instance) newRun(ctx context.Context, cfg Instance, reg Registration) (_ *run, err error) {
	h := in.host
	dir := filepath.Join(h.opts.Dir, cfg.ID)
	r := &run{log: in.log, crashed: make(chan error, 1), limits: h.opts.Limits, others: func() []*run { return h.runs(cfg.ID) }}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			r.close()
		}
	}()

	module := h.modules[cfg.Module]
	err = guard("make bridge", func() error {
		r.bridge, err = module.New(ctx, in.env(cfg, r))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("configuration of bridge %s: %w", cfg.ID, err)
	}
	if r.kept, err = loadKept(dir); err != nil {
		return nil, err
	}
	pickleKey, err := loadPickleKey(dir)
	if err != nil {
		return nil, err
	}
	bridgeCfg, err := bridgeConfig(cfg, h.opts.Homeserver, reg, pickleKey)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, databaseFile)
	if r.db, err = store.OpenBridge(path); err != nil {
		return nil, err
	}
	if r.box, err = store.OpenInbox(ctx, path, h.opts.MaxPending); err != nil {
		return nil, err
	}
	zl := zlog.New(in.log, nil)
	r.db.Log = dbutil.ZeroLogger(zl.With().Str("db_section", "main").Logger())
	var keys keyHandler
	may := &permissions{named: cfg.Permissions, domain: h.opts.Homeserver.Domain, resident: bridgeconfig.PermissionLevelCommands, standing: h.standingOf}
	births := newBirths(txnid.Transport(h.opts.Homeserver.Transport))
	err = guard("make bridge", func() error {
		mx := matrix.NewConnector(bridgeCfg)
		r.conn = newConnector(mx, in.metrics)
		if f := h.opts.Links; f != nil {
			r.conn.links = f(cfg.ID)
		}
		r.conn.checks = newCheckpoints(cfg.Checkpoints, h.opts.HTTP, in.log, in.metrics)
		r.br = bridgev2.NewBridge(networkid.BridgeID(cfg.ID), r.db, zl, &bridgeCfg.Bridge, r.conn, r.bridge.Connector(), commands.NewProcessor)
		if len(r.br.Network.GetLoginFlows()) > 0 {
			may.resident = bridgeconfig.PermissionLevelUser
		}
		bridgeCfg.Bridge.Permissions = may.config(id.NewUserID(cfg.BotLocalpart, h.opts.Homeserver.Domain))
		// The pointer is shared by every intent, so this is the place for it.
		var way http.RoundTripper = births
		if r.mapping = cfg.Rooms; !r.mapping.Trivial() || !r.kept.none() {
			r.guard = community.NewGuard(births, r.br.IsGhostMXID, r.mapping.RuleOf)
			way = r.guard
		}
		mx.AS.HTTPClient.Transport = &countedTransport{next: way, metrics: in.metrics}
		// The pump calls the handlers itself; bounds on time are its portals'.
		mx.EventProcessor.ExecSyncWarnTime, mx.EventProcessor.ExecSyncTimeout = 0, 0
		// Different bridges must not take each other's messages for their own.
		mx.AS.DoublePuppetValue = cfg.ID
		if cfg.Encryption.Allow {
			helper := crypto.New(mx)
			mx.Crypto, keys = helper, helper
		} else {
			mx.Crypto = nil
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if r.conn.letters, err = newLetters(ctx, r.box, in.log); err != nil {
		return nil, err
	}
	// The inbox outlives br in the same file; the host closes both.
	r.br.ExternallyManagedDB = true
	r.pump = newPump(r.box, r.br, r.conn, keys, births, may, in.log, in.metrics)
	r.pump.tracer = h.opts.Tracer
	waiting, err := r.box.Pending(ctx)
	if err != nil {
		return nil, err
	}
	r.pump.add(waiting)
	return r, nil
}

// start starts the bridge. It returns when the bridge runs, fails, or ctx ends.
func (r *run) start(ctx context.Context) error {
	stop := context.AfterFunc(ctx, r.cancel)
	defer stop()
	if err := r.br.DB.Upgrade(ctx); err != nil {
		return fmt.Errorf("upgrade bridge database: %w", err)
	}
	r.began = true
	err := within(r.limits.Start, "start bridge", func() error { return wrap("start bridge", r.br.Start(r.ctx)) })
	if err != nil {
		return err
	}
	r.ready.Store(true)
	err = within(r.limits.Start, "map rooms", func() error { return wrap("map rooms", r.mapRooms(r.ctx)) })
	if err != nil {
		return err
	}
	err = within(r.limits.Start, "start module", func() error { return wrap("start module", r.bridge.Start(r.ctx, r.br)) })
	if err != nil {
		return err
	}
	// Not before: what waits in the inbox needs the module's logins and relays.
	r.pump.start()
	if r.conn.checks != nil {
		r.tending.Go(func() { r.conn.checks.run(r.ctx) })
	}
	if r.guard != nil {
		r.tending.Go(func() { r.tendRooms(r.ctx) })
	}
	return ctx.Err()
}

// failed is the module's channel of failures; nil if it has none.
func (r *run) failed() <-chan error {
	if f, ok := r.bridge.(Failer); ok {
		return f.Failed()
	}
	return nil
}

// close ends everything, started or not. What is not handled stays in the inbox.
func (r *run) close() error {
	r.deliver.Lock()
	r.closed = true
	r.deliver.Unlock()

	var errs []error
	if r.pump != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		r.pump.drain(ctx)
		cancel()
	}
	r.cancel()
	r.tending.Wait()
	if r.began {
		errs = append(errs,
			within(r.limits.Stop, "stop module", func() error { r.bridge.Stop(); return nil }),
			within(r.limits.Stop, "stop bridge", func() error { r.br.StopWithTimeout(closeTimeout); return nil }))
	}
	if r.pump != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		r.pump.close(ctx)
		cancel()
	}
	if r.conn != nil && r.conn.AS != nil {
		r.conn.AS.HTTPClient.CloseIdleConnections()
	}
	if r.box != nil {
		errs = append(errs, r.box.Close())
	}
	if r.db != nil {
		errs = append(errs, r.db.Close())
	}
	return errors.Join(errs...)
}
