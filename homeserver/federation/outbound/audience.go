package outbound

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/acl"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// audience tells which servers an event may be sent to: those that the room's access control list shuts out get
// nothing, but for the list itself, for they "are expected to uphold the server ACL" too, and for what is said of
// who is in the room.
func (s *Senders) audience(ctx context.Context, e *event.Event) (may func(server string) bool, err error) {
	all := func(string) bool { return true }
	if e == nil || e.Type == "m.room.server_acl" || e.Type == "m.room.member" {
		return all, nil
	}
	list, err := s.o.Source.StateEvent(ctx, e.Now(), "m.room.server_acl", "")
	if errors.Is(err, store.ErrNotFound) {
		return all, nil
	} else if err != nil {
		return nil, err
	}
	return func(server string) bool { return acl.Allows(list.Content, server) }, nil
}

// allowed leaves out what a server may not have.
func (s *Senders) allowed(ctx context.Context, events []*event.Event, server string) ([]*event.Event, error) {
	out := events[:0]
	for _, e := range events {
		may, err := s.audience(ctx, e)
		if err != nil {
			return nil, err
		}
		if may(server) {
			out = append(out, e)
		}
	}
	return out, nil
}
