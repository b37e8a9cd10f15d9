package client

import (
	"encoding/json/v2"
	"errors"
	"time"

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
		Thread *string `json:"thread_id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	thread := ""
	if q.Thread != nil {
		// "thread_id ... must be a non-empty string".
		if thread = *q.Thread; thread == "" {
			return nil, mxerror.InvalidParam("thread_id must not be empty.")
		}
	}
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

// mark sets a marker of any kind to an event. Receipts do not go back.
func (a *API) mark(c *call, r store.RoomName, kind, eventID, thread string) error {
	e, err := a.o.Store.EventByID(c.ctx, eventID)
	if errors.Is(err, store.ErrNotFound) || err == nil && e.Room != r.NID {
		return mxerror.NotFound("There is no event %s in this room.", clip(eventID))
	} else if err != nil {
		return err
	}
	switch kind {
	case "m.fully_read":
		if thread != "" {
			return mxerror.InvalidParam("m.fully_read has no thread.")
		}
		raw, err := json.Marshal(map[string]string{"event_id": eventID})
		if err != nil {
			return err
		}
		return a.setAccountData(c, r.NID, "m.fully_read", raw)
	case "m.read", "m.read.private":
	default:
		return mxerror.InvalidParam("Receipts are m.read, m.read.private or m.fully_read, not %q.", clip(kind))
	}
	have, err := a.o.Store.ReceiptsOf(c.ctx, r.NID, c.session.User)
	if err != nil {
		return err
	}
	for _, h := range have {
		if h.Kind != kind || h.Thread != thread {
			continue
		}
		if was, err := a.o.Store.Event(c.ctx, h.Event); err == nil && was.Pos >= e.Pos {
			return nil
		}
	}
	return a.o.Store.Write(c.ctx, func(t *store.Tx) error {
		return t.SetReceipt(store.Receipt{Room: r.NID, User: c.session.User, Kind: kind, Thread: thread,
			EventID: eventID, Event: e.NID, TS: a.o.Now().UnixMilli()})
	})
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
		Typing  bool  `json:"typing"`
		Timeout int64 `json:"timeout"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	d := time.Duration(0)
	if q.Typing {
		d = 30 * time.Second
		if q.Timeout > 0 {
			d = min(time.Duration(min(q.Timeout, int64(typingMax/time.Millisecond)))*time.Millisecond, typingMax)
		}
	}
	a.o.Typing.Set(r.NID, c.session.UserID, d)
	return nil, nil
}
