package store

import (
	"context"
	"encoding/json/v2"
	"errors"
	"slices"
	"sync"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// RoomPartial tells that not all of a room's state is here: MSC3706. Join is the event by which the
// room was joined last, Via the server that is asked, Servers are those that were in the room.
type RoomPartial struct {
	Room, Join int64
	Via        string
	Servers    []string
	Since      int64
}

func scanPartial(r scanner) (p RoomPartial, err error) {
	var servers []byte
	if err = r.Scan(&p.Room, &p.Join, &p.Via, &servers, &p.Since); err == nil {
		err = json.Unmarshal(servers, &p.Servers)
	}
	return p, err
}

// Span is when a room was incomplete: from the position Since, until Done, which is 0 while it is. Was
// is what was known of the current state just before Done.
type Span struct {
	Since, Done int64
	Was         statetree.Ref
}

// Ends tells whether a room became complete in (after, upto].
func (s Span) Ends(after, upto int64) bool { return s.Done > after && s.Done <= upto }

// At tells whether the room was incomplete at a position.
func (s Span) At(pos int64) bool {
	return s.Since != 0 && pos >= s.Since && (s.Done == 0 || pos < s.Done)
}

// open tells whether the room is incomplete still.
func (s Span) open() bool { return s.Since != 0 && s.Done == 0 }

// spans are those of all rooms that are or were incomplete; they are few, and asked for often.
type spans struct {
	mu sync.Mutex
	of map[int64]Span
	// wait has what is closed when it has been published that a room is complete: for a moment longer
	// than its span is open.
	wait map[int64]chan struct{}
}

// set changes a room's span. settle has to follow.
func (x *spans) set(room int64, s Span) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s == (Span{}) {
		delete(x.of, room)
	} else {
		x.of[room] = s
	}
	if s.open() && x.wait[room] == nil {
		x.wait[room] = make(chan struct{})
	}
}

// settle lets go who waits for a room that isn't incomplete any more.
func (x *spans) settle(room int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if ch := x.wait[room]; ch != nil && !x.of[room].open() {
		close(ch)
		delete(x.wait, room)
	}
}

// setSpan changes a room's span when the transaction is durable. Who waits for the room is let go when that
// is published: their next /sync must tell what they have seen.
func (t *Tx) setSpan(room int64, s Span) {
	x := &t.w.s.spans
	t.after = append(t.after, func() { x.set(room, s) })
	t.told = append(t.told, func() { x.settle(room) })
}

func (s *Store) loadSpans(ctx context.Context) error {
	s.spans.of, s.spans.wait = map[int64]Span{}, map[int64]chan struct{}{}
	return s.each(ctx, "room_partial_spans", func(r scanner) error {
		var room int64
		var x Span
		if err := r.Scan(&room, &x.Since, &x.Done, &x.Was); err != nil {
			return err
		}
		s.spans.set(room, x)
		return nil
	})
}

// Span tells when a room was incomplete last; the zero Span if it never was.
func (s *Store) Span(room int64) Span {
	s.spans.mu.Lock()
	defer s.spans.mu.Unlock()
	return s.spans.of[room]
}

// Incomplete tells whether not all of a room's state is here.
func (s *Store) Incomplete(room int64) bool {
	return s.Span(room).open()
}

