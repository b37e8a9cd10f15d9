package event

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/v2"
	"fmt"
	"maps"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// Limits of the specification, "Size limits": "The complete event MUST NOT be larger than 65536
// bytes"; sender, room_id, state_key, type and event_id "MUST NOT exceed 255 bytes".
const (
	MaxSize      = 65536
	MaxFieldSize = 255
)

// Flags say how an event stands in its room.
type Flags int64

const (
	// Rejected events failed the auth rules; they take no part in anything.
	Rejected Flags = 1 << iota
	// SoftFailed events are in the graph but are not shown to clients.
	SoftFailed
	// Outlier events are known without their place in the graph.
	Outlier
	// Redacted events have had their content pruned; the stored JSON is the pruned one.
	Redacted
	// RejectedByAuth events failed the rules over their own auth events, wherever they stand; they
	// are Rejected too.
	RejectedByAuth
	// Partial events were checked over a state that wasn't complete.
	Partial
	// Turn tells that taking the event in changed the room's current state otherwise than the
	// event itself says: in other keys, or not at all although it is a state event.
	Turn
	// FromFederation events came from another server, which sends them to those in the room.
	FromFederation
	// Imported events are history that was brought in: clients are shown them at their place, but
	// they are news to nobody. They are not counted as unread, pushed, or told to application
	// services, which brought them.
	Imported
	// Founding events are joins by way of another server, at which what is here of the room begins anew.
	Founding
	// Gap events follow events that weren't here when they were taken in. What stands before them in a
	// timeline is not what was before them; they keep the flag when that is fetched later, since it is news
	// to nobody.
	Gap
	// Withheld events are redactions that aren't, or not yet, applied: they are in the graph but are not shown to
	// clients, and have no position.
	Withheld
)

// Event is one event of a room. It is immutable; share it freely between goroutines, and make
// a copy (With...) to change one.
type Event struct {
	*pdu.PDU

	// NID is the store's number for the event.
	NID int64
	// Pos is the event's place in the log: positive for what happened here, negative for
	// history that was brought in later, 0 when it is not in the timeline (or not yet).
	Pos int64
	// Room, Author and Key are the store's numbers of the room, the sender and, for state
	// events, the (type, state_key) pair; Key is 0 for other events.
	Room, Author, Key int64

	ID      string
	InRoom  string // the room id, which create events of version 12 do not carry themselves
	Version Version

	// Depth orders the history of the room. It is one more than that of the deepest previous event
	// that is here, whatever the event claims (PDU.Depth).
	Depth int64

	// Root is the state after the event, and Current the room's current state once the event was
	// taken in; 0 if that is Root.
	Root, Current statetree.Ref
	// Replaces is the state event that this one took the place of in the state before it, or 0.
	Replaces int64
	// Prev and Auth are the numbers of its previous and auth events that are here. Events of old
	// databases have none; see Store.Links.
	Prev, Auth []int64

	Flags Flags
	// RedactedBy is the redaction event that pruned this one, or 0.
	RedactedBy int64

	// TxnScope and Txn remember the request that made the event, so that a retry is
	// recognised and only the sending device sees its transaction id. TxnScope 0 means none.
	TxnScope int64
	Txn      string

	// tidy tells that the content is canonical.
	tidy bool
	// signer signs it in the name of this server when it leaves it, if that has not been done; nil where nobody can.
	signer *Signer
}

// Now is the room's current state once the event was taken in.
func (e *Event) Now() statetree.Ref {
	if e.Current != 0 {
		return e.Current
	}
	return e.Root
}

// IsState tells whether the event is a state event.
func (e *Event) IsState() bool { return e.StateKey != nil }

// Is tells whether the event is state of this type and key.
func (e *Event) Is(typ, key string) bool {
	return e.StateKey != nil && e.Type == typ && *e.StateKey == key
}

// Has tells whether all of the flags are set.
func (e *Event) Has(f Flags) bool { return e.Flags&f == f }

// ContentString reads one top-level string of the content; "" if it is absent or no string.
func (e *Event) ContentString(key string) string {
	if v := gjson.GetBytes(e.Content, gjson.Escape(key)); v.Type == gjson.String {
		return v.Str
	}
	return ""
}

// Membership is the membership that an m.room.member event gives, or "".
func (e *Event) Membership() string {
	if e.Type != "m.room.member" || e.StateKey == nil {
		return ""
	}
	return e.ContentString("membership")
}

// RedactsID is the event that an m.room.redaction points at, wherever the room version puts it.
func (e *Event) RedactsID() string {
	if e.Type != "m.room.redaction" {
		return ""
	}
	if e.Version.RedactsInContent() {
		return e.ContentString("redacts")
	}
	if e.Redacts != nil {
		return string(*e.Redacts)
	}
	return ""
}

// JSON is the event's canonical JSON, as it is sent to other servers and shown to whoever may see it as it is. This is the one way out
// of the server: an event of ours that was kept without this server's signature (see Drafts) gets it here.
func (e *Event) JSON() ([]byte, error) {
	if !e.unsigned() {
		return e.encode(e.PDU)
	}
	p := e.PDU.Clone()
	p.Signatures = make(map[string]map[id.KeyID]string, len(e.Signatures)+1)
	maps.Copy(p.Signatures, e.Signatures)
	if err := e.signer.Sign(p, e.Version); err != nil {
		return nil, fmt.Errorf("signing event %s: %w", e.ID, err)
	}
	return e.encode(p)
}

// Stored is the event's canonical JSON as it is kept by this server: like JSON, but a draft stays without its signature. size is how
// large it is with that.
func (e *Event) Stored() (raw []byte, size int, err error) {
	raw, err = e.encode(e.PDU)
	size = len(raw)
	if e.unsigned() {
		size += len(`"signatures":{"":{"":""}},`) + len(e.signer.Server) + len(e.signer.KeyID) + base64.RawStdEncoding.EncodedLen(ed25519.SignatureSize)
	}
	return raw, size, err
}

// unsigned tells that this server's signature is missing in an event by one of its users.
func (e *Event) unsigned() bool {
	return e.signer != nil && e.Signatures[e.signer.Server] == nil && e.Sender.Homeserver() == e.signer.Server
}

func (e *Event) encode(p *pdu.PDU) ([]byte, error) {
	encode := canonical
	if !e.tidy {
		encode = func(p *pdu.PDU) ([]byte, error) { return canonicaljson.Marshal(p) }
	}
	raw, err := encode(p)
	if err != nil {
		return nil, fmt.Errorf("encoding event %s: %w", e.ID, err)
	}
	return raw, nil
}

// Parse reads the stored JSON of an event. The caller fills in the numbers. The id is given
// because the store knows it; it is not computed again.
func Parse(raw []byte, eventID, roomID string, v Version) (*Event, error) {
	return ParseFor(raw, eventID, roomID, v, nil)
}

// ParseFor is Parse of an event that s signs when it leaves this server, if it was stored without a signature; see Drafts. Without
// s it leaves without.
func ParseFor(raw []byte, eventID, roomID string, v Version, s *Signer) (*Event, error) {
	p := &pdu.PDU{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, fmt.Errorf("parsing event %s: %w", eventID, err)
	}
	return &Event{PDU: p, ID: eventID, InRoom: roomID, Version: v, Depth: p.Depth, signer: s}, nil
}

// Pruned returns a copy with everything removed that a redaction removes.
func (e *Event) Pruned(by int64) *Event {
	c := *e
	c.PDU, c.tidy = Redact(e.PDU.Clone(), e.Version), false
	c.Flags |= Redacted
	c.RedactedBy = by
	return &c
}
