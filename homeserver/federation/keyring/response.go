package keyring

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
	"go.mau.fi/util/exgjson"
	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/signutil"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// response is what a server says of its keys.
type response struct {
	Server     string                       `json:"server_name"`
	ValidUntil int64                        `json:"valid_until_ts"`
	Verify     map[string]publicKey         `json:"verify_keys"`
	Old        map[string]oldPublicKey      `json:"old_verify_keys"`
	Signatures map[string]map[string]string `json:"signatures,omitempty"`
}

type publicKey struct {
	Key string `json:"key"`
}

type oldPublicKey struct {
	Expired int64  `json:"expired_ts"`
	Key     string `json:"key"`
}

// Limits of what a server can say of its keys.
const (
	maxResponse = 64 << 10
	maxKeys     = 128
)

// parseResponse checks what a server, or a notary for it, says of its keys: it must be signed by
// at least one of the keys that it lists, and no such signature may be wrong.
func parseResponse(raw []byte, server string) (*response, error) {
	if len(raw) > maxResponse {
		return nil, fmt.Errorf("the keys of %s are longer than %d bytes", server, maxResponse)
	}
	r := &response{}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("the keys of %s: %w", server, err)
	}
	bad := func(why string) (*response, error) { return nil, fmt.Errorf("the keys of %s: %s", server, why) }
	switch {
	case r.Server != server:
		return bad(fmt.Sprintf("they are those of %.100q", r.Server))
	case len(r.Verify)+len(r.Old) > maxKeys:
		return bad(fmt.Sprintf("more than %d keys", maxKeys))
	case r.ValidUntil <= 0:
		return bad("valid_until_ts is missing")
	}
	signed := false
	for keyID, k := range r.Verify {
		if !strings.HasPrefix(keyID, "ed25519:") || r.Signatures[server][keyID] == "" {
			continue
		}
		if err := verify(raw, server, keyID, k.Key); err != nil {
			return nil, fmt.Errorf("the keys of %s, signature by %.64s: %w", server, keyID, err)
		}
		signed = true
	}
	if !signed {
		return bad("none of its keys has signed them")
	}
	return r, nil
}

// keys are the keys that a response gives, with valid_until_ts cut as fetched at a time: "Servers
// MUST use the lesser of this field and 7 days into the future when determining if a key is
// valid."
func (r *response) keys(fetched int64) map[string]Key {
	out := map[string]Key{}
	for keyID, k := range r.Old {
		if p, err := decodePublic(keyID, k.Key); err == nil {
			out[keyID] = Key{Public: p, ValidUntil: min(k.Expired, fetched+maxValidity.Milliseconds()), Expired: true}
		}
	}
	for keyID, k := range r.Verify {
		if p, err := decodePublic(keyID, k.Key); err == nil {
			out[keyID] = Key{Public: p, ValidUntil: min(r.ValidUntil, fetched+maxValidity.Milliseconds())}
		}
	}
	return out
}

// names tells whether a response has a key, new or old.
func (r *response) names(keyID string) bool {
	_, verify := r.Verify[keyID]
	_, old := r.Old[keyID]
	return verify || old
}

func decodePublic(keyID, s string) (ed25519.PublicKey, error) {
	if !strings.HasPrefix(keyID, "ed25519:") {
		return nil, errors.New("not a key of Ed25519")
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, errors.New("the key is not 32 bytes in base64")
	}
	return raw, nil
}

// verify checks one signature of a JSON object.
func verify(raw []byte, server, keyID, public string) error {
	if _, err := decodePublic(keyID, public); err != nil {
		return err
	}
	return signutil.VerifyJSON(server, id.KeyID(keyID), id.SigningKey(strings.TrimRight(public, "=")), jsontext.Value(raw))
}

// addSignature signs a JSON object and keeps the signatures that it has.
func addSignature(raw jsontext.Value, s event.Signer) (jsontext.Value, error) {
	bare, err := sjson.DeleteBytes(bytes.Clone(raw), "signatures")
	if err == nil {
		bare, err = sjson.DeleteBytes(bare, "unsigned")
	}
	if err != nil {
		return nil, err
	}
	message := jsontext.Value(bare)
	if err := canonicaljson.Canonicalize(&message); err != nil {
		return nil, err
	}
	sig := base64.RawStdEncoding.EncodeToString(ed25519.Sign(s.Key, message))
	out, err := sjson.SetBytes(bytes.Clone(raw), exgjson.Path("signatures", s.Server, s.KeyID), sig)
	return out, err
}

func signatureBy(raw []byte, server string) map[string]string {
	out := map[string]string{}
	gjson.GetBytes(raw, exgjson.Path("signatures", server)).ForEach(func(k, v gjson.Result) bool {
		out[k.Str] = v.Str
		return len(out) < 8
	})
	return out
}
