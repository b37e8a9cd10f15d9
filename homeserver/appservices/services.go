package appservices

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/presence"
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
	// Presence is how a user is there. It is called for those of whom PresenceChanged told.
	Presence func(user int64) presence.State
	// LookupTimeout is how long services may think about a third-party look-up; 0 means 8 s.
	LookupTimeout time.Duration
	// TransactionTimeout is how long a service may take over one transaction; 0 means 2 minutes.
	TransactionTimeout time.Duration
	Log                *slog.Logger
	Now                func() time.Time
}

// Services are the registered application services. It is safe for concurrent use.
type Services struct {
	o   Options
	set atomic.Pointer[registration.Set]

	pages *pages
	// typed are rooms where typing changed, present users whose presence did.
	typed, present news

	deflaters sync.Pool // of *flate.Writer

	mu      sync.Mutex
	senders map[string]*sender
	// ended are closed when the last sender of a service has ended, of services that have none now.
	ended map[string]<-chan struct{}
	// began is the log position at which the registrations came into force: a service that was
	// never heard of before is told of what comes after it.
	began   int64
	run     context.Context // nil until Run
	running chan struct{}   // closed when Run has begun
	wg      sync.WaitGroup
}

// New makes the services; nothing is delivered until Run.
func New(o Options) *Services {
	if o.LookupTimeout == 0 {
		o.LookupTimeout = lookupTimeout
	}
	if o.TransactionTimeout == 0 {
		o.TransactionTimeout = txnTimeout
	}
	s := &Services{o: o, pages: newPages(o.Store), senders: map[string]*sender{}, ended: map[string]<-chan struct{}{}, began: o.Store.Position(), running: make(chan struct{})}
	s.set.Store(o.Set)
	return s
}

// Set is the registrations in force.
func (s *Services) Set() *registration.Set { return s.set.Load() }

// Run delivers until ctx ends, and waits for the senders to stop. It is called once.
func (s *Services) Run(ctx context.Context) error {
	s.mu.Lock()
	s.run = ctx
	s.reconcile()
	s.mu.Unlock()
	close(s.running)
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

// reconcile starts and stops senders so that they fit the registrations. s.mu is held.
func (s *Services) reconcile() {
	set := s.set.Load()
	for id, d := range s.senders {
		if r := set.ByID(id); r == nil || !same(r, d.reg) {
			d.stop()
			delete(s.senders, id)
			s.ended[id] = d.ended
		}
	}
	for id, ended := range s.ended {
		select {
		case <-ended: // there is nothing to wait for any more
			delete(s.ended, id)
		default:
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
		before := s.ended[r.ID]
		delete(s.ended, r.ID)
		s.wg.Go(func() {
			defer close(d.ended)
			if before != nil {
				// Two would have two transactions under way, and might give them one id. It has been stopped; all
				// that it still does ends with its context.
				<-before
			}
			d.loop(ctx)
		})
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
func (s *Services) TypingChanged(room int64) { s.tell(&s.typed, room) }

// PresenceChanged tells the senders that somebody has come or gone.
func (s *Services) PresenceChanged(user int64) { s.tell(&s.present, user) }

// tell remembers a piece of news, if there is a service that wants such, and wakes those.
func (s *Services) tell(n *news, nid int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	noted := false
	for _, d := range s.senders {
		if !d.reg.ReceiveEphemeral {
			continue
		}
		if !noted {
			n.note(nid)
			noted = true
		}
		d.poke()
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

// Heard tells that a service has asked something, so that it is there.
func (s *Services) Heard(id string) {
	s.mu.Lock()
	d := s.senders[id]
	s.mu.Unlock()
	if d != nil {
		d.speaks()
	}
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
