package sync

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/relations"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// With gathers the bundled aggregations of some events, and returns a Render that adds them. It
// does so at once for all: the fewer calls, the fewer queries.
func (r Render) With(ctx context.Context, events ...[]*event.Event) (Render, error) {
	var all []*event.Event
	for _, list := range events {
		all = append(all, list...)
	}
	bundles, err := relations.Bundles(ctx, r.viewer(), all)
	r.Bundle, r.bundles = false, bundles
	return r, err
}

// Bundling is the Render that adds aggregations as of a log position, if on is true.
func (r Render) Bundling(on bool, user, upto int64) Render {
	r.Bundle, r.UserNID, r.Upto = on, user, upto
	return r
}

func (r Render) viewer() relations.Viewer {
	readers := map[int64]Reader{}
	return relations.Viewer{Store: r.Store, User: r.UserNID, Upto: r.Upto,
		Ignored: func(ctx context.Context) (map[int64]bool, error) {
			ids, err := Ignored(ctx, r.Store, r.UserNID)
			nids := make(map[int64]bool, len(ids))
			for id := range ids {
				if nid, err := r.Store.UserNID(ctx, id); err == nil {
					nids[nid] = true
				} else if !errors.Is(err, store.ErrNotFound) {
					return nil, err
				}
			}
			return nids, err
		},
		Visible: func(ctx context.Context, e *event.Event) (bool, error) {
			reader, ok := readers[e.Room]
			if !ok {
				m, err := r.Store.Membership(ctx, e.Room, r.UserNID)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return false, err
				}
				if reader, err = ReaderOf(ctx, r.Store, r.User, m); err != nil {
					return false, err
				}
				readers[e.Room] = reader
			}
			return Visible(ctx, r.Store, e, reader)
		},
	}
}

// relations is the JSON of m.relations.
func (r Render) relations(ctx context.Context, b *relations.Bundle) (_ []byte, err error) {
	dst := []byte("{")
	sep := func(name string) {
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(dst, name...)
	}
	plain := r
	plain.bundles = nil
	if len(b.References) > 0 {
		sep(`"m.reference":{"chunk":[`)
		for i, id := range b.References {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"event_id":`...)
			dst, _ = jsontext.AppendQuote(dst, id) // ids of stored events are valid text
			dst = append(dst, '}')
		}
		dst = append(dst, `]}`...)
	}
	if b.Edit != nil {
		sep(`"m.replace":`)
		if dst, err = plain.Event(ctx, dst, b.Edit); err != nil {
			return nil, err
		}
	}
	if t := b.Thread; t != nil {
		sep(`"m.thread":{"latest_event":`)
		if t.LatestBundle != nil {
			plain.bundles = map[int64]*relations.Bundle{t.Latest.NID: t.LatestBundle}
		}
		if dst, err = plain.Event(ctx, dst, t.Latest); err != nil {
			return nil, err
		}
		dst = append(dst, `,"count":`...)
		dst = strconv.AppendInt(dst, t.Count, 10)
		dst = append(dst, `,"current_user_participated":`...)
		dst = strconv.AppendBool(dst, t.Participated)
		dst = append(dst, '}')
	}
	if len(dst) == 1 {
		return nil, nil
	}
	return append(dst, '}'), nil
}

// Ignored lists the users whom somebody ignores, by id: specification, "Ignoring Users".
func Ignored(ctx context.Context, s *store.Store, user int64) (map[string]bool, error) {
	if user == 0 {
		return nil, nil
	}
	d, err := s.AccountData(ctx, user, 0, "m.ignored_user_list")
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	ignored := map[string]bool{}
	gjson.Get(d.Content, "ignored_users").ForEach(func(k, _ gjson.Result) bool {
		ignored[k.Str] = true
		return true
	})
	return ignored, nil
}
