package inbound

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Limits of the specification: "prev_events ... Must contain less than or equal to 20 events", and
// "auth_events ... Must contain less than or equal to 10 events".
const (
	prevMax = 20
	authMax = 10
	// prevMaxPast and authMaxPast are for answers that tell of the past: "the response of backfill
	// MUST NOT be validated on these specific restrictions".
	prevMaxPast = 2000
	authMaxPast = 2000
)

// maxInt is the largest number that canonical JSON has.
const maxInt = 1<<53 - 1

// parsePDU reads an event of another server for a room. Signatures, hash and permission are for the
// caller to check. Errors are about the event alone and can be told to whoever sent it.
func parsePDU(raw jsontext.Value, roomID string, v event.Version) (*event.Event, error) {
	return parsePDUWithin(raw, roomID, v, prevMax, authMax)
}

func parsePDUWithin(raw jsontext.Value, roomID string, v event.Version, prevs, auths int) (*event.Event, error) {
	// What is not in the size limit is bounded too: unsigned.
	if len(raw) > 4*event.MaxSize {
		return nil, errors.New("the event is too large")
	}
	p := &pdu.PDU{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, fmt.Errorf("the event is not valid: %w", short(err))
	}
	p.Unsigned = nil
	if err := checkPDU(p, roomID, v, prevs, auths); err != nil {
		return nil, err
	}
	e := &event.Event{PDU: p, InRoom: roomID, Version: v, Flags: event.FromFederation}
	canonical, err := e.JSON()
	if err != nil {
		return nil, errCanonical
	}
	if err := event.CheckSize(canonical); err != nil {
		return nil, errors.New("the event is larger than 65536 bytes")
	}
	id, err := event.ID(p, v)
	if err != nil {
		return nil, fmt.Errorf("computing the event's id: %w", short(err))
	}
	e.ID = id
	if p.Type == "m.room.create" && v.RoomIDIsCreateEventID() && "!"+e.ID[1:] != roomID {
		return nil, errors.New("the event creates another room")
	}
	return e, nil
}

var (
	errCanonical = errors.New("the event has numbers beyond ±(2^53-1), fractions, keys that repeat or text that is not UTF-8")
	errNoHash    = errors.New("the event has no content hash")
)

// short keeps what a stranger wrote from filling answers and logs.
func short(err error) error {
	if s := err.Error(); len(s) > 200 {
		return errors.New(strings.ToValidUTF8(s[:200], "") + "…")
	}
	return err
}

func checkPDU(p *pdu.PDU, roomID string, v event.Version, prevs, auths int) error {
	create := p.Type == "m.room.create" && p.StateKey != nil && *p.StateKey == "" && v.RoomIDIsCreateEventID()
	switch {
	case p.Type == "":
		return errors.New("the event has no type")
	case create && p.RoomID != "":
		return errors.New("a create event has no room_id")
	case !create && string(p.RoomID) != roomID:
		return errors.New("the event is of another room")
	case p.Content.Kind() != '{':
		return errors.New("the event's content is not an object")
	case !validUser(string(p.Sender)):
		return errors.New("the sender is not a user id")
	case len(p.PrevEvents) > prevs:
		return fmt.Errorf("the event has more than %d previous events", prevs)
	case len(p.AuthEvents) > auths:
		return fmt.Errorf("the event has more than %d auth events", auths)
	case p.PrevEvents == nil || p.AuthEvents == nil:
		return errors.New("the event has no prev_events or auth_events")
	case len(p.PrevEvents) == 0 && p.Type != "m.room.create":
		return errors.New("the event follows no other")
	case p.Depth < 0 || p.Depth > maxInt:
		return errors.New("the event's depth is out of range")
	case p.OriginServerTS < 0 || p.OriginServerTS > maxInt:
		return errors.New("the event's time is out of range")
	case p.Hashes == nil || len(p.Hashes.SHA256) != 32:
		return errNoHash
	}
	for name, s := range map[string]string{"type": p.Type, "sender": string(p.Sender), "room_id": string(p.RoomID), "state_key": text(p.StateKey)} {
		if event.FieldTooLong(v, s) {
			return fmt.Errorf("the event's %s has more than %d bytes", name, event.MaxFieldSize)
		}
	}
	for _, list := range [...][]string{idsOf(p.PrevEvents), idsOf(p.AuthEvents)} {
		for _, id := range list {
			if len(id) < 2 || len(id) > event.MaxFieldSize || id[0] != '$' {
				return errors.New("the event cites what is not an event id")
			}
		}
	}
	return nil
}

func validUser(id string) bool {
	local, server, ok := strings.Cut(id, ":")
	return ok && strings.HasPrefix(local, "@") && server != ""
}

func idsOf[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, id := range in {
		out[i] = string(id)
	}
	return out
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// checkHash prunes an event whose content hash is wrong: "If this hash does not match the event's
// hashes, ... the event is redacted before being processed further".
func checkHash(e *event.Event) *event.Event {
	if e.VerifyContentHash() {
		return e
	}
	return e.Pruned(0)
}

// byThirdParty tells whether an event is an invitation that an invitation by address has become,
// which may be made by another server than its sender's.
func byThirdParty(e *event.Event) bool {
	return e.Membership() == "invite" && gjson.GetBytes(e.Content, "third_party_invite").IsObject()
}
