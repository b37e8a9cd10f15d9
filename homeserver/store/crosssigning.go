package store

import "context"

// CrossSigningKey is one of the keys with which a user vouches for devices and other users.
type CrossSigningKey struct {
	// Usage is "master", "self_signing" or "user_signing".
	Usage string
	JSON  string
}

func scanCrossSigningKey(r scanner) (k CrossSigningKey, err error) {
	return k, r.Scan(&k.Usage, &k.JSON)
}

// CrossSigningKeys lists a user's cross-signing keys.
func (s *Store) CrossSigningKeys(ctx context.Context, user int64) ([]CrossSigningKey, error) {
	return collect(ctx, s, "cross_signing_key_list", scanCrossSigningKey, user)
}

// CrossSigningKeys is Store.CrossSigningKeys as the transaction sees it.
func (t *Tx) CrossSigningKeys(user int64) (keys []CrossSigningKey, err error) {
	err = t.each("cross_signing_key_list", func(r scanner) error {
		k, err := scanCrossSigningKey(r)
		keys = append(keys, k)
		return err
	}, user)
	return keys, err
}

// SetCrossSigningKey replaces a cross-signing key. It does not log the change.
func (t *Tx) SetCrossSigningKey(user int64, k CrossSigningKey) error {
	return t.exec("cross_signing_key_put", user, k.Usage, k.JSON)
}

// DeleteCrossSigningKey removes a cross-signing key. It does not log the change.
func (t *Tx) DeleteCrossSigningKey(user int64, usage string) error {
	return t.exec("cross_signing_key_delete", user, usage)
}

// KeySignature is a signature that somebody put on a key beside the uploader's own.
type KeySignature struct {
	// Target is whose key was signed, and TargetKey which: a device id, or the public part of a
	// cross-signing key.
	Target    int64
	TargetKey string
	// Signer is who signed, and SignerKey with what, e.g. "ed25519:ABCDEF".
	Signer    int64
	SignerKey string
	Signature string
}

// KeySignatures lists the signatures on a user's keys that a viewer may see: the user's own and
// the viewer's.
func (s *Store) KeySignatures(ctx context.Context, target, viewer int64) ([]KeySignature, error) {
	return collect(ctx, s, "key_signature_list", func(r scanner) (k KeySignature, err error) {
		k.Target = target
		return k, r.Scan(&k.TargetKey, &k.Signer, &k.SignerKey, &k.Signature)
	}, target, viewer)
}

// SetKeySignature adds a signature, or replaces one of the same key.
func (t *Tx) SetKeySignature(k KeySignature) error {
	return t.exec("key_signature_put", k.Target, k.TargetKey, k.Signer, k.SignerKey, k.Signature)
}

// DeleteKeySignatures removes the signatures on a key that has been replaced.
func (t *Tx) DeleteKeySignatures(user int64, key string) error {
	return t.exec("key_signature_delete", user, key)
}
