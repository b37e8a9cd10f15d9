package xmatrix

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// signedRequest is what is signed: "The request method, target and body are signed by wrapping
// them in a JSON object".
type signedRequest struct {
	Method      string         `json:"method"`
	URI         string         `json:"uri"`
	Origin      string         `json:"origin"`
	Destination string         `json:"destination,omitzero"`
	Content     jsontext.Value `json:"content,omitzero"`
}

func (r signedRequest) canonical() ([]byte, error) {
	if len(r.Content) == 0 {
		r.Content = nil
	}
	raw, err := canonicaljson.Marshal(r)
	if err == nil || r.Content == nil {
		return raw, err
	}
	// Canonical JSON has no fractions and no large numbers, but old rooms have events with them, and one such event
	// must not make a whole transaction impossible to read: numbers stay as they were written, as other servers do it.
	content := slices.Clone(r.Content)
	lenient := []jsontext.Options{jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false), jsontext.ReorderRawObjects(true)}
	if content.Format(lenient...) != nil {
		return nil, err
	}
	r.Content = nil
	if raw, err = canonicaljson.Marshal(r); err != nil {
		return nil, err
	}
	return slices.Concat([]byte(`{"content":`), content, []byte(","), raw[1:]), nil
}

// loose is canonical of a body with numbers that canonical JSON doesn't have. Room versions before 6 have
// them in events, and one such event must not keep a transaction's others out; they are signed as they
// would be by RFC 8785.
func (r signedRequest) loose() ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	v := jsontext.Value(raw)
	err = v.Canonicalize()
	return v, err
}

// Sign adds the Authorization header to a request. body is what the request will send, empty for
// none.
func Sign(r *http.Request, body []byte, s event.Signer, destination string) error {
	raw, err := signedRequest{r.Method, r.URL.RequestURI(), s.Server, destination, body}.canonical()
	if err != nil {
		return fmt.Errorf("signing a request to %s: %w", destination, err)
	}
	sig := base64.RawStdEncoding.EncodeToString(ed25519.Sign(s.Key, raw))
	r.Header.Set("Authorization", Header{Origin: s.Server, Destination: destination, Key: s.KeyID, Sig: sig}.String())
	return nil
}

// Keys gives the keys with which servers sign requests.
type Keys interface {
	// RequestKey is a key that is valid now. Keys that have expired are good for events alone.
	RequestKey(ctx context.Context, server, keyID string) (ed25519.PublicKey, error)
}

// Verifier checks the requests of other servers. It is safe for concurrent use.
type Verifier struct {
	// Server is our own name.
	Server string
	Keys   Keys
}

// maxSignatures bounds how many headers of a request are looked at.
const maxSignatures = 4

// Verify tells which server made a request. body is the request's whole body. Errors are 401
// M_UNAUTHORIZED, or 400 for a body that is not JSON.
func (v Verifier) Verify(r *http.Request, body []byte) (origin string, err error) {
	unauthorized := func(format string, args ...any) *mxerror.Error {
		return mxerror.New(http.StatusUnauthorized, "M_UNAUTHORIZED", format, args...)
	}
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return "", unauthorized("The request is not signed: an X-Matrix Authorization header is missing.")
	}
	var failed []error
	for _, raw := range headers[:min(len(headers), maxSignatures)] {
		h, err := Parse(raw)
		if errors.Is(err, ErrScheme) {
			failed = append(failed, err)
			continue
		}
		if errors.Is(err, errOrigin) {
			return "", mxerror.New(http.StatusBadRequest, "M_INVALID_PARAM", "The Authorization header is not valid: %s.", err)
		} else if err != nil {
			return "", unauthorized("The Authorization header is not valid: %s.", err)
		}
		// "If this property is included, but the value does not match the receiving server's name,
		// the receiving server must deny the request with an HTTP status code 401 Unauthorized."
		if h.Destination != "" && h.Destination != v.Server {
			return "", unauthorized("The request is for another server.")
		}
		if h.Origin == v.Server {
			return "", unauthorized("The request claims to be of this server.")
		}
		if origin != "" && h.Origin != origin {
			return "", unauthorized("The request is signed by different servers.")
		}
		origin = h.Origin
		if err := v.check(r, body, h); err != nil {
			if e, ok := mxerror.As(err); ok && e.Status == http.StatusBadRequest {
				return "", err
			}
			failed = append(failed, err)
			continue
		}
		return origin, nil
	}
	return "", unauthorized("The request's signature could not be verified.").Because(errors.Join(failed...))
}

func (v Verifier) check(r *http.Request, body []byte, h Header) error {
	sig, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(h.Sig, "="))
	if err != nil || len(sig) != ed25519.SignatureSize {
		return errors.New("the signature is not one of Ed25519 in base64")
	}
	signed := signedRequest{r.Method, target(r), h.Origin, h.Destination, body}
	raw, err := signed.canonical()
	if err != nil {
		raw, err = signed.loose()
	}
	if err != nil {
		return mxerror.New(http.StatusBadRequest, "M_NOT_JSON", "The request's body is not valid JSON.").Because(err)
	}
	if !strings.HasPrefix(h.Key, "ed25519:") {
		return fmt.Errorf("the key %.64q is not of Ed25519", h.Key)
	}
	key, err := v.Keys.RequestKey(r.Context(), h.Origin, h.Key)
	if err != nil {
		return fmt.Errorf("finding the key %.64s of %s: %w", h.Key, h.Origin, err)
	}
	if !ed25519.Verify(key, raw, sig) {
		return fmt.Errorf("the signature by %s of %s is wrong", h.Key, h.Origin)
	}
	return nil
}

// target is what was asked for, as it was written: "the full path starting with /_matrix/...,
// including the ? and any query parameters if present".
func target(r *http.Request) string {
	if r.RequestURI != "" {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}
