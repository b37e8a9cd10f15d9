package inproc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/inproc"
)

func client(h http.HandlerFunc, opts ...inproc.Option) *http.Client {
	return &http.Client{Transport: inproc.Transport(h, opts...)}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	c := client(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read body: %v", err)
		}
		w.Header().Set("X-Seen", fmt.Sprintf("%s %s host=%s q=%s len=%d raw=%s", r.Method, r.URL.Path, r.Host, r.URL.Query().Get("q"), r.ContentLength, r.URL.EscapedPath()))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "got %s", body)
		w.Header().Set("X-Late", "1")
		w.WriteHeader(http.StatusOK)
	})
	resp, err := c.Post("http://hs.example/a/%2Fb?q=1%262", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(body), "got hello"; got != want {
		t.Errorf("body = %q, want %q", got, want)
	}
	if resp.StatusCode != http.StatusTeapot || resp.Status != "418 I'm a teapot" {
		t.Errorf("status = %q", resp.Status)
	}
	if got, want := resp.Header.Get("X-Seen"), "POST /a//b host=hs.example q=1&2 len=5 raw=/a/%2Fb"; got != want {
		t.Errorf("request seen = %q, want %q", got, want)
	}
	if resp.Header.Get("X-Late") != "" {
		t.Error("a header set after WriteHeader was sent")
	}
	if resp.ContentLength != int64(len(body)) {
		t.Errorf("ContentLength = %d, want %d", resp.ContentLength, len(body))
	}
	if ct := resp.Header.Get("Content-Type"); ct != "text/plain; charset=utf-8" {
		t.Errorf("Content-Type = %q, want it detected", ct)
	}
}

func TestServeMuxPathValues(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /rooms/{room}/send", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.PathValue("room")) })
	c := &http.Client{Transport: inproc.Transport(mux)}
	req, _ := http.NewRequest(http.MethodPut, "http://hs/rooms/%21a%3Ab%2Fc/send", nil)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "!a:b/c" {
		t.Errorf("path value = %q", body)
	}
}

func TestEmptyAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method string
		h      http.HandlerFunc
		status int
	}{
		"nothing":    {http.MethodGet, func(http.ResponseWriter, *http.Request) {}, 200},
		"no content": {http.MethodGet, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); w.Write([]byte("x")) }, 204},
		"head":       {http.MethodHead, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("body")) }, 200},
		"early hint": {http.MethodGet, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(202) }, 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req, _ := http.NewRequest(tc.method, "http://hs/", nil)
			resp, err := client(tc.h).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || len(body) != 0 || resp.StatusCode != tc.status {
				t.Errorf("status %d, body %q, err %v; want status %d and no body", resp.StatusCode, body, err, tc.status)
			}
		})
	}
}

// A large body goes through in both directions without being held in memory:
// the handler echoes while it reads.
func TestLargeBodiesStream(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	c := client(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Errorf("echo: %v", err)
		}
	})
	in, out := sha256.New(), sha256.New()
	src := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), in)
	resp, err := c.Post("http://hs/", "application/octet-stream", src)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(out, resp.Body)
	if err != nil || n != size {
		t.Fatalf("read %d bytes, err %v; want %d", n, err, size)
	}
	if !bytes.Equal(in.Sum(nil), out.Sum(nil)) {
		t.Error("the body changed on the way")
	}
}

