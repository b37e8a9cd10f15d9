package keys

import (
	"bytes"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of what a device may upload and keep.
const (
	maxOneTimeKeys     = 500  // in one request
	maxOneTimeKeysKept = 1000 // of one device
	maxFallbackKeys    = 16
	maxKeyName         = 255
	// takenKept is how long a key that was given out is refused where it is uploaded once more, by a device
	// that did not hear that it had arrived.
	takenKept = 24 * time.Hour
)

// UploadRequest is the body of POST /keys/upload.
type UploadRequest struct {
	DeviceKeys   jsontext.Value            `json:"device_keys"`
	OneTimeKeys  map[string]jsontext.Value `json:"one_time_keys"`
	FallbackKeys map[string]jsontext.Value `json:"fallback_keys"`
	// UnstableFallbackKeys is the name from MSC2732, which older clients use.
	UnstableFallbackKeys map[string]jsontext.Value `json:"org.matrix.msc2732.fallback_keys"`
}

// UploadResponse is the answer to it.
type UploadResponse struct {
	OneTimeKeyCounts map[string]int `json:"one_time_key_counts"`
}

// upload is a request that has been read.
type upload struct {
	owner             Owner
	device            *deviceKeys
	deviceJSON        string
	oneTime, fallback []store.OneTimeKey
	now               int64 // in milliseconds
}

// read checks a request, as far as that goes without what is stored.
func (k *Keys) read(r UploadRequest, o Owner) (u *upload, err error) {
	if o.DeviceID == "" {
		return nil, mxerror.InvalidParam("Keys belong to a device, and this login has none.")
	}
	u = &upload{owner: o, now: k.now().UnixMilli()}
	if len(r.DeviceKeys) > 0 && r.DeviceKeys.Kind() != 'n' {
		if u.device, err = k.checkDeviceKeys(r.DeviceKeys, o); err != nil {
			return nil, err
		}
		if u.deviceJSON, err = u.device.encode(); err != nil {
			return nil, public(err)
		}
	}
	if u.oneTime, err = readKeys("one_time_keys", r.OneTimeKeys, maxOneTimeKeys); err != nil {
		return nil, err
	}
	if r.FallbackKeys == nil {
		r.FallbackKeys = r.UnstableFallbackKeys
	}
	if u.fallback, err = readKeys("fallback_keys", r.FallbackKeys, maxFallbackKeys); err != nil {
		return nil, err
	}
	for i := 1; i < len(u.fallback); i++ {
		// "There can only be at most one key per algorithm uploaded".
		if u.fallback[i].Algorithm == u.fallback[i-1].Algorithm {
			return nil, mxerror.InvalidParam("fallback_keys has more than one key of the algorithm %s.", u.fallback[i].Algorithm)
		}
	}
	return u, nil
}

// put stores the keys and returns how many one-time keys there are. The device must exist.
func (u *upload) put(tx *store.Tx) (map[string]int, error) {
	o := u.owner
	if u.device != nil {
		if err := putDeviceKeys(tx, o, u.device, u.deviceJSON); err != nil {
			return nil, err
		}
	}
	if len(u.oneTime) > 0 {
		if err := tx.ForgetTakenKeys(o.device(), u.now-takenKept.Milliseconds()); err != nil {
			return nil, err
		}
	}
	for _, key := range u.oneTime {
		have, err := tx.AddOneTimeKey(o.device(), key)
		if err != nil {
			return nil, err
		}
		// A repeated request is no error, but a key must not be replaced by another.
		if have != "" && have != key.JSON {
			return nil, store.Refuse(mxerror.InvalidParam("There is another one-time key %s:%s already.", key.Algorithm, key.ID))
		}
	}
	for _, key := range u.fallback {
		if err := tx.SetFallbackKey(o.device(), key); err != nil {
			return nil, err
		}
	}
	counts, err := tx.OneTimeKeyCounts(o.device())
	if err != nil {
		return nil, err
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	if total > maxOneTimeKeysKept && len(u.oneTime) > 0 {
		return nil, store.Refuse(mxerror.InvalidParam("A device may have at most %d one-time keys.", maxOneTimeKeysKept))
	}
	withUsual(counts)
	return counts, nil
}

// Upload publishes keys of a device.
func (k *Keys) Upload(ctx context.Context, o Owner, r UploadRequest) (*UploadResponse, error) {
	u, err := k.read(r, o)
	if err != nil {
		return nil, err
	}
	if u.device == nil && len(u.oneTime)+len(u.fallback) == 0 {
		// Clients ask so for the counts.
		counts, err := k.store.OneTimeKeyCounts(ctx, o.device())
		if err != nil {
			return nil, public(err)
		}
		withUsual(counts)
		return &UploadResponse{counts}, nil
	}
	var response *UploadResponse
	err = k.store.Write(ctx, func(tx *store.Tx) error {
		// The device may have been logged out meanwhile; it must leave nothing behind.
		if _, err := tx.Device(o.UserNID, o.DeviceID); errors.Is(err, store.ErrNotFound) {
			return store.Refuse(mxerror.NotFound("The device %s does not exist any more.", o.DeviceID))
		} else if err != nil {
			return err
		}
		counts, err := u.put(tx)
		response = &UploadResponse{counts}
		return err
	})
	if err != nil {
		return nil, public(err)
	}
	return response, nil
}

func putDeviceKeys(tx *store.Tx, o Owner, device *deviceKeys, encoded string) error {
	have, err := tx.DeviceKeys(o.device())
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	case have.JSON == encoded:
		return nil
	default:
		// Signatures of others on the old keys say nothing of new ones.
		old, err := parseSigned(jsontext.Value(have.JSON), "device_keys")
		if err != nil || !bytes.Equal(old.payload, device.payload) {
			if err := tx.DeleteKeySignatures(o.UserNID, o.DeviceID); err != nil {
				return err
			}
		}
	}
	if err := tx.SetDeviceKeys(o.device(), encoded); err != nil {
		return err
	}
	return tx.DeviceListChanged(o.UserNID, o.DeviceID)
}

// readKeys checks one-time or fallback keys, and puts them in order.
func readKeys(what string, keys map[string]jsontext.Value, most int) ([]store.OneTimeKey, error) {
	if len(keys) > most {
		return nil, mxerror.InvalidParam("%s has %d keys; at most %d are allowed.", what, len(keys), most)
	}
	out := make([]store.OneTimeKey, 0, len(keys))
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		// "The names of the properties should be in the format <algorithm>:<key_id>."
		algorithm, id, ok := strings.Cut(name, ":")
		if !ok || algorithm == "" || id == "" || len(name) > maxKeyName {
			return nil, mxerror.InvalidParam("%s: %q is not <algorithm>:<key id> of at most %d bytes.", what, name, maxKeyName)
		}
		raw := keys[name]
		if len(raw) > maxKey {
			return nil, mxerror.TooLarge("%s: the key %s is %d bytes long; at most %d are allowed.", what, name, len(raw), maxKey)
		}
		if err := checkKey(raw); err != nil {
			return nil, mxerror.InvalidParam("%s: the key %s is neither text nor an object with the text key and signatures.", what, name).Because(err)
		}
		canonical, err := canonicaljson.Marshal(raw)
		if err != nil {
			return nil, mxerror.BadJSON("%s: the key %s is not valid.", what, name).Because(err)
		}
		out = append(out, store.OneTimeKey{Algorithm: algorithm, ID: id, JSON: string(canonical)})
	}
	return out, nil
}

// checkKey accepts a key as text, or as a signed object. The signature is for those who use the
// key to check; they must do so anyway.
func checkKey(raw jsontext.Value) error {
	var text string
	if raw.Kind() == '"' {
		return json.Unmarshal(raw, &text)
	}
	var object struct {
		Key        *string    `json:"key"`
		Signatures signatures `json:"signatures"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	if object.Key == nil {
		return errors.New("there is no key")
	}
	return nil
}
