package homeserver

import (
	"bytes"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/admin"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/console"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/internal/inproc"
)

// Admin calls the administrators' API on behalf of one of the administrators, whom the caller has
// made sure of. path begins behind the API's prefix; body and out may be nil. An error of the API is
// its sentence.
func (s *Server) Admin(ctx context.Context, user int64, userID, method, path string, body, out any) error {
	account, err := s.store.Account(ctx, user)
	if err != nil {
		return err
	}
	if !account.Admin {
		return errors.New("you are no administrator any more")
	}
	err = s.ask(admin.Audited(ctx), &accounts.Session{UserID: userID, User: user, Kind: account.Kind, Admin: true}, method, client.AdminPrefix+path, body, out)
	if e, ok := mxerror.As(err); ok {
		return errors.New(e.Message)
	}
	return err
}

// command makes a request for a command of whoever is on the machine itself, as an administrator.
func (s *Server) command(ctx context.Context, user int64, userID string, q console.Act) (out jsontext.Value, err error) {
	var body any
	if len(q.Body) > 0 {
		body = q.Body
	}
	prefix := client.AdminPrefix
	if q.Client {
		prefix = "/_matrix/client/v3"
	}
	as := &accounts.Session{UserID: userID, User: user, Kind: "user", Admin: true}
	err = s.ask(admin.Audited(ctx), as, q.Method, prefix+q.Path, body, &out)
	return out, err
}

// Act calls the client-server API on behalf of one of the users, whom the caller has made sure of; path begins behind
// the version. An error of the API is its sentence.
func (s *Server) Act(ctx context.Context, userID, method, path string, body, out any) error {
	err := s.actAs(ctx, userID, method, path, body, out)
	if e, ok := mxerror.As(err); ok {
		return errors.New(e.Message)
	}
	return err
}

// actAs calls the client-server API on behalf of one of the users; path begins behind the version. The caller has
// made sure that the user wants it.
func (s *Server) actAs(ctx context.Context, userID, method, path string, body, out any) error {
	user, err := s.store.UserNID(ctx, userID)
	if err != nil {
		return fmt.Errorf("finding %s: %w", userID, err)
	}
	account, err := s.store.Account(ctx, user)
	if err != nil {
		return fmt.Errorf("finding the account of %s: %w", userID, err)
	}
	return s.ask(ctx, &accounts.Session{UserID: userID, User: user, Kind: account.Kind, ServiceID: account.Service}, method, "/_matrix/client/v3"+path, body, out)
}

// ask makes a request to the client-server API in this process. Its errors are those of package mxerror.
func (s *Server) ask(ctx context.Context, as *accounts.Session, method, path string, body, out any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(client.WithSession(ctx, as), method, "http://in-process"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	res, err := inproc.Transport(s.client).RoundTrip(req)
	if err != nil {
		return fmt.Errorf("asking the client API: %w", err)
	}
	defer res.Body.Close()
	if raw, err = io.ReadAll(res.Body); err != nil {
		return fmt.Errorf("reading the client API: %w", err)
	}
	if res.StatusCode/100 != 2 {
		var e struct {
			Code    string `json:"errcode"`
			Message string `json:"error"`
		}
		if json.Unmarshal(raw, &e) != nil || e.Message == "" {
			e.Code, e.Message = "M_UNKNOWN", res.Status
		}
		return mxerror.New(res.StatusCode, e.Code, "%s", e.Message)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// LastFailure tells why a call to another server failed last, and when; "" if that is not remembered.
func (s *Server) LastFailure(server string) (text string, at time.Time) {
	e, _ := s.outside.backoff.LastError(server)
	return e.Text, e.At
}

// TryAgain forgets that another server could not be reached.
func (s *Server) TryAgain(ctx context.Context, server string) { s.outside.backoff.Heard(ctx, server) }
