package event

import (
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
func Build(p Proto, s Signer) (*Event, error) {
	if err := checkFields(p); err != nil {
		return nil, err
	}
	u := &pdu.PDU{
		AuthEvents:     ids(p.Auth),
		PrevEvents:     ids(p.Prev),
		Content:        slices.Clone(jsontext.Value(p.Content)), // it is put into canonical form in place
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
	eventID, err := s.finish(u, p.Version)
	if err != nil {
		// The event is made canonical first, and that is where foreign content can fail.
		return nil, mxerror.BadJSON("The event's content is not valid: numbers must be integers within ±(2^53-1), text must be UTF-8 and keys must not repeat.").Because(err)
	}
	e := &Event{PDU: u, ID: eventID, InRoom: p.RoomID, Version: p.Version, Depth: p.Depth, canonical: true}
	if p.Type == "m.room.create" && p.Version.RoomIDIsCreateEventID() {
		e.InRoom = "!" + e.ID[1:]
	}
	return e, nil
}

// finish puts the content of a new event into canonical form, hashes and signs the event, and tells its id. The content
// is looked at once; what the signature signs is also what the id is made of.
func (s Signer) finish(u *pdu.PDU, v Version) (eventID string, err error) {
	if err := canonicaljson.Canonicalize(&u.Content); err != nil {
		return "", err
	}
	raw, err := appendOwn(make([]byte, 0, len(u.Content)+512), u)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256(raw)
	u.Hashes = &pdu.Hashes{SHA256: hash[:]}
	redacted, err := ForSignature(u, v)
	if err != nil {
		return "", err
	}
	u.AddSignature(s.Server, id.KeyID(s.KeyID), base64.RawStdEncoding.EncodeToString(ed25519.Sign(s.Key, redacted)))
	return idOf(redacted, v)
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
func CheckSize(raw []byte) error {
	if len(raw) > MaxSize {
		return errTooLarge(len(raw))
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
