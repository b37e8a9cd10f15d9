package inbound

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/edge"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/router"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// call is one request under way.
type call struct {
	ctx    context.Context
	w      http.ResponseWriter
	r      *http.Request
	params []string
	query  url.Values
	// origin is the server that asks; "" at open routes.
	origin string
	raw    []byte
	// room is that of the path, where there is one.
	room store.RoomName
}

// ServeHTTP serves the server-server API. Package edge must be around it.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{ctx: r.Context(), w: w, r: r}
	routes, params := a.table.Find(r.URL.EscapedPath())
	if routes == nil {
		a.fail(c, mxerror.Unrecognized(http.StatusNotFound))
		return
	}
	rt := routes[r.Method]
	if rt == nil && r.Method == http.MethodHead {
		rt = routes[http.MethodGet]
	}
	if rt == nil {
		// "A 405 M_UNRECOGNIZED error is used to denote an unsupported method to a known endpoint."
		w.Header().Set("Allow", router.Methods(routes))
		a.fail(c, mxerror.Unrecognized(http.StatusMethodNotAllowed))
		return
	}
	edge.NameSpan(c.ctx, r.Method, rt.pattern)
	c.params, c.query = params, r.URL.Query()
	if err := a.admit(c, rt); err != nil {
		a.fail(c, err)
		return
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

// admit reads the body, and tells whether the request may come in.
func (a *API) admit(c *call, rt *route) (err error) {
	if rt.open && rt.body == 0 {
		return nil // who reads the body, if there is one, bounds it
	}
	if c.raw, err = readBody(c.w, c.r, rt.body); err != nil {
		return err
	}
	if rt.open {
		return nil
	}
	if c.origin, err = a.verifier.Verify(c.r, c.raw); err != nil {
		return err
	}
	if a.o.Heard != nil {
		a.o.Heard(c.ctx, c.origin)
	}
	if rt.needs != "" {
		if _, err := c.needed(rt.needs); err != nil {
			return err
		}
	}
	if rt.room == 0 {
		return nil
	}
	if c.room, err = a.gate.room(c.ctx, c.params[rt.room-1], c.origin, rt.resident); mxerror.Is(err, "M_NOT_FOUND") && rt.unknown {
		return nil
	}
	return err
}

// readBody reads at most limit bytes of a body.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, max(limit, 1)))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, mxerror.TooLarge("The body is larger than %d bytes.", limit)
	}
	if err != nil {
		return nil, mxerror.NotJSON("The body could not be read.").Because(err)
	}
	return raw, nil
}

// body decodes the request's body.
func (c *call) body(out any) error {
	if len(c.raw) == 0 {
		return mxerror.NotJSON("The request has no body.")
	}
	err := json.Unmarshal(c.raw, out)
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		return mxerror.NotJSON("The body is not valid JSON.").Because(err)
	case err != nil:
		return mxerror.BadJSON("The body does not have the form that it should have.").Because(err)
	}
	return nil
}

// number reads a number of the query.
func (c *call) number(name string, absent int64) (int64, error) {
	v := c.query.Get(name)
	if v == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, mxerror.InvalidParam("%s must be a number.", name)
	}
	return n, nil
}

// needed reads a parameter of the query that must be there.
func (c *call) needed(name string) (string, error) {
	v := c.query.Get(name)
	if v == "" {
		return "", mxerror.MissingParam("%s is missing.", name)
	}
	return v, nil
}

// truth reads a parameter of the query that is true or false.
func (c *call) truth(name string) (bool, error) {
	switch c.query.Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, mxerror.InvalidParam("%s must be true or false.", name)
}

// object is an answer without members.
type object = map[string]any

func (a *API) reply(c *call, status int, out any) {
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
	c.w.WriteHeader(status)
	_, _ = c.w.Write(raw) // the other server may be gone; there is nobody to tell
}

// fail sends an error. What is not meant for others gets an id that stands in the log too.
func (a *API) fail(c *call, err error) {
	if c.ctx.Err() != nil {
		return
	}
	e, ok := mxerror.As(err)
	if !ok || e.Status >= 500 && e.Cause != nil {
		id := edge.RequestID(c.ctx)
		a.o.Log.ErrorContext(c.ctx, "request of another server failed", "id", id, "origin", c.origin, "method", c.r.Method, "path", c.r.URL.Path, "err", err)
		if !ok {
			e = mxerror.New(http.StatusInternalServerError, "M_UNKNOWN", "Something went wrong here. The server's log knows more under %s.", id)
		}
	} else if e.Cause != nil {
		a.o.Log.DebugContext(c.ctx, "request of another server refused", "origin", c.origin, "method", c.r.Method, "path", c.r.URL.Path, "err", err)
	}
	body := object{"errcode": e.Code, "error": e.Message}
	for k, v := range e.Fields {
		body[k] = v
	}
	if e.RetryAfter > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds()+1)))
	}
	a.reply(c, e.Status, body)
}

// clip shortens what a stranger wrote for a message.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// notFoundOr gives what nobody knows a public face: err unless it is nil or store.ErrNotFound, and
// none then.
func notFoundOr(err error, none *mxerror.Error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) {
		return none
	}
	return err
}
