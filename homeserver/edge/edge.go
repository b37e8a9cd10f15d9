package edge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Options say what an Edge does.
type Options struct {
	Log *slog.Logger
	// Now is the clock of the access log.
	Now func() time.Time
	// Tracer makes a span of each request, whose name handlers complete by NameSpan; nil: none are made.
	Tracer trace.Tracer
}

// Edge makes handlers that a homeserver shows to the world. It is safe for concurrent use.
type Edge struct {
	o      Options
	access atomic.Bool
	zips   sync.Pool // of *gzip.Writer
}

// New makes an Edge.
func New(o Options) *Edge { return &Edge{o: o} }

// LogAccess switches the access log: a line for each request.
func (e *Edge) LogAccess(on bool) { e.access.Store(on) }

// Header is the name of the header with a request's id.
const Header = "X-Request-Id"

type idKey struct{}

// RequestID is the id of the request that a context belongs to; "" if it belongs to none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

// idMax bounds an id that a client or proxy gives.
const idMax = 128

// requestID is the id that came with the request, if it is fit for a log, else a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get(Header); id != "" && len(id) <= idMax && plain(id) {
		return id
	}
	var raw [8]byte
	rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// plain tells whether an id has nothing in it that a log or header would have to escape.
func plain(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=':
		default:
			return false
		}
	}
	return true
}

// Wrap puts the edge around a handler.
func (e *Edge) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := e.o.Now()
		id := requestID(r)
		h := w.Header()
		h.Set(Header, id)
		// Specification, "Web Browser Clients": "servers MUST supply Cross-Origin Resource Sharing
		// (CORS) headers on all requests."
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "Retry-After, "+Header)
		out := &response{ResponseWriter: w, edge: e, request: r}
		out.limitWrites()
		ctx, span := e.trace(context.WithValue(r.Context(), idKey{}, id), r)
		r = r.WithContext(ctx)
		r.Body = limitBody(w, r.Body)
		defer func() {
			p := recover()
			if p != nil {
				p = e.recovered(out, r, id, p)
			}
			out.end()
			endSpan(span, out.status)
			if e.access.Load() {
				// Never the query, which may hold an access token.
				e.o.Log.InfoContext(r.Context(), "request", "id", id, "method", r.Method, "path", loggedPath(r.URL.Path), "status", out.status,
					"bytes", out.sent, "ms", e.o.Now().Sub(began).Milliseconds(), "address", r.RemoteAddr)
			}
			if p != nil {
				panic(p)
			}
		}()
		if r.Method == http.MethodOptions {
			preflight(out)
			return
		}
		next.ServeHTTP(out, r)
	})
}

// preflight answers OPTIONS, whatever the path. Specification, "Web Browser Clients": "Servers
// MUST expect that clients will approach them with OPTIONS requests [...] the server MUST NOT
// perform any logic defined for the endpoint when approached with an OPTIONS request."
func preflight(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization, Date, "+Header)
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// recovered answers a request whose handler panicked. It returns what to panic with in its place:
// something if half an answer is out already, which must not look like a whole one.
func (e *Edge) recovered(w *response, r *http.Request, id string, p any) any {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		w.aborted = true
		return p
	}
	e.o.Log.ErrorContext(r.Context(), "a request made the server panic", "id", id, "method", r.Method, "path", loggedPath(r.URL.Path),
		"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if w.status != 0 {
		w.aborted = true
		return http.ErrAbortHandler
	}
	h := w.Header()
	for _, name := range []string{"Content-Encoding", "Content-Disposition", "ETag", "Last-Modified"} {
		h.Del(name)
	}
	body := []byte(`{"errcode":"M_UNKNOWN","error":"Something went wrong here. The server's log knows more under ` + id + `."}`)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write(body) // the client may be gone; there is nobody to tell
	return nil
}

// secretPaths begin paths whose rest is a secret: addresses of invitations.
const secretPaths = "/claim/"

// loggedPath is a path as it may be written into the log.
func loggedPath(path string) string {
	if strings.HasPrefix(path, secretPaths) {
		return secretPaths + "..."
	}
	return path
}
