// Package mxerror holds the errors that a Matrix client may see: an HTTP status, a
// specification errcode, and a sentence for people, apart from the private detail that goes
// to the log only.
package mxerror

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// Error is an error with a public face.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the errcode, e.g. M_FORBIDDEN.
	Code string
	// Message is one helpful sentence; it must hold nothing private.
	Message string
	said    sentence.Text // what Message was made of
	// Fields are further members of the reply, as some errcodes have them.
	Fields map[string]any
	// RetryAfter, when positive, goes out as the Retry-After header.
	RetryAfter time.Duration
	// Cause is for the log only.
	Cause error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s (%d): %s", e.Code, e.Status, e.Message)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// Because returns a copy with a private cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// With returns a copy with one more member in the reply.
func (e *Error) With(name string, value any) *Error {
	c := *e
	c.Fields = map[string]any{name: value}
	for k, v := range e.Fields {
		if k != name {
			c.Fields[k] = v
		}
	}
	return &c
}

// New makes an error of any status and errcode. The message is formatted as by fmt.Sprintf.
func New(status int, code, format string, args ...any) *Error {
	e := &Error{Status: status, Code: code, said: sentence.Say(format, args...)}
	e.Message = e.said.String()
	return e
}

// Said is the message for pages, which put it into the reader's language.
func (e *Error) Said() sentence.Text {
	if e.said.String() == e.Message {
		return e.said
	}
	return sentence.Data(e.Message) // Message was set by itself
}

// As finds the public error in a chain.
func As(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// Is tells whether the chain holds a public error with this errcode.
func Is(err error, code string) bool {
	e, ok := As(err)
	return ok && e.Code == code
}

// The usual kinds, one constructor each.

// Forbidden is 403 M_FORBIDDEN: "Forbidden access, e.g. joining a room without permission".
func Forbidden(format string, args ...any) *Error {
	return New(http.StatusForbidden, "M_FORBIDDEN", format, args...)
}

// NotFound is 404 M_NOT_FOUND: "No resource was found for this request."
func NotFound(format string, args ...any) *Error {
	return New(http.StatusNotFound, "M_NOT_FOUND", format, args...)
}

// BadJSON is 400 M_BAD_JSON: "Request contained valid JSON, but it was malformed in some way".
func BadJSON(format string, args ...any) *Error {
	return New(http.StatusBadRequest, "M_BAD_JSON", format, args...)
}

// NotJSON is 400 M_NOT_JSON: "Request did not contain valid JSON."
func NotJSON(format string, args ...any) *Error {
	return New(http.StatusBadRequest, "M_NOT_JSON", format, args...)
}

// InvalidParam is 400 M_INVALID_PARAM: "A parameter that was specified has the wrong value."
func InvalidParam(format string, args ...any) *Error {
	return New(http.StatusBadRequest, "M_INVALID_PARAM", format, args...)
}

// MissingParam is 400 M_MISSING_PARAM: "A required parameter was missing from the request."
func MissingParam(format string, args ...any) *Error {
	return New(http.StatusBadRequest, "M_MISSING_PARAM", format, args...)
}

// TooLarge is 413 M_TOO_LARGE: "The request or entity was too large."
func TooLarge(format string, args ...any) *Error {
	return New(http.StatusRequestEntityTooLarge, "M_TOO_LARGE", format, args...)
}

// LimitExceeded is 429 M_LIMIT_EXCEEDED; the client may try again after the given time.
func LimitExceeded(after time.Duration) *Error {
	e := New(http.StatusTooManyRequests, "M_LIMIT_EXCEEDED", "Too many requests. Try again in %v.", after.Round(time.Second))
	e.RetryAfter = after
	e.Fields = map[string]any{"retry_after_ms": after.Milliseconds()}
	return e
}

// Unrecognized is M_UNRECOGNIZED: 404 for an unknown path, 405 for a wrong method.
func Unrecognized(status int) *Error {
	return New(status, "M_UNRECOGNIZED", "Unrecognized request.")
}
