package authrules

import (
	"encoding/json"
	"errors"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/federation/eventauth"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/federation/signutil"
	"maunium.net/go/mautrix/id"
)

// thirdKeysMax bounds the public keys of an invitation by a third party, and thirdSignaturesMax the
// signatures that are tried with each: identity servers have two and make one.
const thirdKeysMax, thirdSignaturesMax = 16, 64

// thirdParty is the part of rule 4.4.1 that eventauth has not: it looks for the keys in the invitation,
// where whoever sends it could put any, and finds none that could be right. verdict is what it says of
// the event.
func thirdParty(e *pdu.PDU, auth []*pdu.PDU, getEvents eventauth.GetEventsFunc, verdict error) error {
	if !errors.Is(verdict, eventauth.ErrThirdPartyInviteNotSigned) {
		return verdict
	}
	// All that comes before in the rule holds: the user isn't banned and is the one who is named, there is such
	// an invitation, and it is of the same sender.
	if auth == nil {
		var err error
		if auth, err = getEvents(e.AuthEvents); err != nil {
			return err
		}
	}
	signed := gjson.GetBytes(e.Content, "third_party_invite.signed")
	token := signed.Get("token").Str
	for _, a := range auth {
		if a.Type == "m.room.third_party_invite" && a.StateKey != nil && *a.StateKey == token {
			return signedByAny(signed, thirdKeys(a), verdict)
		}
	}
	return verdict
}

// thirdKeys are an invitation's: "A single public key in the public_key property. A list of public keys in the
// public_keys property."
func thirdKeys(a *pdu.PDU) (keys []id.SigningKey) {
	all := append([]gjson.Result{gjson.GetBytes(a.Content, "public_key")}, gjson.GetBytes(a.Content, "public_keys.#.public_key").Array()...)
	for _, k := range all {
		if k.Type == gjson.String && len(keys) < thirdKeysMax {
			keys = append(keys, id.SigningKey(k.Str))
		}
	}
	return keys
}

// signedByAny: "If any signature in signed matches any public key in the m.room.third_party_invite event, allow.
// Otherwise, reject."
func signedByAny(signed gjson.Result, keys []id.SigningKey, otherwise error) error {
	signatures := 0
	signed.Get("signatures").ForEach(func(_, server gjson.Result) bool {
		server.ForEach(func(_, _ gjson.Result) bool { signatures++; return true })
		return true
	})
	if signatures > thirdSignaturesMax {
		return otherwise
	}
	for _, key := range keys {
		if signutil.VerifyJSONAny(key, json.RawMessage(signed.Raw)) == nil {
			return nil
		}
	}
	return otherwise
}

// isThirdParty tells whether an event is an invitation by a third party, and whether what was signed is an object:
// rule 4.4.1.2, "If content.third_party_invite does not have a signed property, reject." Text that looks
// like one would be read as one.
func isThirdParty(e *pdu.PDU) (is, ok bool) {
	if e.Type != "m.room.member" || gjson.GetBytes(e.Content, "membership").Str != "invite" {
		return false, false
	}
	third := gjson.GetBytes(e.Content, "third_party_invite")
	return third.Exists(), third.IsObject() && third.Get("signed").IsObject()
}
