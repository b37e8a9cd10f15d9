package event

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"
)

// Essence is the event of which the id and the signatures are computed. That is the redacted one, and the
// redaction algorithm of the versions before 11 does not keep the top-level redacts, which the library
// does. The library's redaction has to be applied to it still.
func Essence(v Version, p *pdu.PDU) *pdu.PDU {
	if p.Redacts == nil || v.RedactsInContent() {
		return p
	}
	c := *p
	c.Redacts = nil
	return &c
}

// ComputeID is an event's id in the room versions that this server speaks.
func ComputeID(v Version, p *pdu.PDU) (id.EventID, error) { return Essence(v, p).GetEventID(v) }

// Sign fills in an event's content hash and adds a signature.
func Sign(v Version, p *pdu.PDU, server string, keyID id.KeyID, key ed25519.PrivateKey) error {
	if p.Redacts == nil || v.RedactsInContent() {
		return p.Sign(v, server, keyID, key)
	}
	if err := p.FillContentHash(); err != nil {
		return err
	}
	raw, err := canonicaljson.Marshal(Essence(v, p).Clone().RedactForSignature(v))
	if err != nil {
		return fmt.Errorf("encoding the event to sign: %w", err)
	}
	p.AddSignature(server, keyID, base64.RawStdEncoding.EncodeToString(ed25519.Sign(key, raw)))
	return nil
}
