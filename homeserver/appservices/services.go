package appservices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/registration"
)

// Options say what Services need.
type Options struct {
	Store      *store.Store
	ServerName string
	Set        *registration.Set
	// Transport reaches a service. Its requests go to the registration's url, or for a service
	// without one to http://in-process. Nil for a service that is not to be reached at all.
	Transport func(*registration.Registration) http.RoundTripper
	// Typing lists who types in a room at the moment.
	Typing func(room int64) []string
	// LookupTimeout is how long services may think about a third-party look-up; 0 means 8 s.
	LookupTimeout time.Duration
	Log           *slog.Logger
	Now           func() time.Time
}

// Services are the registered application services. It is safe for concurrent use.
type Services struct {
	o   Options
	set atomic.Pointer[registration.Set]

	mu      sync.Mutex
	senders map[string]*sender
	// began is the log position at which the registrations came into force: a service that was
	// never heard of before is told of what comes after it.
	began int64
	run   context.Context // nil until Run
	wg    sync.WaitGroup
}

// New makes the services; nothing is delivered until Run.
func New(o Options) *Services {
	if o.LookupTimeout == 0 {
		o.LookupTimeout = lookupTimeout
	}
	s := &Services{o: o, senders: map[string]*sender{}, began: o.Store.Position()}
	s.set.Store(o.Set)
	return s
}

// Set is the registrations in force.
func (s *Services) Set() *registration.Set { return s.set.Load() }

// Run delivers until ctx ends, and waits for the senders to stop.
func (s *Services) Run(ctx context.Context) error {
	s.mu.Lock()
	s.run = ctx
	s.reconcile()
	s.mu.Unlock()
	<-ctx.Done()
	s.wg.Wait()
	return nil
}

// Replace puts other registrations in force. Senders of services that stay the same go on.
func (s *Services) Replace(set *registration.Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set.Store(set)
	s.began = s.o.Store.Position()
	if s.run != nil {
		s.reconcile()
	}
}

// reconcile starts and stops senders so that they fit the registrations.
func (s *Services) reconcile() {
	set := s.set.Load()
	for id, d := range s.senders {
		if r := set.ByID(id); r == nil || !same(r, d.reg) {
			d.stop()
			delete(s.senders, id)
		}
	}
	for _, r := range set.All() {
		if s.senders[r.ID] != nil {
			continue
		}
		var rt http.RoundTripper
		if s.o.Transport != nil {
			rt = s.o.Transport(r)
		}
		if rt == nil {
			continue
		}
		ctx, stop := context.WithCancel(s.run)
		d := newSender(s, r, rt, stop)
		s.senders[r.ID] = d
		s.wg.Go(func() { d.loop(ctx) })
	}
}

// same tells whether two registrations mean the same service, reached in the same way.
func same(a, b *registration.Registration) bool {
	x, err1 := a.Marshal()
	y, err2 := b.Marshal()
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// Publish tells the senders that the log has grown. It does not block.
func (s *Services) Publish([]store.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.senders {
		d.poke()
	}
}

// TypingChanged tells the senders that somebody began or ceased to type.
func (s *Services) TypingChanged(room int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.senders {
		if d.reg.ReceiveEphemeral {
			d.typing(room)
		}
	}
}

// Status is how a service stands.
type Status struct {
	ID        string
	Reachable bool
	Since     time.Time
	// Behind is how many log positions have not been delivered or skipped yet.
	Behind int64
	// LastError is why the service can't be reached; "" if it can.
	LastError string
	// Transactions counts those acknowledged since the start.
	Transactions int64
}

// Status lists how the services stand.
func (s *Services) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Status
	for _, d := range s.senders {
		out = append(out, d.status())
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// queryTimeout bounds how long a service may think about a question.
const queryTimeout = 15 * time.Second

// QueryAlias asks the services whose namespace an alias is in to make its room: specification,
// GET /_matrix/app/v1/rooms/{roomAlias}.
func (s *Services) QueryAlias(ctx context.Context, alias string) (made bool, err error) {
	for _, r := range s.Set().InterestedInAlias(alias) {
		ok, err := s.ask(ctx, r, http.MethodGet, "/_matrix/app/v1/rooms/", alias)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// QueryUser asks the services whose namespace a user is in to make the user: specification,
// GET /_matrix/app/v1/users/{userId}.
func (s *Services) QueryUser(ctx context.Context, userID string) (made bool, err error) {
	for _, r := range s.Set().InterestedInUser(userID) {
		ok, err := s.ask(ctx, r, http.MethodGet, "/_matrix/app/v1/users/", userID)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// ask puts one question. A service that can't be reached has answered no.
func (s *Services) ask(ctx context.Context, r *registration.Registration, method, path, arg string) (bool, error) {
	s.mu.Lock()
	d := s.senders[r.ID]
	s.mu.Unlock()
	if d == nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	status, _, err := d.request(ctx, method, path+escape(arg), nil)
	if err != nil {
		s.o.Log.WarnContext(ctx, "application service did not answer a question", "service", r.ID, "path", path, "err", err)
		return false, nil
	}
	return status == http.StatusOK, nil
}

// Ping calls a service on its own request: specification, POST
// /_matrix/client/v1/appservice/{appserviceId}/ping. It returns how long the call took.
func (s *Services) Ping(ctx context.Context, r *registration.Registration, txn string) (time.Duration, error) {
	s.mu.Lock()
	d := s.senders[r.ID]
	s.mu.Unlock()
	if d == nil {
		return 0, mxerror.New(400, "M_URL_NOT_SET", "The application service's registration has no url.")
	}
	body := []byte("{}")
	if txn != "" {
		body = []byte(`{"transaction_id":` + quote(txn) + `}`)
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	begin := s.o.Now()
	status, reply, err := d.request(ctx, http.MethodPost, "/_matrix/app/v1/ping", body)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return 0, mxerror.New(504, "M_CONNECTION_TIMEOUT", "The application service did not answer in %v.", queryTimeout)
	case err != nil:
		return 0, mxerror.New(502, "M_CONNECTION_FAILED", "The application service could not be reached: %v.", err)
	case status/100 != 2:
		return 0, mxerror.New(502, "M_BAD_STATUS", "The application service answered with status %d.", status).
			With("status", status).With("body", string(reply[:min(len(reply), 1024)]))
	}
	d.poke()
	return s.o.Now().Sub(begin), nil
}

// errStatus is what went wrong when a service answers, but not with 200.
func errStatus(status int) error { return fmt.Errorf("the service answered with status %d", status) }
