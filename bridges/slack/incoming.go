package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
)

// pump takes events from the inbox to the rooms until ctx is done. What it has not
// taken then is in the inbox for the next time. Events of a channel whose gap is being
// filled wait for that.
func (w *workspace) pump(ctx context.Context) {
	fill := func(f gap) {
		if f.done != nil {
			for _, e := range f.entries {
				w.dispatch(context.WithoutCancel(ctx), e)
			}
			w.turn(f.channel, nil, "", func(context.Context, *bridgev2.Portal) error { close(f.done); return nil })
			return
		}
		for _, e := range append(f.entries, w.gaps.release(f.channel)...) {
			w.dispatch(context.WithoutCancel(ctx), e)
		}
		w.caughtUp(context.WithoutCancel(ctx), f.channel)
	}
	for ctx.Err() == nil {
		select {
		case f := <-w.gaps.filled:
			fill(f)
			continue
		default:
		}
		e, wait := w.inbox.next()
		if e != nil {
			w.handle(context.WithoutCancel(ctx), e)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-w.inbox.wake:
		case <-timer.C:
		case f := <-w.gaps.filled:
			fill(f)
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// handle handles an event, or keeps it until its channel's gap is filled.
func (w *workspace) handle(ctx context.Context, e *entry) {
	var where struct {
		Channel json.RawMessage `json:"channel"`
		Item    struct {
			Channel string `json:"channel"`
		} `json:"item"`
	}
	if lenient(e.raw, &where) == nil {
		channel := (&channelEvent{Channel: where.Channel}).id()
		if channel == "" {
			channel = where.Item.Channel
		}
		if channel != "" && w.gaps.hold(channel, e) {
			return
		}
	}
	w.dispatch(ctx, e)
}

// dispatch handles an event. One on which that fails in a way that nobody thought of is
// not tried for ever.
func (w *workspace) dispatch(ctx context.Context, e *entry) {
	defer func() {
		if v := recover(); v != nil {
			w.log.Error("an event cannot be handled", "panic", v, "stack", string(debug.Stack()))
			w.inbox.finish(e, "", "")
		}
	}()
	var head eventHead
	if err := lenient(e.raw, &head); err != nil {
		w.log.Warn("an event is no JSON object", "error", err)
		w.inbox.finish(e, "", "")
		return
	}
	switch head.Type {
	case "message", "app_mention":
		var m message
		if head.Type == "message" && lenient(e.raw, &m) == nil {
			w.onMessage(ctx, e, &m)
			return
		}
	case "reaction_added", "reaction_removed":
		var r reactionEvent
		if lenient(e.raw, &r) == nil && r.Item.Type == "message" {
			w.onReaction(ctx, e, &r, head.Type == "reaction_added")
			return
		}
	case "member_joined_channel", "member_left_channel":
		var m memberEvent
		if lenient(e.raw, &m) == nil {
			w.onMember(ctx, e, &m, head.Type == "member_joined_channel")
			return
		}
	case "channel_rename", "group_rename", "channel_archive", "group_archive", "channel_unarchive", "group_unarchive", "channel_shared", "channel_unshared":
		var c channelEvent
		if lenient(e.raw, &c) == nil {
			w.refresh(ctx, e, c.id(), c.User, "")
			return
		}
	case "channel_history_changed", "group_history_changed", "im_history_changed":
		// Many messages were deleted or changed at once.
		var c channelEvent
		if lenient(e.raw, &c) == nil && w.isBridged(c.id()) {
			w.gaps.deepen(c.id())
		}
	case "team_rename":
		var t struct {
			Name string `json:"name"`
		}
		if lenient(e.raw, &t) == nil && t.Name != "" {
			w.mu.Lock()
			w.team = t.Name
			w.mu.Unlock()
			w.updateSpace(ctx, e)
			return
		}
	case "channel_left", "group_left", "channel_deleted", "group_deleted":
		var c channelEvent
		if lenient(e.raw, &c) == nil {
			w.left(ctx, e, c.id())
			return
		}
	case "channel_created":
		var c struct {
			Channel struct {
				ID   string `json:"id"`
				Name string `json:"name"`
			} `json:"channel"`
		}
		if lenient(e.raw, &c) == nil && c.Channel.ID != "" {
			w.dir.setChannel(c.Channel.ID, c.Channel.Name)
		}
	case "user_change", "team_join", "user_profile_changed":
		var u userEvent
		if lenient(e.raw, &u) == nil && u.User.ID != "" {
			was := w.dir.known(u.User.ID)
			if was != nil && u.User.Updated < was.Updated {
				break // it comes late
			}
			w.dir.setUser(&u.User)
			if was != nil {
				w.introduce(ctx, u.User.ID)
				w.showStatus(ctx, &u.User, &was.Profile)
				w.changeLevels(ctx, map[string]int{u.User.ID: w.level(was)}, map[string]int{u.User.ID: w.level(&u.User)})
			}
		}
	case "subteam_created", "subteam_updated", "subteam_members_changed":
		before := w.groupLevels()
		if err := w.dir.fillGroups(ctx); err != nil {
			w.log.Warn("user groups are not known", "error", err)
		}
		w.changeLevels(ctx, before, w.groupLevels())
	case "emoji_changed":
		if err := w.dir.fillEmoji(ctx); err != nil {
			w.log.Warn("custom emoji are not known", "error", err)
		}
	case "pin_added", "pin_removed":
		var p pinEvent
		if lenient(e.raw, &p) == nil && w.isBridged(p.Channel) {
			w.onPins(ctx, e, p.Channel)
			return
		}
	case "tokens_revoked", "app_uninstalled":
		w.onRevoked(e, head.Type)
	}
	w.inbox.finish(e, "", "")
}

// turn calls f in a turn of a channel's room, when that has handled what was queued
// before, again until it succeeds. Then e is done with, and the channel is as far as ts.
func (w *workspace) turn(channel string, e *entry, ts string, f func(context.Context, *bridgev2.Portal) error) {
	w.turnOf(channelKey(channel), channel, e, ts, f)
}

// turnOf is turn for any room; channel is "" for a space.
func (w *workspace) turnOf(key networkid.PortalKey, channel string, e *entry, ts string, f func(context.Context, *bridgev2.Portal) error) {
	meta := simplevent.EventMeta{Type: bridgev2.RemoteEventUnknown, PortalKey: key}
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		w.people.busy.RLock()
		defer w.people.busy.RUnlock()
		if w.insist(ctx, func() error { return f(ctx, portal) }) {
			w.inbox.finish(e, channel, ts)
		}
	}
	if res := w.login.QueueRemoteEvent(&meta); res.Error != nil && !res.Success {
		w.log.Error("an event is not handled", "channel", channel, "error", res.Error)
	}
}

var errNotTaken = errors.New("it was not taken, without a reason")

// deliver has the framework handle an event, in a turn of its room.
func (w *workspace) deliver(ctx context.Context, portal *bridgev2.Portal, evt bridgev2.RemoteEvent) error {
	if m, ok := evt.(bridgev2.RemoteEventWithContextMutation); ok {
		ctx = m.MutateContext(ctx)
	}
	//lint:ignore SA1019 the portal's queue has no way to say that handling failed, and nothing must be lost
	res := portal.Internal().HandleRemoteEvent(ctx, w.login, evt.GetType(), evt)
	switch {
	case res.Success || res.Ignored:
		return nil
	case res.Error != nil:
		return res.Error
	}
	return errNotTaken
}

// maxInsist is how long a room waits for the homeserver. The framework lets a turn
// last for five minutes and then begins the next beside it, out of order.
const maxInsist = 4 * time.Minute

// insist calls f, which asks something of the homeserver, again and again until it
// succeeds or is refused for good. It returns false when neither has happened for as
// long as a turn may last, or the bridge is stopping: the event is to stay in the inbox.
func (w *workspace) insist(ctx context.Context, f func() error) bool {
	var waited time.Duration
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 16*time.Second) {
		err := f()
		if err == nil {
			return true
		}
		if refused(err) {
			w.log.Error("the homeserver refuses something from Slack; it is lost", "error", err)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if waited += wait; waited > maxInsist {
			w.log.Error("the homeserver does not take something from Slack; it is tried again when the bridge starts", "error", err)
			return false
		}
		w.log.Warn("the homeserver has not taken something from Slack, trying again", "error", err, "in", wait)
		if sleep(ctx, wait) != nil {
			return false
		}
	}
}

// refused reports whether the homeserver has said that it will never do what was
// asked.
func refused(err error) bool {
	for _, code := range []mautrix.RespError{mautrix.MForbidden, mautrix.MTooLarge, mautrix.MBadJSON, mautrix.MNotJSON, mautrix.MInvalidParam, mautrix.MNotFound} {
		if errors.Is(err, code) {
			return true
		}
	}
	var he mautrix.HTTPError
	return errors.As(err, &he) && he.Response != nil && he.Response.StatusCode == http.StatusRequestEntityTooLarge
}

// onRevoked takes note that tokens are good no more: the bot's, or those of persons.
func (w *workspace) onRevoked(e *entry, kind string) {
	var t struct {
		Tokens struct {
			OAuth []string `json:"oauth"`
			Bot   []string `json:"bot"`
		} `json:"tokens"`
	}
	if lenient(e.raw, &t) != nil {
		return
	}
	for _, user := range t.Tokens.OAuth {
		if p := w.personBy(user, ""); p != nil {
			p.lost(errRevoked)
		}
	}
	if kind == "app_uninstalled" || len(t.Tokens.Bot) > 0 || len(t.Tokens.OAuth) == 0 {
		w.disconnected(errRevoked)
	}
}

// onMember takes over that somebody joined or left a channel.
func (w *workspace) onMember(ctx context.Context, e *entry, m *memberEvent, joined bool) {
	if w.own(m.User, "") {
		if !joined {
			w.left(ctx, e, m.Channel)
			return
		}
		ch, err := w.channel(ctx, m.Channel)
		if err == nil && w.cfg.wants(ch.ID, ch.Name) {
			ch.IsMember = true
			err = w.bridge(ctx, ch, true)
		}
		if err != nil {
			w.log.Error("a channel is not bridged", "channel", m.Channel, "error", err)
		}
		w.inbox.finish(e, "", "")
		return
	}
	if !w.isBridged(m.Channel) {
		w.inbox.finish(e, "", "")
		return
	}
	if m.EventTS != "" && !w.moved.note(m.Channel+"/"+m.User, m.EventTS) {
		w.inbox.finish(e, "", "") // they have moved on since
		return
	}
	w.introduce(ctx, m.User)
	membership := event.MembershipLeave
	if joined {
		membership = event.MembershipJoin
	}
	w.followMember(ctx, m, joined)
	w.changeMember(e, m.Channel, m.EventTS, w.member(ctx, m.User, membership))
}

// changeMember has somebody be in a channel's room or not, or have another power there. ts is when that happened.
func (w *workspace) changeMember(e *entry, channel, ts string, members ...bridgev2.ChatMember) {
	list := bridgev2.ChatMemberMap{}
	for _, m := range members {
		list[m.Sender] = m
	}
	w.turn(channel, e, "", func(ctx context.Context, portal *bridgev2.Portal) error {
		meta := simplevent.EventMeta{Type: bridgev2.RemoteEventChatInfoChange, PortalKey: portal.PortalKey, Timestamp: tsTime(ts)}
		if len(members) == 1 && members[0].PrevMembership == "" && e != nil {
			meta.Sender = members[0].EventSender
		}
		return w.deliver(ctx, portal, &simplevent.ChatInfoChange{
			EventMeta:      meta,
			ChatInfoChange: &bridgev2.ChatInfoChange{MemberChanges: &bridgev2.ChatMemberList{MemberMap: list}},
		})
	})
}

// left says in a room that its channel is not bridged any more. The event may be an old
// one, so Slack is asked.
func (w *workspace) left(ctx context.Context, e *entry, channel string) {
	if !w.isBridged(channel) {
		w.inbox.finish(e, "", "")
		return
	}
	if ch, err := w.channel(ctx, channel); err == nil && ch.IsMember {
		w.inbox.finish(e, "", "")
		return
	}
	w.mu.Lock()
	delete(w.bridged, channel)
	w.mu.Unlock()
	w.turn(channel, e, "", func(ctx context.Context, portal *bridgev2.Portal) error {
		return w.notice(ctx, portal, "⚠️ The bridge was removed from this channel in Slack. Invite it there again to go on.")
	})
}

func (w *workspace) notice(ctx context.Context, portal *bridgev2.Portal, text string) error {
	content := &event.MessageEventContent{MsgType: event.MsgNotice, Body: text, Mentions: &event.Mentions{}}
	_, err := portal.Bridge.Bot.SendMessage(ctx, portal.MXID, event.EventMessage, &event.Content{Parsed: content}, nil)
	return err
}

// refresh takes over a channel's name, topic and the like as they are now. by is who
// changed them, or "".
func (w *workspace) refresh(ctx context.Context, e *entry, channel, by, ts string) {
	if !w.isBridged(channel) {
		w.inbox.finish(e, "", "")
		return
	}
	ch, err := w.channel(ctx, channel)
	var info *bridgev2.ChatInfo
	if err == nil {
		info, err = w.channelInfo(ctx, ch, false)
	}
	if err != nil {
		w.log.Error("a change of a channel is not shown", "channel", channel, "error", err)
		w.turn(channel, e, ts, func(context.Context, *bridgev2.Portal) error { return nil })
		return
	}
	var sender bridgev2.EventSender
	if by != "" && !w.own(by, "") {
		w.introduce(ctx, by)
		sender.Sender = ghostID(by)
	}
	w.turn(channel, e, ts, func(ctx context.Context, portal *bridgev2.Portal) error {
		return w.deliver(ctx, portal, &simplevent.ChatInfoChange{
			EventMeta:      simplevent.EventMeta{Type: bridgev2.RemoteEventChatInfoChange, PortalKey: portal.PortalKey, Sender: sender},
			ChatInfoChange: &bridgev2.ChatInfoChange{ChatInfo: info},
		})
	})
}
