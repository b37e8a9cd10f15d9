package keys

import (
	"context"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// The usages of cross-signing keys.
const (
	usageMaster      = "master"
	usageSelfSigning = "self_signing"
	usageUserSigning = "user_signing"
)

// CrossSigningRequest is the body of POST /keys/device_signing/upload.
type CrossSigningRequest struct {
	MasterKey      jsontext.Value `json:"master_key"`
	SelfSigningKey jsontext.Value `json:"self_signing_key"`
	UserSigningKey jsontext.Value `json:"user_signing_key"`
}

// crossKey is one cross-signing key.
type crossKey struct {
	*signed
	usage string
	// public is the public part in base64, which is also the key's id.
	public  string
	key     ed25519.PublicKey
	user    string
	encoded string
}

// parseCrossKey reads a cross-signing key of a usage.
func parseCrossKey(raw jsontext.Value, usage string) (*crossKey, error) {
	what := usage + "_key"
	s, err := parseSigned(raw, what)
	if err != nil {
		return nil, err
	}
	var fields struct {
		UserID string            `json:"user_id"`
		Usage  []string          `json:"usage"`
		Keys   map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, mxerror.BadJSON("%s needs the text user_id, the list usage and the object keys.", what).Because(err)
	}
	if !slices.Contains(fields.Usage, usage) {
		return nil, mxerror.InvalidParam("%s: its usage does not hold %s.", what, usage)
	}
	// "keys: The public key. The object must have exactly one property".
	if len(fields.Keys) != 1 {
		return nil, mxerror.InvalidParam("%s must have exactly one key.", what)
	}
	k := &crossKey{signed: s, usage: usage, user: fields.UserID}
	for name, value := range fields.Keys {
		key, ok := publicKey(value)
		if !ok || name != ed25519Prefix+value {
			return nil, mxerror.InvalidParam("%s: the key must be 32 bytes of base64, and be called ed25519: and the same.", what)
		}
		k.public, k.key = value, key
	}
	if k.encoded, err = s.encode(); err != nil {
		return nil, mxerror.BadJSON("%s is not valid.", what).Because(err)
	}
	return k, nil
}

// read checks the keys of a request, as far as that goes without those that are stored.
func (r CrossSigningRequest) read(o Owner) ([]*crossKey, error) {
	var out []*crossKey
	for _, part := range []struct {
		usage string
		raw   jsontext.Value
	}{{usageMaster, r.MasterKey}, {usageSelfSigning, r.SelfSigningKey}, {usageUserSigning, r.UserSigningKey}} {
		if len(part.raw) == 0 || part.raw.Kind() == 'n' {
			continue
		}
		key, err := parseCrossKey(part.raw, part.usage)
		if err != nil {
			return nil, err
		}
		if key.user != o.UserID {
			return nil, mxerror.InvalidParam("%s_key is one of %s, not of %s.", part.usage, key.user, o.UserID)
		}
		out = append(out, key)
	}
	if len(out) == 0 {
		return nil, mxerror.MissingParam("The request holds no keys.")
	}
	return out, nil
}

// NeedsInteractive tells whether a request needs interactive authentication. Specification:
// it "MUST be performed ..., except [if] there is no existing master signing key uploaded to the
// homeserver, OR there is an existing master signing key and it exactly matches the master
// signing key provided in the request body. If there are any additional keys provided in the request
// [...] they MUST also match the existing keys".
func (k *Keys) NeedsInteractive(ctx context.Context, o Owner, r CrossSigningRequest) (bool, error) {
	keys, err := r.read(o)
	if err != nil {
		return false, err
	}
	stored, err := k.store.CrossSigningKeys(ctx, o.UserNID)
	if err != nil {
		return false, public(err)
	}
	have := byUsage(stored)
	if have[usageMaster] == "" {
		return false, nil
	}
	for _, key := range keys {
		if !key.same(have[key.usage]) {
			return true, nil
		}
	}
	// "In other words, the request contains no new keys."
	return false, nil
}

func byUsage(keys []store.CrossSigningKey) map[string]string {
	m := map[string]string{}
	for _, k := range keys {
		m[k.Usage] = k.JSON
	}
	return m
}

// same tells whether a stored key is this one, whatever its signatures.
func (c *crossKey) same(stored string) bool {
	if stored == "" {
		return false
	}
	old, err := parseCrossKey(jsontext.Value(stored), c.usage)
	return err == nil && string(old.payload) == string(c.payload)
}

// UploadCrossSigning publishes cross-signing keys. The caller has seen to the interactive
// authentication.
func (k *Keys) UploadCrossSigning(ctx context.Context, o Owner, r CrossSigningRequest) error {
	keys, err := r.read(o)
	if err != nil {
		return err
	}
	return public(k.store.Write(ctx, func(tx *store.Tx) error { return putCrossSigning(tx, o, keys) }))
}

func putCrossSigning(tx *store.Tx, o Owner, keys []*crossKey) error {
	stored, err := tx.CrossSigningKeys(o.UserNID)
	if err != nil {
		return err
	}
	have := byUsage(stored)
	var master *crossKey
	if keys[0].usage == usageMaster {
		master = keys[0]
	} else if have[usageMaster] == "" {
		return store.Refuse(mxerror.MissingParam("There is no master key yet, and the request has none."))
	} else if master, err = parseCrossKey(jsontext.Value(have[usageMaster]), usageMaster); err != nil {
		return err
	}
	changed, seen := false, false
	for _, key := range keys {
		// 403: "The public key of one of the keys is the same as one of the user's device IDs".
		if _, err := tx.Device(o.UserNID, key.public); err == nil {
			return store.Refuse(mxerror.Forbidden("The public part of the %s key is the id of a device.", key.usage))
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if key != master {
			if err := key.verify(o.UserID, ed25519Prefix+master.public, master.key); err != nil {
				return store.Refuse(invalidSignature("The %s key must be signed by the master key: %v.", key.usage, err))
			}
		}
		if have[key.usage] == key.encoded {
			continue
		}
		changed, seen = true, seen || key.usage != usageUserSigning
		if err := dropSignatures(tx, o, key, have[key.usage]); err != nil {
			return err
		}
		if err := tx.SetCrossSigningKey(o.UserNID, store.CrossSigningKey{Usage: key.usage, JSON: key.encoded}); err != nil {
			return err
		}
		if key == master && !key.same(have[usageMaster]) {
			if err := dropOrphans(tx, o, keys, have); err != nil {
				return err
			}
		}
	}
	switch {
	case !changed:
		return nil
	case !seen:
		// Nobody else is given the user-signing key.
		return tx.DeviceListChangedFor(o.UserNID, o.UserNID)
	}
	return tx.DeviceListChanged(o.UserNID)
}

// dropSignatures removes the signatures on a key that is replaced by another.
func dropSignatures(tx *store.Tx, o Owner, key *crossKey, old string) error {
	if old == "" || key.same(old) {
		return nil
	}
	was, err := parseCrossKey(jsontext.Value(old), key.usage)
	if err != nil {
		return err
	}
	return tx.DeleteKeySignatures(o.UserNID, was.public)
}

// dropOrphans removes the keys that the old master key vouched for and that do not come anew
// with the new one.
func dropOrphans(tx *store.Tx, o Owner, keys []*crossKey, have map[string]string) error {
	for _, usage := range [...]string{usageSelfSigning, usageUserSigning} {
		if have[usage] == "" || slices.ContainsFunc(keys, func(k *crossKey) bool { return k.usage == usage }) {
			continue
		}
		if err := tx.DeleteCrossSigningKey(o.UserNID, usage); err != nil {
			return err
		}
	}
	return nil
}
