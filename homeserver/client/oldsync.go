package client

import (
	"bytes"
	"encoding/json/jsontext"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// oldSyncRoutes are the endpoints from before /sync, which old clients and previews of rooms use.
func (a *API) oldSyncRoutes() {
	a.on(http.MethodGet, v3, "/rooms/{roomId}/initialSync", user, a.roomInitialSync)
	a.on(http.MethodGet, v3, "/initialSync", user, a.initialSync)
	a.on(http.MethodGet, v3, "/events", user, a.events)
	a.on(http.MethodGet, v3, "/events/{eventId}", user, a.oneEvent)
}

// roomInitialSync is GET /rooms/{roomId}/initialSync.
func (a *API) roomInitialSync(c *call) (any, error) {
	v, err := c.lookParam(0)
	if err != nil {
		return nil, err
	}
	limit, err := c.number("limit", pageDefault)
	if err != nil {
		return nil, err
	}
	return a.roomInfo(c, v, int(min(max(limit, 0), pageMax)))
}

// roomInfo is one room as initialSync shows it.
func (a *API) roomInfo(c *call, v view, limit int) (jsontext.Value, error) {
	upto := min(a.o.Store.Position(), v.upto)
	v.upto = upto
	recent, start, err := a.page(c, v, page{from: store.End, to: store.Beginning, limit: limit, back: true})
	if err != nil {
		return nil, err
	}
	slices.Reverse(recent)
	var nids []int64
	if err := a.o.Store.State().Walk(c.ctx, v.root, func(_, nid int64) bool { nids = append(nids, nid); return true }); err != nil {
		return nil, err
	}
	slices.Sort(nids)
	state, err := a.o.Store.Events(c.ctx, nids)
	if err != nil {
		return nil, err
	}
	public, err := a.o.Store.IsPublic(c.ctx, v.room.NID)
	if err != nil {
		return nil, err
	}
	rend := c.render()
	out := append([]byte(`{"room_id":`), quoted(v.room.ID)...)
	if v.membership != "" {
		out = append(append(out, `,"membership":`...), quoted(v.membership)...)
	}
	if out, err = rend.Events(c.ctx, append(out, `,"messages":{"chunk":`...), recent); err != nil {
		return nil, err
	}
	if start != nil {
		out = append(out, `,"start":"`+start.String()+`"`...)
	}
	out = append(out, `,"end":"`+sync.Position{Log: upto, IsLog: true}.String()+`"},"state":`...)
	if out, err = rend.Events(c.ctx, out, state); err != nil {
		return nil, err
	}
	visibility := "private"
	if public {
		visibility = "public"
	}
	out = append(out, `,"visibility":"`+visibility+`","account_data":`...)
	if out, err = a.appendAccountData(c, out, v.room.NID); err != nil {
		return nil, err
	}
	// Who is there and has read how far is not told here; the fields are for clients that look.
	return append(out, `,"presence":[],"receipts":[]}`...), nil
}

// appendAccountData appends what the caller has set for a room, or (0) globally.
func (a *API) appendAccountData(c *call, dst []byte, room int64) ([]byte, error) {
	data, err := a.o.Store.AccountDataAfter(c.ctx, c.session.User, 0, a.o.Store.Position())
	if err != nil {
		return nil, err
	}
	dst = append(dst, '[')
	first := true
	for _, d := range data {
		if d.Room != room || d.Content == "{}" || d.Type == "m.push_rules" {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(append(dst, `{"type":`...), quoted(d.Type)...), `,"content":`...)
		dst = append(append(dst, d.Content...), '}')
	}
	return append(dst, ']'), nil
}

// initialSync is GET /initialSync.
func (a *API) initialSync(c *call) (any, error) {
	limit, err := c.number("limit", pageDefault)
	if err != nil {
		return nil, err
	}
	archived, _, err := c.truth("archived")
	if err != nil {
		return nil, err
	}
	end := sync.Token{Log: a.o.Store.Position(), Device: a.o.Store.Position()}
	all, err := a.o.Store.RoomsOf(c.ctx, c.session.User)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"end":"` + end.String() + `","presence":[],"rooms":[`)
	first := true
	for _, m := range all {
		raw, err := a.initialRoom(c, m, archived, int(min(max(limit, 0), pageMax)))
		if err != nil {
			return nil, err
		}
		if raw == nil {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, raw...)
	}
	out, err = a.appendAccountData(c, append(out, `],"account_data":`...), 0)
	return jsontext.Value(append(out, '}')), err
}

// initialRoom is one room of initialSync; nil for one that is not shown.
func (a *API) initialRoom(c *call, m store.Membership, archived bool, limit int) ([]byte, error) {
	r, err := a.o.Store.RoomByNID(c.ctx, m.Room)
	if err != nil {
		return nil, err
	}
	switch m.Membership {
	case "join":
	case "leave", "ban":
		if !archived || m.Forgotten {
			return nil, nil
		}
	case "invite":
		own, err := a.o.Store.Event(c.ctx, m.Event)
		if err != nil {
			return nil, err
		}
		out := append([]byte(`{"membership":"invite","room_id":`), quoted(r.ID)...)
		out, err = c.render().Event(c.ctx, append(out, `,"invite":`...), own)
		return append(out, '}'), err
	default:
		return nil, nil
	}
	v, err := c.look(r)
	if mxerror.Is(err, "M_FORBIDDEN") {
		return nil, nil // left without ever having been in it
	} else if err != nil {
		return nil, err
	}
	return a.roomInfo(c, v, limit)
}

// events is GET /events, of all the caller's rooms, or with room_id of one that the caller may read
// without being in it.
func (a *API) events(c *call) (any, error) {
	ms, err := c.number("timeout", 0)
	if err != nil {
		return nil, err
	}
	timeout := time.Duration(min(max(ms, 0), a.settings.Load().SyncTimeout.Milliseconds())) * time.Millisecond
	token := sync.Token{Log: a.o.Store.Position(), Device: a.o.Store.Position()}
	if from := c.query.Get("from"); from != "" {
		if token, err = sync.ParseToken(from); err != nil {
			return nil, err
		}
	}
	if id := c.query.Get("room_id"); id != "" {
		r, err := a.roomByID(c.ctx, id)
		if mxerror.Is(err, "M_NOT_FOUND") {
			return nil, mxerror.Forbidden("You are not in this room.")
		} else if err != nil {
			return nil, err
		}
		return a.roomEvents(c, r, token, timeout)
	}
	// The answer of /sync has all that is needed, in another form.
	var buf bytes.Buffer
	q := sync.Request{UserID: c.session.UserID, User: c.session.User, Scope: c.session.Scope(), Since: token, Timeout: timeout}
	if _, err := a.o.Sync.Serve(c.ctx, q, &buf); err != nil {
		return nil, err
	}
	answer := gjson.ParseBytes(buf.Bytes())
	chunk := []jsontext.Value{}
	for _, section := range [...]string{"rooms.join", "rooms.leave"} {
		answer.Get(section).ForEach(func(id, room gjson.Result) bool {
			for _, list := range [...]string{"timeline.events", "ephemeral.events"} {
				for _, e := range room.Get(list).Array() {
					raw, err2 := sjson.SetBytes([]byte(e.Raw), "room_id", id.Str)
					if err2 != nil {
						err = err2
						return false
					}
					chunk = append(chunk, raw)
				}
			}
			return true
		})
	}
	return map[string]any{"start": token.String(), "end": answer.Get("next_batch").Str, "chunk": chunk}, err
}

// peekPause is how often a room that somebody previews is looked at.
const peekPause = 250 * time.Millisecond

// roomEvents waits for events of one room.
func (a *API) roomEvents(c *call, r store.RoomName, from sync.Token, timeout time.Duration) (any, error) {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(peekPause)
	defer tick.Stop()
	for last := timeout <= 0; ; {
		upto := a.o.Store.Position()
		v, err := c.look(r)
		if err != nil {
			return nil, err
		}
		got, err := a.o.Store.TimelineForward(c.ctx, r.NID, from.Log, min(upto, v.upto), pageMax)
		if err != nil {
			return nil, err
		}
		if len(got) == pageMax {
			upto = got[pageMax-1].Pos
		}
		var shown []*event.Event
		for _, e := range got {
			if ok, err := sync.Visible(c.ctx, a.o.Store, e, v.reader); err != nil {
				return nil, err
			} else if ok {
				shown = append(shown, e)
			}
		}
		if len(shown) > 0 || last {
			out, err := c.render().Events(c.ctx, []byte(`{"start":"`+from.String()+`","end":"`+sync.Token{Log: upto, Device: upto}.String()+`","chunk":`), shown)
			return jsontext.Value(append(out, '}')), err
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			last = true
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		}
	}
}

// oneEvent is GET /events/{eventId}.
func (a *API) oneEvent(c *call) (any, error) {
	missing := mxerror.NotFound("There is no such event, or you may not see it.")
	e, err := a.o.Store.EventByID(c.ctx, c.params[0])
	if errors.Is(err, store.ErrNotFound) {
		return nil, missing
	} else if err != nil {
		return nil, err
	}
	r, err := a.o.Store.RoomByNID(c.ctx, e.Room)
	if err != nil {
		return nil, err
	}
	if e, _, err = a.visibleEvent(c, r, e.ID); mxerror.Is(err, "M_NOT_FOUND") {
		return nil, missing
	} else if err != nil {
		return nil, err
	}
	out, err := c.render().Event(c.ctx, nil, e)
	return jsontext.Value(out), err
}
