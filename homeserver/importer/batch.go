package importer

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Batch brings items into a room, after all that is there. Items that are here already stay as they
// are; one that the rules refuse is left out and says why.
func (i *Importer) Batch(ctx context.Context, q wire.Batch) (out wire.BatchDone, err error) {
	if len(q.Items) > wire.MaxItems {
		return out, mxerror.TooLarge("One batch can have at most %d items.", wire.MaxItems)
	}
	source, err := i.source(ctx, q.Source)
	if err != nil {
		return out, err
	}
	name, err := i.room(ctx, q.RoomID)
	if err != nil {
		return out, err
	}
	select {
	case i.slots <- struct{}{}:
		i.heap.begin()
		defer func() {
			i.heap.end()
			<-i.slots
		}()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	defer i.lock(name.NID)()
	known, err := i.o.Store.Imported(ctx, source, wanted(q))
	if err != nil {
		return out, err
	}
	if news(q, known) == 0 {
		for _, it := range q.Items {
			out.Items = append(out.Items, wire.Done{EventID: known[it.Remote].EventID})
		}
		return out, nil
	}
	w := &writing{i: i, ctx: ctx, source: source, q: q, room: name, known: known, people: &profiles{i, ctx, map[string]map[string]string{}}}
	if _, err := i.o.Rooms.Chronicle(ctx, name.NID, w.write); err != nil {
		return out, err
	}
	return wire.BatchDone{Items: w.done}, nil
}

// wanted are the names of all items that a batch is about.
func wanted(q wire.Batch) []string {
	var out []string
	seen := map[string]bool{"": true}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	for remote := range q.Known {
		add(remote)
	}
	for _, it := range q.Items {
		add(it.Remote)
		if it.Relates != nil {
			add(it.Relates.To)
			add(it.Relates.Last)
			add(it.Relates.Reply)
		}
		for _, p := range it.Pins {
			add(p)
		}
	}
	return out
}

// news counts the items that are not here yet, as far as that can be told.
func news(q wire.Batch, known map[string]store.Imported) (n int) {
	for remote := range q.Known {
		if _, ok := known[remote]; !ok {
			n++
		}
	}
	for _, it := range q.Items {
		if _, ok := known[it.Remote]; it.Remote == "" || !ok {
			n++
		}
	}
	return n
}

// writing is a batch in its room's turn.
type writing struct {
	i      *Importer
	ctx    context.Context
	source int64
	q      wire.Batch
	room   store.RoomName
	known  map[string]store.Imported
	people *profiles

	s *room.Scribe
	// here are the ids of the items that this turn has appended, by name.
	here  map[string]string
	rows  []store.Imported
	done  []wire.Done
	joins string // the join rule, "" if it is not known
	// used are the events that are items, and newest is the time of the newest message, -1 if it has not been asked for; both
	// are for rooms that are lived in.
	used   map[int64]bool
	newest int64
}

// write appends the items. It may run more than once.
func (w *writing) write(s *room.Scribe) error {
	w.s, w.here, w.rows, w.done, w.joins = s, map[string]string{}, nil, make([]wire.Done, len(w.q.Items)), ""
	w.used, w.newest = map[int64]bool{}, -1
	for _, k := range w.known {
		w.used[k.Event] = true
	}
	if err := w.knows(); err != nil {
		return err
	}
	for n, it := range w.q.Items {
		if id := w.find(it.Remote); id != "" {
			w.done[n] = wire.Done{EventID: id}
			continue
		}
		d, err := w.item(it)
		if e, ok := mxerror.As(err); ok && e.Status < 500 {
			d, err = wire.Done{Problem: e.Message}, nil
		}
		if err != nil {
			return err
		}
		w.done[n] = d
	}
	rows := w.rows
	s.Also(func(t *store.Tx) error {
		for _, r := range rows {
			if err := t.AddImported(w.source, r); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}

// find is the event that an item is here; "" if it is not.
func (w *writing) find(remote string) string {
	if remote == "" {
		return ""
	}
	if id, ok := w.here[remote]; ok {
		return id
	}
	return w.known[remote].EventID
}

// append puts an event at the end and notes which item it is.
func (w *writing) append(remote string, p room.Proposal) (wire.Done, error) {
	e, fresh, err := w.s.Append(p)
	if err != nil {
		return wire.Done{}, err
	}
	if remote != "" {
		w.here[remote] = e.ID
		w.rows = append(w.rows, store.Imported{Remote: remote, Room: e.Room, Event: e.NID})
	}
	return wire.Done{EventID: e.ID, Fresh: fresh}, nil
}

// item brings one item in.
func (w *writing) item(it wire.Item) (wire.Done, error) {
	if err := check(it); err != nil {
		return wire.Done{}, err
	}
	if store.ServerOf(it.Sender) != w.i.o.Server {
		return wire.Done{}, mxerror.BadJSON("The sender %s is not of this server, and can't have said anything through it.", it.Sender)
	}
	if applies, err := w.applies(it); err != nil || !applies {
		return wire.Done{}, err
	}
	switch {
	case it.Kind == wire.KindLeave:
		return w.leave(it)
	case it.Kind == wire.KindVisit:
		return w.visit(it)
	case w.q.Lived && it.Kind == wire.KindEvent && it.StateKey == nil:
		return w.late(it)
	case w.q.Lived && it.Kind == wire.KindRedact:
		if in, err := w.s.Membership(it.Sender); err != nil {
			return wire.Done{}, err
		} else if in != "join" {
			it.Sender = w.q.Creator
		}
		return w.redact(it)
	}
	if err := w.join(it); err != nil {
		return wire.Done{}, err
	}
	none := ""
	switch it.Kind {
	case wire.KindJoin:
		return wire.Done{}, nil
	case wire.KindPins:
		pinned := []string{}
		for _, p := range it.Pins {
			if id := w.find(p); id != "" {
				pinned = append(pinned, id)
			}
		}
		raw, err := json.Marshal(map[string]any{"pinned": pinned})
		if err != nil {
			return wire.Done{}, err
		}
		d, err := w.append(it.Remote, room.Proposal{Sender: it.Sender, Type: "m.room.pinned_events", StateKey: &none, Content: raw, TS: it.TS})
		d.Unresolved = len(pinned) < len(it.Pins)
		return d, err
	case wire.KindRedact:
		return w.redact(it)
	}
	content, resolved := it.Related(w.find)
	if !resolved && it.Relates.Rel != wire.RelThread && it.Relates.Rel != wire.RelReply {
		return wire.Done{Unresolved: true}, nil
	}
	p := room.Proposal{Sender: it.Sender, Type: it.Type, StateKey: it.StateKey, Content: content, TS: it.TS}
	d, err := w.append(it.Remote, p)
	if mxerror.Is(err, "M_FORBIDDEN") && it.StateKey != nil && it.Sender != w.q.Creator {
		// Who might change a topic there need not be able to here.
		p.Sender = w.q.Creator
		d, err = w.append(it.Remote, p)
	}
	d.Unresolved = !resolved
	return d, err
}

// applies tells whether the condition of an item is met.
func (w *writing) applies(it wire.Item) (bool, error) {
	if it.If == "" {
		return true, nil
	}
	id := w.find(it.Relates.To)
	if _, now := w.here[it.Relates.To]; now || id == "" {
		return false, nil // what was brought in just now is as it is to be
	}
	e, err := w.s.Event(id)
	if err != nil {
		return false, err
	}
	return gjson.GetBytes(e.Content, gjson.Escape(it.If)).Exists(), nil
}

// check refuses what is no item.
func check(it wire.Item) error {
	switch {
	case len(it.Remote) > wire.MaxRemote:
		return mxerror.BadJSON("The item's name is longer than %d bytes.", wire.MaxRemote)
	case it.TS <= 0 || it.TS >= 1<<53:
		return mxerror.BadJSON("The item's time is out of range.")
	case !strings.HasPrefix(it.Sender, "@"):
		return mxerror.BadJSON("The item has no sender.")
	case len(it.Pins) > wire.MaxPins:
		return mxerror.BadJSON("There are more than %d pins.", wire.MaxPins)
	case it.If != "" && it.Relates == nil:
		return mxerror.BadJSON("An item with a condition needs an item to which that applies.")
	case it.Kind == wire.KindRedact && it.Relates == nil:
		return mxerror.BadJSON("A redaction needs an item to redact.")
	case it.Kind != wire.KindEvent:
		return nil
	case it.Type == "" || it.Type == "m.room.create" || it.Type == "m.room.redaction" || it.Type == "m.room.member":
		return mxerror.BadJSON("The item's type is %q, which can't be brought in like this.", it.Type)
	case it.Content.Kind() != '{':
		return mxerror.BadJSON("The item's content is no object.")
	case len(it.Content) > wire.MaxContent:
		return mxerror.TooLarge("The item's content has %d bytes; at most %d are allowed.", len(it.Content), wire.MaxContent)
	}
	return nil
}

// join has the sender of an item join the room, if they are not in it.
func (w *writing) join(it wire.Item) error {
	in, err := w.s.Membership(it.Sender)
	if err != nil || in == "join" {
		return err
	}
	if err := w.exists(it.Sender); err != nil {
		return err
	}
	if w.joins == "" {
		rules, err := w.s.State("m.room.join_rules", "")
		if err != nil {
			return err
		}
		w.joins = "invite"
		if rule := gjson.GetBytes(rules, "join_rule").Str; rule != "" {
			w.joins = rule
		}
	}
	if w.joins != "public" && in != "invite" {
		if err := w.member(w.q.Creator, it.Sender, "invite", it.TS); err != nil {
			return err
		}
	}
	return w.member(it.Sender, it.Sender, "join", it.TS)
}

// exists refuses users without an account.
func (w *writing) exists(user string) error {
	nid, err := w.i.o.Store.UserNID(w.ctx, user)
	if err == nil {
		_, err = w.i.o.Store.Account(w.ctx, nid)
	}
	if errors.Is(err, store.ErrNotFound) {
		return mxerror.NotFound("There is no account %s here.", user)
	}
	return err
}

func (w *writing) leave(it wire.Item) (wire.Done, error) {
	in, err := w.s.Membership(it.Sender)
	if err != nil || in != "join" && in != "invite" {
		return wire.Done{}, err
	}
	return wire.Done{}, w.member(it.Sender, it.Sender, "leave", it.TS)
}

func (w *writing) member(by, user, membership string, ts int64) error {
	content, err := w.people.member(user, membership)
	if err != nil {
		return err
	}
	_, err = w.append("", room.Proposal{Sender: by, Type: "m.room.member", StateKey: &user, Content: content, TS: ts})
	return err
}

// redact takes an item back that is here.
func (w *writing) redact(it wire.Item) (wire.Done, error) {
	id := w.find(it.Relates.To)
	if id == "" {
		return wire.Done{Unresolved: true}, nil
	}
	target, err := w.s.Event(id)
	if err != nil {
		return wire.Done{}, err
	}
	if target.Has(event.Redacted) {
		return wire.Done{EventID: id}, nil
	}
	return w.append(it.Remote, room.Proposal{Sender: it.Sender, Type: "m.room.redaction", Redacts: id,
		Content: redaction(id, w.room.Version), TS: it.TS})
}

// redaction is the content of a redaction, which names the event since room version 11.
func redaction(id string, v event.Version) jsontext.Value {
	if !v.RedactsInContent() {
		return jsontext.Value(`{}`)
	}
	quoted, _ := jsontext.AppendQuote([]byte(`{"redacts":`), id) // ids are ASCII
	return append(quoted, '}')
}
