package push

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Event is an event to try rules on. It remembers the properties that were looked at, so that
// the rules of many users can be tried on it at little cost; only one goroutine may use it at a
// time.
type Event struct {
	e       *event.Event
	content string
	seen    map[string]*prop
}

// NewEvent makes an event ready.
func NewEvent(e *event.Event) *Event {
	return &Event{e: e, content: string(e.Content), seen: map[string]*prop{}}
}

// prop is the value of a property.
type prop struct {
	value gjson.Result
	low   string
	made  bool
}

// lower is a string value in lower case.
func (p *prop) lower() string {
	if !p.made {
		p.low, p.made = strings.ToLower(p.value.Str), true
	}
	return p.low
}

// property finds a property; nil if the event has none such.
func (x *evaluation) property(p path) *prop {
	if v, ok := x.ev.seen[p.raw]; ok {
		return v
	}
	if !x.budget.spend(1 + len(x.ev.content)/4) {
		return nil
	}
	v := x.ev.find(p.parts)
	x.ev.seen[p.raw] = v
	return v
}

// find looks a property up, in the event as clients see it.
func (e *Event) find(parts []string) *prop {
	if parts[0] == "content" {
		v := gjson.Parse(e.content)
		for _, name := range parts[1:] {
			if v = member(v, name); !v.Exists() {
				return nil
			}
		}
		return &prop{value: v}
	}
	if len(parts) > 1 {
		return nil
	}
	s := ""
	switch parts[0] {
	case "origin_server_ts":
		return &prop{value: gjson.Result{Type: gjson.Number, Raw: strconv.FormatInt(e.e.OriginServerTS, 10)}}
	case "type":
		s = e.e.Type
	case "sender":
		s = string(e.e.Sender)
	case "room_id":
		s = e.e.InRoom
	case "event_id":
		s = e.e.ID
	case "state_key":
		if e.e.StateKey == nil {
			return nil
		}
		s = *e.e.StateKey
	case "redacts":
		if s = e.e.RedactsID(); s == "" {
			return nil
		}
	default:
		return nil
	}
	return &prop{value: gjson.Result{Type: gjson.String, Str: s}}
}

// member finds a member of an object by its very name.
func member(v gjson.Result, name string) (found gjson.Result) {
	if !v.IsObject() {
		return found
	}
	v.ForEach(func(key, value gjson.Result) bool {
		if key.Str != name {
			return true
		}
		found = value
		return false
	})
	return found
}
