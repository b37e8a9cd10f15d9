package joins

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Rooms keep what has been found out; *room.Manager does.
type Rooms interface {
	NameRoom(ctx context.Context, roomID string, v event.Version) (store.RoomName, error)
	Number(ctx context.Context, room int64, e *event.Event) (known bool, err error)
	Outliers(ctx context.Context, room int64, list []room.Received) error
	Found(ctx context.Context, f room.Foundation) (store.RoomName, error)
	ReceiveMembership(ctx context.Context, room int64, r room.Received) (*event.Event, error)
	Prepare(ctx context.Context, room int64, p room.Proposal) (event.Proto, error)
	StateBefore(ctx context.Context, room int64, prev []int64, more ...statetree.Ref) (statetree.Ref, []statetree.Pack, error)
	Adopt(ctx context.Context, room int64, r room.Received) (*event.Event, room.Snapshot, error)
	StateTree(ctx context.Context, events []int64) (statetree.Ref, []statetree.Pack, error)
	Lacking(ctx context.Context, room int64) ([]string, error)
	Complete(ctx context.Context, room int64) error
	GiveUp(ctx context.Context, room int64) error
}

var _ Rooms = (*room.Manager)(nil)

// lack tells that memberships were left out of a state: by which server, and which are in the room.
type lack struct {
	via     string
	servers []string
}

// found makes the room out of a join, the state before it and the auth chain of both. lacks is nil
// where the state is complete.
func (j *Joins) found(ctx context.Context, join *event.Event, passed, state []*event.Event, lacks *lack) (store.RoomName, error) {
	// What was begun is ended, whether or not somebody waits for it: the other servers think that we
	// are in the room.
	ctx = context.WithoutCancel(ctx)
	name, err := j.o.Rooms.NameRoom(ctx, join.InRoom, join.Version)
	if err != nil {
		return name, fmt.Errorf("naming a room that is joined: %w", err)
	}
	nids := make(map[string]int64, len(passed))
	for chunk := range slices.Chunk(passed, chunkSize) {
		var fresh []room.Received
		for _, e := range chunk {
			known, err := j.o.Rooms.Number(ctx, name.NID, e)
			if err != nil {
				return name, fmt.Errorf("numbering the state of a room: %w", err)
			}
			if nids[e.ID] = e.NID; !known {
				auth, err := j.numbers(ctx, nids, e)
				if err != nil {
					return name, err
				}
				fresh = append(fresh, room.Received{Event: e, Auth: auth})
			}
		}
		if err := j.o.Rooms.Outliers(ctx, name.NID, fresh); err != nil {
			return name, fmt.Errorf("keeping the state of a room: %w", err)
		}
	}
	f := room.Foundation{Room: name}
	for _, e := range state {
		f.State = append(f.State, nids[e.ID])
	}
	if _, err := j.o.Rooms.Number(ctx, name.NID, join); err != nil {
		return name, fmt.Errorf("numbering a join: %w", err)
	}
	f.Join = room.Received{Event: join}
	if f.Join.Auth, err = j.numbers(ctx, nids, join); err != nil {
		return name, err
	}
	for _, p := range join.PrevEvents {
		if nid, err := j.o.Store.EventNID(ctx, string(p)); err == nil {
			f.Join.Prev = append(f.Join.Prev, nid)
		} else {
			f.Join.Missing = append(f.Join.Missing, string(p))
		}
	}
	if lacks != nil {
		f.Partial, f.Via, f.Servers = true, lacks.via, lacks.servers
		defer j.poke()
	}
	return j.o.Rooms.Found(ctx, f)
}

// numbers are those of an event's auth events, which are here by now.
func (j *Joins) numbers(ctx context.Context, nids map[string]int64, e *event.Event) ([]int64, error) {
	var out []int64
	for _, a := range e.AuthEvents {
		nid := nids[string(a)]
		if nid == 0 {
			var err error
			if nid, err = j.o.Store.EventNID(ctx, string(a)); err != nil {
				return nil, fmt.Errorf("the auth event %.64s: %w", a, err)
			}
			nids[string(a)] = nid
		}
		out = append(out, nid)
	}
	return out, nil
}

// outside records a membership in a room that this server is not in.
func (j *Joins) outside(ctx context.Context, e *event.Event, state []jsontext.Value) error {
	ctx = context.WithoutCancel(ctx)
	name, err := j.o.Rooms.NameRoom(ctx, e.InRoom, e.Version)
	if err != nil {
		return fmt.Errorf("naming a room: %w", err)
	}
	if _, err := j.o.Rooms.Number(ctx, name.NID, e); err != nil {
		return fmt.Errorf("numbering a membership: %w", err)
	}
	r := room.Received{Event: e}
	if state != nil {
		if r.Stripped, err = json.Marshal(state[:min(len(state), strippedMax)]); err != nil {
			return fmt.Errorf("keeping what is told of a room: %w", err)
		}
	}
	_, err = j.o.Rooms.ReceiveMembership(ctx, name.NID, r)
	return err
}

// strippedMax is how many events of stripped state are kept.
const strippedMax = 100
