package client

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// Bounds of one answer of /events: events, and entries of the log that are looked through.
const (
	oldEventsMax  = 200
	oldEventsScan = 5000
	oldEventsPage = 500
	// oldEventsLook is how often a reader from outside looks for who types and who is there.
	oldEventsLook = 500 * time.Millisecond
)

// eventStream is one request of /events.
type eventStream struct {
	*call
	// peek is the room that the request is about; none for all that the user is in.
	peek *store.RoomName
	// outside tells that the user is not in that room.
	outside bool
	ignored map[string]bool
	since   sync.Token
	// standings are the user's memberships.
	standings map[int64]string
}

// oldEvents is GET /events, of all rooms that the user is in, or of one that may be looked into.
func (a *API) oldEvents(c *call) (any, error) {
	s := &eventStream{call: c, since: a.o.Sync.Now()}
	var err error
	if from := c.query.Get("from"); from != "" {
		if s.since, err = sync.ParseToken(from); err == nil {
			err = a.o.Sync.Known(s.since)
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := c.limitParam(0); err != nil {
		return nil, err
	}
	ms, err := c.number("timeout", 0)
	if err != nil {
		return nil, err
	}
	if id := c.query.Get("room_id"); id != "" {
		r, err := a.roomByID(c.ctx, id)
		if err != nil {
			return nil, err
		}
		v, err := c.look(r)
		if err != nil {
			return nil, err
		}
		s.peek, s.outside = &r, v.membership != "join"
	} else if c.session.Guest {
		// "GET /events" is for guests to look "into rooms that are world readable" alone.
		return nil, mxerror.New(403, "M_GUEST_ACCESS_FORBIDDEN", "Guests must name the room that they want to look into, as room_id.")
	}
	u, err := a.o.Notifier.Activate(c.ctx, c.session.User)
	if err != nil {
		return nil, err
	}
	if p := a.o.Presence; p != nil {
		defer p.Synced(c.ctx, c.session.User, c.session.UserID, c.session.DeviceID, "")()
		if c.query.Get("from") == "" {
			s.since = a.o.Sync.Now() // that the user is there now is no news to them
		}
	}
	wait := min(max(ms, 0), a.settings.Load().SyncTimeout.Milliseconds())
	deadline := time.NewTimer(time.Duration(wait) * time.Millisecond)
	defer deadline.Stop()
	// Nobody wakes those outside for what is not in the log: they look now and then.
	var look <-chan time.Time
	if s.outside {
		t := time.NewTicker(oldEventsLook)
		defer t.Stop()
		look = t.C
	}
	for last := wait == 0; ; {
		wake, _ := u.Wait()
		moved := a.o.Notifier.Moved()
		if s.peek == nil {
			moved = nil
		}
		if s.ignored, err = a.ignoredBy(c); err != nil {
			return nil, err
		}
		chunk, end, err := s.read()
		if err != nil {
			return nil, err
		}
		if len(chunk) > 0 || last {
			return map[string]any{"start": s.since.String(), "end": end.String(), "chunk": chunk}, nil
		}
		select {
		case <-wake:
		case <-moved: // whoever looks in from outside is not woken otherwise
		case <-look:
		case <-deadline.C:
			last = true
		case <-a.o.Sync.Options().Draining:
			last = true
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		}
	}
}

// read reads what is new since.
func (s *eventStream) read() (chunk []any, end sync.Token, err error) {
	now := s.api.o.Sync.Now()
	chunk, end = []any{}, now
	if err := s.load(); err != nil {
		return nil, end, err
	}
	end.Log = s.since.Log
	receipts, data := map[int64]bool{}, false
	for seen := 0; end.Log < now.Log && len(chunk) < oldEventsMax && seen < oldEventsScan; {
		entries, err := s.api.o.Store.Entries(s.ctx, end.Log, oldEventsPage)
		if err != nil {
			return nil, end, err
		}
		for _, e := range entries {
			if e.Pos > now.Log || len(chunk) >= oldEventsMax {
				break
			}
			end.Log = e.Pos
			switch {
			case e.Kind == store.KindReceipt && s.in(e.Room):
				receipts[e.Room] = true
			case e.Kind == store.KindAccountData && e.User == s.session.User:
				data = true
			case e.Kind == store.KindEvent:
				raw, err := s.event(e)
				if err != nil {
					return nil, end, err
				}
				if raw != nil {
					chunk = append(chunk, raw)
				}
			}
		}
		if seen += len(entries); len(entries) < oldEventsPage {
			break
		}
	}
	end.Device = end.Log
	if data && s.peek == nil {
		more, err := s.accountData(end.Log)
		if err != nil {
			return nil, end, err
		}
		chunk = append(chunk, more...)
	}
	more, err := s.brief(receipts)
	return append(chunk, more...), end, err
}

// accountData lists what changed of the user's account data, tags among it.
func (s *eventStream) accountData(upto int64) ([]any, error) {
	changed, err := s.api.o.Store.AccountDataAfter(s.ctx, s.session.User, s.since.Log, upto)
	var out []any
	for _, d := range changed {
		e := oldEphemeral{Type: d.Type, Content: jsontext.Value(d.Content)}
		switch {
		case d.Room == 0 && d.Type == push.Type:
			continue
		case d.Room != 0:
			name, err := s.api.o.Store.RoomByNID(s.ctx, d.Room)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return nil, err
			}
			e.RoomID = name.ID
		}
		out = append(out, e)
	}
	return out, err
}

// load reads which rooms the user is in.
func (s *eventStream) load() error {
	all, err := s.api.o.Store.RoomsOf(s.ctx, s.session.User)
	s.standings = make(map[int64]string, len(all))
	for _, m := range all {
		s.standings[m.Room] = m.Membership
	}
	return err
}

// in tells whether news of a room are asked for, and the user is in it.
func (s *eventStream) in(room int64) bool {
	if s.peek != nil {
		return s.peek.NID == room
	}
	return s.standings[room] == "join"
}

// event renders an event that the user may see, and nil for others.
func (s *eventStream) event(entry store.Entry) (any, error) {
	m, known := s.standings[entry.Room]
	if s.peek == nil && !known || s.peek != nil && s.peek.NID != entry.Room {
		return nil, nil
	}
	e, err := s.api.o.Store.Event(s.ctx, entry.Ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if !e.IsState() && s.ignored[string(e.Sender)] {
		return nil, nil
	}
	if !isOwn(e, s.session.UserID) {
		if s.peek == nil && m == "" {
			return nil, nil
		}
		ok, err := sync.Visible(s.ctx, s.api.o.Store, e, sync.Reader{ID: s.session.UserID, Current: m})
		if err != nil || !ok {
			return nil, err
		}
	}
	raw, err := s.render().Event(s.ctx, nil, e)
	return jsontext.Value(raw), err
}

// brief lists what is not an event of a room: receipts, who types, and who is there.
func (s *eventStream) brief(receipts map[int64]bool) (out []any, err error) {
	rooms := slices.Collect(maps.Keys(s.standings))
	if s.peek != nil {
		rooms = []int64{s.peek.NID}
	}
	for _, room := range rooms {
		if !s.in(room) {
			continue
		}
		users, typed := s.api.o.Typing.Since(room, s.since.Brief)
		if !typed && !receipts[room] {
			continue
		}
		name, err := s.api.o.Store.RoomByNID(s.ctx, room)
		if err != nil {
			return nil, err
		}
		if typed {
			if users == nil {
				users = []string{}
			}
			out = append(out, oldEphemeral{Type: "m.typing", RoomID: name.ID, Content: map[string]any{"user_ids": users}})
		}
		if receipts[room] {
			more, err := s.api.oldReceipts(s.ctx, s.call, room, name.ID, s.since.Log)
			if err != nil {
				return nil, err
			}
			for _, r := range more {
				out = append(out, r)
			}
		}
	}
	if s.api.o.Presence == nil || s.api.o.Presence.Position() <= s.since.Presence {
		return out, nil
	}
	if s.peek != nil {
		more, err := s.peekPresence()
		return append(out, more...), err
	}
	events, err := s.api.oldPresence(s.call, s.since.Presence)
	for _, e := range events {
		out = append(out, e)
	}
	return out, err
}

// peekPresence lists how those are there now who are in the room that is looked into, if anybody's
// presence has changed.
func (s *eventStream) peekPresence() (out []any, err error) {
	changed := s.api.o.Presence.ChangedSince(s.since.Presence)
	for _, id := range changed {
		m, err := s.api.standing(s.ctx, *s.peek, id.UserID)
		if err != nil {
			return nil, err
		}
		if m.Membership != "join" {
			continue
		}
		raw, err := json.Marshal(presence.Content(id, s.api.o.Now()))
		if err != nil {
			return nil, err
		}
		events := []sync.PresenceEvent{{Sender: id.UserID, Type: "m.presence", Content: raw}}
		if err := withUserIDs(events); err != nil {
			return nil, err
		}
		out = append(out, events[0])
	}
	return out, nil
}
