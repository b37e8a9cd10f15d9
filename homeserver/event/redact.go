package event

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"
)

// Redact strips an event of what its room version's redaction algorithm does not protect, in place. Event
// ids and signatures are those of the redacted event, so they depend on it. It differs from the library's in
// three things:
//   - The top-level redacts of redactions before version 11, and msc4354_sticky, are not in the list of keys that
//     are kept.
//   - "m.room.member ... Additionally, it allows the signed key of the third_party_invite key" (version 11): an
//     invitation without signed keeps an empty object, as other servers have it.
func Redact(p *pdu.PDU, v Version) *pdu.PDU {
	invite := p.Type == "m.room.member" && v.UpdatedRedactionRules() && gjson.GetBytes(p.Content, "third_party_invite").IsObject()
	p.Redact(v)
	p.Redacts, p.Sticky = nil, nil
	if invite && !gjson.GetBytes(p.Content, "third_party_invite").Exists() {
		if content, err := sjson.SetRawBytes(p.Content, "third_party_invite", []byte("{}")); err == nil {
			p.Content = content
		}
	}
	return p
}

// ForSignature is the canonical JSON that signatures of an event sign: the redacted event without its
// signatures.
func ForSignature(p *pdu.PDU, v Version) ([]byte, error) {
	c := p.Clone()
	c.Signatures = nil
	raw, err := canonicaljson.Marshal(Redact(c, v))
	if err != nil {
		return nil, fmt.Errorf("encoding an event for its signature: %w", err)
	}
	return raw, nil
}

// ID is the id of an event of room version 3 or later, which is made of its reference hash. An event
// without a content hash gets one.
func ID(p *pdu.PDU, v Version) (string, error) {
	if err := p.FillContentHash(); err != nil {
		return "", fmt.Errorf("hashing an event: %w", err)
	}
	raw, err := ForSignature(p, v)
	if err != nil {
		return "", err
	}
	return hashID(raw, v)
}

// hashID is the id of an event of which raw is what signatures sign.
func hashID(raw []byte, v Version) (string, error) {
	hash := sha256.Sum256(raw)
	switch f := v.EventIDFormat(); f {
	case id.EventIDFormatBase64:
		return "$" + base64.RawStdEncoding.EncodeToString(hash[:]), nil
	case id.EventIDFormatURLSafeBase64:
		return "$" + base64.RawURLEncoding.EncodeToString(hash[:]), nil
	default:
		return "", fmt.Errorf("event ids of room version %q are not made of hashes", v)
	}
}

// Sign adds a signature to an event, and a content hash if it has none.
func (s Signer) Sign(p *pdu.PDU, v Version) error {
	if err := p.FillContentHash(); err != nil {
		return fmt.Errorf("hashing an event: %w", err)
	}
	raw, err := ForSignature(p, v)
	if err != nil {
		return err
	}
	p.AddSignature(s.Server, id.KeyID(s.KeyID), base64.RawStdEncoding.EncodeToString(ed25519.Sign(s.Key, raw)))
	return nil
}
