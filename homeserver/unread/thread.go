package unread

import (
	"context"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// maxHops: "Implementations should not recurse infinitely, though: a maximum of 3 hops is
// recommended to cover indirect relationships."
const maxHops = 3

// Thread finds the root of the thread that an event is in; "" for the main timeline. indirect
// tells that another event had to be asked. Specification, "Threaded read receipts": an event is
// in a thread if "It has a rel_type of m.thread, or Following the event relationships, it has a
// parent event which references the thread root with a rel_type of m.thread".
func Thread(ctx context.Context, s *store.Store, e *event.Event) (root string, indirect bool, err error) {
	for hop := 0; ; hop++ {
		typ, target := relation(e)
		switch {
		case typ == "" || target == "" || len(target) > event.MaxFieldSize:
			return "", indirect, nil
		case typ == "m.thread":
			return target, indirect, nil
		case hop == maxHops:
			return "", indirect, nil
		}
		indirect = true
		parent, err := s.EventByID(ctx, target)
		if errors.Is(err, store.ErrNotFound) {
			return "", indirect, nil
		}
		if err != nil {
			return "", indirect, err
		}
		if parent.Room != e.Room {
			return "", indirect, nil
		}
		e = parent
	}
}

// relation reads an event's relation, if it has a type: a mere reply has none.
func relation(e *event.Event) (typ, target string) {
	v := gjson.GetBytes(e.Content, `m\.relates_to`)
	if !v.IsObject() {
		return "", ""
	}
	if t := v.Get("rel_type"); t.Type == gjson.String {
		typ = t.Str
	}
	if t := v.Get("event_id"); t.Type == gjson.String {
		target = t.Str
	}
	return typ, target
}
