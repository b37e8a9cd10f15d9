package client

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/appservices"
	"github.com/landbridge-im/landbridge/homeserver/edge"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// ServeHTTP serves the client-server API. Package edge must be around it.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	routes, params := a.router.find(r.URL.EscapedPath())
	c := &call{api: a, ctx: r.Context(), r: r, w: w, params: params}
	if routes == nil {
		a.fail(c, mxerror.Unrecognized(http.StatusNotFound))
		return
	}
	rt := routes[r.Method]
	if rt == nil && r.Method == http.MethodHead {
		rt = routes[http.MethodGet]
	}
	if rt == nil {
		w.Header().Set("Allow", methods(routes))
		a.fail(c, mxerror.Unrecognized(http.StatusMethodNotAllowed))
		return
	}
	edge.NameSpan(c.ctx, r.Method, rt.pattern)
	c.query = r.URL.Query()
	a.serve(c, rt)
}

func (a *API) serve(c *call, rt *route) {
	defer c.finish()
	if rt.access != anyone {
		s, err := a.authenticate(c, rt)
		if err != nil && !(rt.access == optional && mxerror.Is(err, "M_MISSING_TOKEN")) {
			a.fail(c, err)
			return
		}
		c.session = s
	}
	// Also where nobody has to say who they are.
	if reg := a.o.Services.Set().ByASToken(bearer(c.r)); reg != nil {
		c.ctx = appservices.By(c.ctx, reg)
	}
	if rt.raw != nil {
		if err := rt.raw(c); err != nil {
			a.fail(c, err)
		}
		return
	}
	out, err := rt.handle(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	a.reply(c, http.StatusOK, out)
}

// created is an answer with status 201.
type created struct{ body any }

// reply sends an answer.
func (a *API) reply(c *call, status int, out any) {
	if v, ok := out.(created); ok {
		status, out = http.StatusCreated, v.body
	}
	var raw []byte
	switch v := out.(type) {
	case nil:
		raw = []byte("{}")
	case jsontext.Value:
		raw = v
	default:
		var err error
		if raw, err = json.Marshal(v, json.Deterministic(true)); err != nil {
			a.fail(c, err)
			return
		}
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	h.Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
	// The client may be gone; there is nobody to tell.
	_, _ = c.w.Write(raw)
}

// fail sends an error. What is not meant for the public gets an id that stands in the log too.
func (a *API) fail(c *call, err error) {
	if c.ctx.Err() != nil {
		// The client has gone, or the server is stopping; nobody reads this.
		return
	}
	var challenge *accounts.Challenge
	if errors.As(err, &challenge) {
		a.reply(c, challenge.Status(), challenge)
		return
	}
	e, ok := mxerror.As(err)
	if !ok || e.Status >= 500 && e.Cause != nil {
		id := edge.RequestID(c.ctx)
		a.o.Log.ErrorContext(c.ctx, "request failed", "id", id, "method", c.r.Method, "route", c.r.URL.Path, "err", err)
		if !ok {
			e = mxerror.New(http.StatusInternalServerError, "M_UNKNOWN", "Something went wrong here. The server's log knows more under %s.", id)
		}
	}
	body := map[string]any{"errcode": e.Code, "error": e.Message}
	for k, v := range e.Fields {
		body[k] = v
	}
	if e.RetryAfter > 0 {
		secs := int64((e.RetryAfter + time.Second - 1) / time.Second)
		c.w.Header().Set("Retry-After", strconv.FormatInt(secs, 10))
	}
	a.reply(c, e.Status, body)
}

// bearer is the access token of a request: "via the Authorization header ... or the deprecated
// access_token query parameter".
func bearer(r *http.Request) string {
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return ""
		}
		return strings.TrimSpace(token)
	}
	return r.URL.Query().Get("access_token")
}
