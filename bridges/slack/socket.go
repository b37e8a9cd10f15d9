package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	slackgo "github.com/slack-go/slack"

	"github.com/landbridge-im/landbridge/appservice"
)

// receiver takes what comes from Slack.
type receiver interface {
	// receive stores an event and returns when it is stored; only then Slack is told
	// that it arrived.
	receive(ctx context.Context, team, eventID string, event json.RawMessage) error
	// connected says that events come again after a time in which none could, and
	// disconnected that none can come.
	connected()
	disconnected(err error)
	// several says whether there are several connections, on which events can overtake
	// each other.
	several(bool)
}

// socketMode holds the connections of Socket Mode: one, and for a while two, when Slack
// asks for another before it ends the first.
type socketMode struct {
	api  *api
	http *http.Client
	to   receiver
	log  *slog.Logger
	// command answers a slash command.
	command func(context.Context, commandForm) string
	// spawn starts goroutines.
	spawn func(func())

	mu   sync.Mutex
	live int
}

// socketMessage is what comes through a connection.
type socketMessage struct {
	Type       string `json:"type"`
	EnvelopeID string `json:"envelope_id"`
	Reason     string `json:"reason"`
	Payload    struct {
		commandForm
		Type    string          `json:"type"`
		EventID string          `json:"event_id"`
		Event   json.RawMessage `json:"event"`
		Auth    authorizations  `json:"authorizations"`
	} `json:"payload"`
}

const (
	minBackoff = 200 * time.Millisecond
	maxBackoff = time.Minute
	// maxEvent bounds a message of the socket, in bytes.
	maxEvent = 4 << 20
	// silence is how long a connection may be without a sign of life; Slack pings
	// every few seconds.
	silence = 60 * time.Second
)

// run keeps connected until ctx is done.
func (s *socketMode) run(ctx context.Context) {
	work := appservice.Work{By: s.spawn}
	defer work.Wait()
	backoff := minBackoff
	for ctx.Err() == nil {
		replace := make(chan struct{})
		ended := make(chan error, 1)
		conn, err := s.dial(ctx)
		if err != nil {
			s.mu.Lock()
			down := s.live == 0
			s.mu.Unlock()
			if down && ctx.Err() == nil {
				s.to.disconnected(err)
			}
			wait := backoff
			var limited *slackgo.RateLimitedError
			if errors.As(err, &limited) {
				wait = max(wait, limited.RetryAfter)
			}
			if sleep(ctx, wait) != nil {
				return
			}
			backoff = min(2*backoff, maxBackoff)
			continue
		}
		began := time.Now()
		work.Go(func() { ended <- s.serve(ctx, conn, replace) })
		select {
		case <-replace:
		case err := <-ended:
			if ctx.Err() == nil {
				s.log.Info("a connection to Slack has ended", "error", err)
			}
		}
		if time.Since(began) > 10*time.Second {
			backoff = minBackoff
		} else {
			if sleep(ctx, backoff) != nil {
				return
			}
			backoff = min(2*backoff, maxBackoff)
		}
	}
}

func (s *socketMode) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, address, err := s.api.slack().StartSocketModeContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("open a connection of Socket Mode: %w", err)
	}
	client := *s.http
	client.Timeout = 0 // it would end the connection
	conn, _, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: &client})
	if err != nil {
		return nil, fmt.Errorf("connect to Slack: %w", err)
	}
	conn.SetReadLimit(maxEvent)
	return conn, nil
}

// serve reads a connection until it ends. It closes replace when Slack asks for another
// one.
func (s *socketMode) serve(outer context.Context, conn *websocket.Conn, replace chan struct{}) (err error) {
	defer conn.CloseNow()
	up, replaced := false, false
	defer func() {
		if !up {
			return
		}
		s.mu.Lock()
		s.live--
		down := s.live == 0
		s.to.several(s.live > 1)
		s.mu.Unlock()
		if down && outer.Err() == nil {
			s.to.disconnected(err)
		}
	}()
	ctx, cancel := context.WithCancelCause(outer)
	defer cancel(nil)
	pings := appservice.Work{By: s.spawn}
	pings.Go(func() { s.watch(ctx, conn, cancel) })
	defer pings.Wait()
	defer cancel(nil)
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var m socketMessage
		if err := lenient(raw, &m); err != nil {
			s.log.Warn("something that is no JSON came from Slack")
			continue
		}
		switch m.Type {
		case "hello":
			if !up {
				up = true
				s.mu.Lock()
				s.live++
				first := s.live == 1
				s.to.several(s.live > 1)
				s.mu.Unlock()
				if first {
					s.to.connected()
				}
			}
		case "disconnect":
			if !replaced {
				replaced = true
				s.to.several(true) // soon
				close(replace)
			}
			if m.Reason == "link_disabled" {
				return errors.New("the app's settings have Socket Mode switched off")
			}
			if m.Reason != "warning" {
				// Slack ends it soon; what it still sends is taken.
				timer := time.AfterFunc(10*time.Second, func() { cancel(errors.New("replaced")) })
				defer timer.Stop()
			}
		default:
			if m.Payload.EventID != "" && len(m.Payload.Event) > 0 {
				if err := s.to.receive(ctx, m.Payload.Auth.team(m.Payload.Team), m.Payload.EventID, m.Payload.Event); err != nil {
					return err // not acknowledged, so Slack sends it again
				}
			}
			if m.EnvelopeID == "" {
				continue
			}
			answer := map[string]any{"envelope_id": m.EnvelopeID}
			if m.Type == "slash_commands" && s.command != nil {
				answer["payload"] = ephemeral(s.command(ctx, m.Payload.commandForm))
			}
			ack, err := json.Marshal(answer)
			if err != nil {
				return err
			}
			if err := conn.Write(ctx, websocket.MessageText, ack); err != nil {
				return err
			}
		}
	}
}

// watch ends a connection whose other side is gone without a word.
func (s *socketMode) watch(ctx context.Context, conn *websocket.Conn, cancel context.CancelCauseFunc) {
	for sleep(ctx, silence/2) == nil {
		pctx, done := context.WithTimeout(ctx, silence/2)
		err := conn.Ping(pctx)
		done()
		if err != nil {
			cancel(fmt.Errorf("no sign of life: %w", err))
			return
		}
	}
}
