package inproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
)

// RemoteAddr is what a handler sees as the request's RemoteAddr. It has the
// shape host:port, so that net.SplitHostPort understands it.
const RemoteAddr = "inproc:0"

// ErrHandlerPanicked is wrapped by the error that a response body returns when
// the handler panicked after the response had begun. A panic before that is
// answered with status 500.
var ErrHandlerPanicked = errors.New("inproc: handler panicked")

// Option changes how a transport behaves.
type Option func(*transport)

// OnPanic has f called with the value and the stack of each panic that is
// recovered from the handler, except http.ErrAbortHandler. f may be called
// concurrently.
func OnPanic(f func(value any, stack []byte)) Option {
	return func(t *transport) { t.onPanic = f }
}

// Transport returns a RoundTripper that answers each request by calling h in a
// goroutine of its own.
//
// RoundTrip returns as soon as the response has begun: when h returns, flushes,
// or has written more than a small buffer; the rest of the body is streamed.
// When the request's context ends, or the response body is closed early, the
// context that h sees ends and its writes fail. It is safe for concurrent use.
func Transport(h http.Handler, opts ...Option) http.RoundTripper {
	t := &transport{handler: h}
	for _, opt := range opts {
		opt(t)
	}
	return t
}

type transport struct {
	handler http.Handler
	onPanic func(value any, stack []byte)
}

var _ http.RoundTripper = (*transport)(nil)

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body := &requestBody{rc: req.Body}
	if err := req.Context().Err(); err != nil {
		body.finish()
		return nil, err
	}
	if req.URL == nil {
		body.finish()
		return nil, errors.New("inproc: request has no URL")
	}
	ctx, cancel := context.WithCancel(req.Context())
	served, err := serverRequest(ctx, req, body)
	if err != nil {
		cancel()
		body.finish()
		return nil, err
	}
	w := newResponse(req.Method, cancel, req.Context().Err)
	// The caller's end of the exchange: whatever the handler does, the caller
	// is released when its context ends.
	stop := context.AfterFunc(req.Context(), func() { w.abort(context.Cause(req.Context())) })
	go func() {
		defer cancel()
		defer stop()
		defer body.finish()
		t.serve(w, served, req.Context())
	}()

	select {
	case <-w.begun:
		return w.result(req)
	case <-req.Context().Done():
		w.abort(context.Cause(req.Context()))
		return nil, req.Context().Err()
	}
}

// serve runs the handler and turns a panic into a response or a body error.
func (t *transport) serve(w *response, r *http.Request, caller context.Context) {
	defer func() {
		v := recover()
		if v == nil {
			// A handler that returns because its caller is gone has perhaps
			// written half of its answer: that must not look like a whole one.
			w.finish(caller.Err())
			return
		}
		if v != http.ErrAbortHandler && t.onPanic != nil {
			t.onPanic(v, debug.Stack())
		}
		w.panicked(v)
	}()
	t.handler.ServeHTTP(w, r)
}

// serverRequest is req as the handler of a server would see it.
func serverRequest(ctx context.Context, req *http.Request, body *requestBody) (*http.Request, error) {
	// A server knows only what the request line says; parsing it again gives
	// the same Path and RawPath that a listener would have made of it.
	uri := req.URL.RequestURI()
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, fmt.Errorf("inproc: request target: %w", err)
	}
	r := req.Clone(ctx)
	r.URL = u
	r.RequestURI = uri
	r.RemoteAddr = RemoteAddr
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.Response = nil
	r.GetBody = nil
	r.Close = false
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Host == "" {
		r.Host = req.URL.Host
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	if req.Body == nil || req.Body == http.NoBody {
		r.Body, r.ContentLength = http.NoBody, 0
	} else {
		r.Body = body
		if r.ContentLength == 0 {
			r.ContentLength = -1 // unknown, as net/http documents it for clients
		}
	}
	return r, nil
}

// requestBody is the caller's body as the handler reads it. It is closed once,
// when the handler has returned.
type requestBody struct {
	mu     sync.Mutex
	rc     io.ReadCloser
	closed bool
	once   sync.Once
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.rc.Read(p)
}

// Close is the handler's: what was not read is left to finish.
func (b *requestBody) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return nil
}

func (b *requestBody) finish() {
	_ = b.Close()
	b.once.Do(func() {
		if b.rc != nil {
			_ = b.rc.Close()
		}
	})
}
