package importer

import (
	"context"
	"encoding/json/jsontext"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// adoptedRemote is what tells in the ledger that a room was there before its source was brought in.
func adoptedRemote(remote string) string { return "adopted/" + remote }

// adopt notes that a room that is here is that of a source.
func (i *Importer) adopt(ctx context.Context, source int64, q wire.Room) (out wire.RoomMade, err error) {
	name, err := i.room(ctx, q.Adopt)
	if err != nil {
		return out, err
	}
	first, err := i.o.Store.TimelineForward(ctx, name.NID, 0, 1<<62, 1)
	if err != nil {
		return out, err
	}
	if len(first) == 0 {
		return out, mxerror.NotFound("The room %s has no events.", q.Adopt)
	}
	return wire.RoomMade{RoomID: name.ID, Adopted: true, Lived: true}, i.o.Store.Write(ctx, func(t *store.Tx) error {
		for _, remote := range []string{roomRemote(q.Remote), adoptedRemote(q.Remote)} {
			if err := t.AddImported(source, store.Imported{Remote: remote, Room: name.NID, Event: first[0].NID}); err != nil {
				return err
			}
		}
		return nil
	})
}

// knows notes which events the batch's known items are.
func (w *writing) knows() error {
	for remote, id := range w.q.Known {
		e, err := w.s.Event(id)
		if errors.Is(err, store.ErrNotFound) {
			continue // purged, or of another room
		} else if err != nil {
			return err
		}
		if w.used[e.NID] = true; w.find(remote) == "" && len(remote) <= wire.MaxRemote {
			w.note(remote, e)
		}
	}
	return nil
}

// note notes which event an item is.
func (w *writing) note(remote string, e *event.Event) wire.Done {
	w.used[e.NID] = true
	if remote != "" {
		w.here[remote] = e.ID
		w.rows = append(w.rows, store.Imported{Remote: remote, Room: e.Room, Event: e.NID})
	}
	return wire.Done{EventID: e.ID}
}

// late brings an item into a room that is lived in: what is there already is found, what is newer than all that was said comes
// at the end, and all else at its place by time.
func (w *writing) late(it wire.Item) (wire.Done, error) {
	content, resolved := it.Related(w.find)
	p := room.Proposal{Sender: it.Sender, Type: it.Type, Content: content, TS: it.TS}
	if it.Relates != nil && (it.Relates.Rel == wire.RelEdit || it.Relates.Rel == wire.RelReaction) {
		if !resolved {
			return wire.Done{Unresolved: true}, nil
		}
		return w.change(it, p)
	}
	have, err := w.heard(it)
	if err != nil {
		return wire.Done{}, err
	}
	if have != nil {
		return w.note(it.Remote, have), nil
	}
	if w.newest < 0 {
		if w.newest, err = w.s.NewestTalk(); err != nil {
			return wire.Done{}, err
		}
	}
	var d wire.Done
	if it.TS >= w.newest {
		if err := w.come(it); err != nil {
			return wire.Done{}, err
		}
		if d, err = w.append(it.Remote, p); err == nil {
			w.newest = it.TS
		}
	} else {
		d, err = w.insert(it.Remote, p, nil)
	}
	d.Unresolved = !resolved
	return d, err
}

// insert puts an event at its place by time and notes which item it is.
func (w *writing) insert(remote string, p room.Proposal, near *event.Event) (wire.Done, error) {
	e, err := w.s.Insert(p, near)
	if err != nil {
		return wire.Done{}, err
	}
	d := w.note(remote, e)
	d.Fresh = true
	return d, nil
}

// change brings in an edit of something, or a reaction to it. To what was said here it comes at the end, as if the network had
// told of it now; to what was brought in late it comes beside that.
func (w *writing) change(it wire.Item, p room.Proposal) (wire.Done, error) {
	target, err := w.s.Event(w.find(it.Relates.To))
	if err != nil {
		return wire.Done{}, err
	}
	if w.s.Past(target) {
		return w.insert(it.Remote, p, target)
	}
	have, err := w.changed(it, target)
	if err != nil {
		return wire.Done{}, err
	}
	if have != nil {
		return w.note(it.Remote, have), nil
	}
	if in, err := w.s.Membership(it.Sender); err != nil {
		return wire.Done{}, err
	} else if in != "join" {
		return w.insert(it.Remote, p, nil)
	}
	return w.append(it.Remote, p)
}

// changed finds the event by which a change is known already: the reaction, an edit that says the same or came later, or
// what was to be changed, if nothing is to be changed there any more; nil if it is not.
func (w *writing) changed(it wire.Item, target *event.Event) (*event.Event, error) {
	st := w.i.o.Store
	if target.Has(event.Redacted) {
		return target, nil
	}
	if it.Relates.Rel == wire.RelReaction {
		author, err := st.UserNID(w.ctx, it.Sender)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		nids, err := st.Annotations(w.ctx, target.Room, author, target.ID, it.Type, it.Relates.Key)
		if err != nil || len(nids) == 0 {
			return nil, err
		}
		return st.Event(w.ctx, nids[0])
	}
	if string(target.Sender) != it.Sender {
		return target, nil // it was said from here, and is edited from here
	}
	want := gjson.GetBytes(it.Content, `m\.new_content.body`).Str
	nids, err := st.NewestEdits(w.ctx, []string{target.ID}, st.Position())
	if err != nil {
		return nil, err
	}
	if len(nids) == 0 {
		if !target.Has(event.Imported) && target.ContentString("body") == want {
			return target, nil
		}
		return nil, nil
	}
	newest, err := st.Event(w.ctx, nids[0])
	if err != nil || newest.Has(event.Imported) {
		return nil, err
	}
	if newest.OriginServerTS >= it.TS || gjson.GetBytes(newest.Content, `m\.new_content.body`).Str == want {
		return newest, nil
	}
	return nil, nil
}

// heard finds the event that a message is that the bridge has brought already, also one that was taken back: of the same
// sender and time, or of nearly that time and with the same words; nil if there is none.
func (w *writing) heard(it wire.Item) (*event.Event, error) {
	within := min(max(it.Within, 0), wire.MaxWithin)
	list, err := w.s.Said(it.Sender, it.TS-within, it.TS+within)
	if err != nil {
		return nil, err
	}
	body := gjson.GetBytes(it.Content, "body").Str
	for _, e := range list {
		rel, related := e.Relation()
		switch {
		case w.used[e.NID], e.Has(event.Imported), e.Type == "m.reaction", e.Type == "m.room.redaction", e.Type == "m.room.member",
			related && rel.Type == event.RelReplace, within > 0 && e.ContentString("body") != body:
		default:
			return e, nil
		}
	}
	return nil, nil
}

// come has a sender join who is not in the room, and remembers it, so that they can be taken out again.
func (w *writing) come(it wire.Item) error {
	in, err := w.s.Membership(it.Sender)
	if err != nil || in == "join" {
		return err
	}
	if err := w.join(it); err != nil {
		return err
	}
	e, err := w.s.Member(it.Sender)
	if err != nil || e == nil {
		return err
	}
	w.note(w.came(it.Sender), e)
	return nil
}

// came is what it is called in the ledger that somebody has joined the room to say something in it.
func (w *writing) came(user string) string { return "came/" + w.q.RoomID + "/" + user }

// visit has somebody who said something, and is not in the room any more, have been there: so clients know what they are called.
// Who has come to say it leaves.
func (w *writing) visit(it wire.Item) (wire.Done, error) {
	e, err := w.s.Member(it.Sender)
	if err != nil {
		return wire.Done{}, err
	}
	switch {
	case e == nil:
		if err := w.join(it); err != nil {
			return wire.Done{}, err
		}
	case e.Membership() == "join":
		name := w.came(it.Sender)
		id := w.here[name]
		if id == "" {
			known, err := w.i.o.Store.Imported(w.ctx, w.source, []string{name})
			if err != nil {
				return wire.Done{}, err
			}
			id = known[name].EventID
		}
		if id != e.ID {
			return wire.Done{}, nil // they are in the room for other reasons
		}
	default:
		return wire.Done{}, nil
	}
	content, err := w.people.gone(it.Sender)
	if err != nil {
		return wire.Done{}, err
	}
	_, err = w.append("", room.Proposal{Sender: it.Sender, Type: "m.room.member", StateKey: &it.Sender, Content: jsontext.Value(content), TS: it.TS})
	return wire.Done{}, err
}
