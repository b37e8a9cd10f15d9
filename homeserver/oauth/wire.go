package oauth

import (
	"encoding/json/v2"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/edge"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// protocolError is an error as clients of OAuth are told: RFC 6749, section 5.2.
type protocolError struct {
	status int
	code   string
	text   string
}

func (e *protocolError) Error() string { return "oauth: " + e.code + ": " + e.text }

// bad is an error with status 400.
func bad(code, text string) *protocolError {
	return &protocolError{http.StatusBadRequest, code, text}
}

// printable makes a text fit for error_description: "Values ... MUST NOT include characters outside
// the set %x20-21 / %x23-5B / %x5D-7E".
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '"' || c == '\\':
			return '\''
		case c < ' ' || c > '~':
			return '?'
		}
		return c
	}, s)
}

func sendJSON(w http.ResponseWriter, status int, v any) error {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
		h.Set("Pragma", "no-cache")
	}
	w.WriteHeader(status)
	_, _ = w.Write(raw) // the client may be gone
	return nil
}

func sendError(w http.ResponseWriter, e *protocolError) {
	// A map of two texts can be marshalled.
	_ = sendJSON(w, e.status, map[string]string{"error": e.code, "error_description": printable(e.text)})
}

// fail answers a client with what went wrong. What is not meant for the public goes to the log.
func (p *Provider) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *protocolError
	if errors.As(err, &e) {
		sendError(w, e)
		return
	}
	m, ok := mxerror.As(err)
	if !ok || m.Status >= 500 {
		id := edge.RequestID(r.Context())
		p.o.Log.ErrorContext(r.Context(), "request failed", "id", id, "method", r.Method, "route", r.URL.Path, "err", err)
		sendError(w, &protocolError{http.StatusInternalServerError, "server_error", "Something went wrong here. The server's log knows more under " + id + "."})
		return
	}
	e = &protocolError{m.Status, "invalid_request", m.Message}
	if m.Status == http.StatusTooManyRequests {
		e.code = "temporarily_unavailable"
		w.Header().Set("Retry-After", strconv.FormatInt(int64((m.RetryAfter+time.Second-1)/time.Second), 10))
	}
	sendError(w, e)
}

const (
	// formMax bounds a form of a client, and metadataMax what a client says of itself.
	formMax     = 32 << 10
	metadataMax = 32 << 10
)

// readForm reads the form of a client. "Parameters sent without a value MUST be treated as if they
// were omitted ... Request and response parameters MUST NOT be included more than once."
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || typ != "application/x-www-form-urlencoded" {
		return nil, bad("invalid_request", "The body must be a form: application/x-www-form-urlencoded.")
	}
	raw, err := readBody(w, r, formMax)
	if err != nil {
		return nil, err
	}
	v, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, bad("invalid_request", "The body is no valid form.")
	}
	if name := repeated(v); name != "" {
		return nil, bad("invalid_request", "The parameter "+name+" is there more than once.")
	}
	return v, nil
}

func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, &protocolError{http.StatusRequestEntityTooLarge, "invalid_request", "The body is larger than " + strconv.FormatInt(large.Limit, 10) + " bytes."}
	}
	if err != nil {
		return nil, bad("invalid_request", "The body could not be read.")
	}
	return raw, nil
}

// repeated names a parameter that is there more than once, or "".
func repeated(v url.Values) string {
	for name, values := range v {
		if len(values) > 1 {
			return name[:min(len(name), 40)]
		}
	}
	return ""
}
