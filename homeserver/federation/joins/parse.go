package joins

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Bounds of an event: specification, "PDUs": "The maximum length of prev_events is 20" and that of
// auth_events 10.
const (
	maxPrev = 20
	maxAuth = 10
)

// parse reads an event of another server. It has an id then; nothing is verified.
func parse(raw jsontext.Value, v event.Version, room string) (*event.Event, error) {
	if len(raw) > event.MaxSize+8192 { // unsigned is not counted, and isn't kept
		return nil, fmt.Errorf("it is %d bytes long", len(raw))
	}
	p := &pdu.PDU{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	p.Unsigned = nil
	switch {
	case len(p.PrevEvents) > maxPrev:
		return nil, fmt.Errorf("it has %d previous events", len(p.PrevEvents))
	case len(p.AuthEvents) > maxAuth:
		return nil, fmt.Errorf("it has %d auth events", len(p.AuthEvents))
	case len(p.Content) == 0 || p.Content.Kind() != '{':
		return nil, errors.New("its content is no object")
	case p.Depth < 0 || p.Depth > 1<<53-1:
		return nil, errors.New("its depth is out of range")
	case p.Hashes == nil:
		return nil, errors.New("it has no content hash")
	case serverOf(string(p.Sender)) == "":
		return nil, errors.New("its sender is no user id")
	}
	for _, f := range [...]string{p.Type, string(p.Sender), string(p.RoomID), deref(p.StateKey)} {
		if event.FieldTooLong(v, f) {
			return nil, errors.New("one of its fields is too long")
		}
	}
	encoded, err := canonicaljson.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	if err := event.CheckSize(encoded); err != nil {
		return nil, err
	}
	eventID, err := event.ID(p, v)
	if err != nil {
		return nil, err
	}
	e := &event.Event{PDU: p, ID: eventID, InRoom: string(p.RoomID), Version: v}
	if p.Type == "m.room.create" && v.RoomIDIsCreateEventID() {
		if p.RoomID != "" {
			return nil, errors.New("a create event of this version has no room id")
		}
		e.InRoom = "!" + e.ID[1:]
	}
	if e.InRoom != room {
		return nil, errors.New("it is of another room")
	}
	return e, nil
}

// pruneForged applies: "Passes hash checks, otherwise it is redacted before being processed
// further." The id is not affected, as it is that of the redacted event.
func pruneForged(e *event.Event) {
	if !e.PDU.VerifyContentHash() {
		e.PDU = event.Redact(e.PDU.Clone(), e.Version)
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// serverOf is the server of an identifier, "" if there is none in it.
func serverOf(id string) string {
	_, server, _ := strings.Cut(id, ":")
	return server
}
