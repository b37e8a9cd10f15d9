package authrules

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// voucherID names the key of a vouched copy.
const voucherID = id.KeyID("ed25519:checked")

// AuthorizeOver is Authorize over a state, for an event whose signatures have been checked already:
// rule 5.2, "If the event is not validly signed by the homeserver of the user ID denoted by
// [join_authorised_via_users_server], reject", doesn't depend on the state. auth are the events that
// the state has for the event's auth event selection.
func AuthorizeOver(v event.Version, e *pdu.PDU, auth []*pdu.PDU, create *event.Event) error {
	created := func(ids []id.EventID) ([]*pdu.PDU, error) {
		if create == nil || len(ids) != 1 || string(ids[0]) != create.ID {
			return nil, fmt.Errorf("the room was not made by %v", ids)
		}
		return []*pdu.PDU{create.PDU}, nil
	}
	if auth == nil {
		auth = []*pdu.PDU{}
	}
	key := func(string, id.KeyID, time.Time) (id.SigningKey, time.Time, error) {
		return "", time.Time{}, errors.New("no keys are needed")
	}
	via := id.UserID(gjson.GetBytes(e.Content, "join_authorised_via_users_server").Str)
	if e.Type != "m.room.member" || via == "" {
		return Authorize(v, e, auth, created, key)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	signed := e.Clone()
	signed.Signatures = nil
	if err := signed.Sign(v, via.Homeserver(), voucherID, private); err != nil {
		return err
	}
	until := time.UnixMilli(e.OriginServerTS).Add(time.Hour)
	return Authorize(v, signed, auth, created, func(string, id.KeyID, time.Time) (id.SigningKey, time.Time, error) {
		return id.SigningKey(base64.RawStdEncoding.EncodeToString(public)), until, nil
	})
}
