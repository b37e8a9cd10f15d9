package appservice

import (
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// A marker is an event that goes through a portal's queue behind the events of
// the room and reports when the portal has come to it. A portal handles its
// queue one event after the other, so whatever was queued before the marker has
// been handled then, its effects committed.
//
// bridgev2 has no call for this. What it has is the status of an event that it
// refuses: com.beeper.send_state is refused when it is not enabled (the host
// never enables it), and the refusal asks the event's content for its relation.
// The content of a marker answers by reporting. Nothing else comes of a marker:
// it has no event id, so no status of it is sent anywhere.
type marker struct {
	once sync.Once
	do   func() // called in the portal's turn; may be nil
	done chan struct{}
}

var _ event.Relatable = (*marker)(nil)

// GetRelatesTo implements event.Relatable.
func (m *marker) GetRelatesTo() *event.RelatesTo { return m.OptionalGetRelatesTo() }

// OptionalGetRelatesTo implements event.Relatable. bridgev2 calls it when the
// portal has come to the marker.
func (m *marker) OptionalGetRelatesTo() *event.RelatesTo {
	m.once.Do(func() {
		defer close(m.done)
		if m.do != nil {
			m.do()
		}
	})
	return nil
}

// SetRelatesTo implements event.Relatable.
func (m *marker) SetRelatesTo(*event.RelatesTo) {}

// portalCheck is how often a waiter looks whether the portal still exists.
const portalCheck = 5 * time.Second

// waitHandled returns when the portal of the room, if there is one, has handled
// what was queued for it before the call. The portal calls do then, before it
// goes on; without a portal, waitHandled does. do may be nil. The error is ctx's.
func waitHandled(ctx context.Context, br *bridgev2.Bridge, room id.RoomID, bot id.UserID, do func()) error {
	portal, err := br.GetPortalByMXID(ctx, room)
	if err != nil || portal == nil {
		// Without a portal nothing was queued; when the database cannot tell,
		// it could not when the event was to be queued either.
		if do != nil {
			do()
		}
		return ctx.Err()
	}
	key := portal.PortalKey
	m := &marker{do: do, done: make(chan struct{})}
	res := br.QueueMatrixEvent(ctx, &event.Event{
		Type:    event.BeeperSendState,
		Sender:  bot,
		RoomID:  room,
		Content: event.Content{Parsed: m},
	})
	if !res.Queued {
		return ctx.Err() // the portal is being deleted, or the bridge stopped
	}
	tick := time.NewTicker(portalCheck)
	defer tick.Stop()
	for {
		select {
		case <-m.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			// A portal that is deleted drops its queue.
			now, err := br.GetExistingPortalByKey(ctx, key)
			if err == nil && now != portal {
				return nil
			}
		}
	}
}
