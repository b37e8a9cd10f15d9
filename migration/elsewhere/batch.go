package elsewhere

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json/v2"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/run"
)

// Batch implements run.Target. Items that are there already stay as they are; one that the homeserver refuses says why.
func (t *Target) Batch(ctx context.Context, q wire.Batch) (out wire.BatchDone, err error) {
	w := &writing{t: t, q: q, fresh: map[string]bool{}}
	for _, it := range q.Items {
		var d wire.Done
		err := t.insist(ctx, func() error {
			d, err = w.item(ctx, it)
			return err
		})
		var no *refusal
		if errors.As(err, &no) && !errors.Is(err, run.ErrUnreachable) && no.Code != "M_UNKNOWN_TOKEN" {
			d, err = wire.Done{Problem: no.Error()}, nil
		}
		if err != nil {
			return out, err
		}
		w.fresh[it.Remote] = d.Fresh
		out.Items = append(out.Items, d)
	}
	return out, nil
}

// writing is a batch on its way.
type writing struct {
	t *Target
	q wire.Batch
	// fresh are the items that were brought in just now.
	fresh map[string]bool
}

// find is the event that an item is there; "" if it is not.
func (w *writing) find(ctx context.Context, remote string) (string, error) {
	if remote == "" {
		return "", nil
	}
	e, _, err := w.t.ledger.find(ctx, w.q.Source, remote)
	return e.event, err
}

// item brings one item in. It may be called again for the same one.
func (w *writing) item(ctx context.Context, it wire.Item) (d wire.Done, err error) {
	if d.EventID, err = w.find(ctx, it.Remote); err != nil || d.EventID != "" {
		return d, err
	}
	if applies, err := w.applies(ctx, it); err != nil || !applies {
		return d, err
	}
	if it.Kind == wire.KindLeave {
		return d, w.t.leave(ctx, w.q.RoomID, it.Sender, it.TS)
	}
	if err := w.t.join(ctx, w.q.RoomID, w.q.Creator, it.Sender, it.TS); err != nil || it.Kind == wire.KindJoin {
		return d, err
	}
	none := ""
	switch it.Kind {
	case wire.KindPins:
		pinned := []string{}
		for _, p := range it.Pins {
			id, err := w.find(ctx, p)
			if err != nil {
				return d, err
			}
			if id != "" {
				pinned = append(pinned, id)
			}
		}
		it.Type, it.StateKey = "m.room.pinned_events", &none
		if it.Content, err = json.Marshal(map[string]any{"pinned": pinned}); err != nil {
			return d, err
		}
		d, err = w.state(ctx, it)
		d.Unresolved = len(pinned) < len(it.Pins)
		return d, err
	case wire.KindRedact:
		to, err := w.find(ctx, it.Relates.To)
		if err != nil || to == "" {
			return wire.Done{Unresolved: true}, err
		}
		return w.send(ctx, it, client("rooms", w.q.RoomID, "redact", to, w.txn(it)), map[string]any{}, func(e *event) bool {
			return e.Type == "m.room.redaction" && (e.Redacts == to || e.Content["redacts"] == to)
		})
	}
	if it.StateKey != nil {
		return w.state(ctx, it)
	}
	var failed error
	content, resolved := it.Related(func(remote string) string {
		id, err := w.find(ctx, remote)
		failed = errors.Join(failed, err)
		return id
	})
	if failed != nil {
		return d, failed
	}
	if !resolved && it.Relates.Rel != wire.RelThread && it.Relates.Rel != wire.RelReply {
		return wire.Done{Unresolved: true}, nil
	}
	var want map[string]any
	if err := json.Unmarshal(content, &want); err != nil {
		return wire.Done{Problem: "The item's content is no object."}, nil
	}
	d, err = w.send(ctx, it, client("rooms", w.q.RoomID, "send", it.Type, w.txn(it)), content, func(e *event) bool {
		return e.Type == it.Type && reflect.DeepEqual(e.Content, want)
	})
	d.Unresolved = !resolved
	return d, err
}

