package app

import (
	"cmp"
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/landbridge-im/landbridge/backup"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// backups is what a running server does about backups.
type backups struct {
	one     sync.Mutex // one at a time
	changed chan config.Backup
	last    *prometheus.GaugeVec
	failed  *prometheus.CounterVec
}

func (b *backups) init(r *prometheus.Registry) {
	b.changed = make(chan config.Backup, 1)
	b.last = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "landbridge_backup_last_success_timestamp_seconds",
		Help: "When the newest backup was made, by why it was made."}, []string{"kind"})
	b.failed = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "landbridge_backup_failures_total",
		Help: "Backups that could not be made."}, []string{"kind"})
	for _, k := range []backup.Kind{backup.Asked, backup.Scheduled, backup.Upgrade} {
		b.failed.WithLabelValues(string(k)) // or the first failure would be no increase
	}
	r.MustRegister(b.last, b.failed)
}

// configure puts another configuration into force.
func (b *backups) configure(c config.Backup) {
	select {
	case <-b.changed: // one that was not seen yet
	default:
	}
	b.changed <- c
}

// backup makes a backup of the running server.
func (s *serving) backup(ctx context.Context, path string, kind backup.Kind, media bool) (backupMade, error) {
	s.backups.one.Lock()
	defer s.backups.one.Unlock()
	src, err := backupSource(s.current.Load(), s.file(), s.std.build.Version, media)
	if err != nil {
		return backupMade{}, err
	}
	src.Hold = s.hs.Store().Hold
	made, err := saveBackup(ctx, path, src)
	s.note(kind, made, err)
	return made, err
}

// note tells log and metrics of a backup.
func (s *serving) note(kind backup.Kind, made backupMade, err error) {
	if err != nil {
		s.backups.failed.WithLabelValues(string(kind)).Inc()
		s.log.Error("the backup failed", "why", kind, "err", err)
		return
	}
	s.backups.last.WithLabelValues(string(kind)).Set(float64(made.CreatedTS) / 1000)
	s.log.Info("backup made", "why", kind, "file", made.Path, "bytes", made.Bytes, "writes_held_for", made.Held.Round(time.Microsecond))
}

// backupCommand is the command /backup/create.
func (s *serving) backupCommand(w http.ResponseWriter, r *http.Request) {
	var q backupRequest
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err == nil {
		err = json.Unmarshal(raw, &q, json.RejectUnknownMembers(true))
	}
	if err == nil && !filepath.IsAbs(q.Path) {
		err = errors.New("the path of the backup must be absolute")
	}
	var made backupMade
	if err == nil {
		made, err = s.backup(r.Context(), q.Path, backup.Asked, q.Media)
	}
	reply(w, made, err)
}

// runBackups makes the backups of the clock until ctx ends. Times are counted from the newest one in
// the folder, so that restarts do not put them off.
func (s *serving) runBackups(ctx context.Context) error {
	conf := s.current.Load().Backup
	for {
		var due <-chan time.Time
		var timer *time.Timer
		if conf.Every > 0 {
			timer = time.NewTimer(s.untilBackup(conf))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case conf = <-s.backups.changed:
		case <-due:
			s.scheduledBackup(ctx, conf)
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// retryBackup is the pause after a backup that failed.
const retryBackup = 10 * time.Minute

func (s *serving) untilBackup(conf config.Backup) time.Duration {
	list, err := backup.List(s.backupFolder(conf))
	if err != nil {
		s.log.Error("looking for the newest backup", "err", err)
		return retryBackup
	}
	for _, b := range list {
		if b.Kind == backup.Scheduled {
			return max(time.Until(b.At.Add(conf.Every.Std())), 0)
		}
	}
	return 0
}

func (s *serving) backupFolder(conf config.Backup) string {
	return cmp.Or(conf.Folder, filepath.Join(s.current.Load().DataDir, "backups"))
}

func (s *serving) scheduledBackup(ctx context.Context, conf config.Backup) {
	folder := s.backupFolder(conf)
	path, err := filepath.Abs(filepath.Join(folder, backup.Name(backup.Scheduled, time.Now())))
	if err == nil {
		_, err = s.backup(ctx, path, backup.Scheduled, conf.Media)
	}
	if err != nil {
		select {
		case <-time.After(retryBackup):
		case <-ctx.Done():
		}
		return
	}
	gone, err := backup.Prune(folder, backup.Scheduled, backup.Keep{Last: conf.Keep, Weekly: conf.KeepWeekly, Monthly: conf.KeepMonthly})
	if err != nil {
		s.log.Error("deleting old backups", "err", err)
	}
	if len(gone) > 0 {
		s.log.Info("old backups deleted", "files", gone)
	}
}

// versionFile has the version of the program that last worked on the data folder.
const versionFile = "version"

// keepUpgrades is how many backups from before upgrades are kept.
const keepUpgrades = 3

// upgrade is the first meeting of a program with the data folder of another version of it, or of none.
type upgrade struct {
	cfg *config.Config
	// file is the configuration's, and version the program's.
	file, version string
	log           *slog.Logger
	// made, if not nil, is told of a backup.
	made func(backupMade, error)
}

// prepare makes a backup if another version of the program has worked on the data folder, before anything in it is changed. Without
// one the database must not be opened: a schema that was brought up can't be brought down again.
func (u *upgrade) prepare(ctx context.Context) error {
	have, newest, err := store.SchemaVersion(ctx, u.cfg.DatabaseURI().Reveal())
	if err != nil {
		return err
	}
	file := filepath.Join(u.cfg.DataDir, versionFile)
	raw, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading which version was here before: %w", err)
	}
	was := strings.TrimSpace(string(raw))
	if have > 0 && have <= newest && (have < newest || was != u.version) && u.cfg.Backup.BeforeUpgrade {
		if err := u.backup(ctx, cmp.Or(was, "unknown")); err != nil {
			return err
		}
	}
	if was == u.version || have > newest {
		return nil
	}
	if err := os.WriteFile(file, []byte(u.version+"\n"), 0o600); err != nil {
		return fmt.Errorf("noting the version: %w", err)
	}
	return nil
}

func (u *upgrade) backup(ctx context.Context, was string) error {
	c := u.cfg
	src, err := backupSource(c, u.file, u.version, false)
	if err != nil {
		u.log.WarnContext(ctx, "no backup is made before the upgrade: the database is PostgreSQL")
		return nil
	}
	u.log.InfoContext(ctx, "another version worked here before; making a backup first", "was", was, "is", u.version)
	made, err := saveBackup(ctx, filepath.Join(c.BackupFolder(), backup.Name(backup.Upgrade, time.Now())), src)
	if u.made != nil {
		u.made(made, err)
	}
	if err != nil {
		return fmt.Errorf("the backup before the upgrade: %w (backup.before_upgrade: false starts without it)", err)
	}
	_, err = backup.Prune(c.BackupFolder(), backup.Upgrade, backup.Keep{Last: keepUpgrades})
	return err
}
