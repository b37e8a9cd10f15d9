package appservice

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// roundTrip is a homeserver as a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// An event of a room that is being made waits until the room is a portal.
func TestEventBeforeItsPortal(t *testing.T) {
	t.Parallel()
	asked, goOn := make(chan struct{}), make(chan struct{})
	b := newBirths(roundTrip(func(*http.Request) (*http.Response, error) {
		close(asked)
		<-goOn
		return answer(200, `{"room_id":"!r:test"}`), nil
	}))
	made := make(chan string)
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://hs/_matrix/client/v3/createRoom", nil)
		resp, err := b.RoundTrip(req)
		if err != nil {
			t.Error(err)
			close(made)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		made <- string(body)
	}()
	<-asked
	var portal atomic.Bool
	settled := make(chan error, 1)
	looked := make(chan struct{}, 1000)
	go func() {
		settled <- b.settle(t.Context(), "!r:test", func() bool {
			looked <- struct{}{}
			return portal.Load()
		})
	}()
	<-looked
	close(goOn)
	if body := <-made; body != `{"room_id":"!r:test"}` {
		t.Errorf("the bridge reads %q", body)
	}
	<-looked // after the answer, and before the portal
	select {
	case <-settled:
		t.Fatal("did not wait for the portal")
	default:
	}
	portal.Store(true)
	if err := <-settled; err != nil {
		t.Error(err)
	}
	if len(b.born)+len(b.making) != 0 {
		t.Errorf("remembers %v, %v", b.born, b.making)
	}
}

// What has nothing to do with rooms that are being made waits for nothing.
func TestSettledAtOnce(t *testing.T) {
	t.Parallel()
	b := newBirths(roundTrip(func(*http.Request) (*http.Response, error) { return answer(403, `{}`), nil }))
	never := func() bool { t.Error("looked for a portal"); return false }
	if err := b.settle(t.Context(), "!r:test", never); err != nil {
		t.Error(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://hs/_matrix/client/v3/createRoom", nil)
	if _, err := b.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	if err := b.settle(t.Context(), "!r:test", never); err != nil { // a refused room is none
		t.Error(err)
	}
	b.born["!old:test"] = time.Now().Add(-time.Hour)
	b.forget("!other:test")
	if len(b.born) != 0 {
		t.Errorf("remembers %v", b.born)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.born["!r:test"] = time.Now()
	if err := b.settle(ctx, "!r:test", func() bool { return false }); err != context.Canceled {
		t.Errorf("with an ended context: %v", err)
	}
}
