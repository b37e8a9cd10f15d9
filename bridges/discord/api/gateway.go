package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"
)

// Event is a dispatch of the gateway.
type Event struct {
	Type string
	Data json.RawMessage
}

// Disconnected is the type of an event that the client makes itself: the connection has ended.
const Disconnected = "landbridge.disconnected"

// Fatal is why the gateway does not let the bot in, and will not.
type Fatal struct {
	Code int
	Msg  string
}

func (e *Fatal) Error() string { return e.Msg }

// fatal explains the close codes after which connecting again is of no use. Discord:
// "Gateway Close Event Codes".
func fatal(code int) *Fatal {
	msgs := map[int]string{
		4004: "Discord does not accept the bot's token: copy it anew from https://discord.com/developers/applications, Bot, Reset Token",
		4010: "Discord refuses the shard",
		4011: "the bot is in so many guilds that Discord requires sharding, which is not supported",
		4012: "Discord does not know this version of its gateway any more",
		4013: "Discord does not know the intents that were asked for",
		4014: "Discord refuses privileged intents: switch on Server Members Intent and Message Content Intent at https://discord.com/developers/applications, Bot",
	}
	if msg, ok := msgs[code]; ok {
		return &Fatal{Code: code, Msg: msg}
	}
	return nil
}

// dial notes the connection so that it can be ended from outside.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	life := c.life
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(life, cancel)
	defer stop()
	conn, err := (&net.Dialer{Timeout: 30 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	return conn, nil
}

// hangUp breaks the connection, whatever is going on in it.
func (c *Client) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close()
	}
}

// DropConnection breaks the gateway's connection as a failure of the network would;
// it is made again. It is for tests and for operators.
func (c *Client) DropConnection() { c.hangUp() }

func (c *Client) onEvent(e *discordgo.Event) {
	c.mu.Lock()
	h := c.handler
	c.mu.Unlock()
	if h != nil && e.Type != "" {
		h(Event{Type: e.Type, Data: e.RawData})
	}
}

// Run is connected to the gateway until ctx is done or the gateway says that it is of
// no use, which is an error of type *Fatal. It calls handle for each event, in order,
// and reads no further until that has returned. An interrupted connection is resumed
// if the gateway allows it; if not, there is another READY.
func (c *Client) Run(ctx context.Context, handle func(Event)) error {
	c.mu.Lock()
	c.handler, c.life = handle, ctx
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, c.hangUp)
	defer stop()
	defer func() {
		c.mu.Lock()
		c.handler = nil
		c.mu.Unlock()
	}()
	wait := c.opts.BackoffMin
	for ctx.Err() == nil {
		select {
		case <-c.gone:
		default:
		}
		began := time.Now()
		err := c.s.Open()
		if err == nil {
			select {
			case <-c.gone:
				c.log.Info("the connection to Discord has ended", "lasted", time.Since(began).Round(time.Second))
			case <-ctx.Done():
				_ = c.s.Close() // of a connection that is broken already
				return nil
			}
			handle(Event{Type: Disconnected})
			if time.Since(began) > 10*time.Second {
				wait = c.opts.BackoffMin
			}
		} else {
			var closed *websocket.CloseError
			if errors.As(err, &closed) {
				if f := fatal(closed.Code); f != nil {
					return f
				}
			}
			if ctx.Err() != nil {
				return nil
			}
			var rest *discordgo.RESTError
			if errors.As(err, &rest) && rest.Response != nil && rest.Response.StatusCode == 401 {
				return fatal(4004)
			}
			c.log.Warn("no connection to Discord", "error", err, "again_in", wait)
		}
		if sleep(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, c.opts.BackoffMax)
	}
	return nil
}

// String implements fmt.Stringer: the type alone, for contents are not logged.
func (e Event) String() string { return fmt.Sprintf("%s (%d bytes)", e.Type, len(e.Data)) }
