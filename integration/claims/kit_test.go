package claims_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/examples/linechat"
	"github.com/landbridge-im/landbridge/examples/linechat/linechattest"
)

// patience is how long something may take.
const patience = time.Minute

// spy is the module of line chat, and what it was given.
type spy struct {
	appservice.Module
	mu    sync.Mutex
	br    *bridgev2.Bridge
	links appservice.Links
	// fails has closing the network's side fail when it is done.
	fails error
}

func newSpy() *spy {
	s := &spy{Module: linechat.Module()}
	make := s.New
	s.New = func(ctx context.Context, env appservice.Env) (appservice.Bridge, error) {
		b, err := make(ctx, env)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.links = env.Links
		s.mu.Unlock()
		return spied{b.(abilities), s}, nil
	}
	return s
}

// abilities are those of line chat.
type abilities interface {
	appservice.Bridge
	appservice.Failer
	appservice.AliasOpener
	appservice.Messenger
	appservice.Freezer
	appservice.Announcer
}

type spied struct {
	abilities
	s *spy
}

// Start implements appservice.Bridge.
func (b spied) Start(ctx context.Context, br *bridgev2.Bridge) error {
	b.s.mu.Lock()
	b.s.br = br
	b.s.mu.Unlock()
	return b.abilities.Start(ctx, br)
}

// Freeze implements appservice.Freezer.
func (b spied) Freeze(ctx context.Context, notice string) ([]string, error) {
	undone, err := b.abilities.Freeze(ctx, notice)
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return undone, errors.Join(err, b.s.fails)
}

func (s *spy) bridge() *bridgev2.Bridge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.br
}

// start runs Landbridge with line chat.
func start(t *testing.T, channels string) (*apptest.Server, *linechattest.Network, *spy) {
	t.Helper()
	n, mod := linechattest.New(t), newSpy()
	s := apptest.Start(t, fmt.Sprintf("  - {id: lines, module: linechat, config: {address: %q, channels: %s}}\n", n.Addr(), channels), mod.Module)
	return s, n, mod
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not %s", what)
		}
	}
}
