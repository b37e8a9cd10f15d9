package inbound

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of what one EDU can do.
const (
	receiptsMax = 1000
	pushesMax   = 1000
	messagesMax = 10_000
	idMax       = 255
	prevIDsMax  = 1000
	// typingTime is how long somebody types unless their server says that they go on.
	typingTime = 30 * time.Second
	// pruneEvery is how often old transactions are forgotten, in milliseconds.
	pruneEvery = 60 * 60 * 1000
)

// edus takes in the ephemeral messages of other servers. A server speaks for its own users alone. It is
// safe for concurrent use.
type edus struct {
	o      Options
	gate   gate
	pruned atomic.Int64
}

func newEDUs(o Options, g gate) *edus { return &edus{o: o, gate: g} }

// due tells whether it is time to forget old transactions.
func (n *edus) due(now int64) bool {
	last := n.pruned.Load()
	return now-last >= pruneEvery && n.pruned.CompareAndSwap(last, now)
}

// errNotTheirs: a server speaks for somebody else's user.
var errNotTheirs = errors.New("the user is not one of the server that speaks")

// take takes one in. An error means that it was ignored.
func (n *edus) take(ctx context.Context, origin string, e edu) error {
	switch e.Type {
	case "m.typing":
		return n.typing(ctx, origin, e.Content)
	case "m.receipt":
		return n.receipts(ctx, origin, e.Content)
	case "m.presence":
		return n.presence(ctx, origin, e.Content)
	case "m.device_list_update":
		return n.deviceList(ctx, origin, e.Content)
	case "m.signing_key_update", "org.matrix.signing_key_update":
		return n.signingKey(ctx, origin, e.Content)
	case "m.direct_to_device":
		return n.toDevice(ctx, origin, e.Content)
	}
	return nil // "unknown EDU types are ignored"
}

// decode reads a content. Members that repeat and text that is not UTF-8 are refused.
func decode(raw jsontext.Value, out any) error {
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("reading an EDU: %w", short(err))
	}
	return nil
}

// member finds a user of the origin who is in a room that the origin may speak in.
func (n *edus) member(ctx context.Context, origin, roomID, user string) (room, nid int64, err error) {
	if store.ServerOf(user) != origin {
		return 0, 0, errNotTheirs
	}
	r, err := n.gate.room(ctx, roomID, origin, true)
	if err != nil {
		return 0, 0, err
	}
	nid, err = n.o.Store.UserNID(ctx, user)
	var m store.Membership
	if err == nil {
		m, err = n.o.Store.Membership(ctx, r.NID, nid)
	}
	if errors.Is(err, store.ErrNotFound) && n.o.Store.Incomplete(r.NID) && len(user) <= idMax {
		// Whether the user is in the room isn't known yet; the server is, and answers for it.
		nid, err = n.o.Store.NameUser(ctx, user)
		return r.NID, nid, err
	}
	if err == nil && m.Membership != "join" {
		err = errors.New("the user is not in the room")
	}
	return r.NID, nid, err
}

func (n *edus) typing(ctx context.Context, origin string, raw jsontext.Value) error {
	var q struct {
		Room   string `json:"room_id"`
		User   string `json:"user_id"`
		Typing bool   `json:"typing"`
	}
	if err := decode(raw, &q); err != nil {
		return err
	}
	room, _, err := n.member(ctx, origin, q.Room, q.User)
	if err != nil {
		return err
	}
	d := time.Duration(0)
	if q.Typing {
		d = typingTime
	}
	n.o.Typing.Set(room, q.User, d)
	return nil
}

