package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/cutover"
)

// endingBridges are the bridges of this process, as what ends them wants them.
type endingBridges struct{ claimBridges }

var _ cutover.Bridges = endingBridges{}

// module is what a bridge that runs can do.
func (e endingBridges) module(bridge string) (appservice.Bridge, error) {
	m := e.s.host.Module(bridge)
	if m == nil {
		return nil, fmt.Errorf("the bridge %s does not run", bridge)
	}
	return m, nil
}

// Rooms implements cutover.Bridges.
func (e endingBridges) Rooms(ctx context.Context, bridge string) (ids []string, err error) {
	br := e.s.host.Bridge(bridge)
	if br == nil {
		return nil, fmt.Errorf("the bridge %s does not run", bridge)
	}
	list, err := br.DB.Portal.GetAllWithMXID(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the rooms of %s: %w", bridge, err)
	}
	for _, p := range list {
		ids = append(ids, string(p.MXID))
	}
	return ids, nil
}

// Announce implements cutover.Bridges.
func (e endingBridges) Announce(ctx context.Context, bridge, key, text string) ([]string, error) {
	m, err := e.module(bridge)
	if err != nil {
		return nil, err
	}
	a, ok := m.(appservice.Announcer)
	if !ok {
		return []string{"The bridge can't announce anything on its network: do it by hand."}, nil
	}
	return a.Announce(ctx, key, text)
}

// Freeze implements cutover.Bridges.
func (e endingBridges) Freeze(ctx context.Context, bridge, notice string) ([]string, error) {
	m, err := e.module(bridge)
	if err != nil {
		return nil, err
	}
	f, ok := m.(appservice.Freezer)
	if !ok {
		return []string{"The bridge can't close the network's side: do it by hand."}, nil
	}
	return f.Freeze(ctx, notice)
}

// Thaw implements cutover.Bridges.
func (e endingBridges) Thaw(ctx context.Context, bridge string) ([]string, error) {
	m, err := e.module(bridge)
	if err != nil {
		return nil, err
	}
	f, ok := m.(appservice.Freezer)
	if !ok {
		return nil, nil
	}
	return f.Thaw(ctx)
}

// CatchUp implements cutover.Bridges.
func (e endingBridges) CatchUp(ctx context.Context, bridge string) error {
	m, err := e.module(bridge)
	if err != nil {
		return err
	}
	if f, ok := m.(appservice.Freezer); ok {
		return f.CatchUp(ctx)
	}
	return nil
}

// Detach implements cutover.Bridges.
func (e endingBridges) Detach(_ context.Context, bridge string) error {
	return e.s.host.Hold(bridge, true)
}

// Attach implements cutover.Bridges.
func (e endingBridges) Attach(ctx context.Context, bridge string) error {
	if err := e.s.host.Hold(bridge, false); err != nil {
		return err
	}
	return e.s.host.Start(ctx, bridge)
}

// Forget implements cutover.Bridges.
func (e endingBridges) Forget(ctx context.Context, bridge string) error {
	e.s.reloading.Lock()
	defer e.s.reloading.Unlock()
	if err := e.s.host.Remove(bridge); err != nil && !errors.Is(err, appservice.ErrUnknown) {
		return err
	}
	return e.s.rewatch(ctx, e.s.cfg)
}

// rewatch has the homeserver know the bridges that the host has. The caller has s.reloading, or is alone.
func (s *serving) rewatch(ctx context.Context, c *config.Config) error {
	builtin, err := s.builtin()
	if err != nil {
		return err
	}
	return s.watch.Reconfigure(ctx, c.AppServices.Registrations, builtin...)
}

// holdEnded keeps those bridges from running that have been taken out of their rooms, and forgets those whose end was
// confirmed.
func (s *serving) holdEnded(ctx context.Context) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	forgot := false
	for _, st := range s.host.Status() {
		detached, gone, err := s.hs.Cutover().Detached(ctx, st.ID)
		switch {
		case err != nil:
			return err
		case gone:
			s.log.WarnContext(ctx, "the end of a bridge was confirmed, and it is still in the configuration", "bridge", st.ID)
			forgot = true
			err = s.host.Remove(st.ID)
		case detached:
			err = s.host.Hold(st.ID, true)
		}
		if err != nil {
			return err
		}
	}
	if forgot {
		return s.rewatch(ctx, s.cfg)
	}
	return nil
}

// ended tells that a bridge's end was confirmed.
func (s *serving) ended(id string) bool {
	if s.hs == nil {
		return false // see holdEnded
	}
	_, gone, err := s.hs.Cutover().Detached(context.Background(), id)
	return err == nil && gone
}
