package endpoints

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/url"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/integration/client"
)

var keyScenarios = map[string]scenario{
	"uploadKeys": func(s *stage) call { return call{body: object{"device_keys": s.deviceKeys()}} },
	"queryKeys": func(s *stage) call {
		s.publish()
		return call{body: object{"device_keys": object{s.alice().UserID: []string{}}}}
	},
	"claimKeys": func(s *stage) call {
		s.publish()
		return call{body: object{"one_time_keys": object{s.alice().UserID: object{s.alice().DeviceID: "signed_curve25519"}}}}
	},
	"getKeysChanges": func(s *stage) call {
		token, err := s.alice().Sync(s.Context(), client.SyncOptions{})
		s.ok(err)
		return call{query: url.Values{"from": {token.Next}, "to": {token.Next}}}
	},
	"sendToDevice": func(s *stage) call {
		return call{body: object{"messages": object{s.bob().UserID: object{"*": object{"a": 1}}}}}
	},
	"uploadCrossSigningKeys": func(s *stage) call { return call{body: s.confirmed(object{"master_key": s.masterKey()})} },
	"uploadCrossSigningSignatures": func(s *stage) call {
		s.publish()
		keys := s.deviceKeys()
		return call{body: object{s.alice().UserID: object{s.alice().DeviceID: keys}}}
	},

	"postRoomKeysVersion":       with(backupVersion),
	"getRoomKeysVersionCurrent": backup(nil),
	"getRoomKeysVersion":        backup(nil),
	"putRoomKeysVersion":        backup(backupVersion),
	"deleteRoomKeysVersion":     backup(nil),
	"putRoomKeyBySessionId":     backup(backedUp),
	"putRoomKeysByRoomId":       backup(object{"sessions": object{"session": backedUp}}),
	"putRoomKeys":               backup(object{"rooms": object{"!room:test": object{"sessions": object{"session": backedUp}}}}),
	"getRoomKeyBySessionId":     filled,
	"getRoomKeysByRoomId":       filled,
	"getRoomKeys":               filled,
	"deleteRoomKeyBySessionId":  filled,
	"deleteRoomKeysByRoomId":    filled,
	"deleteRoomKeys":            filled,
}

var backupVersion = object{"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": object{"public_key": "abcdefg", "signatures": object{}}}

var backedUp = object{"first_message_index": 1, "forwarded_count": 0, "is_verified": true,
	"session_data": object{"ephemeral": "base64", "ciphertext": "base64", "mac": "base64"}}

// backup is a call about a backup that there is.
func backup(body any) scenario {
	return func(s *stage) call {
		var out struct{ Version string }
		s.post(s.alice(), "POST", client.Path("room_keys", "version"), backupVersion, &out)
		return call{params: map[string]string{"version": out.Version, "sessionId": "session"}, query: url.Values{"version": {out.Version}}, body: body}
	}
}

// filled is a call about a backup with a key in it.
func filled(s *stage) call {
	c := backup(nil)(s)
	path := client.Path("room_keys", "keys", s.room(), "session")
	s.ok(s.alice().Do(s.Context(), "PUT", path, c.query, backedUp, nil))
	return c
}

// seed makes a key of a name, so that it is the same wherever it is needed.
func (s *stage) key(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func encoded(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// sign puts a signature of alice's onto an object.
func (s *stage) sign(o object, keyID string, key ed25519.PrivateKey) object {
	canonical, err := canonicaljson.Marshal(o)
	s.ok(err)
	o["signatures"] = object{s.alice().UserID: object{keyID: encoded(ed25519.Sign(key, canonical))}}
	return o
}

// deviceKeys are those of alice's device.
func (s *stage) deviceKeys() object {
	id, key := s.alice().DeviceID, s.key("device")
	return s.sign(object{"user_id": s.alice().UserID, "device_id": id, "algorithms": []string{"m.olm.v1.curve25519-aes-sha2"},
		"keys": object{"ed25519:" + id: encoded(key.Public().(ed25519.PublicKey)), "curve25519:" + id: encoded(make([]byte, 32))}}, "ed25519:"+id, key)
}

// masterKey is alice's key of cross-signing.
func (s *stage) masterKey() object {
	key := s.key("master")
	pub := encoded(key.Public().(ed25519.PublicKey))
	return object{"user_id": s.alice().UserID, "usage": []string{"master"}, "keys": object{"ed25519:" + pub: pub}}
}

// publish uploads the keys of alice's device, with one to be claimed, and her master key.
func (s *stage) publish() {
	s.Helper()
	id, key := s.alice().DeviceID, s.key("device")
	one := s.sign(object{"key": encoded(make([]byte, 32))}, "ed25519:"+id, key)
	s.post(s.alice(), "POST", client.Path("keys", "upload"), object{"device_keys": s.deviceKeys(),
		"one_time_keys": object{fmt.Sprintf("signed_curve25519:AAA%d", s.n.Add(1)): one}}, nil)
	s.post(s.alice(), "POST", client.Path("keys", "device_signing", "upload"), s.confirmed(object{"master_key": s.masterKey()}), nil)
}
