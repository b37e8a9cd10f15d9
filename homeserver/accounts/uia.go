package accounts

import (
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
	"github.com/landbridge-im/landbridge/homeserver/store"
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
	// Method and Path are those of the request: a session is good for one operation only.
	Method, Path string
	// Body is the request's whole JSON body, auth included.
	Body []byte
	// Session is who asks; nil when signing up, and where somebody can't log in.
	Session *Session
	Params  map[string]any
	// StageParams makes the Params where they depend on the session; nil: they do not.
	StageParams func(session string) map[string]any
	// Purpose is what an e-mail address must have been validated for.
	Purpose Purpose
	// Policies are the ones to be accepted.
	Policies []Policy
}

func (r *UIARequest) operation() [sha256.Size]byte {
	operation := sum([]byte(r.Method), []byte(r.Path))
	if r.Session != nil {
		operation = sum(operation[:], []byte(r.Session.UserID))
	}
	return operation
}

// Passed is what interactive authentication has shown.
type Passed struct {
	// Session names the session, for Conclude.
	Session string
	// RegistrationToken is the valid token that was given, or "". It is not used up yet.
	RegistrationToken string
	// User is whom a stage has shown to be there, where nobody was logged in; 0 for nobody.
	User int64
	// ThreePIDs are the addresses that were shown to be the client's.
	ThreePIDs []store.ThreePID
	// Policies were accepted.
	Policies []Policy
	// Concluded is the user that this very request has made before: its answer was lost.
	Concluded int64
}

const (
	uiaKept = 8192
	uiaLife = 15 * time.Minute
	// uiaEmailLife is how long a session lives in which somebody may be waiting for mail.
	uiaEmailLife = 24 * time.Hour
	// uiaTries is how often a stage of one session may fail.
	uiaTries = 10
	// uiaRemembered is the largest request that is remembered.
	uiaRemembered = 4096
)

type uiaSession struct {
	mu        sync.Mutex
	operation [sha256.Size]byte // method, path and user
	// body is that of the latest request before the first stage was passed; all later ones must have
	// the same. parameters is the body itself, without auth; nil where it is too long.
	body       [sha256.Size]byte
	parameters []byte
	until      time.Time
	// request is the newest, for stages that are passed elsewhere.
	request   UIARequest
	completed []string
	failed    int
	passed    Passed
	ended     bool
}

type uiaSessions struct {
	byID *lru.Cache[string, *uiaSession]
	// recent are the devices whose users confirmed something of late.
	recent *lru.Cache[int64, time.Time]
}

func newUIASessions(size int) (*uiaSessions, error) {
	c, err := lru.New[string, *uiaSession](size)
	if err != nil {
		return nil, err
	}
	recent, err := lru.New[int64, time.Time](size)
	return &uiaSessions{c, recent}, err
}

// uiaSession finds a session that has not expired.
func (a *Accounts) uiaSession(id string) (*uiaSession, error) {
	s, ok := a.uia.byID.Get(id)
	if !ok || !a.now().Before(s.until) {
		return nil, mxerror.InvalidParam("The session of the interactive authentication is not known, or has expired. Start again without it.")
	}
	return s, nil
}

