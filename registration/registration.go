package registration

import (
	"fmt"
	"log/slog"

	"github.com/landbridge-im/landbridge/config/diag"
)

// Problem is one thing wrong with a registration, at its place in a file.
type Problem = diag.Problem

// Problems is a list of them, and an error that unwraps to each.
type Problems = diag.Problems

// Registration is one application service as its file describes it. A registration in a
// [Set] is shared and must not be changed.
type Registration struct {
	// ID is "a unique, user-defined ID of the application service which will never change".
	ID string
	// URL is where transactions are sent, without a slash at the end; empty for "no traffic
	// is required" (url: null) and for a service in this process.
	URL string
	// Module names the kind of an in-process bridge ("irc"), from x-module; empty for a
	// service of its own. At most one of URL and Module is set.
	Module string
	// ASToken is what the service shows the homeserver. Never log it.
	ASToken string
	// HSToken is what the homeserver shows the service. Never log it.
	HSToken string
	// SenderLocalpart is the localpart of "the user associated with the application service".
	SenderLocalpart string
	// Namespaces are the users, aliases and rooms that the service is interested in.
	Namespaces Namespaces
	// RateLimited says "whether requests from masqueraded users are rate-limited. The sender
	// is excluded." nil means that the file does not say; see [Registration.IsRateLimited].
	RateLimited *bool
	// Protocols are "the external protocols which the application service provides".
	Protocols []string
	// ReceiveEphemeral asks for typing, receipts, presence and to-device messages (MSC2409).
	ReceiveEphemeral bool
	// MSC3202 asks for device lists and one-time key counts in transactions.
	MSC3202 bool
	// DeviceManagement lets the service make devices without logging in (MSC4190).
	DeviceManagement bool

	origin *origin
}

// Namespaces are the three areas of identifiers that a service can claim.
type Namespaces struct {
	Users, Aliases, Rooms []Namespace
}

// Namespace is a set of identifiers: those that the expression matches from their
// beginning on.
type Namespace struct {
	Regex string
	// Exclusive keeps everybody else from making identifiers in the namespace.
	Exclusive bool
}

// origin is where a registration was read, for messages about it.
type origin struct {
	file     string
	places   map[string]place // by key path
	warnings Problems         // of the parser
}

type place struct{ line, column int }

// File is the path that the registration was read from, or "" for one made in the program.
func (r *Registration) File() string {
	if r.origin == nil {
		return ""
	}
	return r.origin.file
}

// IsRateLimited is RateLimited, and true if the file does not say: that is what other
// homeservers do, so that a forgotten key does not remove a protection.
func (r *Registration) IsRateLimited() bool { return r.RateLimited == nil || *r.RateLimited }

// SenderID is the user id of the service's own user on a server.
func (r *Registration) SenderID(serverName string) string {
	return "@" + r.SenderLocalpart + ":" + serverName
}

// RedactedURL is URL without a password, for showing it.
func (r *Registration) RedactedURL() string { return redactURL(r.URL) }

// String names the registration without its tokens.
func (r *Registration) String() string {
	if r == nil {
		return "registration <nil>"
	}
	return fmt.Sprintf("registration %q", r.ID)
}

// GoString is String: %#v in a log must not show tokens.
func (r *Registration) GoString() string { return r.String() }

// LogValue is what slog shows of a registration: never its tokens.
func (r *Registration) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("id", r.ID)}
	if r.Module != "" {
		attrs = append(attrs, slog.String("module", r.Module))
	}
	if r.URL != "" {
		attrs = append(attrs, slog.String("url", redactURL(r.URL)))
	}
	return slog.GroupValue(attrs...)
}

// problem makes a problem at the place of a key, or at the nearest key around it.
func (r *Registration) problem(sev diag.Severity, key, message, fix string) Problem {
	p := Problem{Severity: sev, Key: key, Message: message, Fix: fix}
	if r.origin == nil {
		p.File = fmt.Sprintf("registration %q", r.ID)
		return p
	}
	p.File = r.origin.file
	for k := key; ; k = parentKey(k) {
		if at, ok := r.origin.places[k]; ok {
			p.Line, p.Column = at.line, at.column
			return p
		}
		if k == "" {
			return p
		}
	}
}

func parentKey(key string) string {
	for i := len(key) - 1; i > 0; i-- {
		if key[i] == '.' || key[i] == '[' {
			return key[:i]
		}
	}
	return ""
}

var (
	_ fmt.Stringer   = (*Registration)(nil)
	_ fmt.GoStringer = (*Registration)(nil)
	_ slog.LogValuer = (*Registration)(nil)
)
