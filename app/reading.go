package app

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver"
	"github.com/landbridge-im/landbridge/web/reading"
)

// readable are the rooms that everybody may read.
type readable struct{ hs *homeserver.Server }

var _ reading.Rooms = readable{}

// readableMax is how many of the largest public rooms are looked through for the list.
const readableMax = 500

// Readable implements reading.Rooms.
func (r readable) Readable(ctx context.Context) (out []reading.Room, err error) {
	list, err := r.hs.PublicRooms(ctx, readableMax)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		found, ok, err := r.hs.Readable(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, roomToRead(found))
		}
	}
	return out, nil
}

func roomToRead(p homeserver.PublicRoom) reading.Room {
	return reading.Room{ID: p.ID, Alias: p.Alias, Name: p.Name, Topic: p.Topic}
}

// Find implements reading.Rooms.
func (r readable) Find(ctx context.Context, name string) (reading.Room, error) {
	found, ok, err := r.hs.Readable(ctx, name)
	if err == nil && !ok {
		err = reading.ErrClosed
	}
	return roomToRead(found), err
}

// History implements reading.Rooms.
func (r readable) History(ctx context.Context, room, before string) (reading.History, error) {
	list, older, err := r.hs.ReadHistory(ctx, room, before)
	h := reading.History{Older: older}
	for _, m := range list {
		h.Messages = append(h.Messages, reading.Message{ID: m.ID, Sender: m.Name, UserID: m.UserID, At: m.At, Text: m.Text, Kind: m.Kind, Edited: m.Edited})
	}
	return h, err
}
