package bridgetest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Service is an application service that only makes requests.
type Service struct {
	Matrix        // as its bot
	Server string // the homeserver's name
}

const serviceToken = "as-token-of-the-ghosts"

// WriteRegistration writes the registration file of a Service, whose ghosts are
// @ghost_..., to a folder and returns its path.
func WriteRegistration(dir string) (string, error) {
	path := filepath.Join(dir, "ghosts.yaml")
	err := os.WriteFile(path, []byte(`id: ghosts
url: null
as_token: `+serviceToken+`
hs_token: hs-token-of-the-ghosts
sender_localpart: ghost_bot
rate_limited: false
namespaces:
  users: [{exclusive: true, regex: "@ghost_.*"}]
  aliases: []
  rooms: []
`), 0o600)
	return path, err
}

// NewService makes the Service that is registered with a server.
func NewService(base, server string) *Service {
	s := &Service{Server: server}
	s.URL, s.Token, s.UserID = base, serviceToken, "@ghost_bot:"+server
	s.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	return s
}

// each calls f for the numbers below n, from several workers, and returns how
// long that took.
func each(ctx context.Context, n, workers int, f func(ctx context.Context, i int) error) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	var next atomic.Int64
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	work.Wait()
	return time.Since(began), context.Cause(ctx)
}

// Register makes n ghosts, as a bridge does, and returns how long it took.
func (s *Service) Register(ctx context.Context, n, workers int) (time.Duration, error) {
	return each(ctx, n, workers, func(ctx context.Context, i int) error {
		return s.Do(ctx, http.MethodPost, "/v3/register", map[string]any{
			"type": "m.login.application_service", "username": fmt.Sprintf("ghost_%d", i), "inhibit_login": true}, nil)
	})
}

// JoinAll has n ghosts join a public room, and returns how long it took.
func (s *Service) JoinAll(ctx context.Context, room string, n, workers int) (time.Duration, error) {
	return each(ctx, n, workers, func(ctx context.Context, i int) error {
		return s.Do(ctx, http.MethodPost, "/v3/rooms/"+url.PathEscape(room)+"/join?user_id="+url.QueryEscape(fmt.Sprintf("@ghost_%d:%s", i, s.Server)), nil, nil)
	})
}
