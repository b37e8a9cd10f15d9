package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
)

// ServiceEvents finds the events of a room that an application service has brought in under names of its own: the ids
// of those that are here, by name.
func (s *Store) ServiceEvents(ctx context.Context, service string, room int64, names []string) (map[string]string, error) {
	out := map[string]string{}
	if has, err := s.hasNames(ctx, service); err != nil || !has {
		return out, err
	}
	for chunk := range slices.Chunk(names, eventBatch) {
		args := make([]any, 2+eventBatch)
		args[0], args[1] = service, room
		for i := range eventBatch {
			args[2+i] = "" // nothing is called so
			if i < len(chunk) {
				args[2+i] = chunk[i]
			}
		}
		err := s.each(ctx, "service_event_by_name", func(r scanner) error {
			var name, id string
			err := r.Scan(&name, &id)
			out[name] = id
			return err
		}, args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ServiceEventName is what a service calls an event of a room; ErrNotFound if it has no name of its own for it.
func (s *Store) ServiceEventName(ctx context.Context, service string, room int64, eventID string) (name string, err error) {
	if has, err := s.hasNames(ctx, service); err != nil || !has {
		return "", cmp.Or(err, ErrNotFound)
	}
	event, err := s.EventNID(ctx, eventID)
	if err != nil {
		return "", err
	}
	return name, s.row(ctx, "service_event_name", event, room, service).Scan(&name)
}

// hasNames reports whether a service has names of its own for any events: most have none, and need not be looked up.
func (s *Store) hasNames(ctx context.Context, service string) (bool, error) {
	if has, known := s.naming.Load(service); known {
		return has.(bool), nil
	}
	var one int
	err := s.row(ctx, "service_event_any", service).Scan(&one)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, err
	}
	// A name may be put in at this moment.
	has, _ := s.naming.LoadOrStore(service, err == nil)
	return has.(bool), nil
}

// NameServiceEvent records what a service calls an event.
func (t *Tx) NameServiceEvent(service, name string, room, event int64) error {
	t.w.s.naming.Store(service, true)
	return t.exec("service_event_put", service, name, room, event)
}
