package elsewhere

import (
	"bytes"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/migration/run"
)

// maxAnswer bounds an answer of the server, in bytes.
const maxAnswer = 64 << 20

// refusal is a homeserver's no.
type refusal struct {
	Status  int    `json:"-"`
	Code    string `json:"errcode"`
	Message string `json:"error"`
	// Wait is how long to wait before the next try, in milliseconds.
	Wait int64 `json:"retry_after_ms"`
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the homeserver says %s (%d): %.300s", r.Code, r.Status, r.Message)
}

// refused tells whether an error is a homeserver's no with one of some codes, or with any if none is named.
func refused(err error, codes ...string) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, c := range codes {
		if r.Code == c {
			return true
		}
	}
	return len(codes) == 0
}

// request is something that a homeserver is asked.
type request struct {
	method, path string
	query        url.Values
	// user is who asks; "" is the application service itself.
	user string
	// ts is when, in milliseconds; 0 is now.
	ts int64
	// in becomes JSON; or body is sent as it is, size bytes of a type.
	in   any
	body io.ReadSeeker
	size int64
	mime string
}

// ask asks the homeserver and reads the answer into out, which may be nil. Limits of rates are waited for. What the homeserver
// did not answer is run.ErrUnreachable.
func (t *Target) ask(ctx context.Context, q request, out any) error {
	var raw []byte
	if q.in != nil {
		var err error
		if raw, err = json.Marshal(q.in, json.Deterministic(true)); err != nil {
			return err
		}
	}
	for {
		body := q.body
		if q.in != nil {
			body = bytes.NewReader(raw)
			q.size, q.mime = int64(len(raw)), "application/json"
		}
		pause, err := t.once(ctx, q, body, out)
		if pause == 0 {
			return err
		}
		select {
		case <-t.after(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Bounds of how long a limit of rates is waited for at once.
const minPause, maxPause = 200 * time.Millisecond, time.Minute

// once asks once. pause is how long to wait before it may be asked again; 0 if it is answered.
func (t *Target) once(ctx context.Context, q request, body io.ReadSeeker, out any) (pause time.Duration, err error) {
	query := url.Values{}
	for k, v := range q.query {
		query[k] = v
	}
	if q.user != "" {
		query.Set("user_id", q.user)
	}
	if q.ts > 0 {
		query.Set("ts", strconv.FormatInt(q.ts, 10))
	}
	var reader io.Reader
	if body != nil {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		if reader = io.NopCloser(body); q.size == 0 {
			reader = http.NoBody
		}
	}
	address := t.o.URL + q.path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, q.method, address, reader)
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.ContentLength = q.size
		req.Header.Set("Content-Type", q.mime)
	}
	req.Header.Set("Authorization", "Bearer "+t.o.Registration.ASToken)
	res, err := t.o.HTTP.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return 0, fmt.Errorf("%w: %w", run.ErrUnreachable, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("%w to the end: %w", run.ErrUnreachable, err)
	}
	if res.StatusCode == http.StatusOK {
		if out == nil {
			return 0, nil
		}
		if err := json.Unmarshal(raw, out); err != nil {
			return 0, fmt.Errorf("the homeserver's answer to %s %s can't be read: %w", q.method, q.path, err)
		}
		return 0, nil
	}
	no := &refusal{Status: res.StatusCode}
	if !jsontext.Value(raw).IsValid() || json.Unmarshal(raw, no) != nil || no.Code == "" {
		no.Code, no.Message = "M_UNKNOWN", res.Status
	}
	switch {
	case res.StatusCode == http.StatusTooManyRequests:
		// "Clients SHOULD then wait for the specified time": Retry-After, and before v1.10 retry_after_ms.
		wait := time.Duration(no.Wait) * time.Millisecond
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s >= 0 {
			wait = max(wait, time.Duration(min(s, 3600))*time.Second)
		}
		return min(max(wait, minPause), maxPause), nil
	case res.StatusCode >= 500:
		return 0, fmt.Errorf("%w as it should: %w", run.ErrUnreachable, no)
	}
	return 0, no
}

// patience is how long a server that does not answer is asked again.
const patience = 2 * time.Minute

// insist does what may be done again while the server does not answer: it may just be starting.
func (t *Target) insist(ctx context.Context, do func() error) error {
	waited, pause := time.Duration(0), 250*time.Millisecond
	for {
		err := do()
		if err == nil || !errors.Is(err, run.ErrUnreachable) || ctx.Err() != nil || waited >= patience {
			return err
		}
		select {
		case <-t.after(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		waited += pause
		pause = min(2*pause, 5*time.Second)
	}
}

// get asks for something, again while the server does not answer.
func (t *Target) get(ctx context.Context, path string, query url.Values, out any) error {
	return t.insist(ctx, func() error {
		return t.ask(ctx, request{method: http.MethodGet, path: path, query: query, user: t.bot}, out)
	})
}

func client(parts ...string) string {
	path := "/_matrix/client/v3"
	for _, p := range parts {
		path += "/" + url.PathEscape(p)
	}
	return path
}
