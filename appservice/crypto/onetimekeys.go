package crypto

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/id"
)

// SignOneTimeKeys has client sign the one-time keys that it uploads anew, with
// the account in store.
//
// mautrix-go v0.30.0, when it is built with GOEXPERIMENT=jsonv2 as Landbridge
// is, signs one-time keys wrongly: what it signs is the bare key as a JSON
// string instead of the object that it uploads, because the marshalling method
// of the object is called where it was not before, at a time when the object
// does not yet count as signed. Every other client rejects such keys, and nobody
// can send the device a room key. Signing what is uploaded is right with either
// version of the JSON package. client must not be in use yet.
func SignOneTimeKeys(client *mautrix.Client, store crypto.Store) {
	own := *client.Client
	own.Transport = &keySigner{next: own.Transport, client: client, store: store}
	client.Client = &own
}

type keySigner struct {
	next   http.RoundTripper
	client *mautrix.Client
	store  crypto.Store
}

var _ http.RoundTripper = (*keySigner)(nil)

// RoundTrip implements http.RoundTripper.
func (s *keySigner) RoundTrip(req *http.Request) (*http.Response, error) {
	next := s.next
	if next == nil {
		next = http.DefaultTransport
	}
	if req.Method != http.MethodPost || !strings.HasSuffix(req.URL.Path, "/keys/upload") || req.Body == nil {
		return next.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close() // it has been read
	if err != nil {
		return nil, fmt.Errorf("read keys to upload: %w", err)
	}
	if body, err = s.sign(req.Context(), body); err != nil {
		return nil, fmt.Errorf("sign one-time keys: %w", err)
	}
	signed := req.Clone(req.Context())
	signed.Body = io.NopCloser(bytes.NewReader(body))
	signed.ContentLength = int64(len(body))
	signed.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return next.RoundTrip(signed)
}

// sign replaces the signatures of the one-time keys in the body of a POST of
// /_matrix/client/v3/keys/upload.
func (s *keySigner) sign(ctx context.Context, body []byte) ([]byte, error) {
	var upload map[string]json.RawMessage
	if err := json.Unmarshal(body, &upload); err != nil {
		return nil, err
	}
	var keys map[id.KeyID]map[string]json.RawMessage
	if len(upload["one_time_keys"]) == 0 {
		return body, nil
	}
	if err := json.Unmarshal(upload["one_time_keys"], &keys); err != nil {
		return nil, err
	}
	account, err := s.store.GetAccount(ctx)
	if err != nil {
		return nil, fmt.Errorf("get account: %w", err)
	}
	for keyID, key := range keys {
		signature, err := signObject(account, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keyID, err)
		}
		sigs := signatures.NewSingleSignature(s.client.UserID, id.KeyAlgorithmEd25519, s.client.DeviceID.String(), signature)
		if key["signatures"], err = json.Marshal(sigs); err != nil {
			return nil, err
		}
	}
	if upload["one_time_keys"], err = json.Marshal(keys); err != nil {
		return nil, err
	}
	return json.Marshal(upload)
}

// signObject signs a JSON object.
//
// Source: Matrix specification, Signing JSON: "the signatures and unsigned
// sections are removed and the rest of the JSON is encoded as canonical JSON".
func signObject(account *crypto.OlmAccount, object map[string]json.RawMessage) (string, error) {
	bare := make(map[string]json.RawMessage, len(object))
	for k, v := range object {
		if k != "signatures" && k != "unsigned" {
			bare[k] = v
		}
	}
	raw, err := json.Marshal(bare)
	if err != nil {
		return "", err
	}
	canonical := json.RawMessage(raw)
	if err := canonicaljson.Canonicalize(&canonical); err != nil {
		return "", err
	}
	signature, err := account.Internal.Sign(canonical)
	return string(signature), err
}
