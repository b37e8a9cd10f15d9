package appservices

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/registration"
)

// Bounds of questions.
const (
	// queryTimeout is how long a service may think about a question.
	queryTimeout = 15 * time.Second
	// queryTries is how often it is put while there is no answer, and queryPause the time between.
	queryTries = 3
	queryPause = 300 * time.Millisecond
)

// asker is the key of the service that makes a request.
type asker struct{}

// By says in a context that it is that of a request of a service, which is then not asked what it asks itself:
// one that looks up an alias while it makes the room of it would wait for itself.
func By(ctx context.Context, r *registration.Registration) context.Context {
	return context.WithValue(ctx, asker{}, r.ID)
}

// QueryAlias asks the services whose namespace an alias is in to make its room: specification,
// GET /_matrix/app/v1/rooms/{roomAlias}. "If the homeserver does not receive a response to this request, the
// homeserver should retry several times before timing out. This should result in an HTTP status 408 "Request
// Timeout" on the client which initiated this request".
func (s *Services) QueryAlias(ctx context.Context, alias string) (made bool, err error) {
	by, _ := ctx.Value(asker{}).(string)
	for _, r := range s.Set().InterestedInAlias(alias) {
		if r.ID == by {
			continue
		}
		ok, err := s.ask(ctx, r, "/_matrix/app/v1/rooms/", alias)
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// ask puts one question.
func (s *Services) ask(ctx context.Context, r *registration.Registration, path, arg string) (bool, error) {
	s.mu.Lock()
	d := s.senders[r.ID]
	s.mu.Unlock()
	if d == nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	for try := 1; ; try++ {
		status, _, err := d.request(ctx, http.MethodGet, path+escape(arg), nil)
		if err == nil {
			return status == http.StatusOK, nil
		}
		if try == queryTries || ctx.Err() != nil || !pause(ctx, queryPause) {
			s.o.Log.WarnContext(ctx, "application service did not answer a question", "service", r.ID, "path", path, "err", err)
			return false, mxerror.New(http.StatusRequestTimeout, "M_UNKNOWN", "The application service of this name did not answer.").Because(err)
		}
	}
}

// makeUser asks the service to make a user whom an event is about, if there is no such user: specification,
// GET /_matrix/app/v1/users/{userId}: "The homeserver will send this request when it receives an event for an
// unknown user ID in the application service's namespace, such as a room invite."
func (d *sender) makeUser(ctx context.Context, e *event.Event) error {
	if e.Type != "m.room.member" || e.StateKey == nil || *e.StateKey == d.rooms.sender || !d.rooms.user(*e.StateKey) {
		return nil
	}
	if _, known := d.asked.Get(*e.StateKey); known {
		return nil
	}
	s := d.s.o.Store
	nid, err := s.UserNID(ctx, *e.StateKey)
	if err == nil {
		_, err = s.Account(ctx, nid)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if errors.Is(err, store.ErrNotFound) {
		// Whatever the answer, the event is told.
		if _, err := d.s.ask(ctx, d.reg, "/_matrix/app/v1/users/", *e.StateKey); err != nil {
			return ctx.Err()
		}
	}
	d.asked.Add(*e.StateKey, true)
	return nil
}

// Ping calls a service on its own request: specification, POST
// /_matrix/client/v1/appservice/{appserviceId}/ping. It returns how long the call took.
func (s *Services) Ping(ctx context.Context, r *registration.Registration, txn string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	// A bridge in the same process can be there before its homeserver.
	select {
	case <-s.running:
	case <-ctx.Done():
		return 0, mxerror.New(504, "M_CONNECTION_TIMEOUT", "The server is not ready yet.")
	}
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
	d.speaks()
	return s.o.Now().Sub(begin), nil
}

// errStatus is what went wrong when a service answers, but not with 200.
func errStatus(status int) error { return fmt.Errorf("the service answered with status %d", status) }
