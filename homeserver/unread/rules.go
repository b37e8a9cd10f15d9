package unread

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Rules are what a user wants to be notified of. They are immutable.
type Rules struct {
	user    int64
	userID  string
	set     *push.Ruleset
	ignored map[string]bool
	// print differs between rules that may give different results.
	print string
}

// rulesVersion is to be raised when the default rules, or what rules mean, change: stored memos
// hold for the rules of their time.
const rulesVersion = 1

// Rules reads a user's rules.
func (c *Counter) Rules(ctx context.Context, user int64, userID string) (*Rules, error) {
	if r, ok := c.rules.get(user); ok {
		return r, nil
	}
	mark := c.rules.mark()
	r := &Rules{user: user, userID: userID}
	changes := &push.Changes{}
	d, err := c.o.Store.AccountData(ctx, user, 0, push.Type)
	if err == nil {
		changes, err = push.ParseChanges(d.Content)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	r.set = push.Compile(userID, changes)
	ignored, err := c.o.Store.AccountData(ctx, user, 0, "m.ignored_user_list")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	gjson.Get(ignored.Content, "ignored_users").ForEach(func(k, _ gjson.Result) bool {
		if r.ignored == nil {
			r.ignored = map[string]bool{}
		}
		r.ignored[k.Str] = true
		return true
	})
	r.print = fmt.Sprintf("%d/%d/%d", rulesVersion, d.Pos, ignored.Pos)
	c.rules.put(user, r, mark)
	return r, nil
}

// Evaluate tells what the rules ask for at an event. Nothing is asked for at the user's own events
// ("Homeservers MUST NOT notify the Push Gateway for events that the user has sent themselves"), at
// those of ignored users, at what has been redacted, and at imported history.
func (c *Counter) Evaluate(ctx context.Context, r *Rules, e *event.Event) (push.Actions, error) {
	if e.Author == r.user || r.ignored[string(e.Sender)] || e.Flags&(event.Redacted|event.SoftFailed|event.Rejected|event.Imported) != 0 {
		return push.Actions{}, nil
	}
	members, err := c.memberCount(ctx, e.Room)
	if err != nil {
		return push.Actions{}, err
	}
	var failed error
	x := push.RoomContext{Members: members, Fill: func(x *push.RoomContext) { failed = c.fill(ctx, r, e, x) }}
	a := c.recent.try(r.set, e, x)
	return a, failed
}

// fill reads what few conditions need, as it was at the event.
func (c *Counter) fill(ctx context.Context, r *Rules, e *event.Event, x *push.RoomContext) error {
	member, err := c.o.Store.StateEvent(ctx, e.Root, "m.room.member", r.userID)
	if err == nil {
		x.DisplayName = member.ContentString("displayname")
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	power, levels, err := room.PowerAt(ctx, c.o.Store, e.Root)
	if err != nil {
		return err
	}
	x.SenderPower = power.User(string(e.Sender))
	if levels == nil {
		return nil
	}
	x.Notifications = map[string]int64{}
	gjson.GetBytes(levels.Content, "notifications").ForEach(func(k, v gjson.Result) bool {
		if v.Type == gjson.Number {
			x.Notifications[k.Str] = v.Int()
		}
		return true
	})
	return nil
}

// memberCount counts the joined members of a room.
func (c *Counter) memberCount(ctx context.Context, room int64) (int64, error) {
	if n, ok := c.members.get(room); ok {
		return n, nil
	}
	mark := c.members.mark()
	n, err := c.o.Store.JoinedCount(ctx, room)
	if err != nil {
		return 0, err
	}
	c.members.put(room, n, mark)
	return n, nil
}
