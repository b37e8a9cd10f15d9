package slack

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

// ensureLogin returns the login of a workspace, which belongs to the bridge bot.
func (b *Bridge) ensureLogin(ctx context.Context, cfg *WorkspaceConfig) (*bridgev2.UserLogin, error) {
	bot, err := b.br.GetUserByMXID(ctx, b.br.Bot.GetMXID())
	if err != nil {
		return nil, fmt.Errorf("load the bridge bot's user: %w", err)
	}
	login, err := b.br.GetExistingUserLoginByID(ctx, networkid.UserLoginID(cfg.ID))
	if err != nil {
		return nil, fmt.Errorf("load the login of %s: %w", cfg.ID, err)
	}
	if login != nil {
		return login, nil
	}
	login, err = bot.NewLogin(ctx, &database.UserLogin{
		ID: networkid.UserLoginID(cfg.ID), RemoteName: cfg.ID, Metadata: &LoginMetadata{},
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("make the login of %s: %w", cfg.ID, err)
	}
	return login, nil
}

// ensureRooms makes the space and the rooms of all channels that are to be bridged. With update, the rooms that there are
// already come to be as the channels are now, which takes a call or more for each.
func (w *workspace) ensureRooms(ctx context.Context, update bool) error {
	portal, err := w.ensureRoom(ctx, spaceKey(w.cfg.ID), w.spaceInfo)
	if err != nil {
		return fmt.Errorf("make the space of %s: %w", w.cfg.ID, err)
	}
	w.ensureAlias(ctx, portal)
	if update {
		w.updateSpace(ctx, nil)
	}
	for i := range w.cfg.Sections {
		s := &w.cfg.Sections[i]
		if _, err := w.ensureRoom(ctx, sectionKey(w.cfg.ID, s.ID), func(context.Context) (*bridgev2.ChatInfo, error) { return w.sectionInfo(s), nil }); err != nil {
			return fmt.Errorf("make the sub-space %s: %w", s.ID, err)
		}
	}
	params := &slackgo.GetConversationsParameters{Limit: 500, ExcludeArchived: false, TeamID: w.cfg.TeamID, Types: []string{"public_channel", "private_channel"}}
	for {
		var list []slackgo.Channel
		var next string
		err := w.api.read(ctx, "conversations.list", func() (err error) {
			list, next, err = w.api.slack().GetConversationsContext(ctx, params)
			return err
		})
		if err != nil {
			return err
		}
		for i := range list {
			ch := &list[i]
			w.dir.setChannel(ch.ID, ch.Name)
			if !ch.IsMember || !w.cfg.wants(ch.ID, ch.Name) {
				continue
			}
			if err := w.bridge(ctx, ch, update); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		params.Cursor = next
	}
}

// bridge makes sure that a channel of which the bot is a member has a room that is as
// the channel is now, or, without update, will be.
func (w *workspace) bridge(ctx context.Context, ch *slackgo.Channel, update bool) error {
	key := channelKey(ch.ID)
	portal, err := w.b.br.GetPortalByKey(ctx, key)
	if err != nil {
		return fmt.Errorf("load the room of %s: %w", ch.ID, err)
	}
	if _, past := w.cfg.History.Start(time.Now()); ch.IsArchived && portal.MXID == "" && !past {
		return nil // nothing more happens there, and what has is not wanted
	}
	existed := portal.MXID != ""
	if !existed {
		if err := w.beginChannel(ctx, ch.ID, portal); err != nil {
			return err
		}
	}
	_, err = w.ensureRoom(ctx, key, func(ctx context.Context) (*bridgev2.ChatInfo, error) { return w.channelInfo(ctx, ch, true) })
	if err != nil {
		return fmt.Errorf("make the room of %s: %w", ch.Name, err)
	}
	w.mu.Lock()
	w.bridged[ch.ID] = true
	w.mu.Unlock()
	w.aliasLater(ch)
	w.marks.add(ch.ID)
	if existed && !update {
		signal(w.again)
	} else if existed {
		info, err := w.channelInfo(ctx, ch, true)
		if err != nil {
			return err
		}
		w.update(ch.ID, info)
	} else if _, wanted, err := w.b.store.past(ctx, w.cfg.ID, ch.ID); err != nil {
		return err
	} else if wanted {
		w.gaps.wait(ch.ID)
		w.pasts.add(ch.ID)
	}
	return nil
}

// update brings a channel's room up to date.
func (w *workspace) update(channel string, info *bridgev2.ChatInfo) {
	w.turn(channel, nil, "", func(ctx context.Context, portal *bridgev2.Portal) error {
		portal.UpdateInfo(ctx, info, w.login, nil, time.Time{})
		return nil
	})
}

// beginChannel records where a channel begins for the bridge: with as much of its past as is
// wanted, or with what is said from now on, also what is said before the room is there.
func (w *workspace) beginChannel(ctx context.Context, channel string, portal *bridgev2.Portal) error {
	start := timeTS(time.Now())
	at, wanted := w.cfg.History.Start(time.Now())
	if wanted {
		if start = "0"; !at.IsZero() {
			start = timeTS(at)
		}
	}
	if meta, ok := portal.Metadata.(*PortalMetadata); ok {
		meta.Begins = start // saved with the room
	}
	if err := w.b.store.handled(ctx, w.cfg.ID, nil, map[string]string{channel: start}); err != nil || !wanted {
		return err
	}
	return w.b.store.beginPast(ctx, w.cfg.ID, channel, start)
}

func (w *workspace) isBridged(channel string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bridged[channel]
}

func (w *workspace) ensureRoom(ctx context.Context, key networkid.PortalKey, describe func(context.Context) (*bridgev2.ChatInfo, error)) (*bridgev2.Portal, error) {
	portal, err := w.b.br.GetPortalByKey(ctx, key)
	if err != nil {
		return nil, err
	}
	if portal.MXID == "" {
		info, err := describe(ctx)
		if err != nil {
			return nil, err
		}
		if err := portal.CreateMatrixRoom(ctx, w.login, info); err != nil {
			return nil, err
		}
	}
	if portal.Relay == nil {
		if err := portal.SetRelay(ctx, w.login); err != nil {
			return nil, fmt.Errorf("set the relay: %w", err)
		}
	}
	w.login.MarkInPortal(ctx, portal)
	return portal, nil
}

// ensureAlias gives the space its alias. Without it, the space works by invitation.
func (w *workspace) ensureAlias(ctx context.Context, portal *bridgev2.Portal) {
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok || meta.Alias == w.cfg.RoomAlias {
		return
	}
	err := appservice.SetAlias(ctx, w.b.br, portal.MXID, w.cfg.RoomAlias)
	if err == nil {
		meta.Alias = w.cfg.RoomAlias
		err = portal.Save(ctx)
	}
	if err != nil {
		w.log.Error("the space has no alias", "alias", w.cfg.RoomAlias, "error", err)
	}
}

// GetChatInfo implements bridgev2.NetworkAPI.
func (w *workspace) GetChatInfo(ctx context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	channel := channelOf(portal.PortalKey)
	if channel == "" {
		return w.spaceInfo(ctx)
	}
	ch, err := w.channel(ctx, channel)
	if err != nil {
		return nil, err
	}
	if ch.IsIM || ch.IsMpIM {
		return &bridgev2.ChatInfo{}, nil // nothing of it changes
	}
	return w.channelInfo(ctx, ch, true)
}

// channel asks for a channel as it is now.
func (w *workspace) channel(ctx context.Context, id string) (ch *slackgo.Channel, err error) {
	err = w.api.read(ctx, "conversations.info", func() (err error) {
		ch, err = w.reader(id).slack().GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: id, IncludeNumMembers: true})
		return err
	})
	if err == nil {
		w.dir.setChannel(ch.ID, ch.Name)
	}
	return ch, err
}