// A slow reader holds the handler back: the buffer is bounded.
func TestBackpressure(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	written := 0
	c := client(func(w http.ResponseWriter, r *http.Request) {
		for range 64 {
			n, err := w.Write(make([]byte, 64<<10))
			mu.Lock()
			written += n
			mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	resp, err := c.Get("http://hs/")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := resp.Body.Read(first); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	if written > 1<<20 {
		t.Errorf("handler wrote %d bytes ahead of the reader", written)
	}
	mu.Unlock()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != 64*64<<10-1 {
		t.Errorf("rest = %d, %v", n, err)
	}
}

func TestFlushBeginsTheResponse(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	c := client(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		<-release
		io.WriteString(w, "two")
	})
	resp, err := c.Get("http://hs/")
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 3)
	if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != "one" {
		t.Fatalf("first part = %q, %v", buf, err)
	}
	close(release)
	rest, err := io.ReadAll(resp.Body)
	if err != nil || string(rest) != "two" {
		t.Errorf("rest = %q, %v", rest, err)
	}
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	t.Run("before the response", func(t *testing.T) {
		t.Parallel()
		started, ended := make(chan struct{}), make(chan error, 1)
		c := client(func(w http.ResponseWriter, r *http.Request) {
			close(started)
			<-r.Context().Done()
			_, err := w.Write([]byte("late"))
			ended <- err
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-started; cancel() }()
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://hs/", nil)
		if _, err := c.Do(req); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v, want context.Canceled", err)
		}
		if err := <-ended; err == nil {
			t.Error("the handler's write to a caller that is gone succeeded")
		}
	})
	t.Run("while reading", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		c := client(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://hs/", nil)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.ReadFull(resp.Body, make([]byte, 1))
		cancel()
		if _, err := resp.Body.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v, want context.Canceled", err)
		}
	})
	t.Run("already ended", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		closed := &closeRecorder{Reader: strings.NewReader("x")}
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://hs/", closed)
		rt := inproc.Transport(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("handler called") }))
		if _, err := rt.RoundTrip(req); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v", err)
		}
		if !closed.isClosed() {
			t.Error("the request body was not closed")
		}
	})
	t.Run("body closed early", func(t *testing.T) {
		t.Parallel()
		ended := make(chan error, 1)
		c := client(func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					ended <- r.Context().Err()
					return
				}
			}
		})
		resp, err := c.Get("http://hs/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatal("the handler was not released")
		}
	})
	t.Run("client timeout", func(t *testing.T) {
		t.Parallel()
		c := client(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		c.Timeout = 10 * time.Millisecond
		var timeout interface{ Timeout() bool }
		if _, err := c.Get("http://hs/"); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("err = %v, want a timeout", err)
		}
	})
}

func TestPanics(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []any
	record := inproc.OnPanic(func(v any, stack []byte) {
		mu.Lock()
		defer mu.Unlock()
		if len(stack) == 0 {
			t.Error("no stack")
		}
		seen = append(seen, v)
	})
	resp, err := client(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "half"); panic("early") }, record).Get("http://hs/")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); resp.StatusCode != 500 || err != nil || !strings.Contains(string(body), "M_UNKNOWN") || strings.Contains(string(body), "half") {
		t.Errorf("early panic: status %d, body %q, err %v", resp.StatusCode, body, err)
	}
	resp, err = client(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic("late")
	}, record).Get("http://hs/")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "half" || !errors.Is(err, inproc.ErrHandlerPanicked) {
		t.Errorf("late panic: body %q, err %v", body, err)
	}
	if _, err = client(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, record).Get("http://hs/"); !errors.Is(err, inproc.ErrHandlerPanicked) {
		t.Errorf("abort: err %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 2 || seen[0] != "early" || seen[1] != "late" {
		t.Errorf("panics seen: %v", seen)
	}
}

func TestRequestBodyIsClosedAndCutOff(t *testing.T) {
	t.Parallel()
	body := &closeRecorder{Reader: strings.NewReader("payload")}
	kept := make(chan io.ReadCloser, 1)
	c := client(func(w http.ResponseWriter, r *http.Request) { kept <- r.Body })
	resp, err := c.Post("http://hs/", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	deadline := time.Now().Add(10 * time.Second)
	for !body.isClosed() {
		if time.Now().After(deadline) {
			t.Fatal("the request body was never closed")
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := (<-kept).Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("read after the handler returned: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c := client(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 50 {
				want := fmt.Sprintf("%d/%d %s", i, j, strings.Repeat("x", i*100))
				resp, err := c.Post("http://hs/", "text/plain", strings.NewReader(want))
				if err != nil {
					t.Errorf("post: %v", err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(got) != want {
					t.Errorf("got %q, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkSmall(b *testing.B) {
	c := client(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	for b.Loop() {
		resp, err := c.Post("http://hs/", "text/plain", strings.NewReader("x"))
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

type closeRecorder struct {
	io.Reader
	mu     sync.Mutex
	closed bool
}

func (c *closeRecorder) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func (c *closeRecorder) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
