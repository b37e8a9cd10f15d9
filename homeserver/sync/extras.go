package sync

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// summary writes what clients name a nameless room by: specification, "RoomSummary": m.heroes
// are "the users which can be used to generate a room name if the room does not have one".
func (b *builder) summary(ctx context.Context, st Standing) error {
	s, o := b.s.o.Store, b.out
	joined, invited, err := b.s.Members(ctx, st)
	if err != nil {
		return err
	}
	o.str(`,"summary":{"m.joined_member_count":`)
	o.number(joined)
	o.str(`,"m.invited_member_count":`)
	o.number(invited)
	if named, err := b.named(ctx, st); err != nil {
		return err
	} else if !named {
		heroes, err := b.s.Heroes(ctx, st, b.q.User)
		if err != nil {
			return err
		}
		ids := make([]string, len(heroes))
		for i, h := range heroes {
			if ids[i], err = s.UserID(ctx, h); err != nil {
				return err
			}
		}
		o.str(`,"m.heroes":`)
		if err := o.json(ids); err != nil {
			return err
		}
	}
	o.str("}")
	return nil
}

// named tells whether a room has a name or an alias to be called by, and so needs no heroes.
func (b *builder) named(ctx context.Context, st Standing) (bool, error) {
	root, err := st.RootAt(ctx, b.s.o.Store, b.upto.Log)
	if err != nil {
		return false, err
	}
	name, err := stateString(ctx, b.s.o.Store, root, "m.room.name", "", "name")
	if err != nil || name != "" {
		return true, err
	}
	alias, err := stateString(ctx, b.s.o.Store, root, "m.room.canonical_alias", "", "alias")
	return alias != "", err
}

// receipts reads the receipts that are new to this client, as the user may see them; moved tells
// whether the user's own are among them.
func (b *builder) receipts(ctx context.Context, st Standing, from int64) (seen []store.Receipt, moved bool, err error) {
	if b.q.FullState {
		from = b.since()
	}
	if st.Receipts <= from {
		return nil, false, nil
	}
	all, err := b.s.o.Store.ReceiptsAfter(ctx, st.Room, from, b.upto.Log)
	if err != nil {
		return nil, false, err
	}
	for _, c := range all {
		moved = moved || c.User == b.q.User
	}
	return all, moved, nil
}

// ephemeral writes typing and receipts.
func (b *builder) ephemeral(ctx context.Context, name store.RoomName, typing []string, typed bool, receipts []store.Receipt, comma func()) error {
	o, f := b.out, b.q.Filter.Room.Ephemeral
	if !f.AllowsRoom(name.ID) {
		return nil
	}
	mark := o.mark()
	comma()
	o.str(`"ephemeral":{"events":[`)
	empty := o.mark()
	if typed && f.AllowsType("m.typing") {
		typing = slices.DeleteFunc(typing, func(u string) bool { return b.ignored[u] || !allow(f.Senders, f.NotSenders, u, false) })
		o.str(`{"type":"m.typing","content":{"user_ids":`)
		if err := o.json(typing); err != nil {
			return err
		}
		o.str(`}}`)
	}
	if f.AllowsType("m.receipt") {
		contents, err := b.receiptEvents(ctx, receipts, f)
		if err != nil {
			return err
		}
		for _, content := range contents {
			if o.mark() > empty {
				o.str(",")
			}
			o.str(`{"type":"m.receipt","content":`)
			if err := o.json(content); err != nil {
				return err
			}
			o.str("}")
		}
	}
	if o.mark() == empty {
		o.cut(mark)
		return nil
	}
	o.str("]}")
	return nil
}

// receiptEvents makes m.receipt events: "receipts SHOULD be batched into one event per room and
// thread". One for each thread also keeps apart what one user has read of several of them, for
// which one event has no place.
func (b *builder) receiptEvents(ctx context.Context, receipts []store.Receipt, f EventFilter) (out []ReceiptContent, err error) {
	shown := make([]store.Receipt, 0, len(receipts))
	for _, c := range receipts {
		id, err := b.s.o.Store.UserID(ctx, c.User)
		if err != nil {
			return nil, err
		}
		if (c.User == b.q.User || !b.ignored[id]) && allow(f.Senders, f.NotSenders, id, false) {
			shown = append(shown, c)
		}
	}
	return ReceiptsByThread(ctx, b.s.o.Store, shown, b.q.User)
}

