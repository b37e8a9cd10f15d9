package accounts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// The stages of interactive authentication that this server knows.
const (
	StageDummy             = "m.login.dummy"
	StageRegistrationToken = "m.login.registration_token"
	StagePassword          = "m.login.password"
)

// Flow is one way to pass: all its stages.
type Flow struct {
	Stages []string `json:"stages"`
}

// Challenge is the 401 answer that asks for (more) interactive authentication. It is an error,
// and is its own response body.
type Challenge struct {
	// Code and Message say what was wrong with the last attempt; empty at the beginning.
	Code    string `json:"errcode,omitempty"`
	Message string `json:"error,omitempty"`

	Flows     []Flow         `json:"flows"`
	Params    map[string]any `json:"params"`
	Session   string         `json:"session"`
	Completed []string       `json:"completed"`
}

func (c *Challenge) Error() string {
	if c.Code == "" {
		return "interactive authentication is needed"
	}
	return "interactive authentication failed: " + c.Code + ": " + c.Message
}

// Status is the HTTP status of a challenge.
func (*Challenge) Status() int { return http.StatusUnauthorized }

// UIARequest is a request that needs interactive authentication.
type UIARequest struct {
	Flows []Flow
	// Method and Path (with the query) are those of the request: a session is good for one
	// operation only.
	Method, Path string
	// Body is the request's whole JSON body, auth included.
	Body []byte
	// Session is who asks; nil when signing up.
	Session *Session
	Params  map[string]any
}

// Passed is what interactive authentication has shown.
type Passed struct {
	// RegistrationToken is the valid token that was given, or "". It is not used up yet.
	RegistrationToken string
}

const (
	uiaKept = 8192
	uiaLife = 15 * time.Minute
	// uiaTries is how often a stage of one session may fail.
	uiaTries = 10
)

type uiaSession struct {
	mu        sync.Mutex
	operation [sha256.Size]byte // method, path and user
	body      [sha256.Size]byte // of the request that passed the first stage
	until     time.Time
	completed []string
	failed    int
	passed    Passed
	ended     bool
}

type uiaSessions struct {
	byID *lru.Cache[string, *uiaSession]
}

func newUIASessions(size int) (*uiaSessions, error) {
	c, err := lru.New[string, *uiaSession](size)
	return &uiaSessions{c}, err
}

// auth is the auth object of a request.
type auth struct {
	Type    string `json:"type"`
	Session string `json:"session"`
	Token   string `json:"token"`

	Identifier struct {
		Type string `json:"type"`
		User string `json:"user"`
	} `json:"identifier"`
	// User is from before there were identifiers.
	User     string `json:"user"`
	Password string `json:"password"`
}

