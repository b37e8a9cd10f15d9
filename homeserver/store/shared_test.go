package store

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

func TestRoomServers(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		move := func(server string, by, pos int64) {
			f.write(func(tx *Tx) error { return tx.MoveMembers(3, server, by, pos) })
		}
		move("a", 1, 10)
		move("b:8448", 1, 11)
		move("b:8448", 1, 12)
		move("a", -1, 20)
		if got, err := f.JoinedServers(ctx, 3); err != nil || !slices.Equal(got, []string{"b:8448"}) {
			t.Errorf("joined: %v, %v", got, err)
		}
		a, err := f.ServerNID(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		want := RoomServer{Server: a, Room: 3, Since: 10, Until: 20}
		if got, err := f.RoomServers(ctx, 3); err != nil || len(got) != 2 || got[0] != want {
			t.Errorf("servers: %v, %v", got, err)
		}
		move("a", 1, 30)
		want = RoomServer{Server: a, Room: 3, Joined: 1, Since: 30}
		if got, err := f.RoomServers(ctx, 3); err != nil || len(got) != 2 || got[0] != want {
			t.Errorf("back again: %v, %v", got, err)
		}
		for server, want := range map[string]bool{"a": true, "b:8448": true, "8448": false} {
			if in, err := f.ServerInRoom(ctx, 3, server); err != nil || in != want {
				t.Errorf("%s: %v, %v", server, in, err)
			}
		}
		f.write(func(tx *Tx) error { return tx.AddRoom(Room{NID: 3, ID: "!r:a", Version: "11", LocalPos: 15}) })
		if got, err := f.RoomsFor(ctx, a, 14); err != nil || len(got) != 1 || got[0] != (RoomFor{3, 15, 30, 0}) {
			t.Errorf("rooms for a server: %v, %v", got, err)
		}
		if got, err := f.RoomsFor(ctx, a, 15); err != nil || len(got) != 0 {
			t.Errorf("rooms for a server that has all: %v, %v", got, err)
		}
		for _, u := range []string{"@x:b:8448", "@y:8448", "@z:a"} {
			nid, err := f.NameUser(ctx, u)
			if err != nil {
				t.Fatal(err)
			}
			f.write(func(tx *Tx) error {
				return tx.SetMembership(Membership{Room: 3, User: nid, Membership: "join", Event: nid, Pos: nid})
			})
		}
		if got, err := f.MembersFrom(ctx, 3, "8448"); err != nil || !slices.Equal(got, []string{"@y:8448"}) {
			t.Errorf("members from a server: %v, %v", got, err)
		}
	})
}