// ReceiptsByThread makes the contents of m.receipt events, one for each thread, as one user may
// see them.
func ReceiptsByThread(ctx context.Context, s *store.Store, receipts []store.Receipt, reader int64) (out []ReceiptContent, err error) {
	threads := map[string][]store.Receipt{}
	for _, c := range receipts {
		threads[c.Thread] = append(threads[c.Thread], c)
	}
	for _, thread := range slices.Sorted(maps.Keys(threads)) {
		content, err := Receipts(ctx, s, threads[thread], reader)
		if err != nil {
			return nil, err
		}
		if len(content) > 0 {
			out = append(out, content)
		}
	}
	return out, nil
}

// ReceiptContent is the content of an m.receipt event: by event, kind and user.
type ReceiptContent map[string]map[string]map[string]ReceiptInfo

// ReceiptInfo tells when, and for which thread.
type ReceiptInfo struct {
	TS       int64  `json:"ts"`
	ThreadID string `json:"thread_id,omitempty"`
}

// Receipts puts receipts into the form of an m.receipt event as one user may see it: private
// ones are the user's own only.
func Receipts(ctx context.Context, s *store.Store, receipts []store.Receipt, reader int64) (ReceiptContent, error) {
	content := ReceiptContent{}
	for _, c := range receipts {
		if c.Kind == "m.read.private" && c.User != reader {
			continue
		}
		user, err := s.UserID(ctx, c.User)
		if err != nil {
			return nil, err
		}
		kinds := content[c.EventID]
		if kinds == nil {
			kinds = map[string]map[string]ReceiptInfo{}
			content[c.EventID] = kinds
		}
		if kinds[c.Kind] == nil {
			kinds[c.Kind] = map[string]ReceiptInfo{}
		}
		// One user may have several receipts on an event, of different threads; the form has
		// room for one, and the unthreaded one says most.
		if have, ok := kinds[c.Kind][user]; !ok || have.ThreadID != "" {
			kinds[c.Kind][user] = ReceiptInfo{TS: c.TS, ThreadID: c.Thread}
		}
	}
	return content, nil
}

// deviceLists writes whose device lists have changed, and with whom the user shares no room any
// more.
func (b *builder) deviceLists(ctx context.Context) error {
	if b.q.Initial || b.view.DeviceLists <= b.since() && !b.moves() {
		return nil
	}
	d, err := b.changedDevices(ctx)
	if err != nil || len(d.Changed)+len(d.Left) == 0 {
		return err
	}
	b.some = true
	b.out.str(`,"device_lists":`)
	return b.out.json(d)
}

// moves tells whether anybody may have come into or gone from a room.
func (b *builder) moves() bool {
	return slices.ContainsFunc(b.view.Rooms, func(st Standing) bool { return st.members > b.since() && st.Last > b.since() || st.Pos > b.since() })
}

// DeviceLists tells whose devices' keys a client must ask for anew, and whose it need not follow
// any more.
type DeviceLists struct {
	Changed []string `json:"changed"`
	Left    []string `json:"left"`
}

// DeviceLists compares two positions of a user: GET /keys/changes.
func (s *Syncer) DeviceLists(ctx context.Context, userID string, user int64, from, to Token) (DeviceLists, error) {
	u, err := s.o.Notifier.Activate(ctx, user)
	if err != nil {
		return DeviceLists{}, err
	}
	b := &builder{s: s, q: Request{UserID: userID, User: user, Since: from}, upto: to, view: u.View()}
	return b.changedDevices(ctx)
}

// changedDevices finds it out. Specification, "Tracking the device list for a user": changed has
// users "who now share an encrypted room with the client since the previous sync response", too.
func (b *builder) changedDevices(ctx context.Context) (out DeviceLists, err error) {
	updated, err := b.s.o.Devices.ChangedLists(ctx, b.q.User, b.since(), b.upto.Log)
	if err != nil {
		return out, err
	}
	changed, left, asked := map[int64]bool{}, map[int64]bool{}, map[int64]bool{}
	for _, u := range updated {
		changed[u] = true
	}
	for _, st := range b.view.Rooms {
		if (st.Last <= b.since() || st.members <= b.since()) && st.Pos <= b.since() {
			continue
		}
		if err := b.memberChanges(ctx, st, changed, left, asked); err != nil {
			return out, err
		}
	}
	for u := range changed {
		ok, err := b.shares(ctx, u)
		if err != nil {
			return out, err
		}
		if !ok {
			delete(changed, u)
		}
	}
	for u := range left {
		ok, err := b.shares(ctx, u)
		if err != nil {
			return out, err
		}
		if ok {
			delete(left, u)
		}
	}
	maps.Copy(changed, asked)
	if out.Changed, err = b.userList(ctx, changed); err != nil {
		return out, err
	}
	out.Left, err = b.userList(ctx, left)
	return out, err
}

