package keys

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"net/http"
	"strings"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// maxKey bounds the JSON of any one key.
const maxKey = 16 << 10

// signatures are those of a signed object: by user, then by key ("ed25519:ID").
type signatures map[string]map[string]string

func (s signatures) add(user, keyID, signature string) {
	if s[user] == nil {
		s[user] = map[string]string{}
	}
	s[user][keyID] = signature
}

// signed is a signed JSON object, specification, "Signing JSON".
type signed struct {
	members    map[string]jsontext.Value
	signatures signatures
	// payload is what is signed: canonical JSON without signatures and unsigned.
	payload []byte
}

// parseSigned reads a signed object; what names it in errors.
func parseSigned(raw jsontext.Value, what string) (*signed, error) {
	if len(raw) > maxKey {
		return nil, mxerror.TooLarge("%s is %d bytes long; at most %d are allowed.", what, len(raw), maxKey)
	}
	s := &signed{}
	if err := json.Unmarshal(raw, &s.members); err != nil || s.members == nil {
		return nil, mxerror.BadJSON("%s must be an object.", what).Because(err)
	}
	if v, ok := s.members["signatures"]; ok {
		if err := json.Unmarshal(v, &s.signatures); err != nil {
			return nil, mxerror.BadJSON("%s: signatures must be an object of users, keys and text.", what).Because(err)
		}
	}
	payload := make(map[string]jsontext.Value, len(s.members))
	for name, v := range s.members {
		if name != "signatures" && name != "unsigned" {
			payload[name] = v
		}
	}
	var err error
	if s.payload, err = canonicaljson.Marshal(payload); err != nil {
		return nil, mxerror.BadJSON("%s is not valid: numbers must be integers within ±(2^53-1), text must be UTF-8 and keys must not repeat.", what).Because(err)
	}
	return s, nil
}

// encode is the object as it is stored and handed out, less what only servers add.
func (s *signed) encode() (string, error) {
	delete(s.members, "unsigned")
	raw, err := canonicaljson.Marshal(s.members)
	return string(raw), err
}

var errSignature = errors.New("the signature does not match")

// verify checks the signature that a key of a user has put on the object.
func (s *signed) verify(user, keyID string, key ed25519.PublicKey) error {
	text, ok := s.signatures[user][keyID]
	if !ok {
		return errors.New("there is no signature of " + keyID)
	}
	return s.verifyText(text, key)
}

func (s *signed) verifyText(signature string, key ed25519.PublicKey) error {
	sig, err := decode64(signature)
	if err != nil || len(sig) != ed25519.SignatureSize {
		return errors.New("the signature is malformed")
	}
	if !ed25519.Verify(key, s.payload, sig) {
		return errSignature
	}
	return nil
}

// decode64 reads base64 as Matrix has it, unpadded, and forgives padding.
func decode64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

func publicKey(s string) (ed25519.PublicKey, bool) {
	b, err := decode64(s)
	return b, err == nil && len(b) == ed25519.PublicKeySize
}

// invalidSignature is 400 M_INVALID_SIGNATURE.
func invalidSignature(format string, args ...any) *mxerror.Error {
	return mxerror.New(http.StatusBadRequest, "M_INVALID_SIGNATURE", format, args...)
}
