package event

import (
	"encoding/json/jsontext"
	"maps"
	"slices"
	"strconv"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"
)

// own tells whether a PDU has only what Build sets, so that appendOwn can encode it.
func own(p *pdu.PDU) bool {
	return p.Sticky == nil && len(p.Unsigned)+len(p.Unknown)+len(p.DeprecatedPrevState)+len(p.DeprecatedOrigin)+len(p.DeprecatedMembership) == 0 &&
		(p.Hashes == nil || len(p.Hashes.Unknown) == 0)
}

// appendOwn encodes an event of this server, whose content is canonical already, as canonical JSON. It does in one go
// what encoding and then sorting does: the names of an event's members are known. Text that is not UTF-8 is an error.
func appendOwn(dst []byte, p *pdu.PDU) (_ []byte, err error) {
	quote := func(name, value string) {
		dst = append(append(append(dst, ',', '"'), name...), '"', ':')
		if err == nil {
			dst, err = jsontext.AppendQuote(dst, value)
		}
	}
	dst = append(dst, `{"auth_events":`...)
	if dst, err = appendIDs(dst, p.AuthEvents); err != nil {
		return nil, err
	}
	dst = append(append(dst, `,"content":`...), p.Content...)
	dst = strconv.AppendInt(append(dst, `,"depth":`...), p.Depth, 10)
	if p.Hashes != nil {
		dst = append(dst, `,"hashes":{"sha256":`...)
		hash, err := p.Hashes.SHA256.MarshalJSON()
		if err != nil {
			return nil, err
		}
		dst = append(append(dst, hash...), '}')
	}
	dst = strconv.AppendInt(append(dst, `,"origin_server_ts":`...), p.OriginServerTS, 10)
	if dst, err = appendIDs(append(dst, `,"prev_events":`...), p.PrevEvents); err != nil {
		return nil, err
	}
	if p.Redacts != nil {
		quote("redacts", string(*p.Redacts))
	}
	if p.RoomID != "" {
		quote("room_id", string(p.RoomID))
	}
	quote("sender", string(p.Sender))
	if p.Signatures != nil && err == nil {
		if dst, err = appendSignatures(append(dst, `,"signatures":`...), p.Signatures); err != nil {
			return nil, err
		}
	}
	if p.StateKey != nil {
		quote("state_key", *p.StateKey)
	}
	quote("type", p.Type)
	return append(dst, '}'), err
}

func appendIDs(dst []byte, list []id.EventID) (_ []byte, err error) {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = jsontext.AppendQuote(dst, v); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendSignatures(dst []byte, of map[string]map[id.KeyID]string) (_ []byte, err error) {
	dst = append(dst, '{')
	for i, server := range slices.Sorted(maps.Keys(of)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = jsontext.AppendQuote(dst, server); err != nil {
			return nil, err
		}
		dst = append(dst, ':', '{')
		for i, key := range slices.Sorted(maps.Keys(of[server])) {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = jsontext.AppendQuote(dst, key); err != nil {
				return nil, err
			}
			if dst, err = jsontext.AppendQuote(append(dst, ':'), of[server][key]); err != nil {
				return nil, err
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, '}'), nil
}
