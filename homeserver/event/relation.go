package event

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// Relation is what an event's content says of the event that it belongs to.
type Relation struct {
	// Parent is the id of the other event.
	Parent string
	// Type is the rel_type.
	Type string
	// Key tells annotations of the same type apart: the emoji of a reaction.
	Key string
}

// Relation types of the specification, "Relationship types".
const (
	RelAnnotation = "m.annotation"
	RelReference  = "m.reference"
	RelReplace    = "m.replace"
	RelThread     = "m.thread"
)

// RelationOf reads the m.relates_to of a content: specification, "Forming relationships between
// events": "Relationships which don't match the schema ... are simply ignored". ok is false for
// those, for none, and for rich replies, which have no rel_type.
func RelationOf(content []byte) (r Relation, ok bool) {
	if !bytes.Contains(content, []byte("rel")) {
		return r, false
	}
	rel := gjson.GetBytes(content, `m\.relates_to`)
	if !rel.IsObject() {
		return r, false
	}
	typ, parent, key := rel.Get("rel_type"), rel.Get("event_id"), rel.Get("key")
	if typ.Type != gjson.String || parent.Type != gjson.String || typ.Str == "" || parent.Str == "" ||
		len(typ.Str) > MaxFieldSize || len(parent.Str) > MaxFieldSize {
		return r, false
	}
	r = Relation{Parent: parent.Str, Type: typ.Str}
	if key.Type == gjson.String {
		r.Key = key.Str
	}
	return r, true
}

// Relation is RelationOf the event's content.
func (e *Event) Relation() (Relation, bool) { return RelationOf(e.Content) }

// Edits tells whether the event can stand for another one's new content: specification, "Validity
// of replacement events": they "must not have a state_key property", and "the replacement event
// (once decrypted, if appropriate) must have an m.new_content property".
func (e *Event) Edits() bool {
	if e.IsState() {
		return false
	}
	return e.Type == "m.room.encrypted" || gjson.GetBytes(e.Content, `m\.new_content`).IsObject()
}
