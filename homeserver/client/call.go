package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/registration"
)

// access says who may call a route.
type access int

const (
	anyone   access = iota
	user            // a valid access token is needed
	optional        // a token is looked at if there is one
)

// handler serves one call and returns what is to be sent as JSON; nil means {}.
type handler func(*call) (any, error)

// Session is who asks.
type Session struct {
	*accounts.Session
	// Service is set when an application service asks, for itself or as one of its users.
	Service *registration.Registration
	// Asserted tells that it asks with its own token, which is no login.
	Asserted bool
}

// Scope is that of the session's transaction ids: the device, or for an application service the
// user that it acts as.
func (s *Session) Scope() int64 {
	if s.Device != 0 {
		return s.Device
	}
	return -s.User
}

// call is one request being served.
type call struct {
	api *API
	ctx context.Context
	r   *http.Request
	w   http.ResponseWriter
	// params are the values of the path's parameters, unescaped, in order.
	params  []string
	query   url.Values
	session *Session
	// answered, if it is not nil, is told when the answer has gone out.
	answered func()
	// all shows an administrator everything in any room.
	all bool
}

// body reads the request's body as a JSON object into dst. An empty body stands for {}.
func (c *call) body(dst any) error {
	raw, err := c.rawBody()
	if err != nil {
		return err
	}
	return parse(raw, dst)
}

// rawBody reads the whole body.
func (c *call) rawBody() ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, c.api.settings.Load().MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, mxerror.TooLarge("The request's body is larger than %d bytes.", large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, mxerror.New(http.StatusRequestTimeout, "M_UNKNOWN", "The request's body came too slowly.").Because(err)
	case err != nil:
		return nil, mxerror.NotJSON("The request's body could not be read.").Because(err)
	case len(strings.TrimSpace(string(raw[:min(len(raw), 16)]))) == 0 && len(raw) < 16:
		return []byte("{}"), nil
	}
	return raw, nil
}

// parse reads a JSON object.
func parse(raw []byte, dst any) error {
	v := jsontext.Value(raw)
	if !v.IsValid(jsontext.AllowDuplicateNames(true)) {
		return mxerror.NotJSON("The request's body is not valid JSON.")
	}
	if v.Kind() != '{' {
		return mxerror.BadJSON("The request's body must be a JSON object.")
	}
	err := json.Unmarshal(raw, dst, jsontext.AllowDuplicateNames(true))
	var sem *json.SemanticError
	if errors.As(err, &sem) {
		return mxerror.BadJSON("In the request's body, %s has the wrong type.", place(string(sem.JSONPointer))).Because(err)
	}
	if err != nil {
		return mxerror.BadJSON("The request's body has not the form that is needed.").Because(err)
	}
	return nil
}

func place(pointer string) string {
	if pointer == "" {
		return "the value"
	}
	return strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
}

// object reads the body as a JSON object kept as it is, for contents of events.
func (c *call) object() (jsontext.Value, error) {
	raw, err := c.rawBody()
	if err != nil {
		return nil, err
	}
	v := jsontext.Value(raw)
	if !v.IsValid(jsontext.AllowDuplicateNames(true)) {
		return nil, mxerror.NotJSON("The request's body is not valid JSON.")
	}
	if v.Kind() != '{' {
		return nil, mxerror.BadJSON("The request's body must be a JSON object.")
	}
	return v, nil
}

// number reads a query parameter that is a whole number.
func (c *call) number(name string, absent int64) (int64, error) {
	s := c.query.Get(name)
	if s == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, mxerror.InvalidParam("%s must be a whole number.", name)
	}
	return n, nil
}

// room finds the room of a path parameter.
func (c *call) room(i int) (store.RoomName, error) {
	return c.api.roomByID(c.ctx, c.params[i])
}

func checkRoomID(id string) error {
	if !strings.HasPrefix(id, "!") || len(id) > 255 {
		return mxerror.InvalidParam("%q is not a room id.", clip(id))
	}
	return nil
}

func (a *API) roomByID(ctx context.Context, id string) (store.RoomName, error) {
	if err := checkRoomID(id); err != nil {
		return store.RoomName{}, err
	}
	name, err := a.o.Store.RoomByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return name, mxerror.NotFound("There is no room %s here.", clip(id))
	}
	return name, err
}

// ts is the time that an application service wants an event to have: MSC3316 and specification,
// "Timestamp massaging": "ts: [...] Only application services can use it"; for others it is
// ignored.
func (c *call) ts() (int64, error) {
	if c.session.Service == nil {
		return 0, nil
	}
	return c.number("ts", 0)
}

// clip makes what a stranger sent fit to be repeated in an error.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 255)], "\uFFFD") }
