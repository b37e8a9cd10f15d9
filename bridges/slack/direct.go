package slack

import (
	"context"
	"fmt"
	"time"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
)

// A direct or group message is one room for all who take part, as it is one channel in Slack: who is signed in is there
// themselves, the others as ghosts. So nothing is there twice if several of them are signed in.

// reader is what may read a channel: the bot, or who is signed in and has a direct message.
func (w *workspace) reader(channel string) *api {
	w.mu.Lock()
	login := w.direct[channel]
	w.mu.Unlock()
	if login != "" {
		if a, err := w.speaker(&action{As: string(login)}); err == nil {
			return a
		}
	}
	return w.api
}

// adopt has the events of a direct message that has a room go there, and fetches what was missed.
func (w *workspace) adopt(channel string, login networkid.UserLoginID) {
	w.mu.Lock()
	known := w.bridged[channel]
	w.direct[channel], w.bridged[channel] = login, true
	w.mu.Unlock()
	if known {
		return
	}
	if _, wanted, err := w.b.store.past(w.b.br.BackgroundCtx, w.cfg.ID, channel); err != nil {
		w.log.Error("whether the past of a direct message is wanted is not known", "channel", channel, "error", err)
	} else if wanted {
		w.gaps.wait(channel)
		w.pasts.add(channel)
		return
	}
	w.gaps.add(channel)
}

// onDirect handles a message outside of channels: one to the bot, or one that somebody who is signed in can see.
func (w *workspace) onDirect(ctx context.Context, e *entry, m *message) {
	if w.own(m.User, m.BotID) || m.AppID != "" && m.AppID == w.appID() {
		w.inbox.finish(e, "", "")
		return
	}
	w.mu.Lock()
	toBot, known := w.toBot[m.Channel]
	w.mu.Unlock()
	if !known && m.Type2 == "im" {
		ch, err := w.channel(ctx, m.Channel)
		toBot = err == nil && ch.IsIM
		if err == nil || !transient(err) {
			w.mu.Lock()
			w.toBot[m.Channel] = toBot
			w.mu.Unlock()
		}
	}
	if toBot {
		if m.Subtype == "" && m.User != "" {
			w.talk(ctx, m)
		}
		w.inbox.finish(e, "", "")
		return
	}
	for _, p := range w.persons() {
		portal, err := w.openDirect(ctx, m.Channel, p)
		if err != nil {
			if !badToken(err) && code(err) != "channel_not_found" {
				w.log.Error("the room of a direct message is not made", "channel", m.Channel, "error", err)
			}
			if transient(err) {
				signal(p.again) // which finds what was said, as it does after an outage
			}
			continue
		}
		if portal != nil {
			if w.gaps.hold(m.Channel, e) {
				return // behind what was missed
			}
			w.onMessage(ctx, e, m)
			return
		}
	}
	w.inbox.finish(e, "", "")
}

// openDirect makes the room of a direct or group message that somebody can see.
func (w *workspace) openDirect(ctx context.Context, channel string, p *person) (*bridgev2.Portal, error) {
	a := p.voice()
	if a == nil {
		return nil, errSignedOut
	}
	var ch *slackgo.Channel
	err := a.read(ctx, "conversations.info", func() (err error) {
		ch, err = a.slack().GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: channel})
		return err
	})
	if err != nil {
		return nil, err
	}
	if !ch.IsIM && !ch.IsMpIM {
		return nil, nil
	}
	portal, err := w.b.br.GetPortalByKey(ctx, channelKey(channel))
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.direct[channel] = p.login.ID
	w.mu.Unlock()
	if portal.MXID != "" {
		w.adopt(channel, p.login.ID)
		return portal, nil
	}
	info, err := w.directInfo(ctx, ch, p)
	if err != nil {
		return nil, err
	}
	if _, past := w.cfg.History.Start(time.Now()); past {
		if err := w.beginChannel(ctx, channel, portal); err != nil {
			return nil, err
		}
	} else {
		// The room begins with what was said since the person signed in, or was last found to have missed nothing: no other
		// event of it has come.
		since := p.heard()
		if since == "" {
			since = timeTS(time.Now())
		}
		if err := w.b.store.handled(ctx, w.cfg.ID, nil, map[string]string{channel: since}); err != nil {
			return nil, err
		}
	}
	if err := portal.CreateMatrixRoom(ctx, p.login, info); err != nil {
		return nil, fmt.Errorf("make the room of a direct message: %w", err)
	}
	for _, other := range w.persons() {
		if _, ok := info.Members.MemberMap[other.ghost()]; ok {
			other.enter(ctx, portal, true)
		}
	}
	w.adopt(channel, p.login.ID)
	return portal, nil
}

// directInfo describes a direct or group message.
func (w *workspace) directInfo(ctx context.Context, ch *slackgo.Channel, p *person) (*bridgev2.ChatInfo, error) {
	kind := database.RoomTypeDM
	users := []string{ch.User, p.meta.User}
	if ch.IsMpIM {
		kind = database.RoomTypeGroupDM
		list, _, err := w.memberList(ctx, ch.ID)
		if err != nil {
			return nil, err
		}
		users = list
	}
	info := &bridgev2.ChatInfo{Type: &kind, Members: &bridgev2.ChatMemberList{MemberMap: bridgev2.ChatMemberMap{}}}
	name := ""
	for _, user := range users {
		w.introduce(ctx, user)
		m := bridgev2.ChatMember{EventSender: bridgev2.EventSender{Sender: ghostID(user)}, Membership: event.MembershipJoin}
		if user == p.meta.User {
			m.IsFromMe, m.SenderLogin = true, p.login.ID
		} else if u := w.dir.user(ctx, user); u != nil {
			if name != "" {
				name += ", "
			}
			name += u.displayName()
		}
		info.Members.MemberMap[m.Sender] = m
	}
	if ch.IsIM {
		info.Members.OtherUserID = ghostID(ch.User)
	} else {
		info.Name = &name
	}
	return info, nil
}

// followMember has somebody who is signed in speak for themselves in a channel that they have come into, and be relayed
// in one that they have left.
func (w *workspace) followMember(ctx context.Context, m *memberEvent, joined bool) {
	p := w.personBy(m.User, "")
	if p == nil {
		return
	}
	portal, err := w.b.br.GetExistingPortalByKey(ctx, channelKey(m.Channel))
	if err != nil || portal == nil || portal.MXID == "" {
		return
	}
	if joined {
		p.enter(ctx, portal, true)
	} else {
		p.leave(ctx, portal)
		p.turnOut(ctx, portal, m.Channel)
	}
}
