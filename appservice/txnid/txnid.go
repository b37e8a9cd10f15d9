// Package txnid gives the messages that a bridge sends to its homeserver
// transaction ids of the bridge's choice.
//
// bridgev2 makes a new transaction id for each send, so a message that is sent
// again after a crash would be a second message. With an id that is made from
// what the message came from, the homeserver recognises the repetition and
// answers with the event of the first time.
//
// Nothing but this belongs here; modules and the host both import it.
package txnid

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

type key struct{}

// With returns a context in which a message that is sent to a room has a
// transaction id made from name, which can be of any length and content. It is
// for the sending of one message: two would have the same id, and the second
// would be taken for a repetition of the first.
func With(ctx context.Context, name string) context.Context {
	sum := sha256.Sum256([]byte(name))
	return context.WithValue(ctx, key{}, "lb-"+base64.RawURLEncoding.EncodeToString(sum[:]))
}

// Transport puts the transaction ids of With into the requests that go through
// it. Client-Server API, "Sending events to a room": "The path of PUT
// /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}".
func Transport(next http.RoundTripper) http.RoundTripper { return transport{next} }

type transport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	id, ok := r.Context().Value(key{}).(string)
	if !ok || r.Method != http.MethodPut || !sends(r.URL.EscapedPath()) {
		return t.next.RoundTrip(r)
	}
	out := r.Clone(r.Context()) // a RoundTripper must not change its request
	out.URL.Path = replaceLast(r.URL.Path, id)
	out.URL.RawPath = replaceLast(r.URL.EscapedPath(), url.PathEscape(id))
	return t.next.RoundTrip(out)
}

// sends reports whether a path is that of a message: .../rooms/{room}/send/{type}/{txn}.
func sends(escaped string) bool {
	parts := strings.Split(escaped, "/")
	n := len(parts)
	return n >= 5 && parts[n-5] == "rooms" && parts[n-3] == "send"
}

func replaceLast(path, last string) string { return path[:strings.LastIndexByte(path, '/')+1] + last }
