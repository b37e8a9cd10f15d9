package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bridges that bring history in by com.beeper.batch_sending make up ids for its events and do not read the real ones in
// the answer: since room version 3 an id is a hash, which nobody can choose. They go on to use theirs. So the server
// remembers them, puts the real one in where a service names an event, and the service's own where it is told of one
// (appservices).

// nameMax bounds an id that a service makes up: "event IDs ... must not exceed 255 bytes".
const nameMax = 255

// realName is the event id that a service means.
func (a *API) realName(c *call, room int64, id string) (string, error) {
	if c.session == nil || c.session.Service == nil || id == "" {
		return id, nil
	}
	real, err := a.o.Store.ServiceEvents(c.ctx, c.session.Service.ID, room, []string{id})
	if err != nil {
		return "", err
	}
	if to, ok := real[id]; ok {
		return to, nil
	}
	return id, nil
}

// realNames puts the real ids into what a service sends.
func (a *API) realNames(c *call, nid int64, p *room.Proposal) error {
	if c.session.Service == nil {
		return nil
	}
	names := room.Named(p.Content)
	if p.Redacts != "" {
		names = append(names, p.Redacts)
	}
	pins := p.Type == "m.room.pinned_events" && p.StateKey != nil
	var pinned []string
	if pins {
		for _, v := range gjson.GetBytes(p.Content, "pinned").Array() {
			pinned = append(pinned, v.Str)
		}
		names = append(names, pinned...)
	}
	if len(names) == 0 {
		return nil
	}
	real, err := a.o.Store.ServiceEvents(c.ctx, c.session.Service.ID, nid, names)
	if err != nil || len(real) == 0 {
		return err
	}
	if to, ok := real[p.Redacts]; ok {
		p.Redacts = to
	}
	if p.Content, err = room.Rename(p.Content, real); err != nil || !pins {
		return err
	}
	for i, name := range pinned {
		if to, ok := real[name]; ok {
			pinned[i] = to
		}
	}
	raw, err := json.Marshal(pinned)
	if err != nil {
		return err
	}
	out, err := sjson.SetRawBytes(p.Content, "pinned", raw)
	p.Content = jsontext.Value(out)
	return err
}

// puppeted tells whether history may be brought in for one of this server's people by a service that they are not of: those for
// whom bridges speak by the token of a registration that shares everybody with them, as bridges' double puppeting is set
// up. Somebody who is one service's alone is not.
func (a *API) puppeted(ctx context.Context, user string) bool {
	set := a.o.Services.Set()
	if len(set.InterestedInUser(user)) == 0 || set.ExclusiveUser(user) != nil {
		return false
	}
	_, err := a.o.Accounts.LocalAccount(ctx, user)
	return err == nil
}

// readHistory marks history that was brought in as read by somebody who has read it elsewhere.
func (a *API) readHistory(c *call, r store.RoomName, user string, events []*event.Event) error {
	if user == "" || len(events) == 0 {
		return nil
	}
	nid, err := a.o.Store.UserNID(c.ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	m, err := a.o.Store.Membership(c.ctx, r.NID, nid)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Membership != "join" {
		return nil // who is not there has read nothing
	} else if err != nil {
		return err
	}
	if _, err := a.o.Accounts.LocalAccount(c.ctx, user); mxerror.Is(err, "M_NOT_FOUND") || mxerror.Is(err, "M_INVALID_PARAM") {
		return nil // their own server's business
	} else if err != nil {
		return err
	}
	last := events[0]
	for _, e := range events {
		if e.Pos > last.Pos {
			last = e
		}
	}
	return a.o.Store.Write(c.ctx, func(t *store.Tx) error {
		return t.MoveReceipt(store.Receipt{Room: r.NID, User: nid, Kind: "m.read", EventID: last.ID, Event: last.NID, TS: a.o.Now().UnixMilli()}, last.Pos)
	})
}