func (b *builder) userList(ctx context.Context, users map[int64]bool) ([]string, error) {
	ids := []string{}
	for u := range users {
		id, err := b.s.o.Store.UserID(ctx, u)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// memberChanges finds who has come into or gone from a room, seen from this user: when the user
// came or went, that is everybody in it. Who was invited, or knocked, will be sent keys as well, if the
// room's history is open to them: asked.
func (b *builder) memberChanges(ctx context.Context, st Standing, came, went, asked map[int64]bool) error {
	s := b.s.o.Store
	was, err := b.membershipAt(ctx, st, b.since())
	if err != nil {
		return err
	}
	now := st.Membership.Membership
	if was != "join" && now != "join" {
		return nil
	}
	if was == "join" && now == "join" {
		// What changed while the user was away was not told.
		if away, err := b.wasAway(ctx, st); err != nil {
			return err
		} else if away {
			was = "leave"
		}
	}
	if was == "join" && now != "join" {
		return b.everybody(ctx, st.Room, went)
	}
	before, err := s.RootAt(ctx, st.Room, b.since())
	if err != nil {
		return err
	}
	after, err := s.RootAt(ctx, st.Room, b.upto.Log)
	if err != nil {
		return err
	}
	// "users ... who now share an encrypted room with the client since the previous sync response".
	_, err = s.StateEvent(ctx, after, "m.room.encryption", "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	encrypted := err == nil
	if was != "join" {
		// That is the user too, whose other devices the others send keys to from now on, and of whose devices
		// other servers are told.
		own := came[b.q.User]
		servers, err := s.JoinedServers(ctx, st.Room)
		if err != nil {
			return err
		}
		err = b.everybody(ctx, st.Room, came)
		if !encrypted && !own && len(servers) < 2 {
			delete(came, b.q.User)
		}
		return err
	}
	if span := s.Span(st.Room); encrypted && span.Ends(b.since(), b.upto.Log) {
		if err := b.discovered(ctx, st.Room, span.Was, after, came); err != nil {
			return err
		}
	}
	var changes []statetree.Change
	if err := s.State().Diff(ctx, before, after, func(c statetree.Change) { changes = append(changes, c) }); err != nil {
		return err
	}
	for _, c := range changes {
		k, err := s.StateKey(ctx, c.Key)
		if err != nil {
			return err
		}
		if k.Type != "m.room.member" || k.Key == b.q.UserID {
			continue
		}
		old, now := "", ""
		if c.InNew {
			e, err := s.Event(ctx, c.New)
			if err != nil {
				return err
			}
			now = e.Membership()
		}
		if c.InOld {
			o, err := s.Event(ctx, c.Old)
			if err != nil {
				return err
			}
			old = o.Membership()
		}
		u, err := s.UserNID(ctx, k.Key)
		if err != nil {
			return err
		}
		if now == "join" && old != "join" {
			came[u] = true
		} else if old != "join" && now != old && (now == "invite" || now == "knock") {
			asked[u] = true
		} else if now != "join" && old == "join" {
			went[u] = true
		}
	}
	return nil
}

// wasAway tells whether a user who is in a room left it and came back since the last answer.
func (b *builder) wasAway(ctx context.Context, st Standing) (bool, error) {
	for nid := st.Event; nid != 0; {
		e, err := b.s.o.Store.Event(ctx, nid)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		} else if err != nil || e.Membership() != "join" {
			return err == nil, err
		}
		if e.Pos <= b.since() {
			return false, nil
		}
		nid = e.Replaces
	}
	return true, nil
}

// everybody adds those who are in a room.
func (b *builder) everybody(ctx context.Context, room int64, users map[int64]bool) error {
	members, err := b.s.o.Store.MembersOf(ctx, room)
	for _, m := range members {
		if m.Membership == "join" {
			users[m.User] = true
		}
	}
	return err
}

// shares tells whether a user is this one or is in a room with this one.
func (b *builder) shares(ctx context.Context, user int64) (bool, error) {
	if user == b.q.User {
		return true, nil
	}
	mine := map[int64]bool{}
	for _, st := range b.view.Rooms {
		if st.Membership.Membership == "join" {
			mine[st.Room] = true
		}
	}
	theirs, err := b.s.o.Store.RoomsOf(ctx, user)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	for _, m := range theirs {
		if m.Membership == "join" && mine[m.Room] {
			return true, nil
		}
	}
	return false, nil
}
