package sync

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// event appends one event in the form that the filter asks for.
func (b *builder) event(ctx context.Context, dst []byte, e *event.Event) ([]byte, error) {
	mark := len(dst)
	var err error
	if b.q.Filter.EventFormat == "federation" {
		dst, err = appendFederation(dst, e)
	} else {
		dst, err = b.rend.Event(ctx, dst, e)
	}
	if err != nil || len(b.q.Filter.EventFields) == 0 {
		return dst, err
	}
	return pick(dst[:mark], dst[mark:], b.q.Filter.EventFields)
}

// events appends a JSON array of events.
func (b *builder) events(ctx context.Context, dst []byte, events []*event.Event) (_ []byte, err error) {
	if b.q.Filter.EventFormat != "federation" && len(b.q.Filter.EventFields) == 0 {
		return b.rend.Events(ctx, dst, events)
	}
	if b.rend.Bundle {
		if b.rend, err = b.rend.With(ctx, events); err != nil {
			return dst, err
		}
	}
	dst = append(dst, '[')
	for i, e := range events {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = b.event(ctx, dst, e); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendFederation appends an event as servers pass it to each other, with the ids that clients
// need to make use of it: "federation will return the raw event as received over federation".
func appendFederation(dst []byte, e *event.Event) ([]byte, error) {
	raw, err := e.JSON()
	if err != nil {
		return dst, err
	}
	var fields map[string]jsontext.Value
	if err := json.Unmarshal(raw, &fields); err != nil {
		return dst, err
	}
	for name, v := range map[string]string{"event_id": e.ID, "room_id": e.InRoom} {
		if fields[name] == nil {
			if fields[name], err = jsontext.AppendQuote(nil, v); err != nil {
				return dst, err
			}
		}
	}
	raw, err = json.Marshal(fields, json.Deterministic(true))
	return append(dst, raw...), err
}

// pick appends those parts of an event that some paths lead to: specification, "event_fields":
// "The entries are dot-separated paths for each property to include."
func pick(dst, raw []byte, paths []string) ([]byte, error) {
	var whole map[string]any
	if err := json.Unmarshal(raw, &whole); err != nil {
		return dst, err
	}
	out := map[string]any{}
	for _, p := range paths {
		copyPath(out, whole, splitPath(p))
	}
	raw, err := json.Marshal(out, json.Deterministic(true))
	return append(dst, raw...), err
}

func copyPath(dst, src map[string]any, path []string) {
	v, ok := src[path[0]]
	if !ok {
		return
	}
	if len(path) == 1 {
		dst[path[0]] = v
		return
	}
	inner, ok := v.(map[string]any)
	if !ok {
		return
	}
	into, ok := dst[path[0]].(map[string]any)
	if !ok {
		into = map[string]any{}
	}
	if copyPath(into, inner, path[1:]); len(into) > 0 {
		dst[path[0]] = into
	}
}

// splitPath splits at dots: specification, appendix "Dot-separated property paths": "If the
// property name contains a literal dot, the dot is escaped with a backslash (\.) ... If a literal
// backslash (\) is part of the property name, it is escaped with another backslash. Other
// occurrences of a backslash are left as they are."
func splitPath(p string) (parts []string) {
	var part strings.Builder
	for i := 0; i < len(p); i++ {
		switch {
		case p[i] == '\\' && i+1 < len(p) && (p[i+1] == '.' || p[i+1] == '\\'):
			i++
			part.WriteByte(p[i])
		case p[i] == '.':
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteByte(p[i])
		}
	}
	return append(parts, part.String())
}
