package inproc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

const (
	// beginSize is how much may be written before the response begins. A
	// response that is smaller gets an exact Content-Length.
	beginSize = 32 << 10
	// bufferSize is how far a handler may be ahead of the reader of the body.
	bufferSize = 256 << 10
)

var errHandlerReturned = errors.New("inproc: write after the handler returned")

// response is the handler's http.ResponseWriter and the caller's body: a
// bounded buffer with one writer and one reader.
type response struct {
	method string
	cancel func()       // ends the handler's context
	caller func() error // the error of the caller's context

	begun     chan struct{} // closed when status and headers are final
	beginOnce sync.Once

	mu       sync.Mutex
	cond     sync.Cond
	header   http.Header // the handler's, until the header is written
	status   int         // 0 until the header is written
	sent     http.Header
	length   int64 // declared or exact; -1 when unknown
	buf      bytes.Buffer
	returned bool  // the handler is done
	err      error // what the reader gets after the buffer: nil means EOF
	gone     error // the reader is gone; what the writer gets
}

var (
	_ http.ResponseWriter = (*response)(nil)
	_ http.Flusher        = (*response)(nil)
	_ io.StringWriter     = (*response)(nil)
)

func newResponse(method string, cancel func(), caller func() error) *response {
	w := &response{method: method, cancel: cancel, caller: caller, begun: make(chan struct{}), header: make(http.Header), length: -1}
	w.cond.L = &w.mu
	return w
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Informational statuses are
// dropped; so are calls after the first, as net/http does.
func (w *response) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %d", status))
	}
	if status < 200 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(status)
}

func (w *response) writeHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	w.sent = w.header.Clone()
	if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		w.length = n
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.returned {
		return 0, errHandlerReturned
	}
	w.writeHeader(http.StatusOK)
	if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	if w.sent.Get("Content-Type") == "" && len(p) > 0 && w.sent.Get("Content-Encoding") == "" && w.buf.Len() == 0 && !w.hasBegun() {
		w.sent.Set("Content-Type", http.DetectContentType(p))
	}
	if w.method == http.MethodHead {
		return len(p), nil
	}
	written := 0
	for len(p) > 0 {
		if w.gone == nil {
			w.gone = w.caller()
		}
		if w.gone != nil {
			return written, w.gone
		}
		room := bufferSize - w.buf.Len()
		if room <= 0 {
			w.begin()
			w.cond.Wait()
			continue
		}
		n := min(room, len(p))
		w.buf.Write(p[:n])
		p = p[n:]
		written += n
		w.cond.Broadcast()
		if w.buf.Len() > beginSize {
			w.begin()
		}
	}
	return written, w.gone
}

// WriteString implements io.StringWriter.
func (w *response) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// Flush implements http.Flusher.
func (w *response) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.returned {
		return
	}
	w.writeHeader(http.StatusOK)
	w.begin()
}

// begin makes the header visible to the caller.
func (w *response) begin() { w.beginOnce.Do(func() { close(w.begun) }) }

func (w *response) hasBegun() bool {
	select {
	case <-w.begun:
		return true
	default:
		return false
	}
}

// finish is called once, when the handler has returned.
func (w *response) finish(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writeHeader(http.StatusOK)
	w.returned = true
	if w.err == nil {
		w.err = err
	}
	if !w.hasBegun() && w.length < 0 && w.method != http.MethodHead {
		w.length = int64(w.buf.Len())
	}
	w.begin()
	w.cond.Broadcast()
}

// panicked ends the response after a panic in the handler.
func (w *response) panicked(v any) {
	w.mu.Lock()
	begun := w.hasBegun()
	if !begun && v != http.ErrAbortHandler {
		// Nothing of it has been seen: answer as a server with a recovering
		// middleware would.
		w.buf.Reset()
		w.status = http.StatusInternalServerError
		w.sent = http.Header{"Content-Type": {"application/json"}}
		w.length = -1
		if w.method != http.MethodHead {
			w.buf.WriteString(`{"errcode":"M_UNKNOWN","error":"Internal error"}`)
		}
		w.mu.Unlock()
		w.finish(nil)
		return
	}
	w.mu.Unlock()
	w.finish(fmt.Errorf("%w: %w", ErrHandlerPanicked, io.ErrUnexpectedEOF))
}

// abort is called when the caller's context has ended.
func (w *response) abort(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone == nil {
		w.gone = err
	}
	if !w.returned && w.err == nil {
		w.err = err
	}
	w.cond.Broadcast()
}

// result is called by the caller when the response has begun.
func (w *response) result(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.returned && w.buf.Len() == 0 && errors.Is(w.err, ErrHandlerPanicked) {
		return nil, w.err
	}
	resp := &http.Response{
		Status:        fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.sent,
		ContentLength: w.length,
		Request:       req,
		Body:          (*responseBody)(w),
	}
	if w.length >= 0 && w.sent.Get("Content-Length") == "" && w.method != http.MethodHead {
		w.sent.Set("Content-Length", strconv.FormatInt(w.length, 10))
	}
	return resp, nil
}

// responseBody is the reader's side of a response.
type responseBody response

// Read implements io.Reader.
func (b *responseBody) Read(p []byte) (int, error) {
	w := (*response)(b)
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if w.gone == errBodyClosed {
			return 0, errBodyClosed
		}
		if w.buf.Len() > 0 {
			n, _ := w.buf.Read(p)
			w.cond.Broadcast()
			return n, nil
		}
		if w.err != nil {
			return 0, w.err
		}
		if w.returned {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		w.cond.Wait()
	}
}

var errBodyClosed = errors.New("inproc: read on closed response body")

// Close implements io.Closer. The handler's context ends, and its writes fail.
func (b *responseBody) Close() error {
	w := (*response)(b)
	w.mu.Lock()
	w.gone = errBodyClosed
	w.buf.Reset()
	w.cond.Broadcast()
	w.mu.Unlock()
	w.cancel()
	return nil
}
