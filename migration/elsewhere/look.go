package elsewhere

import (
	"context"
	"encoding/json/jsontext"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
)

// lookers is how many events are asked for at once.
const lookers = 6

// Do answers what verify asks, in the words of our own server's importer.
func (t *Target) Do(ctx context.Context, verb string, in, out any) error {
	switch q := in.(type) {
	case wire.Look:
		return answer(out, func() (wire.Looked, error) { return t.look(ctx, q) })
	case wire.Members:
		return answer(out, func() (wire.Joined, error) { return t.members(ctx, q) })
	case wire.HaveMedia:
		return answer(out, func() (wire.MediaHad, error) { return t.HaveMedia(ctx, q) })
	case struct{}:
		return answer(out, func() (wire.Opened, error) { return t.Open(ctx) })
	}
	return fmt.Errorf("another homeserver can't be asked for %s", verb)
}

func answer[T any](out any, ask func() (T, error)) error {
	v, err := ask()
	if err != nil {
		return err
	}
	p, ok := out.(*T)
	if !ok {
		return fmt.Errorf("an answer is no %T", out)
	}
	*p = v
	return nil
}

// look finds the events that items are there.
func (t *Target) look(ctx context.Context, q wire.Look) (out wire.Looked, err error) {
	seen := make([]*wire.Seen, len(q.Remotes))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookers)
	for i, remote := range q.Remotes {
		e, ok, err := t.ledger.find(ctx, q.Source, remote)
		if err != nil {
			return out, err
		}
		if !ok {
			continue
		}
		seen[i] = &wire.Seen{Remote: remote, RoomID: e.room, Event: jsontext.Value("{}")}
		if e.event == "" {
			continue
		}
		g.Go(func() error {
			err := t.get(ctx, client("rooms", e.room, "event", e.event), nil, &seen[i].Event)
			if refused(err, "M_NOT_FOUND", "M_FORBIDDEN") {
				seen[i], err = nil, nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return out, err
	}
	for _, s := range seen {
		if s != nil {
			out.Items = append(out.Items, *s)
		}
	}
	return out, nil
}

// members lists who is in a room.
func (t *Target) members(ctx context.Context, q wire.Members) (out wire.Joined, err error) {
	var in struct {
		Joined map[string]jsontext.Value `json:"joined"`
	}
	err = t.get(ctx, client("rooms", q.RoomID, "joined_members"), nil, &in)
	out.Joined = slices.Sorted(maps.Keys(in.Joined))
	return out, err
}