func (w *workspace) spaceInfo(context.Context) (*bridgev2.ChatInfo, error) {
	w.mu.Lock()
	name, icon := w.team, w.icon
	w.mu.Unlock()
	if name == "" {
		name = w.cfg.ID
	}
	topic := "Channels of the Slack workspace " + name
	kind := database.RoomTypeSpace
	return &bridgev2.ChatInfo{
		Name: &name, Topic: &topic, Type: &kind, Avatar: w.avatar(icon), Members: &bridgev2.ChatMemberList{MemberMap: bridgev2.ChatMemberMap{}},
		JoinRule: &event.JoinRulesEventContent{JoinRule: event.JoinRulePublic},
	}, nil
}

// lookUpTeam asks for the name and picture of the workspace.
func (w *workspace) lookUpTeam(ctx context.Context, otherwise string) (name, icon string) {
	var resp struct {
		Team struct {
			Name string `json:"name"`
			Icon struct {
				Default bool   `json:"image_default"`
				Large   string `json:"image_230"`
				Middle  string `json:"image_132"`
				Small   string `json:"image_68"`
			} `json:"icon"`
		} `json:"team"`
	}
	args := values()
	if w.cfg.TeamID != "" {
		args.Set("team", w.cfg.TeamID)
	}
	if err := w.api.call(ctx, "team.info", args, &resp); err != nil {
		w.log.Warn("the workspace's name and picture are not known", "error", err)
	}
	if icons := &resp.Team.Icon; !icons.Default {
		icon = firstNonEmpty(icons.Large, icons.Middle, icons.Small)
	}
	return firstNonEmpty(resp.Team.Name, otherwise), icon
}

// updateSpace has the workspace's space be as the workspace is.
func (w *workspace) updateSpace(ctx context.Context, e *entry) {
	info, err := w.spaceInfo(ctx)
	if err != nil {
		w.log.Error("the space is not as the workspace is", "error", err)
		w.inbox.finish(e, "", "")
		return
	}
	info.Members = nil // those of a space are those who have come
	w.turnOf(spaceKey(w.cfg.ID), "", e, "", func(ctx context.Context, portal *bridgev2.Portal) error {
		if portal.MXID != "" {
			portal.UpdateInfo(ctx, info, w.login, nil, time.Time{})
		}
		return nil
	})
}

