package appservice

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"
)

const (
	// birthWait bounds how long an event waits for the rooms that are being made, and again for its room to become a
	// portal after it was made.
	birthWait = 5 * time.Second
	// birthCheck is how often a waiter looks whether it has.
	birthCheck = 10 * time.Millisecond
	// maxBorn bounds the rooms that are remembered to have been made.
	maxBorn = 10_000
	// maxBirthAnswer bounds what is read of an answer to the making of a room, in bytes.
	maxBirthAnswer = 64 << 10
)

// births knows the rooms that the bridge is making. A room exists, and people can be in it and speak, some moments
// before bridgev2 has noted which portal it is, and bridgev2 ignores the events of rooms it does not know. So an event
// of a room that is no portal waits until the rooms that are being made are known to be its room or not.
type births struct {
	next http.RoundTripper

	mu     sync.Mutex
	making map[chan struct{}]bool  // requests without an answer; closed when it is there
	born   map[id.RoomID]time.Time // rooms that were made, and are not known to be portals
}

var _ http.RoundTripper = (*births)(nil)

func newBirths(next http.RoundTripper) *births {
	return &births{next: next, making: make(map[chan struct{}]bool), born: make(map[id.RoomID]time.Time)}
}

// RoundTrip implements http.RoundTripper.
func (b *births) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodPost || !strings.HasSuffix(req.URL.Path, "/createRoom") {
		return b.next.RoundTrip(req)
	}
	done := make(chan struct{})
	b.mu.Lock()
	b.making[done] = true
	b.mu.Unlock()
	var room id.RoomID
	defer func() {
		b.mu.Lock()
		if room != "" && len(b.born) < maxBorn {
			b.born[room] = time.Now()
		}
		delete(b.making, done)
		b.mu.Unlock()
		close(done)
	}()
	resp, err := b.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBirthAnswer))
	rest := resp.Body
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), rest}
	var answer struct {
		RoomID id.RoomID `json:"room_id"`
	}
	if err == nil && json.Unmarshal(body, &answer) == nil { // what can't be read is the caller's to complain of
		room = answer.RoomID
	}
	return resp, nil
}

// settle returns when it is known whether a room is a portal: at once, unless the bridge was making rooms when settle was called.
// known reports whether bridgev2 knows what the room is. The error is ctx's.
func (b *births) settle(ctx context.Context, room id.RoomID, known func() bool) error {
	b.mu.Lock()
	_, born := b.born[room]
	making := make([]chan struct{}, 0, len(b.making))
	for done := range b.making {
		making = append(making, done)
	}
	b.mu.Unlock()
	if !born && len(making) == 0 {
		return ctx.Err()
	}
	if known() {
		b.forget(room)
		return ctx.Err()
	}
	limit := time.NewTimer(birthWait)
	defer limit.Stop()
	for _, done := range making {
		select {
		case <-done:
		case <-limit.C:
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// A room that becomes no portal, such as a space of somebody's own, costs its first event the wait.
	defer b.forget(room)
	tick := time.NewTicker(birthCheck)
	defer tick.Stop()
	for {
		b.mu.Lock()
		at, born := b.born[room]
		b.mu.Unlock()
		if !born || time.Since(at) > birthWait || known() {
			return ctx.Err()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// forget forgets a room, and those that were made long ago.
func (b *births) forget(room id.RoomID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.born, room)
	for r, at := range b.born {
		if time.Since(at) > birthWait {
			delete(b.born, r)
		}
	}
}
