package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// ServerNID finds another server's number; ErrNotFound if it was never heard of.
func (s *Store) ServerNID(ctx context.Context, name string) (int64, error) {
	if nid, ok := s.names.servers.Get(name); ok {
		return nid, nil
	}
	var nid int64
	if err := s.row(ctx, "server_name_by_id", name).Scan(&nid); err != nil {
		return 0, err
	}
	s.names.addServer(name, nid)
	return nid, nil
}

// ServerName is the server of a number.
func (s *Store) ServerName(ctx context.Context, nid int64) (string, error) {
	if name, ok := s.names.serverIDs.Get(nid); ok {
		return name, nil
	}
	var name string
	if err := s.row(ctx, "server_name_by_nid", nid).Scan(&name); err != nil {
		return "", fmt.Errorf("server %d: %w", nid, err)
	}
	s.names.addServer(name, nid)
	return name, nil
}

// NameServer finds or allots a server's number.
func (s *Store) NameServer(ctx context.Context, name string) (nid int64, err error) {
	if nid, err = s.ServerNID(ctx, name); !errors.Is(err, ErrNotFound) {
		return nid, err
	}
	err = s.Write(ctx, func(t *Tx) (err error) {
		nid, err = t.NameServer(name)
		return err
	})
	return nid, err
}

// NameServer is Store.NameServer within a transaction. Numbers are allotted by the one writer.
func (t *Tx) NameServer(name string) (nid int64, err error) {
	if nid, ok := t.w.s.names.servers.Get(name); ok {
		return nid, nil
	}
	if err := t.row("server_name_by_id", name).Scan(&nid); !errors.Is(err, ErrNotFound) {
		return nid, err
	}
	if err := t.row("server_name_max").Scan(&nid); err != nil {
		return 0, err
	}
	nid++
	return nid, t.exec("server_name_insert", nid, name)
}

// RoomServer tells of a server in a room: how many of its users are joined, since which position
// there have been some, and until which there were (0 while there are).
type RoomServer struct{ Server, Room, Joined, Since, Until int64 }

func scanRoomServer(r scanner) (x RoomServer, err error) {
	return x, r.Scan(&x.Server, &x.Room, &x.Joined, &x.Since, &x.Until)
}

// RoomServers lists the servers that have or had users in a room, this one among them.
func (s *Store) RoomServers(ctx context.Context, room int64) ([]RoomServer, error) {
	return collect(ctx, s, "room_server_of_room", scanRoomServer, room)
}

// JoinedServers lists the names of the servers that have users in a room, this one among them.
func (s *Store) JoinedServers(ctx context.Context, room int64) ([]string, error) {
	return collect(ctx, s, "room_server_joined", scanString, room)
}

func scanString(r scanner) (v string, err error) { return v, r.Scan(&v) }

// ServerInRoom tells whether a server has users in a room.
func (s *Store) ServerInRoom(ctx context.Context, room int64, server string) (bool, error) {
	nid, err := s.ServerNID(ctx, server)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	x, err := scanRoomServer(s.row(ctx, "room_server_get", nid, room))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return x.Joined > 0, err
}

// SharesRoom tells whether a server has users in any room that is known here.
func (s *Store) SharesRoom(ctx context.Context, server int64) (bool, error) {
	var n int64
	err := s.row(ctx, "room_server_shared", server).Scan(&n)
	return n > 0, err
}

// RoomFor is a room with something for a server: LocalPos is the position of the newest event made
// here. The server may have what is in (Since, Until]; Until 0 means no end.
type RoomFor struct{ Room, LocalPos, Since, Until int64 }

// RoomsFor lists the rooms that a server is or was in with events made here after a position, those
// with the newest first.
func (s *Store) RoomsFor(ctx context.Context, server, after int64) ([]RoomFor, error) {
	all, err := collect(ctx, s, "room_server_rooms", func(r scanner) (x RoomFor, err error) {
		var joined int64
		return x, r.Scan(&x.Room, &x.LocalPos, &joined, &x.Since, &x.Until)
	}, server, after)
	var out []RoomFor
	for _, x := range all {
		if x.Until == 0 || x.Until > after {
			out = append(out, x)
		}
	}
	return out, err
}

// LocalEvents reads the events of a room that were made here, in (after, upto], oldest first.
func (s *Store) LocalEvents(ctx context.Context, room, after, upto int64, limit int) ([]*event.Event, error) {
	return s.timeline(ctx, "event_local", room, after, upto, int64(event.FromFederation), limit)
}

// MissingPrev is a previous event that isn't here, and an event that follows it.
type MissingPrev struct {
	ID    string
	After int64
}

// MissingPrevs lists where a room's graph ends that is here, the newest first.
func (s *Store) MissingPrevs(ctx context.Context, room int64, limit int) ([]MissingPrev, error) {
	return collect(ctx, s, "missing_prev_list", func(r scanner) (x MissingPrev, err error) { return x, r.Scan(&x.ID, &x.After) }, room, limit)
}

// AddMissingPrev records one.
func (t *Tx) AddMissingPrev(room int64, m MissingPrev) error {
	return t.exec("missing_prev_insert", room, m.ID, m.After)
}

// DeleteMissingPrev tells that an event has come, or that nobody has it.
func (t *Tx) DeleteMissingPrev(room int64, id string) error {
	return t.exec("missing_prev_delete", room, id)
}

// StagedPDU is an event of another server that is yet to be checked, as it came.
type StagedPDU struct {
	RoomID, ID, Origin string
	ReceivedTS, Tries  int64
	JSON               []byte
}