// WaitComplete waits until all of a room's state is here, or there is no more hope of it, and that is
// published.
func (s *Store) WaitComplete(ctx context.Context, room int64) error {
	for {
		s.spans.mu.Lock()
		ch := s.spans.wait[room]
		s.spans.mu.Unlock()
		if ch == nil {
			return nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// RoomPartial reads what a room lacks; ErrNotFound if nothing.
func (s *Store) RoomPartial(ctx context.Context, room int64) (RoomPartial, error) {
	return scanPartial(s.row(ctx, "room_partial_get", room))
}

// PartialRooms lists the rooms that aren't complete, the oldest first.
func (s *Store) PartialRooms(ctx context.Context) ([]RoomPartial, error) {
	return collect(ctx, s, "room_partial_list", scanPartial)
}

// SetRoomPartial records that a room isn't complete. Until it is, each of Servers counts as one member
// more: it isn't known whether those of its members who are known are all.
func (t *Tx) SetRoomPartial(p RoomPartial) error {
	servers, err := json.Marshal(p.Servers)
	if err != nil {
		return err
	}
	was, err := scanPartial(t.row("room_partial_get", p.Room))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	for _, server := range was.Servers {
		if !slices.Contains(p.Servers, server) {
			if err := t.MoveMembers(p.Room, server, -1, p.Since); err != nil {
				return err
			}
		}
	}
	for _, server := range p.Servers {
		if !slices.Contains(was.Servers, server) {
			if err := t.MoveMembers(p.Room, server, 1, p.Since); err != nil {
				return err
			}
		}
	}
	if err := t.exec("room_partial_put", p.Room, p.Join, p.Via, servers, p.Since); err != nil {
		return err
	}
	since := p.Since
	if was.Since != 0 {
		since = was.Since
	}
	t.setSpan(p.Room, Span{Since: since})
	return nil
}

// CompleteRoom records that all of a room's state is here, or that it can't be had, from a position
// on; known is what was known of it so far. The servers count as they have members from now on.
func (t *Tx) CompleteRoom(room, pos int64, known statetree.Ref) error {
	was, err := scanPartial(t.row("room_partial_get", room))
	if errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	for _, server := range was.Servers {
		if err := t.MoveMembers(room, server, -1, pos); err != nil {
			return err
		}
	}
	if err := t.exec("room_partial_done", room, pos, int64(known), []byte("[]")); err != nil {
		return err
	}
	for _, query := range [...]string{"told_state_clear", "partial_poke_clear", "unpruned_event_clear"} {
		if err := t.exec(query, room); err != nil {
			return err
		}
	}
	t.setSpan(room, Span{was.Since, pos, known})
	return nil
}

// DeleteRoomPartial forgets that a room ever was incomplete, e.g. since it was joined anew with all of
// its state.
func (t *Tx) DeleteRoomPartial(room int64) error {
	if err := t.Retract(room); err != nil {
		return err
	}
	if err := t.CompleteRoom(room, 1, 0); err != nil {
		return err
	}
	if err := t.exec("room_partial_delete", room); err != nil {
		return err
	}
	t.setSpan(room, Span{})
	return nil
}

// SetToldState keeps the state after an event that isn't here, as another server told it, until the
// room is complete.
func (t *Tx) SetToldState(room int64, id string, root statetree.Ref) error {
	return t.exec("told_state_put", room, id, int64(root))
}

// ToldStates are those of a room, by the event's id.
func (s *Store) ToldStates(ctx context.Context, room int64) (map[string]statetree.Ref, error) {
	out := map[string]statetree.Ref{}
	return out, s.each(ctx, "told_state_list", func(r scanner) error {
		var id string
		var root int64
		err := r.Scan(&id, &root)
		out[id] = statetree.Ref(root)
		return err
	}, room)
}

// pokesMax is how many users' changes of devices are remembered for an incomplete room.
const pokesMax = 10_000

// PokeLater remembers that the devices of a user have changed of whom it isn't known whether they are
// in an incomplete room.
func (t *Tx) PokeLater(room, user int64) error {
	var n int64
	if err := t.row("partial_poke_count", room).Scan(&n); err != nil || n >= pokesMax {
		return err
	}
	return t.exec("partial_poke_insert", room, user)
}

// Pokes lists the users of PokeLater.
func (t *Tx) Pokes(room int64) (users []int64, err error) {
	return users, t.each("partial_poke_list", func(r scanner) error {
		user, err := scanInt(r)
		users = append(users, user)
		return err
	}, room)
}

// PartialEvents lists the events of a room that were checked over a state that wasn't complete.
func (s *Store) PartialEvents(ctx context.Context, room int64) ([]int64, error) {
	return collect(ctx, s, "event_partials", scanInt, room)
}

// DevicesSince lists the devices, by user, that changed after a position of those users of this server
// who are in a room.
func (t *Tx) DevicesSince(room, after int64) (map[int64][]string, error) {
	out := map[int64][]string{}
	return out, t.each("device_update_since", func(r scanner) error {
		var user int64
		var device string
		err := r.Scan(&user, &device)
		out[user] = append(out[user], device)
		return err
	}, room, after)
}

// Mend gives a stored event another place and other states: Pos, Root, Current, Replaces and Flags of
// e. One that loses its position is gone from the timeline, and relates to nothing any more.
func (t *Tx) Mend(e *event.Event) error {
	var pos any
	if e.Pos != 0 {
		pos = e.Pos
	} else if err := t.dropRelation(e.NID); err != nil {
		return err
	}
	if err := t.exec("event_mend", e.NID, pos, int64(e.Root), int64(e.Current), e.Replaces, int64(e.Flags)); err != nil {
		return err
	}
	t.after = append(t.after, func() { t.w.s.events.prune(e, eventOverhead); t.w.s.links.Remove(e.NID) })
	return nil
}

// Foretold is a membership that became known before all of an incomplete room's state was.
type Foretold struct {
	User, Membership string
	Event            int64
}

// Foretell records memberships of an incomplete room, which is so since a position, of users of whom
// nothing is known yet. They are no news to anybody, and count as members only with MoveMembers. A room that is
// complete, or gone, is left as it is.
func (t *Tx) Foretell(room, since int64, list []Foretold) error {
	p, err := scanPartial(t.row("room_partial_get", room))
	if errors.Is(err, ErrNotFound) || err == nil && p.Since != since {
		return nil
	} else if err != nil {
		return err
	}
	for _, x := range list {
		user, err := t.NameUser(x.User)
		if err != nil {
			return err
		}
		if err := t.exec("membership_foretell", room, user, x.Membership, x.Event, -since); err != nil {
			return err
		}
	}
	return nil
}

// IsForetold tells whether a membership is as Foretell has put it: it is older than all that has a
// position in the log since the room is incomplete.
func IsForetold(m Membership, since int64) bool { return m.Pos == -since }

// Retract undoes Foretell, for a room that won't become complete.
func (t *Tx) Retract(room int64) error {
	p, err := scanPartial(t.row("room_partial_get", room))
	if errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return t.exec("membership_retract", room, -p.Since)
}
