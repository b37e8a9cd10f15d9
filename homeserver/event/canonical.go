package event

import (
	"encoding/base64"
	"encoding/json/jsontext"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"
)

// canonical is the canonical JSON of an event whose content is canonical already. An event that is made here is written
// three times (for its hash, its signature, and to be stored), of which only the content has to be looked into, and that once.
func canonical(p *pdu.PDU) ([]byte, error) { return canonicalIn(nil, p) }

// canonicalIn is canonical, written into b if there is room for it.
func canonicalIn(b []byte, p *pdu.PDU) ([]byte, error) {
	if len(p.Unknown)+len(p.Unsigned)+len(p.DeprecatedPrevState)+len(p.DeprecatedOrigin)+len(p.DeprecatedMembership) > 0 || p.Sticky != nil || p.Hashes != nil && len(p.Hashes.Unknown) > 0 {
		return canonicaljson.Marshal(p)
	}
	if need := 640 + len(p.Content); cap(b) < need {
		b = make([]byte, 0, need)
	}
	w := &writer{b: b[:0]}
	w.key("auth_events")
	w.ids(p.AuthEvents)
	w.key("content")
	w.b = append(w.b, p.Content...)
	w.key("depth")
	w.number(p.Depth)
	if p.Hashes != nil {
		w.key("hashes")
		w.b = append(w.b, `{"sha256":"`...)
		w.b = base64.RawStdEncoding.AppendEncode(w.b, p.Hashes.SHA256)
		w.b = append(w.b, `"}`...)
	}
	w.key("origin_server_ts")
	w.number(p.OriginServerTS)
	w.key("prev_events")
	w.ids(p.PrevEvents)
	if p.Redacts != nil {
		w.key("redacts")
		w.text(string(*p.Redacts))
	}
	if p.RoomID != "" {
		w.key("room_id")
		w.text(string(p.RoomID))
	}
	w.key("sender")
	w.text(string(p.Sender))
	if p.Signatures != nil {
		w.key("signatures")
		w.signatures(p.Signatures)
	}
	if p.StateKey != nil {
		w.key("state_key")
		w.text(*p.StateKey)
	}
	w.key("type")
	w.text(p.Type)
	w.b = append(w.b, '}')
	return w.b, w.err
}

// writer writes an object, whose keys it is given in their order.
type writer struct {
	b   []byte
	err error
}

func (w *writer) key(name string) {
	c := byte(',')
	if len(w.b) == 0 {
		c = '{'
	}
	w.b = append(append(append(w.b, c, '"'), name...), '"', ':')
}

func (w *writer) text(s string) {
	var err error
	if w.b, err = jsontext.AppendQuote(w.b, s); err != nil && w.err == nil {
		w.err = fmt.Errorf("writing %.40q: %w", s, err)
	}
}

// maxInteger is the largest number that canonical JSON has: "numbers in the JSON must be integers in the range
// [-(2**53)+1, (2**53)-1]".
const maxInteger = 1<<53 - 1

func (w *writer) number(n int64) {
	if (n > maxInteger || n < -maxInteger) && w.err == nil {
		w.err = fmt.Errorf("the number %d is out of range", n)
	}
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *writer) ids(list []id.EventID) {
	w.b = append(w.b, '[')
	for i, e := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(string(e))
	}
	w.b = append(w.b, ']')
}

func (w *writer) signatures(all map[string]map[id.KeyID]string) {
	w.b = append(w.b, '{')
	for i, server := range slices.Sorted(maps.Keys(all)) {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(server)
		w.b = append(w.b, ':', '{')
		for i, key := range slices.Sorted(maps.Keys(all[server])) {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.text(string(key))
			w.b = append(w.b, ':')
			w.text(all[server][key])
		}
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, '}')
}