// Recall completes a request whose client sends nothing but its session any more, as the
// specification's example for fallback does, with the parameters that it sent at first.
func (a *Accounts) Recall(r UIARequest) ([]byte, error) {
	given, rest, err := splitAuth(r.Body)
	if err != nil || given.Session == "" || len(rest) > 0 {
		return r.Body, err
	}
	s, err := a.uiaSession(given.Session)
	if err != nil {
		return r.Body, nil // Interact will say so
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parameters == nil || s.operation != r.operation() {
		return r.Body, nil
	}
	whole := map[string]jsontext.Value{}
	if err := json.Unmarshal(s.parameters, &whole); err != nil {
		return nil, err
	}
	if whole["auth"], err = json.Marshal(given.raw); err != nil {
		return nil, err
	}
	return json.Marshal(whole, json.Deterministic(true))
}

// Interact checks the interactive authentication of a request. A *Challenge as error is to be
// sent as it is. Specification, "User-Interactive Authentication API".
func (a *Accounts) Interact(ctx context.Context, r UIARequest) (*Passed, error) {
	given, rest, err := splitAuth(r.Body)
	if err != nil {
		return nil, err
	}
	body, err := canonicalSum(rest)
	if err != nil {
		return nil, err
	}
	id := given.Session
	var s *uiaSession
	if id != "" {
		if s, err = a.uiaSession(id); err != nil {
			return nil, err
		}
	} else {
		id, s = randomText(24, lower32), &uiaSession{operation: r.operation(), until: a.now().Add(uiaLife)}
		if r.asks(StageEmail) {
			s.until = a.now().Add(uiaEmailLife)
		}
		a.uia.byID.Add(id, s)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// "the homeserver MUST ... ensure that the request is the same": a session must not be begun
	// for something harmless and ended for something else. What comes before the first stage
	// only asks which stages there are.
	if s.operation != r.operation() || len(s.completed) > 0 && s.body != body {
		return nil, mxerror.Forbidden("The request has changed during the interactive authentication. Start again without a session.")
	}
	if s.ended {
		if s.passed.Concluded != 0 {
			passed := s.passed
			return &passed, nil
		}
		return nil, mxerror.InvalidParam("The interactive authentication has been used already. Start again without a session.")
	}
	if len(s.completed) == 0 {
		s.body, s.parameters = body, nil
		if raw, err := json.Marshal(rest); err == nil && len(raw) <= uiaRemembered {
			s.parameters = raw
		}
	}
	s.request = r
	s.request.Body = nil
	challenge := func(e *mxerror.Error) *Challenge {
		c := &Challenge{Flows: r.Flows, Params: r.Params, Session: id, Completed: slices.Clone(s.completed)}
		if c.Params == nil {
			c.Params = map[string]any{}
		}
		if r.StageParams != nil {
			c.Params = r.StageParams(id)
		}
		if c.Completed == nil {
			c.Completed = []string{}
		}
		if e != nil {
			c.Code, c.Message = e.Code, e.Message
		}
		return c
	}
	// "the client submits an auth dict with just the session": asking whether the user has confirmed it
	// on the page is no attempt, whatever else it holds.
	if given.Type == StageOAuth || given.Type == StageOAuthOld {
		given.Type = ""
	}
	if given.Type != "" && !slices.Contains(s.completed, given.Type) {
		if s.failed >= uiaTries {
			a.uia.byID.Remove(id)
			return nil, mxerror.Forbidden("Too many attempts. Start again without a session.")
		}
		if err := a.stage(ctx, s, given); err != nil {
			if errors.Is(err, errSomebodyElse) {
				s.failed++
				return nil, err
			}
			if e, ok := mxerror.As(err); ok && e.Status < 500 && e.Status != http.StatusTooManyRequests {
				// Clients ask again and again whether the link in a message was followed.
				if e.Code != "M_THREEPID_AUTH_FAILED" {
					s.failed++
				}
				return nil, challenge(e)
			}
			return nil, err
		}
	}
	if s.complete() {
		s.ended, s.passed.Session = true, id
		if given.Session == "" {
			a.uia.byID.Remove(id) // nobody knows it
		}
		if r.Session != nil {
			a.uia.recent.Add(r.Session.Device, a.now())
		}
		passed := s.passed
		return &passed, nil
	}
	return nil, challenge(nil)
}

// asks tells whether a stage is part of a flow.
func (r *UIARequest) asks(stage string) bool {
	return slices.ContainsFunc(r.Flows, func(f Flow) bool { return slices.Contains(f.Stages, stage) })
}

// complete tells whether all stages of a flow have been passed.
func (s *uiaSession) complete() bool {
	return slices.ContainsFunc(s.request.Flows, func(f Flow) bool { return containsAll(s.completed, f.Stages) })
}

// Conclude notes the user that a request has made, so that a repetition of it makes no other.
func (a *Accounts) Conclude(session string, user int64) {
	if s, ok := a.uia.byID.Get(session); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.passed.Concluded, s.passed.RegistrationToken = user, ""
	}
}

// Concluded tells whether a request names a session that has made its user already.
func (a *Accounts) Concluded(body []byte) bool {
	given, _, err := splitAuth(body)
	if err != nil || given.Session == "" {
		return false
	}
	s, err := a.uiaSession(given.Session)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passed.Concluded != 0
}

// ConfirmedWithin tells whether the user of a device has confirmed something within a time.
// Specification of /login/get_token: "servers sometimes do not re-prompt for verification if the
// session recently passed UIA".
func (a *Accounts) ConfirmedWithin(s *Session, window time.Duration) bool {
	at, ok := a.uia.recent.Get(s.Device)
	return ok && s.Device != 0 && a.now().Sub(at) < window
}

// PassStage passes a stage of a session on a web page, whose result the client fetches by
// repeating its request with the session alone.
func (a *Accounts) PassStage(ctx context.Context, session string, given Credentials) error {
	s, err := a.uiaSession(session)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || slices.Contains(s.completed, given.Type) {
		return nil
	}
	if s.failed >= uiaTries {
		a.uia.byID.Remove(session)
		return mxerror.Forbidden("Too many attempts. Start again.")
	}
	if err := a.stage(ctx, s, auth{Credentials: given}); err != nil {
		s.failed++
		return err
	}
	return nil
}

// StageInfo tells what a page for a stage of a session has to show.
type StageInfo struct {
	// UserID is who is to confirm something, or "".
	UserID   string
	User     int64
	Method   string
	Path     string
	Done     bool
	Policies []Policy
}

// Stage finds a stage of a session.
func (a *Accounts) Stage(session, stage string) (StageInfo, error) {
	s, err := a.uiaSession(session)
	if err != nil {
		return StageInfo{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.request.asks(stage) {
		return StageInfo{}, mxerror.NotFound("This session has no such stage.")
	}
	i := StageInfo{Method: s.request.Method, Path: s.request.Path, Done: s.ended || slices.Contains(s.completed, stage), Policies: s.request.Policies}
	if who := s.request.Session; who != nil {
		i.UserID, i.User = who.UserID, who.User
	}
	return i, nil
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