// Interact checks the interactive authentication of a request. A *Challenge as error is to be
// sent as it is. Specification, "User-Interactive Authentication API".
func (a *Accounts) Interact(ctx context.Context, r UIARequest) (*Passed, error) {
	given, body, err := splitAuth(r.Body)
	if err != nil {
		return nil, err
	}
	operation := sum([]byte(r.Method), []byte(r.Path))
	if r.Session != nil {
		operation = sum(operation[:], []byte(r.Session.UserID))
	}
	now := a.now()
	id := given.Session
	s, ok := a.uia.byID.Get(id)
	if id == "" {
		id, s = randomText(24, lower32), &uiaSession{operation: operation, until: now.Add(uiaLife)}
		a.uia.byID.Add(id, s)
	} else if !ok || !now.Before(s.until) {
		return nil, mxerror.InvalidParam("The session of the interactive authentication is not known, or has expired. Start again without it.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// "the homeserver MUST ... ensure that the request is the same": a session must not be begun
	// for something harmless and ended for something else. What comes before the first stage
	// only asks which stages there are.
	if s.operation != operation || len(s.completed) > 0 && s.body != body {
		return nil, mxerror.Forbidden("The request has changed during the interactive authentication. Start again without a session.")
	}
	if s.ended {
		return nil, mxerror.InvalidParam("The interactive authentication has been used already. Start again without a session.")
	}
	challenge := func(e *mxerror.Error) *Challenge {
		c := &Challenge{Flows: r.Flows, Params: r.Params, Session: id, Completed: slices.Clone(s.completed)}
		if c.Params == nil {
			c.Params = map[string]any{}
		}
		if c.Completed == nil {
			c.Completed = []string{}
		}
		if e != nil {
			c.Code, c.Message = e.Code, e.Message
		}
		return c
	}
	if given.Type != "" && !slices.Contains(s.completed, given.Type) {
		if s.failed >= uiaTries {
			a.uia.byID.Remove(id)
			return nil, mxerror.Forbidden("Too many attempts. Start again without a session.")
		}
		if err := a.stage(ctx, s, given, r); err != nil {
			s.failed++
			if errors.Is(err, errSomebodyElse) {
				return nil, err
			}
			if e, ok := mxerror.As(err); ok && e.Status < 500 && e.Status != http.StatusTooManyRequests {
				return nil, challenge(e)
			}
			return nil, err
		}
		s.completed, s.body = append(s.completed, given.Type), body
	}
	for _, f := range r.Flows {
		if containsAll(s.completed, f.Stages) {
			s.ended = true
			a.uia.byID.Remove(id)
			passed := s.passed
			return &passed, nil
		}
	}
	return nil, challenge(nil)
}

// errSomebodyElse answers a right password of the wrong user: trying again will not help.
var errSomebodyElse = mxerror.Forbidden("This needs the confirmation of the user who is logged in, not of somebody else.")

// stage checks one stage.
func (a *Accounts) stage(ctx context.Context, s *uiaSession, given auth, r UIARequest) error {
	if !slices.ContainsFunc(r.Flows, func(f Flow) bool { return slices.Contains(f.Stages, given.Type) }) {
		return mxerror.New(http.StatusUnauthorized, "M_UNRECOGNIZED", "The stage %q is not asked for here.", given.Type)
	}
	switch given.Type {
	case StageDummy:
		return nil
	case StageRegistrationToken:
		valid, err := a.RegistrationTokenValid(ctx, given.Token)
		if err != nil {
			return err
		}
		if !valid {
			return mxerror.New(http.StatusUnauthorized, "M_UNAUTHORIZED", "The registration token is not valid, or has been used up.")
		}
		s.passed.RegistrationToken = given.Token
		return nil
	case StagePassword:
		user := given.Identifier.User
		if user == "" {
			user = given.User
		}
		if user == "" && r.Session != nil {
			user = r.Session.UserID
		}
		_, nid, err := a.checkPassword(ctx, user, given.Password)
		if err != nil {
			return err
		}
		if r.Session == nil || r.Session.UserNID != nid {
			return errSomebodyElse
		}
		return nil
	}
	return mxerror.New(http.StatusUnauthorized, "M_UNRECOGNIZED", "The stage %q is not known to this server.", given.Type)
}

// splitAuth reads the auth object of a body and sums up the rest, whatever its spacing and
// order.
func splitAuth(body []byte) (given auth, rest [sha256.Size]byte, err error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return given, sum(), nil
	}
	members := map[string]jsontext.Value{}
	if err := json.Unmarshal(body, &members); err != nil {
		return given, rest, mxerror.BadJSON("The request's body must be a JSON object.").Because(err)
	}
	if raw, ok := members["auth"]; ok {
		if err := json.Unmarshal(raw, &given); err != nil {
			return given, rest, mxerror.BadJSON("auth must be an object with a type and a session, all of text.").Because(err)
		}
		delete(members, "auth")
	}
	canonical, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return given, rest, mxerror.BadJSON("The request's body is not valid.").Because(err)
	}
	v := jsontext.Value(canonical)
	if err := v.Canonicalize(); err != nil {
		return given, rest, mxerror.BadJSON("The request's body is not valid.").Because(err)
	}
	return given, sum(v), nil
}

func sum(parts ...[]byte) (out [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range parts {
		part := sha256.Sum256(p)
		h.Write(part[:])
	}
	h.Sum(out[:0])
	return out
}

func containsAll(have, want []string) bool {
	for _, w := range want {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}