func TestSharedNouns(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		p := StagedPDU{RoomID: "!r:a", ID: "$1", Origin: "a", ReceivedTS: 5, JSON: []byte("{}")}
		f.write(func(tx *Tx) error { return errors.Join(tx.Stage(p), tx.Stage(p)) })
		p.Tries, p.ReceivedTS = 2, 99
		f.write(func(tx *Tx) error { return tx.Restage(p) })
		if got, err := f.Staged(ctx, "!r:a", 10); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], p) {
			t.Errorf("staged: %+v, %v", got, err)
		}
		// A server that came back has what it sent, or what is of its rooms, tried sooner; never later.
		for _, x := range []struct {
			server string
			ts     int64
			want   int64
		}{{"elsewhere", 50, 99}, {"a", 50, 50}, {"a", 70, 50}} {
			f.write(func(tx *Tx) error { return tx.HastenStaged(x.server, x.ts) })
			if got, err := f.Staged(ctx, "!r:a", 10); err != nil || len(got) != 1 || got[0].ReceivedTS != x.want || got[0].Tries != 2 {
				t.Errorf("after %s came back: %+v, %v", x.server, got, err)
			}
		}
		if room, origin, err := f.StagedCounts(ctx, "!r:a", "b"); err != nil || room != 1 || origin != 0 {
			t.Errorf("%d of the room, %d by the origin, %v", room, origin, err)
		}
		f.write(func(tx *Tx) error {
			return errors.Join(tx.Unstage("!r:a", "$1"), tx.SetReceivedTxn("a", "t", 7, []byte("x")), tx.AddMissingPrev(3, MissingPrev{"$9", 4}),
				tx.SetInviteState(3, 5, []byte("[]")), tx.SetDestination(Destination{2, 3, 4, 5}), tx.AddWaitingRedaction(3, "$r", 8),
				tx.SetRoomPartial(RoomPartial{Room: 3, Join: 4, Via: "a", Servers: []string{"a", "b"}, Since: 9}),
				tx.SetRemoteDevices(5, []RemoteDevice{{5, "D", 1, []byte("{}")}}), tx.SetRemoteDeviceList(RemoteDeviceList{5, true, 6}))
		})
		if rooms, err := f.StagedRooms(ctx); err != nil || len(rooms) != 0 {
			t.Errorf("still staged: %v, %v", rooms, err)
		}
		if raw, err := f.ReceivedTxn(ctx, "a", "t"); err != nil || string(raw) != "x" {
			t.Errorf("answered: %s, %v", raw, err)
		}
		if m, err := f.MissingPrevs(ctx, 3, 5); err != nil || len(m) != 1 || m[0] != (MissingPrev{"$9", 4}) {
			t.Errorf("missing: %v, %v", m, err)
		}
		if raw, err := f.InviteState(ctx, 3, 5); err != nil || string(raw) != "[]" {
			t.Errorf("invited: %s, %v", raw, err)
		}
		if d, err := f.Destination(ctx, 2); err != nil || d != (Destination{2, 3, 4, 5}) {
			t.Errorf("destination: %v, %v", d, err)
		}
		if by, err := f.WaitingRedactions(ctx, 3, "$r"); err != nil || !slices.Equal(by, []int64{8}) {
			t.Errorf("waiting: %v, %v", by, err)
		}
		if p, err := f.RoomPartial(ctx, 3); err != nil || p.Via != "a" || !slices.Equal(p.Servers, []string{"a", "b"}) {
			t.Errorf("partial: %+v, %v", p, err)
		}
		if d, err := f.RemoteDevices(ctx, 5); err != nil || len(d) != 1 || d[0].ID != "D" {
			t.Errorf("devices: %+v, %v", d, err)
		}
		if l, err := f.StaleDeviceLists(ctx, 0, 5); err != nil || len(l) != 1 || l[0] != (RemoteDeviceList{5, true, 6}) {
			t.Errorf("stale: %+v, %v", l, err)
		}
		var pos int64
		f.write(func(tx *Tx) (err error) { pos, err = tx.AddEDU(2, []byte("e")); return err })
		if got, err := f.EDUs(ctx, 2, 0, pos, 5); err != nil || len(got) != 1 || string(got[0].JSON) != "e" {
			t.Errorf("for a server: %v, %v", got, err)
		}
		f.write(func(tx *Tx) error { return errors.Join(tx.DeleteEDUs(2, pos), tx.ForgetReceivedTxns(8)) })
		if got, err := f.EDUs(ctx, 2, 0, pos, 5); err != nil || len(got) != 0 {
			t.Errorf("still there: %v, %v", got, err)
		}
	})
}

func TestPlaces(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r, ctx := newTestRoom(f, "!r:x"), t.Context()
		first := r.add("one", nil)
		out, raw, _ := r.make("outlier", nil)
		out.Flags, out.Prev, out.Auth = event.Outlier|event.FromFederation, []int64{}, []int64{}
		f.write(func(tx *Tx) error { return tx.AddOutlier(out, raw) })
		if _, err := f.ClientEvent(ctx, out.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("an outlier for a client: %v", err)
		}
		if l, err := f.Links(ctx, []int64{out.NID}); err != nil || l[0].Flags&event.Outlier == 0 {
			t.Errorf("links: %+v, %v", l, err)
		}
		placed := *out
		placed.Flags, placed.Prev, placed.Root = event.FromFederation, []int64{first.NID}, 77
		f.write(func(tx *Tx) error { return tx.PlaceEvent(&placed, raw, true) })
		if e, err := f.ClientEvent(ctx, out.ID); err != nil || e.Pos == 0 || e.Flags != event.FromFederation {
			t.Errorf("in its place: %+v, %v", e, err)
		}
		if l, err := f.Links(ctx, []int64{out.NID}); err != nil || !slices.Equal(l[0].Prev, []int64{first.NID}) {
			t.Errorf("links in its place: %+v, %v", l, err)
		}
		if got, err := f.LocalEvents(ctx, first.Room, 0, placed.Pos, 10); err != nil || len(got) != 1 || got[0].NID != first.NID {
			t.Errorf("local events: %v, %v", got, err)
		}
		turned := placed
		turned.Current = 99
		f.write(func(tx *Tx) error { return tx.Mend(&turned) })
		if root, err := f.RootAt(ctx, first.Room, placed.Pos); err != nil || root != 99 {
			t.Errorf("the current state is %d, %v", root, err)
		}
		if late, err := f.Disordered(ctx, first.Room, first.Pos, placed.Pos); err != nil || late != (placed.Depth < first.Depth) {
			t.Errorf("late: %v, %v", late, err)
		}
		old, raw, _ := r.make("past", nil)
		f.write(func(tx *Tx) error { return tx.AddOutlier(old, raw) })
		f.write(func(tx *Tx) error { return tx.PlacePastEvent(old, raw) })
		if old.Pos >= 0 {
			t.Errorf("history is at %d", old.Pos)
		}
	})
}
