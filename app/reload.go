package app

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/landbridge-im/landbridge/config"
)

// reloads takes the configuration in anew on every SIGHUP.
func (s *serving) reloads(ctx context.Context) error { return onHangup(ctx, s.reload) }

// onHangup calls do on every SIGHUP, until ctx ends.
func onHangup(ctx context.Context, do func(context.Context)) error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	defer signal.Stop(c)
	for {
		select {
		case <-c:
			do(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// reload puts what can be changed into force and says what can't. A wrong configuration changes
// nothing.
func (s *serving) reload(ctx context.Context) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	next, err := config.Load(s.file(), os.Environ())
	if err != nil {
		s.log.ErrorContext(ctx, "the new configuration is wrong; the old one stays in force", "err", err)
		return
	}
	if err := s.takeOver(ctx, next); err != nil {
		s.log.ErrorContext(ctx, "reloading bridges and application services", "err", err)
	}
}

// takeOver puts a configuration into force, as far as that is possible without a restart. The caller
// has s.reloading.
func (s *serving) takeOver(ctx context.Context, next *config.Config) error {
	changed, restart := config.Reloadable(s.cfg, next)
	setLevel(&s.level, next.Log.Level)
	s.hs.Configure(settings(next))
	s.hs.Claims().Configure(claimSettings(next))
	s.hs.LogAccess(next.Log.Access)
	s.hs.ShowAllUsers(next.Search.AllUsers)
	s.hs.SetRetention(retentionPolicy(next))
	err := s.reloadBridges(ctx, next)
	s.cfg = next
	s.current.Store(next)
	s.backups.configure(next.Backup)
	s.log.InfoContext(ctx, "configuration reloaded", "changed", changed)
	if len(restart) > 0 {
		s.log.WarnContext(ctx, "these changes take effect at the next start", "keys", restart)
	}
	return err
}
