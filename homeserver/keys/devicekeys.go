package keys

import (
	"crypto/ed25519"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

const ed25519Prefix = "ed25519:"

// deviceKeys are the identity keys of a device.
type deviceKeys struct {
	*signed
	UserID     string            `json:"user_id"`
	DeviceID   string            `json:"device_id"`
	Algorithms []string          `json:"algorithms"`
	Keys       map[string]string `json:"keys"`
}

// parseDeviceKeys reads identity keys as they are stored.
func parseDeviceKeys(raw jsontext.Value) (*deviceKeys, error) {
	s, err := parseSigned(raw, "device_keys")
	if err != nil {
		return nil, err
	}
	d := &deviceKeys{signed: s}
	fields := struct {
		UserID     *string            `json:"user_id"`
		DeviceID   *string            `json:"device_id"`
		Algorithms *[]string          `json:"algorithms"`
		Keys       *map[string]string `json:"keys"`
	}{&d.UserID, &d.DeviceID, &d.Algorithms, &d.Keys}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, mxerror.BadJSON("device_keys needs the text user_id and device_id, the list algorithms and the object keys.").Because(err)
	}
	return d, nil
}

// checkDeviceKeys reads identity keys that a device uploads: they must be its own, and signed
// by the ed25519 key among them.
func (k *Keys) checkDeviceKeys(raw jsontext.Value, o Owner) (*deviceKeys, error) {
	d, err := parseDeviceKeys(raw)
	if err != nil {
		return nil, err
	}
	// "user_id: ... Must match the user ID used when logging in", and so for device_id.
	if d.UserID != o.UserID || d.DeviceID != o.DeviceID {
		return nil, mxerror.InvalidParam("device_keys are of device %s of %s, but this is device %s of %s.", d.DeviceID, d.UserID, o.DeviceID, o.UserID)
	}
	// "Required: algorithms, device_id, keys, signatures, user_id".
	for _, name := range [...]string{"algorithms", "keys", "signatures"} {
		if _, ok := d.members[name]; !ok {
			return nil, mxerror.BadJSON("device_keys needs %s.", name)
		}
	}
	if k.unchecked {
		return d, nil
	}
	for name, key := range d.Keys {
		// "The names of the properties should be in the format <algorithm>:<device_id>."
		algorithm, device, ok := strings.Cut(name, ":")
		if !ok || algorithm == "" || device != o.DeviceID {
			return nil, mxerror.InvalidParam("device_keys: the key %q is not called <algorithm>:%s.", name, o.DeviceID)
		}
		if _, ok := publicKey(key); (algorithm == "ed25519" || algorithm == "curve25519") && !ok {
			return nil, mxerror.InvalidParam("device_keys: the key %q is not 32 bytes of base64.", name)
		}
	}
	key, ok := d.identity()
	if !ok {
		return nil, mxerror.BadJSON("device_keys needs a key %s%s.", ed25519Prefix, o.DeviceID)
	}
	// Clients check the signature of every device themselves and trust none without it; one that
	// is there and wrong is refused here already, since nothing good can come of it.
	if _, signed := d.signatures[o.UserID][ed25519Prefix+o.DeviceID]; signed {
		if err := d.verify(o.UserID, ed25519Prefix+o.DeviceID, key); err != nil {
			return nil, invalidSignature("The device's own signature on device_keys is wrong: %v.", err)
		}
	}
	return d, nil
}

// identity is the key with which the device signs.
func (d *deviceKeys) identity() (ed25519.PublicKey, bool) {
	return publicKey(d.Keys[ed25519Prefix+d.DeviceID])
}
