package event

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json/jsontext"
	"slices"

	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Signer signs events in the name of this server.
type Signer struct {
	Server string
	KeyID  string // e.g. "ed25519:a1b2"
	Key    ed25519.PrivateKey
}

// Proto is an event before it has a hash, a signature and an id.
type Proto struct {
	Version  Version
	RoomID   string // empty for the create event of versions that derive the room id from it
	Type     string
	Sender   string
	StateKey *string
	Content  []byte // a JSON object
	Redacts  string // the redacted event, for redactions
	TS       int64  // milliseconds
	Depth    int64
	Prev     []string
	Auth     []string
}

// Build turns a proto-event into a signed event with its id. Content that no PDU may have
// (floats, huge integers, duplicate keys, invalid UTF-8, too much of it) is refused with an
// mxerror.
func Build(p Proto, s Signer) (*Event, error) { return assemble(p, &s, nil) }

// Drafts are events of which there are many, and that most likely nobody but this server will ever see: history. They are not
// signed until they leave it; see Event.JSON. Their ids are known: an id does not depend on signatures.
type Drafts struct {
	signer *Signer
	// scratch is where texts are written that are needed for a moment.
	scratch []byte
}

// NewDrafts makes drafts in the name of a signer.
func NewDrafts(s Signer) *Drafts { return &Drafts{signer: &s} }

// Build is the function Build, but that the event is signed when it leaves this server.
func (d *Drafts) Build(p Proto) (*Event, error) { return assemble(p, d.signer, d) }

func assemble(p Proto, s *Signer, d *Drafts) (*Event, error) {
	if err := checkFields(p); err != nil {
		return nil, err
	}
	content := slices.Clone(jsontext.Value(p.Content))
	if err := canonicaljson.Canonicalize(&content); err != nil {
		return nil, badContent(err)
	}
	u := &pdu.PDU{
		AuthEvents:     ids(p.Auth),
		PrevEvents:     ids(p.Prev),
		Content:        content,
		Depth:          p.Depth,
		OriginServerTS: p.TS,
		RoomID:         id.RoomID(p.RoomID),
		Sender:         id.UserID(p.Sender),
		StateKey:       p.StateKey,
		Type:           p.Type,
	}
	if p.Redacts != "" && !p.Version.RedactsInContent() {
		r := id.EventID(p.Redacts)
		u.Redacts = &r
	}
	eventID, err := s.seal(u, p.Version, d)
	if err != nil {
		return nil, err
	}
	e := &Event{PDU: u, ID: eventID, InRoom: p.RoomID, Version: p.Version, Depth: p.Depth, tidy: true, signer: s}
	if p.Type == "m.room.create" && p.Version.RoomIDIsCreateEventID() {
		e.InRoom = "!" + e.ID[1:]
	}
	return e, nil
}

// badContent is what whoever wanted an event is told of content that can't be made canonical.
func badContent(err error) error {
	return mxerror.BadJSON("The event's content is not valid: numbers must be integers within ±(2^53-1), text must be UTF-8 and keys must not repeat.").Because(err)
}

// seal gives an event whose content is canonical its hash and, unless it is a draft, its signature, and returns its id. It is what
// Sign and ID do, with the event written twice instead of four times.
func (s *Signer) seal(u *pdu.PDU, v Version, d *Drafts) (eventID string, err error) {
	var scratch []byte
	if d != nil {
		scratch = d.scratch
	}
	raw, err := canonicalIn(scratch, u)
	if err != nil {
		return "", badContent(err)
	}
	if d != nil {
		d.scratch = raw
	}
	hash := sha256.Sum256(raw)
	u.Hashes = &pdu.Hashes{SHA256: hash[:]}
	c := Redact(u.Clone(), v)
	if len(c.Content) > len("{}") && !bytes.Equal(c.Content, u.Content) {
		// What is left of the content is in the order in which the algorithm names it.
		c.Content = slices.Clone(c.Content)
		if err := canonicaljson.Canonicalize(&c.Content); err != nil {
			return "", badContent(err)
		}
	}
	if raw, err = canonicalIn(raw, c); err != nil {
		return "", badContent(err)
	}
	if d == nil {
		u.AddSignature(s.Server, id.KeyID(s.KeyID), base64.RawStdEncoding.EncodeToString(ed25519.Sign(s.Key, raw)))
	}
	return hashID(raw, v)
}

func checkFields(p Proto) error {
	for _, f := range [...]struct{ name, value string }{
		{"type", p.Type}, {"sender", p.Sender}, {"room_id", p.RoomID}, {"state_key", deref(p.StateKey)},
	} {
		if len(f.value) > MaxFieldSize {
			return mxerror.TooLarge("The event's %s is %d bytes long; at most %d are allowed.", f.name, len(f.value), MaxFieldSize)
		}
	}
	if p.Type == "" {
		return mxerror.InvalidParam("An event needs a type.")
	}
	if len(p.Content) == 0 || jsontext.Value(p.Content).Kind() != '{' {
		return mxerror.BadJSON("An event's content must be a JSON object.")
	}
	// The whole event is checked after it is encoded; this only bounds the work until then.
	if len(p.Content) > 2*MaxSize {
		return errTooLarge(len(p.Content))
	}
	return nil
}

// CheckSize refuses an encoded event that is larger than the specification allows.
func CheckSize(raw []byte) error { return CheckLength(len(raw)) }

// CheckLength is CheckSize of an event whose length is known.
func CheckLength(n int) error {
	if n > MaxSize {
		return errTooLarge(n)
	}
	return nil
}

func errTooLarge(n int) error {
	return mxerror.TooLarge("The event is %d bytes long; at most %d are allowed.", n, MaxSize)
}

func ids(in []string) []id.EventID {
	out := make([]id.EventID, len(in))
	for i, s := range in {
		out[i] = id.EventID(s)
	}
	return out
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
