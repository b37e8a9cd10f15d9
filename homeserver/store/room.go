package store

import (
	"context"
	"encoding/binary"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// Room is a room's row: what it is and where its graph ends.
type Room struct {
	NID     int64
	ID      string
	Version event.Version
	// Root is the current state.
	Root statetree.Ref
	// Depth is the greatest depth of the extremities.
	Depth int64
	// Extremities are the events that nothing follows yet.
	Extremities []int64
	CreatedTS   int64
	// LocalPos is the position of the newest event that this server's users made. It never goes down:
	// SetRoom leaves it where it is if it is further.
	LocalPos int64
}

// RoomName is the part of a room's row that never changes.
type RoomName struct {
	NID     int64
	ID      string
	Version event.Version
}

// roomNames caches what never changes of rooms.
type roomNames struct {
	byID  *lru.Cache[string, RoomName]
	byNID *lru.Cache[int64, RoomName]
}

func newRoomNames() *roomNames {
	r := &roomNames{}
	r.byID, _ = lru.New[string, RoomName](nameCache)
	r.byNID, _ = lru.New[int64, RoomName](nameCache)
	return r
}

func (r *roomNames) add(n RoomName)  { r.byID.Add(n.ID, n); r.byNID.Add(n.NID, n) }
func (r *roomNames) drop(n RoomName) { r.byID.Remove(n.ID); r.byNID.Remove(n.NID) }
func (r *roomNames) purge()          { r.byID.Purge(); r.byNID.Purge() }

// NextRoom allots a room's number.
func (s *Store) NextRoom() int64 { return s.counters.room.Add(1) }

// Rooms lists the numbers of rooms above after, at most limit, in order.
func (s *Store) Rooms(ctx context.Context, after int64, limit int) ([]int64, error) {
	return collect(ctx, s, "room_list", scanInt, after, limit)
}

// RoomByID finds a room by its id.
func (s *Store) RoomByID(ctx context.Context, id string) (RoomName, error) {
	if n, ok := s.rooms.byID.Get(id); ok {
		return n, nil
	}
	n := RoomName{ID: id}
	if err := s.row(ctx, "room_name_by_id", id).Scan(&n.NID, &n.Version); err != nil {
		return n, err
	}
	s.rooms.add(n)
	return n, nil
}

// RoomByNID is the room of a number.
func (s *Store) RoomByNID(ctx context.Context, nid int64) (RoomName, error) {
	if n, ok := s.rooms.byNID.Get(nid); ok {
		return n, nil
	}
	n := RoomName{NID: nid}
	if err := s.row(ctx, "room_name_by_nid", nid).Scan(&n.ID, &n.Version); err != nil {
		return n, fmt.Errorf("room %d: %w", nid, err)
	}
	s.rooms.add(n)
	return n, nil
}

// LoadRoom reads a room's row as it is now. Only the room's one writer may build on it.
func (s *Store) LoadRoom(ctx context.Context, nid int64) (Room, error) {
	r := Room{NID: nid}
	var ext []byte
	err := s.row(ctx, "room_by_nid", nid).Scan(&r.ID, &r.Version, &r.Root, &r.Depth, &ext, &r.CreatedTS, &r.LocalPos)
	if err != nil {
		return r, fmt.Errorf("room %d: %w", nid, err)
	}
	r.Extremities, err = decodeNIDs(ext)
	return r, err
}

// AddRoom writes a new room's row.
func (t *Tx) AddRoom(r Room) error {
	return t.exec("room_insert", r.NID, r.ID, string(r.Version), int64(r.Root), r.Depth, encodeNIDs(r.Extremities), r.CreatedTS, r.LocalPos)
}

// SetRoom records the new end of a room's graph. Only the last of a group is written.
func (t *Tx) SetRoom(r Room) {
	if t.rooms == nil {
		t.rooms = map[int64]Room{}
	}
	if was, ok := t.rooms[r.NID]; ok {
		r.LocalPos = max(r.LocalPos, was.LocalPos)
		t.undo = append(t.undo, func() { t.rooms[r.NID] = was })
	} else {
		t.undo = append(t.undo, func() { delete(t.rooms, r.NID) })
	}
	t.rooms[r.NID] = r
}

// RoomCount counts the rooms.
func (s *Store) RoomCount(ctx context.Context) (n int64, err error) {
	return n, s.row(ctx, "room_count").Scan(&n)
}

func encodeNIDs(nids []int64) []byte {
	buf := make([]byte, 0, 8*len(nids))
	for _, n := range nids {
		buf = binary.AppendUvarint(buf, uint64(n))
	}
	return buf
}

func decodeNIDs(buf []byte) ([]int64, error) {
	var nids []int64
	for len(buf) > 0 {
		v, n := binary.Uvarint(buf)
		if n <= 0 {
			return nil, fmt.Errorf("damaged list of event numbers")
		}
		nids, buf = append(nids, int64(v)), buf[n:]
	}
	return nids, nil
}