func scanStaged(r scanner) (p StagedPDU, err error) {
	return p, r.Scan(&p.RoomID, &p.ID, &p.Origin, &p.ReceivedTS, &p.Tries, &p.JSON)
}

// Stage keeps one. One that is there already stays as it is.
func (t *Tx) Stage(p StagedPDU) error {
	return t.exec("staged_pdu_insert", p.RoomID, p.ID, p.Origin, p.ReceivedTS, p.JSON)
}

// Restage records how often one was tried and (in ReceivedTS) from when it is to be tried again.
func (t *Tx) Restage(p StagedPDU) error {
	return t.exec("staged_pdu_tried", p.RoomID, p.ID, p.Tries, p.ReceivedTS)
}

// HastenStaged has the events that were put off tried at a time in milliseconds, if that is sooner, which a server
// has sent or may know more about: those of the rooms that it is in.
func (t *Tx) HastenStaged(server string, ts int64) error {
	return t.exec("staged_pdu_hasten", server, ts)
}

// Unstage removes one.
func (t *Tx) Unstage(roomID, id string) error { return t.exec("staged_pdu_delete", roomID, id) }

// Staged lists those of a room by the time they came.
func (s *Store) Staged(ctx context.Context, roomID string, limit int) ([]StagedPDU, error) {
	return collect(ctx, s, "staged_pdu_list", scanStaged, roomID, limit)
}

// StagedPDU reads one; ErrNotFound if it isn't there.
func (s *Store) StagedPDU(ctx context.Context, roomID, id string) (StagedPDU, error) {
	return scanStaged(s.row(ctx, "staged_pdu_get", roomID, id))
}

// StagedRooms counts what is staged by room.
func (s *Store) StagedRooms(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	return out, s.each(ctx, "staged_pdu_rooms", func(r scanner) error {
		var id string
		var n int64
		err := r.Scan(&id, &n)
		out[id] = n
		return err
	})
}

// StagedCounts tells how many are staged of a room, and how many by a server.
func (s *Store) StagedCounts(ctx context.Context, roomID, origin string) (ofRoom, byOrigin int64, err error) {
	if err = s.row(ctx, "staged_pdu_count_room", roomID).Scan(&ofRoom); err == nil {
		err = s.row(ctx, "staged_pdu_count_origin", origin).Scan(&byOrigin)
	}
	return ofRoom, byOrigin, err
}

// SetReceivedTxn remembers what a transaction was answered with.
func (t *Tx) SetReceivedTxn(origin, txn string, ts int64, answer []byte) error {
	return t.exec("received_txn_put", origin, txn, ts, answer)
}

// ReceivedTxn is what a transaction was answered with; ErrNotFound if it is new.
func (s *Store) ReceivedTxn(ctx context.Context, origin, txn string) (answer []byte, err error) {
	return answer, s.row(ctx, "received_txn_get", origin, txn).Scan(&answer)
}

// ForgetReceivedTxns forgets the transactions from before a time in milliseconds.
func (t *Tx) ForgetReceivedTxns(before int64) error { return t.exec("received_txn_old", before) }

// SetInviteState keeps what another server told of a room with an invitation or a knock: a JSON array of
// stripped events. Nil removes it.
func (t *Tx) SetInviteState(room, user int64, raw []byte) error {
	if raw == nil {
		return t.exec("invite_state_delete", room, user)
	}
	return t.exec("invite_state_put", room, user, raw)
}

// InviteState is what was told; ErrNotFound if nothing.
func (s *Store) InviteState(ctx context.Context, room, user int64) (raw []byte, err error) {
	return raw, s.row(ctx, "invite_state_get", room, user).Scan(&raw)
}

// ServerOf is the server that a user, room or alias id names: what stands behind the first colon.
func ServerOf(id string) string {
	_, server, _ := strings.Cut(id, ":")
	return server
}

// MoveMembers counts users of a server who joined a room (by is positive) or left it at a position.
func (t *Tx) MoveMembers(room int64, server string, by, pos int64) error {
	nid, err := t.NameServer(server)
	if err != nil {
		return err
	}
	return t.exec("room_server_move", nid, room, by, pos)
}

// JoinedOf is how many users of a server are in a room.
func (t *Tx) JoinedOf(room int64, server string) (n int64, err error) {
	nid, err := t.NameServer(server)
	if err != nil {
		return 0, err
	}
	if err = t.row("room_server_count", nid, room).Scan(&n); errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return n, err
}

// AddWaitingRedaction records that an event that isn't here is to be redacted by another one.
func (t *Tx) AddWaitingRedaction(room int64, id string, by int64) error {
	return t.exec("waiting_redaction_insert", room, id, by)
}

// DeleteWaitingRedactions tells that an event has come.
func (t *Tx) DeleteWaitingRedactions(room int64, id string) error {
	return t.exec("waiting_redaction_delete", room, id)
}

// WaitingRedactions lists the redactions that named an event before it came.
func (s *Store) WaitingRedactions(ctx context.Context, room int64, id string) ([]int64, error) {
	return collect(ctx, s, "waiting_redaction_list", scanInt, room, id)
}

// MembersFrom lists the users of a server who have or had a standing in a room.
func (s *Store) MembersFrom(ctx context.Context, room int64, server string) ([]string, error) {
	users, err := collect(ctx, s, "membership_from", scanString, room, server)
	return slices.DeleteFunc(users, func(u string) bool { return ServerOf(u) != server }), err
}
