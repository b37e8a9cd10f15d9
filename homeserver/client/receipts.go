package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// joinedRoom opens a room of the path that the caller must be in.
func (c *call) joinedRoom(i int) (store.RoomName, error) {
	r, err := c.room(i)
	if err != nil {
		return r, err
	}
	m, err := c.api.standing(c.ctx, r, c.session.UserID)
	if err == nil && m.Membership != "join" {
		err = mxerror.Forbidden("You are not in this room.")
	}
	return r, err
}

// postReceipt is POST /rooms/{roomId}/receipt/{receiptType}/{eventId}.
func (a *API) postReceipt(c *call) (any, error) {
	r, err := c.joinedRoom(0)
	if err != nil {
		return nil, err
	}
	var q struct {
		Thread jsontext.Value `json:"thread_id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	thread := ""
	if q.Thread != nil {
		// "The thread_id is invalid in some way. For example: It is not a string. It is empty."
		if err := json.Unmarshal(q.Thread, &thread); err != nil || q.Thread.Kind() != '"' || thread == "" {
			return nil, mxerror.InvalidParam("thread_id must be a string that is not empty.")
		}
	}
	defer c.active()
	return nil, a.mark(c, r, c.params[1], c.params[2], thread)
}

// readMarkers is POST /rooms/{roomId}/read_markers.
func (a *API) readMarkers(c *call) (any, error) {
	r, err := c.joinedRoom(0)
	if err != nil {
		return nil, err
	}
	var q struct {
		Fully   string `json:"m.fully_read"`
		Read    string `json:"m.read"`
		Private string `json:"m.read.private"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	for _, m := range [...]struct{ kind, id string }{{"m.fully_read", q.Fully}, {"m.read", q.Read}, {"m.read.private", q.Private}} {
		if m.id != "" {
			if err := a.mark(c, r, m.kind, m.id, ""); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// mark sets a marker of any kind to an event. Markers do not go back.
func (a *API) mark(c *call, r store.RoomName, kind, eventID, thread string) error {
	switch kind {
	case "m.fully_read":
		if thread != "" {
			return mxerror.InvalidParam("m.fully_read has no thread.")
		}
	case "m.read", "m.read.private":
	default:
		return mxerror.InvalidParam("Receipts are m.read, m.read.private or m.fully_read, not %q.", clip(kind))
	}
	eventID, err := a.realName(c, r.NID, eventID)
	if err != nil {
		return err
	}
	e, err := a.o.Store.ClientEvent(c.ctx, eventID)
	if errors.Is(err, store.ErrNotFound) || err == nil && e.Room != r.NID {
		return mxerror.NotFound("There is no event %s in this room.", clip(eventID))
	} else if err != nil {
		return err
	}
	if kind == "m.fully_read" {
		return a.markFullyRead(c, r, e)
	}
	if ok, err := a.inThread(c.ctx, e, thread); err != nil {
		return err
	} else if !ok {
		return mxerror.InvalidParam("The event %s is not related to the thread %s.", clip(eventID), clip(thread))
	}
	return a.o.Store.Write(c.ctx, func(t *store.Tx) error {
		return t.MoveReceipt(store.Receipt{Room: r.NID, User: c.session.User, Kind: kind, Thread: thread,
			EventID: eventID, Event: e.NID, TS: a.o.Now().UnixMilli()}, e.Pos)
	})
}

// markFullyRead moves the fully read marker, which is account data: "Upon updating the m.fully_read
// event ... the server MUST send the updated account data event through to the client via the event
// stream".
func (a *API) markFullyRead(c *call, r store.RoomName, e *event.Event) error {
	d, err := a.o.Store.AccountData(c.ctx, c.session.User, r.NID, "m.fully_read")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if have := gjson.Get(d.Content, "event_id").Str; have != "" {
		was, err := a.o.Store.EventByID(c.ctx, have)
		if err == nil && was.Room == r.NID && was.Pos >= e.Pos {
			return nil
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	raw, err := json.Marshal(map[string]string{"event_id": e.ID})
	if err != nil {
		return err
	}
	return a.setAccountData(c, r.NID, "m.fully_read", raw)
}

// threadHops is how far relations are followed: "a maximum of 3 hops is recommended to cover
// indirect relationships".
const threadHops = 3

// inThread tells whether an event can be marked as read in a thread: specification, "Threaded read
// receipts": "An event is considered to be "in a thread" if: It has a rel_type of m.thread, or
// following the event relationships, it has a parent event which references the thread root with a
// rel_type of m.thread. ... Thread roots are considered to be in the main timeline". A root may
// also be marked in its own thread, as clients do.
func (a *API) inThread(ctx context.Context, e *event.Event, thread string) (bool, error) {
	if thread == "" {
		return true, nil
	}
	for range threadHops + 1 {
		if e.ID == thread {
			return true, nil
		}
		rel := gjson.GetBytes(e.Content, `m\.relates_to`)
		target := rel.Get("event_id").Str
		if rel.Get("rel_type").Str == "m.thread" {
			return target == thread, nil
		}
		if target == "" {
			break
		}
		parent, err := a.o.Store.EventByID(ctx, target)
		if errors.Is(err, store.ErrNotFound) || err == nil && parent.Room != e.Room {
			break
		} else if err != nil {
			return false, err
		}
		e = parent
	}
	return thread == "main", nil
}

// typingMax bounds how long one request says that somebody types.
const typingMax = 2 * time.Minute

// putTyping is PUT /rooms/{roomId}/typing/{userId}.
func (a *API) putTyping(c *call) (any, error) {
	r, err := c.joinedRoom(0)
	if err != nil {
		return nil, err
	}
	if c.params[1] != c.session.UserID {
		return nil, mxerror.Forbidden("You can only tell of your own typing.")
	}
	var q struct {
		Typing  *bool `json:"typing"`
		Timeout int64 `json:"timeout"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Typing == nil {
		return nil, mxerror.MissingParam("typing is missing.")
	}
	defer c.active()
	d := time.Duration(0)
	if *q.Typing {
		d = 30 * time.Second
		if q.Timeout > 0 {
			d = min(time.Duration(min(q.Timeout, int64(typingMax/time.Millisecond)))*time.Millisecond, typingMax)
		}
	}
	a.o.Typing.Set(r.NID, c.session.UserID, d)
	return nil, nil
}