// applies tells whether the condition of an item is met.
func (w *writing) applies(ctx context.Context, it wire.Item) (bool, error) {
	if it.If == "" || w.fresh[it.Relates.To] {
		return it.If == "", nil
	}
	id, err := w.find(ctx, it.Relates.To)
	if err != nil || id == "" {
		return false, err
	}
	var e event
	if err := w.t.get(ctx, client("rooms", w.q.RoomID, "event", id), nil, &e); err != nil {
		return false, fmt.Errorf("looking at what was brought in: %w", err)
	}
	return e.Content[it.If] != nil, nil
}

// txn is the transaction id of an item: always the same.
func (w *writing) txn(it wire.Item) string {
	sum := sha256.Sum256([]byte(w.q.Source + "\x00" + it.Remote))
	return hex.EncodeToString(sum[:16])
}

// send says something, unless it was begun before and is there; is tells an event that is it.
func (w *writing) send(ctx context.Context, it wire.Item, path string, content any, is func(*event) bool) (d wire.Done, err error) {
	t, room, source := w.t, w.q.RoomID, w.q.Source
	begun, err := t.ledger.begun(ctx, room, source, it.Remote)
	if err != nil {
		return d, err
	}
	if begun {
		d.EventID, err = t.last(ctx, room, func(e *event) bool { return e.Sender == it.Sender && is(e) })
	} else {
		err = t.ledger.begin(ctx, room, source, it.Remote)
	}
	if err != nil {
		return d, err
	}
	d.Fresh = true
	if d.EventID == "" {
		var out struct {
			Event string `json:"event_id"`
		}
		if err := t.ask(ctx, request{method: http.MethodPut, path: path, user: it.Sender, ts: it.TS, in: content}, &out); err != nil {
			if refused(err) && !errors.Is(err, run.ErrUnreachable) {
				err = errors.Join(err, t.ledger.forget(ctx, room, source, it.Remote))
			}
			return wire.Done{}, err
		}
		d.EventID = out.Event
	}
	return d, t.ledger.end(ctx, room, source, it.Remote, entry{room, d.EventID})
}

// state sets state, by the room's creator if the sender may not.
func (w *writing) state(ctx context.Context, it wire.Item) (d wire.Done, err error) {
	content := any(it.Content)
	if it.Type == "m.room.power_levels" {
		if content, err = w.t.power(it.Content); err != nil {
			return d, err
		}
	}
	d.EventID, err = w.t.state(ctx, w.q.RoomID, it.Type, *it.StateKey, it.Sender, it.TS, content)
	if refused(err, "M_FORBIDDEN") && it.Sender != w.q.Creator {
		d.EventID, err = w.t.state(ctx, w.q.RoomID, it.Type, *it.StateKey, w.q.Creator, it.TS, content)
	}
	if err != nil || it.Remote == "" {
		return d, err
	}
	d.Fresh = true
	return d, w.t.ledger.end(ctx, w.q.RoomID, w.q.Source, it.Remote, entry{w.q.RoomID, d.EventID})
}

// event is what is looked at of an event.
type event struct {
	ID      string         `json:"event_id"`
	Type    string         `json:"type"`
	Sender  string         `json:"sender"`
	Redacts string         `json:"redacts"`
	Content map[string]any `json:"content"`
}

// Bounds of how far back an event is looked for that may have been sent.
const pageSize, maxPages = "100", 20

// last looks for an event among those of a room that came after all that the ledger has of it; "" if there is none.
func (t *Target) last(ctx context.Context, room string, is func(*event) bool) (string, error) {
	from := ""
	for range maxPages {
		var page struct {
			Chunk []event `json:"chunk"`
			End   string  `json:"end"`
		}
		query := url.Values{"dir": {"b"}, "limit": {pageSize}}
		if from != "" {
			query.Set("from", from)
		}
		if err := t.get(ctx, client("rooms", room, "messages"), query, &page); err != nil {
			return "", fmt.Errorf("looking for what was said last: %w", err)
		}
		for i := range page.Chunk {
			e := &page.Chunk[i]
			known, err := t.ledger.text(ctx, "SELECT remote FROM item WHERE event=? LIMIT 1", e.ID)
			if err != nil || known != "" {
				return "", err
			}
			if is(e) {
				return e.ID, nil
			}
		}
		if from = page.End; from == "" || len(page.Chunk) == 0 {
			return "", nil
		}
	}
	return "", nil
}
