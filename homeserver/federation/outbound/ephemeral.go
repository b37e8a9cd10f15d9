package outbound

import (
	"context"
	"encoding/json/jsontext"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// typingAgain is after which time it is said again that somebody types: other servers forget it.
const typingAgain = 20 * time.Second

// handOutTyping tells of users of this server who began or ceased to type in a room: m.typing.
func (s *Senders) handOutTyping(ctx context.Context, room int64) error {
	now := s.o.Now()
	was := s.typed[room]
	is := map[string]time.Time{}
	var changed []string
	for _, user := range s.o.Typing(room) {
		if store.ServerOf(user) != s.o.Server {
			continue
		}
		told, ok := was[user]
		if !ok || now.Sub(told) >= typingAgain {
			changed, told = append(changed, user), now
		}
		is[user] = told
	}
	for user := range was {
		if _, ok := is[user]; !ok {
			changed = append(changed, user)
		}
	}
	if len(is) == 0 {
		delete(s.typed, room)
	} else {
		s.typed[room] = is
	}
	if len(changed) == 0 {
		return nil
	}
	name, err := s.o.Source.RoomByNID(ctx, room)
	if err != nil {
		return err
	}
	servers, err := s.o.Source.JoinedServers(ctx, room)
	if err != nil {
		return err
	}
	for _, user := range changed {
		_, types := is[user]
		edu := encode("m.typing", map[string]any{"room_id": name.ID, "user_id": user, "typing": types})
		s.pass(servers, "t"+name.ID+user, edu)
	}
	return nil
}

// handOutReceipt tells how far a user of this server has read: m.receipt.
func (s *Senders) handOutReceipt(ctx context.Context, e store.Entry) error {
	user, err := s.o.Source.UserID(ctx, e.User)
	if err != nil || store.ServerOf(user) != s.o.Server {
		return err
	}
	servers, err := s.o.Source.JoinedServers(ctx, e.Room)
	if err != nil || !slices.ContainsFunc(servers, func(x string) bool { return x != s.o.Server }) {
		return err
	}
	name, err := s.o.Source.RoomByNID(ctx, e.Room)
	if err != nil {
		return err
	}
	receipts, err := s.o.Source.ReceiptsAfter(ctx, e.Room, e.Pos-1, e.Pos)
	if err != nil {
		return err
	}
	for _, r := range receipts {
		if r.Kind != "m.read" || r.User != e.User {
			continue
		}
		edu, err := s.receiptEDU(ctx, r)
		if err != nil {
			return err
		}
		s.pass(servers, "r"+name.ID+user+" "+r.Thread, edu)
	}
	return nil
}

func (s *Senders) receiptEDU(ctx context.Context, r store.Receipt) (jsontext.Value, error) {
	name, err := s.o.Source.RoomByNID(ctx, r.Room)
	if err != nil {
		return nil, err
	}
	user, err := s.o.Source.UserID(ctx, r.User)
	if err != nil {
		return nil, err
	}
	data := map[string]any{"ts": r.TS}
	if r.Thread != "" {
		data["thread_id"] = r.Thread
	}
	return encode("m.receipt", map[string]any{name.ID: map[string]any{"m.read": map[string]any{user: map[string]any{"data": data, "event_ids": []string{r.EventID}}}}}), nil
}

// handOutPresence tells how a user of this server is there: m.presence.
func (s *Senders) handOutPresence(ctx context.Context, user int64, p Presence) error {
	servers, err := s.o.Source.ServersSharing(ctx, user)
	if err != nil {
		return err
	}
	s.pass(servers, "p"+strconv.FormatInt(user, 10), s.presenceEDU(p))
	return nil
}

func (s *Senders) presenceEDU(p Presence) jsontext.Value {
	push := map[string]any{"user_id": p.UserID, "presence": p.Presence, "currently_active": p.CurrentlyActive, "last_active_ago": int64(0)}
	if !p.LastActive.IsZero() {
		push["last_active_ago"] = max(s.o.Now().Sub(p.LastActive).Milliseconds(), 0)
	}
	if p.Status != nil {
		push["status_msg"] = *p.Status
	}
	return encode("m.presence", map[string]any{"push": []any{push}})
}

// greetMax is of how many users a newcomer's server is told how they are there.
const greetMax = 100

// greet tells a room that somebody comes into how they are there, and their server how the others are:
// what changed before they shared a room it hasn't heard.
func (s *Senders) greet(ctx context.Context, e store.Entry) error {
	if s.o.Present == nil || !s.comes(e) {
		return nil
	}
	if e.Event.Replaces != 0 {
		if was, err := s.o.Source.Event(ctx, e.Event.Replaces); err == nil && was.Membership() == "join" {
			return nil // another name or picture
		}
	}
	server := store.ServerOf(*e.Event.StateKey)
	if server == s.o.Server {
		if p, ok := s.o.Present(e.Member.User); ok {
			return s.handOutPresence(ctx, e.Member.User, p)
		}
		return nil
	}
	// A server that had users in the room before was told all the time.
	if n, err := s.o.Source.JoinedFrom(ctx, e.Room, server); err != nil || n > 1 {
		return err
	}
	members, err := s.o.Source.MembersFrom(ctx, e.Room, s.o.Server)
	if err != nil {
		return err
	}
	for _, id := range members[:min(len(members), greetMax)] {
		user, err := s.o.Source.UserNID(ctx, id)
		if err != nil {
			return err
		}
		if p, ok := s.o.Present(user); ok {
			s.pass([]string{server}, "p"+strconv.FormatInt(user, 10), s.presenceEDU(p))
		}
	}
	return nil
}

// lasting tells whether a message by its key is still of interest after a while: receipts are.
func lasting(key string) bool { return key[0] == 'r' }

// pass gives a message that may get lost to servers. Those that don't answer get what is still of
// interest when they do.
func (s *Senders) pass(servers []string, key string, edu []byte) {
	key = strings.Clone(key)
	for _, server := range servers {
		if server != s.o.Server {
			s.to(server, func(d *destination) {
				if !d.asleep || lasting(key) {
					d.pass(key, edu)
				}
			})
		}
	}
}