// sectionInfo describes a sub-space.
func (w *workspace) sectionInfo(s *Section) *bridgev2.ChatInfo {
	kind, parent := database.RoomTypeSpace, spaceKey(w.cfg.ID).ID
	return &bridgev2.ChatInfo{
		Name: &s.Name, Type: &kind, ParentID: &parent, Members: &bridgev2.ChatMemberList{MemberMap: bridgev2.ChatMemberMap{}},
		JoinRule: &event.JoinRulesEventContent{JoinRule: event.JoinRulePublic},
	}
}

// channelInfo describes a channel, with its members if there are not too many.
func (w *workspace) channelInfo(ctx context.Context, ch *slackgo.Channel, members bool) (*bridgev2.ChatInfo, error) {
	name := ch.Name
	if ch.IsExtShared || ch.IsPendingExtShared {
		name += markShared
	}
	topic := format.Plain(format.Mrkdwn(ch.Topic.Value))
	if purpose := format.Plain(format.Mrkdwn(ch.Purpose.Value)); topic == "" {
		topic = purpose
	} else if purpose != "" && purpose != topic {
		topic += "\n" + purpose
	}
	if lines := w.bookmarkLines(ch.ID); lines != "" {
		topic = strings.TrimPrefix(topic+"\n"+lines, "\n")
	}
	if ch.IsArchived {
		name += markArchived
	}
	parent := spaceKey(w.cfg.ID).ID
	if s := w.cfg.section(ch.ID, ch.Name); s != nil {
		parent = sectionKey(w.cfg.ID, s.ID).ID
	}
	info := &bridgev2.ChatInfo{
		Name: &name, Topic: &topic, ParentID: &parent,
		JoinRule: &event.JoinRulesEventContent{JoinRule: event.JoinRulePublic},
		Members:  &bridgev2.ChatMemberList{MemberMap: bridgev2.ChatMemberMap{}, PowerLevels: channelPower(ch.IsArchived && w.mayClose(ch.ID))},
	}
	if ch.IsPrivate {
		info.JoinRule.JoinRule = event.JoinRuleInvite
	}
	if portal, err := w.b.br.GetExistingPortalByKey(ctx, channelKey(ch.ID)); err != nil {
		return nil, err
	} else if portal != nil {
		if meta, ok := portal.Metadata.(*PortalMetadata); ok && meta.Imported {
			info.JoinRule = nil
		}
	}
	if !members || ch.NumMembers > w.cfg.SyncMembers {
		info.Members.TotalMemberCount = ch.NumMembers
		return info, nil
	}
	list, complete, err := w.memberList(ctx, ch.ID)
	if err != nil {
		return nil, err
	}
	info.Members.IsFull = complete
	for _, user := range list {
		w.introduce(ctx, user)
		info.Members.MemberMap[ghostID(user)] = w.member(ctx, user, event.MembershipJoin)
	}
	return info, nil
}

// mayClose reports whether all that was said in an archived channel is in its room, so that nobody has to speak there any
// more; otherwise the room is closed later.
func (w *workspace) mayClose(channel string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.caught[channel] {
		w.closeLater[channel] = true
	}
	return w.caught[channel]
}

// caughtUp notes that all that was missed in a channel is on its way into the room.
func (w *workspace) caughtUp(ctx context.Context, channel string) {
	w.mu.Lock()
	w.caught[channel] = true
	archived := w.closeLater[channel]
	delete(w.closeLater, channel)
	w.mu.Unlock()
	if archived {
		w.refresh(ctx, nil, channel, "", "")
	}
}

// memberList asks who is in a channel, up to as many as are wanted.
func (w *workspace) memberList(ctx context.Context, channel string) (list []string, complete bool, err error) {
	args := url.Values{"channel": {channel}, "limit": {"500"}}
	for {
		var resp struct {
			Members []string `json:"members"`
			Meta    struct {
				Next string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := w.reader(channel).call(ctx, "conversations.members", args, &resp); err != nil {
			return nil, false, err
		}
		for _, user := range resp.Members {
			if !w.own(user, "") {
				list = append(list, user)
			}
		}
		if len(list) > w.cfg.SyncMembers {
			return list[:w.cfg.SyncMembers], false, nil
		}
		if resp.Meta.Next == "" {
			return list, true, nil
		}
		args.Set("cursor", resp.Meta.Next)
	}
}

// member is somebody's membership, with their power.
func (w *workspace) member(ctx context.Context, user string, membership event.Membership) bridgev2.ChatMember {
	m := bridgev2.ChatMember{EventSender: bridgev2.EventSender{Sender: ghostID(user)}, Membership: membership}
	if u := w.dir.user(ctx, user); u != nil {
		level := w.level(u)
		m.PowerLevel = &level
	}
	return m
}

// channelPower lets everybody speak and change nothing; in an archived channel nobody
// speaks.
func channelPower(archived bool) *bridgev2.PowerLevelOverrides {
	speak, pin := 0, 50
	if archived {
		speak = 100
	}
	return &bridgev2.PowerLevelOverrides{
		EventsDefault: &speak,
		Events:        map[event.Type]int{event.StatePinnedEvents: pin, event.EventReaction: speak, event.EventRedaction: 0},
	}
}
