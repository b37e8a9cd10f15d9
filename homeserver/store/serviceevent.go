package store

import (
	"context"
	"slices"
)

// ServiceEvents finds the events of a room that an application service has brought in under names of its own: the ids
// of those that are here, by name.
func (s *Store) ServiceEvents(ctx context.Context, service string, room int64, names []string) (map[string]string, error) {
	out := map[string]string{}
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
	return name, s.row(ctx, "service_event_name", eventID, room, service).Scan(&name)
}

// NameServiceEvent records what a service calls an event.
func (t *Tx) NameServiceEvent(service, name string, room, event int64) error {
	return t.exec("service_event_put", service, name, room, event)
}
