package appservice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
)

const (
	// maxCheckpoints bounds those that wait to be sent; what is more is dropped, and counted.
	maxCheckpoints = 10_000
	// checkpointBatch is how many go into one request.
	checkpointBatch = 100
	// checkpointTimeout bounds one request.
	checkpointTimeout = 10 * time.Second
)

// Checkpoints says where a bridge tells how far each message got.
type Checkpoints struct {
	URL   string // of the endpoint; empty: nowhere
	Token string // sent as a bearer token, if not empty
}

// checkpoints sends what has become of messages to an endpoint, as the bridges of mautrix do: a POST of
// {"checkpoints": [...]}, in order. A nil one does nothing.
type checkpoints struct {
	to      Checkpoints
	client  *http.Client
	log     *slog.Logger
	metrics *instanceMetrics

	mu      sync.Mutex
	waiting []*status.MessageCheckpoint
	news    chan struct{} // holds one token while there is something
}

func newCheckpoints(to Checkpoints, client *http.Client, log *slog.Logger, metrics *instanceMetrics) *checkpoints {
	if to.URL == "" {
		return nil
	}
	return &checkpoints{to: to, client: client, log: log, metrics: metrics, news: make(chan struct{}, 1)}
}

// add queues a checkpoint. It never blocks.
func (c *checkpoints) add(p *status.MessageCheckpoint) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= maxCheckpoints {
		c.metrics.failed("checkpoint")
		return
	}
	c.waiting = append(c.waiting, p)
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// received notes that a message has come to the bridge.
func (c *checkpoints) received(evt *event.Event) {
	if c == nil || evt.ID == "" || evt.StateKey != nil {
		return
	}
	ms := &bridgev2.MessageStatus{Step: status.MsgStepBridge, Status: event.MessageStatusSuccess}
	c.add(ms.ToCheckpoint(bridgev2.StatusEventInfoFromEvent(evt)))
}

// run sends until ctx ends.
func (c *checkpoints) run(ctx context.Context) {
	wait := time.Second
	for {
		c.mu.Lock()
		batch := c.waiting[:min(len(c.waiting), checkpointBatch)]
		c.mu.Unlock()
		var again <-chan time.Time
		if len(batch) > 0 {
			if err := c.send(ctx, batch); err == nil {
				wait = time.Second
				c.mu.Lock()
				c.waiting = append([]*status.MessageCheckpoint(nil), c.waiting[len(batch):]...)
				c.mu.Unlock()
				continue
			} else if ctx.Err() == nil {
				c.metrics.failed("checkpoint")
				c.log.Warn("the endpoint for message checkpoints does not take them", "error", err, "next_try_in", wait)
			}
			again = time.After(wait)
			wait = min(2*wait, time.Minute)
		}
		news := c.news
		if again != nil {
			news = nil
		}
		select {
		case <-again:
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

func (c *checkpoints) send(ctx context.Context, batch []*status.MessageCheckpoint) error {
	body, err := json.Marshal(status.CheckpointsJSON{Checkpoints: batch})
	if err != nil {
		return fmt.Errorf("encode checkpoints: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, checkpointTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.to.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.to.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.to.Token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // lets the connection be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}
