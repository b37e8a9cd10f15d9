package homeserver

import (
	"context"
	"log/slog"

	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// audience tells the presence tracker who shares rooms.
type audience struct {
	store    *store.Store
	notifier *sync.Notifier
	log      *slog.Logger
}

var _ presence.Audience = audience{}

func (a audience) WakePeers(ctx context.Context, user int64) {
	if a.notifier.WakePeers(user) {
		return
	}
	all, err := a.store.RoomsOf(ctx, user)
	if err != nil {
		// They will hear of it with their next answer.
		a.log.WarnContext(ctx, "reading who is to hear of a user's presence", "err", err)
		return
	}
	var rooms []int64
	for _, m := range all {
		if m.Membership == "join" {
			rooms = append(rooms, m.Room)
		}
	}
	a.notifier.WakeRooms(rooms)
}

func (a audience) Shares(ctx context.Context, x, y int64) (bool, error) {
	if share, known := a.notifier.Shares(x, y); known {
		return share, nil
	}
	return a.store.ShareRoom(ctx, x, y)
}
