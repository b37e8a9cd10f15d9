package keyring

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/sjson"
	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// maxSignatures bounds how many signatures of one server are looked at. Signatures aren't covered
// by anything, so anybody can add more.
const maxSignatures = 8

// VerifyEvent checks that a server has signed an event with a key that was valid then. Room version
// 5: "When validating event signatures, servers MUST enforce the valid_until_ts property from a key
// request is at least as large as the origin_server_ts for the event being validated"; before, it
// is ignored. One good signature is enough. Errors wrap ErrUnavailable if a later try may succeed.
func (r *Ring) VerifyEvent(ctx context.Context, v event.Version, e *pdu.PDU, server string) error {
	sigs := map[string]string{}
	for keyID, sig := range e.Signatures[server] {
		// That of a policy server is no key of the server: rooms know it.
		if keyID != "ed25519:policy_server" {
			sigs[string(keyID)] = sig
		}
	}
	message, err := event.ForSignature(e, v)
	if err != nil {
		return fmt.Errorf("verifying an event: %w", err)
	}
	return r.verifyAny(ctx, server, sigs, message, e.OriginServerTS, v.EnforceSigningKeyValidity())
}

// VerifyJSON checks that a server has signed a JSON object, as of a time in milliseconds.
func (r *Ring) VerifyJSON(ctx context.Context, server string, raw jsontext.Value, at int64) error {
	bare, err := sjson.DeleteBytes(slices.Clone(raw), "signatures")
	if err == nil {
		bare, err = sjson.DeleteBytes(bare, "unsigned")
	}
	message := jsontext.Value(bare)
	if err == nil {
		err = canonicaljson.Canonicalize(&message)
	}
	if err != nil {
		return fmt.Errorf("verifying what %s has signed: %w", server, err)
	}
	return r.verifyAny(ctx, server, signatureBy(raw, server), message, at, true)
}

func (r *Ring) verifyAny(ctx context.Context, server string, sigs map[string]string, message []byte, at int64, strict bool) error {
	if len(sigs) == 0 {
		return fmt.Errorf("not signed by %s", server)
	}
	keyIDs := slices.Sorted(maps.Keys(sigs))
	// Keys that we have come first: a made-up one must not send us to the network.
	if s, err := r.load(ctx, server); err == nil && s != nil {
		slices.SortStableFunc(keyIDs, func(a, b string) int {
			_, knowA := s.Keys[a]
			_, knowB := s.Keys[b]
			switch {
			case knowA == knowB:
				return 0
			case knowA:
				return -1
			}
			return 1
		})
	}
	var failed []error
	for _, keyID := range keyIDs[:min(len(keyIDs), maxSignatures)] {
		err := r.verifyOne(ctx, Need{Server: server, KeyID: keyID, At: at}, sigs[keyID], message, strict)
		if err == nil {
			return nil
		}
		failed = append(failed, err)
	}
	return fmt.Errorf("no valid signature by %s: %w", server, errors.Join(failed...))
}

func (r *Ring) verifyOne(ctx context.Context, n Need, sig string, message []byte, strict bool) error {
	if !strings.HasPrefix(n.KeyID, "ed25519:") {
		return fmt.Errorf("the key %.64q is not of Ed25519", n.KeyID)
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(sig, "="))
	if err != nil || len(raw) != ed25519.SignatureSize {
		return fmt.Errorf("the signature by %.64s is not one of Ed25519 in base64", n.KeyID)
	}
	if !strict {
		n.At = 0
	}
	k, err := r.Find(ctx, n)
	if err != nil {
		return err
	}
	if strict && k.ValidUntil < n.At {
		return fmt.Errorf("key %.64s was valid until %d, and used at %d", n.KeyID, k.ValidUntil, n.At)
	}
	if !ed25519.Verify(k.Public, message, raw) {
		return fmt.Errorf("the signature by %.64s is wrong", n.KeyID)
	}
	return nil
}

// GetKey gives the authorisation rules keys, for signatures that others vouch for.
func (r *Ring) GetKey(ctx context.Context) pdu.GetKeyFunc {
	return func(server string, keyID id.KeyID, at time.Time) (id.SigningKey, time.Time, error) {
		k, err := r.Find(ctx, Need{Server: server, KeyID: string(keyID), At: at.UnixMilli()})
		if errors.Is(err, ErrUnknownKey) {
			return "", time.Time{}, nil
		}
		if err != nil {
			return "", time.Time{}, err
		}
		return id.SigningKey(encode(k.Public)), time.UnixMilli(k.ValidUntil), nil
	}
}

func encode(k ed25519.PublicKey) string { return base64.RawStdEncoding.EncodeToString(k) }
