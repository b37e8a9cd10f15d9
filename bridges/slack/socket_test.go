package slack

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// fullDisk is a receiver that cannot store anything at first.
type fullDisk struct {
	mu    sync.Mutex
	tries int
	ids   []string
	taken chan struct{}
}

func (r *fullDisk) receive(_ context.Context, _, id string, _ json.RawMessage) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tries++; r.tries < 3 {
		return errors.New("disk full")
	}
	r.ids = append(r.ids, id)
	close(r.taken)
	return nil
}
func (r *fullDisk) connected()         {}
func (r *fullDisk) disconnected(error) {}
func (r *fullDisk) several(bool)       {}

// An event that cannot be stored is not acknowledged, so that Slack sends it again.
func TestAcknowledgedWhenStored(t *testing.T) {
	t.Parallel()
	s := slacktest.New(t)
	s.AckTimeout = 50 * time.Millisecond
	bob := s.AddUser("bob", "Bob")
	channel := s.AddChannel("general", false, bob, slacktest.BotUser)
	to := &fullDisk{taken: make(chan struct{})}
	cfg := &WorkspaceConfig{APIURL: s.URL, AppToken: slacktest.AppToken, BotToken: slacktest.BotToken}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	mode := &socketMode{api: newAPI(cfg, nil), http: http.DefaultClient, to: to, log: slog.New(slog.DiscardHandler)}
	work.Go(func() { mode.run(ctx) })
	s.AwaitConnected(t, 1)
	s.Say(bob, channel, "to be stored", nil)
	select {
	case <-to.taken:
	case <-time.After(time.Minute):
		t.Fatal("the event did not come again")
	}
	s.Await(t, "the acknowledgement", func() bool { return s.Waiting() == 0 })
	to.mu.Lock()
	defer to.mu.Unlock()
	if len(to.ids) != 1 || to.tries != 3 {
		t.Errorf("%d tries, taken are %q", to.tries, to.ids)
	}
}