// receipts takes in: "Receipts previously received that do not appear in the EDU should not be removed
// or otherwise manipulated", and, of those in a room that the server is kept out of, none.
func (n *edus) receipts(ctx context.Context, origin string, raw jsontext.Value) error {
	var q map[string]map[string]jsontext.Value
	if err := decode(raw, &q); err != nil {
		return err
	}
	type place struct {
		store.Receipt
		pos int64
	}
	var list []place
	for roomID, kinds := range q {
		var users map[string]struct {
			IDs  []string `json:"event_ids"`
			Data struct {
				TS     int64  `json:"ts"`
				Thread string `json:"thread_id"`
			} `json:"data"`
		}
		if kinds["m.read"] == nil {
			continue
		}
		if err := decode(kinds["m.read"], &users); err != nil {
			return err
		}
		for user, r := range users {
			if len(list) == receiptsMax {
				break
			}
			if len(r.IDs) != 1 || len(r.IDs[0]) > event.MaxFieldSize || len(r.Data.Thread) > event.MaxFieldSize {
				continue
			}
			room, nid, err := n.member(ctx, origin, roomID, user)
			if err != nil {
				if ctx.Err() != nil {
					return err
				}
				continue
			}
			p := place{Receipt: store.Receipt{Room: room, User: nid, Kind: "m.read", Thread: r.Data.Thread, EventID: r.IDs[0], TS: r.Data.TS}}
			// The event may still be on its way; the receipt stands for it nevertheless.
			e, err := n.o.Store.EventByID(ctx, p.EventID)
			if err == nil && e.Room == room {
				p.Event, p.pos = e.NID, e.Pos
			} else if err == nil {
				continue
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return n.o.Store.Write(ctx, func(t *store.Tx) error {
		for _, p := range list {
			var err error
			if p.Event != 0 {
				err = t.MoveReceipt(p.Receipt, p.pos)
			} else {
				err = t.SetReceipt(p.Receipt)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (n *edus) presence(ctx context.Context, origin string, raw jsontext.Value) error {
	if n.o.Presence == nil {
		return nil
	}
	var q struct {
		Push []struct {
			User     string  `json:"user_id"`
			Presence string  `json:"presence"`
			Status   *string `json:"status_msg"`
			Ago      *int64  `json:"last_active_ago"`
			Active   bool    `json:"currently_active"`
		} `json:"push"`
	}
	if err := decode(raw, &q); err != nil {
		return err
	}
	for _, p := range q.Push[:min(len(q.Push), pushesMax)] {
		if store.ServerOf(p.User) != origin || !presence.Valid(p.Presence) || p.Status != nil && len(*p.Status) > presence.MaxStatus {
			continue
		}
		nid, err := n.o.Store.UserNID(ctx, p.User)
		if errors.Is(err, store.ErrNotFound) {
			continue // nobody here has met them
		} else if err != nil {
			return err
		}
		s := presence.State{User: nid, UserID: p.User, Presence: p.Presence, Status: p.Status, CurrentlyActive: p.Active}
		if p.Ago != nil && *p.Ago >= 0 && *p.Ago < maxInt/int64(time.Millisecond) {
			s.LastActive = n.o.Now().Add(-time.Duration(*p.Ago) * time.Millisecond)
		}
		n.o.Presence.Remote(ctx, s)
	}
	return nil
}

// deviceList takes in that a device changed.
func (n *edus) deviceList(ctx context.Context, origin string, raw jsontext.Value) error {
	var q keys.DeviceListUpdate
	if err := decode(raw, &q); err != nil {
		return err
	}
	switch {
	case store.ServerOf(q.User) != origin:
		return errNotTheirs
	case q.Device == "" || len(q.Device) > idMax || len(q.Name) > idMax || len(q.Keys) > event.MaxSize || len(q.Prev) > prevIDsMax:
		return errors.New("the update is too long, or has no device")
	}
	if err := n.pokeLater(ctx, origin, q.User); err != nil {
		return err
	}
	return n.o.Devices.TakeDeviceListUpdate(ctx, q)
}

func (n *edus) signingKey(ctx context.Context, origin string, raw jsontext.Value) error {
	var q struct {
		User   string         `json:"user_id"`
		Master jsontext.Value `json:"master_key"`
		Self   jsontext.Value `json:"self_signing_key"`
	}
	if err := decode(raw, &q); err != nil {
		return err
	}
	if store.ServerOf(q.User) != origin {
		return errNotTheirs
	}
	if err := n.pokeLater(ctx, origin, q.User); err != nil {
		return err
	}
	return n.o.Devices.TakeSigningKeys(ctx, q.User, q.Master, q.Self)
}

// pokeLater remembers that a user's keys changed for those in incomplete rooms of which it isn't known
// whether the user is in them.
func (n *edus) pokeLater(ctx context.Context, origin, user string) error {
	nid, err := n.o.Store.UserNID(ctx, user)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	unsure, wrong := n.unsure(ctx, origin, nid)
	if wrong != nil || len(unsure) == 0 {
		return wrong
	}
	if errors.Is(err, store.ErrNotFound) {
		if len(user) > idMax {
			return errNotTheirs
		}
		if nid, err = n.o.Store.NameUser(ctx, user); err != nil {
			return err
		}
	}
	return n.o.Store.Write(ctx, func(t *store.Tx) error {
		for _, room := range unsure {
			if err := t.PokeLater(room, nid); err != nil {
				return err
			}
		}
		return nil
	})
}

// unsure lists the incomplete rooms that a server is in and of which it isn't known whether a user of
// it is; 0 is a user of whom nothing is known.
func (n *edus) unsure(ctx context.Context, origin string, user int64) (rooms []int64, err error) {
	partial, err := n.o.Store.PartialRooms(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range partial {
		if !slices.Contains(p.Servers, origin) {
			continue
		}
		m, err := n.o.Store.Membership(ctx, p.Room, user)
		if errors.Is(err, store.ErrNotFound) || err == nil && m.Membership != "join" {
			rooms = append(rooms, p.Room)
		} else if err != nil {
			return nil, err
		}
	}
	return rooms, nil
}

// toDevice hands messages to devices: "message_id: Unique ID for the message, used for idempotence."
func (n *edus) toDevice(ctx context.Context, origin string, raw jsontext.Value) error {
	var q struct {
		Sender   string                               `json:"sender"`
		Type     string                               `json:"type"`
		ID       string                               `json:"message_id"`
		Messages map[string]map[string]jsontext.Value `json:"messages"`
	}
	if err := decode(raw, &q); err != nil {
		return err
	}
	switch {
	case store.ServerOf(q.Sender) != origin || len(q.Sender) > idMax:
		return errNotTheirs
	case q.Type == "" || len(q.Type) > idMax || q.ID == "" || len(q.ID) > idMax:
		return errors.New("the message's type or id is missing or too long")
	}
	type addressee struct {
		user int64
		by   map[string]jsontext.Value
	}
	var to []addressee
	count := 0
	for user, by := range q.Messages {
		if store.ServerOf(user) != n.o.Server {
			continue
		}
		for _, content := range by {
			if content.Kind() != '{' || len(content) > event.MaxSize {
				return errors.New("a message is not an object, or too large")
			}
			if count++; count > messagesMax {
				return errors.New("there are too many messages")
			}
		}
		nid, err := n.o.Store.UserNID(ctx, user)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		to = append(to, addressee{nid, by})
	}
	if len(to) == 0 {
		return nil
	}
	server, err := n.o.Store.NameServer(ctx, origin)
	if err != nil {
		return err
	}
	now := n.o.Now().UnixMilli()
	return n.o.Store.Write(ctx, func(t *store.Tx) error {
		// No device has a negative number.
		fresh, err := t.RememberRequest(-server, event.TxnKey("m.direct_to_device", q.ID), now)
		if err != nil || !fresh {
			return err
		}
		for _, a := range to {
			devices, err := t.DevicesOf(a.user)
			if err != nil {
				return err
			}
			all, toAll := a.by["*"]
			for _, d := range devices {
				content, ok := a.by[d.ID]
				if !ok {
					content, ok = all, toAll
				}
				if !ok {
					continue
				}
				m := store.ToDevice{Sender: q.Sender, Type: q.Type, Content: string(content)}
				if err := t.AddToDevice(store.DeviceName{User: a.user, ID: d.ID}, d.NID, m); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
