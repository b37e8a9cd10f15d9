package keys

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// maxSignatures bounds the signed objects of one request.
const maxSignatures = 1000

// SignaturesRequest is the body of POST /keys/signatures/upload: signed objects by user and key.
type SignaturesRequest map[string]map[string]jsontext.Value

// SignaturesResponse is the answer to it: what failed, by user and key.
type SignaturesResponse struct {
	Failures map[string]map[string]Failure `json:"failures"`
}

// UploadSignatures adds the user's signatures to keys: of the self-signing key on own devices,
// of own devices on the own master key, and of the user-signing key on others' master keys.
func (k *Keys) UploadSignatures(ctx context.Context, o Owner, r SignaturesRequest) (*SignaturesResponse, error) {
	n := 0
	for _, objects := range r {
		n += len(objects)
	}
	if n > maxSignatures {
		return nil, mxerror.InvalidParam("The request has %d signed objects; at most %d are allowed.", n, maxSignatures)
	}
	signers, err := k.signersOf(ctx, o)
	if err != nil {
		return nil, public(err)
	}
	out := &SignaturesResponse{map[string]map[string]Failure{}}
	var good []store.KeySignature
	for _, user := range slices.Sorted(maps.Keys(r)) {
		for _, id := range slices.Sorted(maps.Keys(r[user])) {
			sigs, err := k.checkSignatures(ctx, o, signers, user, id, r[user][id])
			if err == nil {
				good = append(good, sigs...)
				continue
			}
			e, ok := mxerror.As(err)
			if !ok || e.Status >= http.StatusInternalServerError {
				return nil, public(err)
			}
			if out.Failures[user] == nil {
				out.Failures[user] = map[string]Failure{}
			}
			out.Failures[user][id] = Failure{e.Code, e.Message}
		}
	}
	if len(good) == 0 {
		return out, nil
	}
	err = k.store.Write(ctx, func(tx *store.Tx) error {
		changed := map[int64]bool{}
		var own []string // the devices of the signer that were signed; "" for another key
		for _, s := range good {
			if err := tx.SetKeySignature(s); err != nil {
				return err
			}
			changed[s.Target] = true
			if s.Target == o.UserNID {
				device := s.TargetKey
				if _, err := tx.DeviceKeys(store.DeviceName{User: s.Target, ID: device}); errors.Is(err, store.ErrNotFound) {
					device = ""
				} else if err != nil {
					return err
				}
				if !slices.Contains(own, device) {
					own = append(own, device)
				}
			}
		}
		for _, target := range slices.Sorted(maps.Keys(changed)) {
			// Only the signer sees a signature on somebody else's key.
			var err error
			if target == o.UserNID {
				err = tx.DeviceListChanged(target, own...)
			} else {
				err = tx.DeviceListChangedFor(target, o.UserNID)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, public(err)
}

// signers are the keys of the user with which something may be signed.
type signers struct {
	master, selfSigning, userSigning *crossKey
	devices                          map[string]*deviceKeys
}

func (k *Keys) signersOf(ctx context.Context, o Owner) (*signers, error) {
	s := &signers{devices: map[string]*deviceKeys{}}
	cross, err := k.crossKeys(ctx, o.UserNID)
	if err != nil {
		return nil, err
	}
	s.master, s.selfSigning, s.userSigning = cross[usageMaster], cross[usageSelfSigning], cross[usageUserSigning]
	devices, err := k.store.DeviceKeysOf(ctx, o.UserNID)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		if s.devices[d.DeviceID], err = parseDeviceKeys(jsontext.Value(d.JSON)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (k *Keys) crossKeys(ctx context.Context, user int64) (map[string]*crossKey, error) {
	stored, err := k.store.CrossSigningKeys(ctx, user)
	if err != nil {
		return nil, err
	}
	keys := map[string]*crossKey{}
	for _, c := range stored {
		if keys[c.Usage], err = parseCrossKey(jsontext.Value(c.JSON), c.Usage); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// checkSignatures checks a signed object: it must be the key that is published, and each of the
// user's signatures on it must be valid and of a key that may sign it.
func (k *Keys) checkSignatures(ctx context.Context, o Owner, own *signers, user, id string, raw jsontext.Value) ([]store.KeySignature, error) {
	object, err := parseSigned(raw, "The signed object")
	if err != nil {
		return nil, err
	}
	target, err := k.userNID(ctx, user)
	if err != nil {
		return nil, err
	}
	if target == 0 {
		return nil, mxerror.NotFound("The keys of %s are not known here.", user)
	}
	payload, allowed, err := k.target(ctx, o, own, target, id)
	if err != nil {
		return nil, err
	}
	// "The signed JSON object must match the key previously uploaded or retrieved for the given
	// key ID, with the exception of the signatures property".
	if !bytes.Equal(payload, object.payload) {
		return nil, mxerror.InvalidParam("The signed object is not the key that is published.")
	}
	var out []store.KeySignature
	for _, keyID := range slices.Sorted(maps.Keys(object.signatures[o.UserID])) {
		signature := object.signatures[o.UserID][keyID]
		key := allowed(keyID)
		if key == nil {
			// The device's own signature comes along with it, and is known.
			if target == o.UserNID && keyID == ed25519Prefix+id {
				continue
			}
			return nil, invalidSignature("%s is no key of yours that could sign this one.", keyID)
		}
		if err := object.verifyText(signature, key); err != nil {
			return nil, invalidSignature("The signature of %s: %v.", keyID, err)
		}
		out = append(out, store.KeySignature{Target: target, TargetKey: id, Signer: o.UserNID, SignerKey: keyID, Signature: signature})
	}
	if len(out) == 0 {
		return nil, invalidSignature("The object holds no new signature of yours.")
	}
	return out, nil
}

// target finds the key that is to be signed, and who may sign it.
func (k *Keys) target(ctx context.Context, o Owner, own *signers, target int64, id string) (payload []byte, allowed func(keyID string) ed25519.PublicKey, err error) {
	none := mxerror.NotFound("There is no key %s that you could sign.", id)
	if target != o.UserNID {
		cross, err := k.crossKeys(ctx, target)
		if err != nil {
			return nil, nil, err
		}
		if master := cross[usageMaster]; master != nil && master.public == id {
			return master.payload, own.userSigning.allowed, nil
		}
		return nil, nil, none
	}
	if own.master != nil && own.master.public == id {
		return own.master.payload, func(keyID string) ed25519.PublicKey {
			name, ok := strings.CutPrefix(keyID, ed25519Prefix)
			d := own.devices[name]
			if !ok || d == nil {
				return nil
			}
			key, _ := d.identity()
			return key
		}, nil
	}
	d, err := k.store.DeviceKeys(ctx, store.DeviceName{User: target, ID: id})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, none
	}
	if err != nil {
		return nil, nil, err
	}
	device, err := parseDeviceKeys(jsontext.Value(d.JSON))
	if err != nil {
		return nil, nil, err
	}
	return device.payload, own.selfSigning.allowed, nil
}

// allowed gives the key if it is the one of the id.
func (c *crossKey) allowed(keyID string) ed25519.PublicKey {
	if c == nil || keyID != ed25519Prefix+c.public {
		return nil
	}
	return c.key
}
