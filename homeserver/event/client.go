package event

import (
	"encoding/json/jsontext"
	"strconv"
)

// View says how a client is to see an event.
type View struct {
	// RoomID includes room_id, as everywhere but in /sync.
	RoomID bool
	// UserID includes user_id, which sender was called before /sync.
	UserID bool
	// Txn includes unsigned.transaction_id: set only for the device that sent the event.
	Txn bool
	// Previous is the state event that this one replaced, for unsigned.prev_content.
	Previous *Event
	// Because is the redaction that pruned this event, for unsigned.redacted_because.
	Because *Event
	// Membership is the reader's own membership at the event, for unsigned.membership.
	Membership string
	// Relations is the JSON of unsigned.m.relations; nil for none.
	Relations []byte
	// NowMS, when not 0, gives unsigned.age.
	NowMS int64
}

// AppendClient appends the event in the form that clients see: ClientEvent of the
// specification, or ClientEventWithoutRoomID.
func (e *Event) AppendClient(dst []byte, v View) []byte {
	dst = append(dst, `{"content":`...)
	dst = e.appendContent(dst)
	dst = appendString(dst, `,"event_id":`, e.ID)
	dst = append(dst, `,"origin_server_ts":`...)
	dst = strconv.AppendInt(dst, e.OriginServerTS, 10)
	if v.RoomID {
		dst = appendString(dst, `,"room_id":`, e.InRoom)
	}
	dst = appendString(dst, `,"sender":`, string(e.Sender))
	if v.UserID {
		dst = appendString(dst, `,"user_id":`, string(e.Sender))
	}
	if e.StateKey != nil {
		dst = appendString(dst, `,"state_key":`, *e.StateKey)
	}
	// Room version 11: "For backwards-compatibility with older clients, servers should add a
	// redacts property to the top level of m.room.redaction events when serving such events
	// over the Client-Server API."
	if id := e.RedactsID(); id != "" {
		dst = appendString(dst, `,"redacts":`, id)
	}
	dst = appendString(dst, `,"type":`, e.Type)
	dst = e.appendUnsigned(dst, v)
	return append(dst, '}')
}

// appendContent writes the content; for redactions of room versions before 11 with the redacts
// key that newer clients look for: "servers should add a redacts property to the content of
// m.room.redaction events in older room versions".
func (e *Event) appendContent(dst []byte) []byte {
	if e.Type != "m.room.redaction" || e.Version.RedactsInContent() || e.Redacts == nil || e.ContentString("redacts") != "" {
		return append(dst, e.Content...)
	}
	dst = appendString(dst, `{"redacts":`, string(*e.Redacts))
	if rest := e.Content[1:]; len(rest) > 1 {
		dst = append(dst, ',')
		return append(dst, rest...)
	}
	return append(dst, '}')
}

func (e *Event) appendUnsigned(dst []byte, v View) []byte {
	mark := len(dst)
	const open = `,"unsigned":{`
	dst = append(dst, open...)
	empty := len(dst)
	sep := func(name string) {
		if len(dst) > empty {
			dst = append(dst, ',')
		}
		dst = append(dst, name...)
	}
	if v.NowMS != 0 {
		sep(`"age":`)
		dst = strconv.AppendInt(dst, v.NowMS-e.OriginServerTS, 10)
	}
	if v.Membership != "" {
		sep("")
		dst = appendString(dst, `"membership":`, v.Membership)
	}
	if v.Relations != nil {
		sep(`"m.relations":`)
		dst = append(dst, v.Relations...)
	}
	if p := v.Previous; p != nil {
		sep(`"prev_content":`)
		dst = append(dst, p.Content...)
		dst = appendString(dst, `,"prev_sender":`, string(p.Sender))
		dst = appendString(dst, `,"replaces_state":`, p.ID)
	}
	if v.Because != nil {
		sep(`"redacted_because":`)
		dst = v.Because.AppendClient(dst, View{RoomID: v.RoomID})
		dst = appendString(dst, `,"redacted_by":`, v.Because.ID)
	}
	if v.Txn && e.TxnScope != 0 {
		if id := TxnID(e.Txn); id != "" {
			sep("")
			dst = appendString(dst, `"transaction_id":`, id)
		}
	}
	if len(dst) == empty {
		return dst[:mark]
	}
	return append(dst, '}')
}

// AppendStripped appends the stripped form of a state event, as invited and knocking users see it:
// type, state_key, content and sender.
func (e *Event) AppendStripped(dst []byte) []byte {
	dst = append(dst, `{"content":`...)
	dst = append(dst, e.Content...)
	dst = appendString(dst, `,"sender":`, string(e.Sender))
	dst = appendString(dst, `,"state_key":`, deref(e.StateKey))
	dst = appendString(dst, `,"type":`, e.Type)
	return append(dst, '}')
}

func appendString(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	// AppendQuote fails only on invalid UTF-8, which no parsed event holds, and even then it
	// appends a valid string with replacement characters.
	dst, _ = jsontext.AppendQuote(dst, value)
	return dst
}
