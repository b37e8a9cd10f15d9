package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Event is a dispatch of the gateway.
type Event struct {
	Type string
	Data json.RawMessage
	// Seq is the gateway's number of the event in its session; 0 if it has none.
	Seq int64
}

// String implements fmt.Stringer: the type alone, for contents are not logged.
func (e Event) String() string { return fmt.Sprintf("%s (%d bytes)", e.Type, len(e.Data)) }

// Disconnected is the type of an event that the client makes itself: a connection has ended.
const Disconnected = "landbridge.disconnected"

// Fatal is why the gateway does not let the bot in, and will not.
type Fatal struct {
	Code int
	Msg  string
}

func (e *Fatal) Error() string { return e.Msg }

// Close codes of the gateway. Discord: "Gateway Close Event Codes".
const (
	closeAuthentication = 4004
	closeBadSequence    = 4007
	closeSessionOver    = 4009
	closeNeedsShards    = 4011
)

// fatal explains the close codes after which connecting again is of no use.
func fatal(code int) *Fatal {
	msgs := map[int]string{
		closeAuthentication: "Discord does not accept the bot's token: copy it anew from https://discord.com/developers/applications, Bot, Reset Token",
		4010:                "Discord refuses the shard",
		closeNeedsShards:    "the bot is in so many guilds that Discord requires more shards than it has named",
		4012:                "Discord does not know this version of its gateway any more",
		4013:                "Discord does not know the intents that were asked for",
		4014:                "Discord refuses privileged intents: switch on Server Members Intent and Message Content Intent (and, with presence, Presence Intent) at https://discord.com/developers/applications, Bot",
	}
	if msg, ok := msgs[code]; ok {
		return &Fatal{Code: code, Msg: msg}
	}
	return nil
}

// plan is where and with how many connections the gateway is to be spoken to.
type plan struct {
	address string
	shards  int
	// turns has a place for each identification that may be made at a time.
	turns chan struct{}
	// left is how many identifications Discord allows until it is asked again.
	left atomic.Int64
}

// maxShards bounds what is believed of an answer.
const maxShards = 256

// plan asks for it. Discord: "Get Gateway Bot". What has no such endpoint has perhaps the older one, or the address
// is configured.
func (c *Client) plan(ctx context.Context) (*plan, error) {
	var answer struct {
		URL    string   `json:"url"`
		Shards wire.Int `json:"shards"`
		Limit  struct {
			Remaining   wire.Int `json:"remaining"`
			Total       wire.Int `json:"total"`
			ResetAfter  wire.Int `json:"reset_after"`
			Concurrency wire.Int `json:"max_concurrency"`
		} `json:"session_start_limit"`
	}
	err := c.Do(ctx, "GET", "/gateway/bot", "", nil, &answer)
	switch {
	case IsStatus(err, 401):
		return nil, fatal(closeAuthentication)
	case err != nil && !Refused(err) && c.opts.GatewayURL == "":
		return nil, err
	case answer.URL == "" && c.opts.GatewayURL == "":
		if err := c.Do(ctx, "GET", "/gateway", "", nil, &answer); err != nil {
			return nil, err
		}
	}
	if c.opts.GatewayURL != "" {
		answer.URL = c.opts.GatewayURL
	}
	if answer.URL == "" {
		return nil, errors.New("the API names no gateway")
	}
	if answer.Limit.Total > 0 && answer.Limit.Remaining == 0 {
		wait := min(time.Duration(answer.Limit.ResetAfter)*time.Millisecond, 24*time.Hour)
		c.log.Error("the bot has connected too often today, Discord says; waiting", "for", wait)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
	p := &plan{address: answer.URL, shards: min(max(int(answer.Shards), 1), maxShards)}
	p.left.Store(math.MaxInt64)
	if answer.Limit.Total > 0 {
		p.left.Store(max(int64(answer.Limit.Remaining), 1)) // after having waited there are more than that
	}
	p.turns = make(chan struct{}, min(max(int(answer.Limit.Concurrency), 1), maxShards))
	return p, nil
}

// spend notes that a session is about to be begun. When there have been as many as Discord allows it asks for more, and
// waits for them if need be: a bot that begins too many in a day loses its token.
func (c *Client) spend(ctx context.Context, p *plan) error {
	if p.left.Add(-1) >= 0 {
		return nil
	}
	fresh, err := c.plan(ctx)
	if err != nil {
		return fmt.Errorf("ask how many sessions may be begun: %w", err)
	}
	p.left.Store(fresh.left.Load() - 1)
	return nil
}

// identifyPause is the least time between identifications of one turn. Discord: "max_concurrency: number of identify
// requests allowed per 5 seconds".
const identifyPause = 5 * time.Second

// Run is connected to the gateway until ctx is done or the gateway says that it is of no use, which is an error of type
// *Fatal. It calls handle for each event, in order for each guild, and reads no further until that has returned. A bot
// in many guilds has several connections (shards), which call handle at the same time. An interrupted connection is
// resumed if the gateway allows it; if not, there is another READY.
func (c *Client) Run(ctx context.Context, handle func(Event)) error {
	wait := c.opts.BackoffMin
	for ctx.Err() == nil {
		p, err := c.plan(ctx)
		var f *Fatal
		if errors.As(err, &f) {
			return f
		}
		if err == nil {
			err = c.runShards(ctx, p, handle)
			if f := (*Fatal)(nil); errors.As(err, &f) {
				if f.Code != closeNeedsShards || p.shards > 1 {
					return f
				}
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		c.log.Warn("no connection to Discord", "error", err, "again_in", wait)
		if sleep(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, c.opts.BackoffMax)
	}
	return nil
}

// runShards runs all connections until ctx is done or one of them ends for good.
func (c *Client) runShards(ctx context.Context, p *plan, handle func(Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	failed := make(chan error, p.shards)
	for i := range p.shards {
		s := &shard{c: c, plan: p, number: i, handle: handle, log: c.log}
		if p.shards > 1 {
			s.log = c.log.With("shard", i)
		}
		work.Add(1)
		c.opts.Go(func() {
			defer work.Done()
			if err := s.run(ctx); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	work.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// dialer makes connections to the gateway in the way in which requests are made.
func (c *Client) dialer() *websocket.Dialer {
	d := &websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: 30 * time.Second}
	if t, ok := c.http.Transport.(*http.Transport); ok {
		d.Proxy, d.NetDialContext = t.Proxy, t.DialContext
		if t.TLSClientConfig != nil {
			d.TLSClientConfig = t.TLSClientConfig.Clone()
			d.TLSClientConfig.NextProtos = nil // a websocket begins with HTTP/1.1
		}
	}
	return d
}

// DropConnection breaks the gateway's connections as a failure of the network would; they are made again. It is for
// tests and for operators.
func (c *Client) DropConnection() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.Close()
	}
}
