package irc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// A conversation of a Matrix user with somebody on IRC is a room of the two, with the bridge's bot. It
// goes through the user's own connection.

var (
	errNotYours   = errors.New("this conversation is somebody else's")
	errNoOwnNick  = errors.New("you have no connection of your own to this network")
	errNobodyMore = errors.New("nobody is known here under that name any more")
)

// directKey is the portal of a conversation.
func directKey(network string, user id.UserID, ghost networkid.UserID) networkid.PortalKey {
	_, folded, _ := splitGhost(ghost)
	return networkid.PortalKey{ID: networkid.PortalID(network + "/" + string(user) + "/" + folded)}
}

// splitDirect is the reverse of directKey.
func splitDirect(key networkid.PortalKey) (network string, user id.UserID, ghost networkid.UserID, ok bool) {
	network, rest := splitPortal(key.ID)
	at := strings.LastIndexByte(rest, '/')
	if at < 0 || !strings.HasPrefix(rest, "@") {
		return "", "", "", false
	}
	return network, id.UserID(rest[:at]), ghostID(network, rest[at+1:]), true
}

// privateEntry makes an entry of what somebody has said to a Matrix user alone. It is called by the
// user's connection.
func (n *network) privateEntry(user id.UserID, e session.Message) *entry {
	if e.From.Nick == "" || n.isSelf(e.From.Nick) {
		return nil
	}
	if strings.ContainsRune(e.From.Nick, '.') {
		return nil // a server
	}
	return &entry{
		line: &line{
			Kind: lineDirect, Time: e.Time, ID: lineID(e.Meta), To: user, Nick: e.From.Nick, Ghost: n.ghostOf(e.From.Nick),
			Text: e.Text, Say: e.Kind, ReplyTo: e.ReplyTo,
		},
		ties: n.ids.changes(),
	}
}

// handleDirect takes what was said to a user to their room. It is called by the pump.
func (n *network) handleDirect(ctx context.Context, l *line) {
	n.introduce(ctx, l.Ghost, l.Nick)
	key := directKey(n.cfg.ID, l.To, l.Ghost)
	if !n.insist(ctx, "a private conversation", func() error { return n.ensureDirect(ctx, key) }) {
		return
	}
	l.left.Store(1)
	n.queueSaid(key, l)
}

// ensureDirect makes the room of a conversation, with the Matrix user invited.
func (n *network) ensureDirect(ctx context.Context, key networkid.PortalKey) error {
	_, user, ghost, ok := splitDirect(key)
	if !ok {
		return fmt.Errorf("%s is no conversation", key.ID)
	}
	portal, err := n.b.br.GetPortalByKey(ctx, key)
	if err != nil {
		return err
	}
	if portal.Relay != n.login {
		if err := portal.SetRelay(ctx, n.login); err != nil {
			return fmt.Errorf("set the relay: %w", err)
		}
	}
	if portal.MXID == "" {
		info, err := n.GetChatInfo(ctx, portal)
		if err != nil {
			return err
		}
		if err := portal.CreateMatrixRoom(ctx, n.login, info); err != nil {
			return fmt.Errorf("make the room: %w", err)
		}
		n.login.MarkInPortal(ctx, portal)
	}
	now, err := n.b.br.Matrix.GetMemberInfo(ctx, portal.MXID, user)
	if err == nil && now != nil && (now.Membership == event.MembershipJoin || now.Membership == event.MembershipInvite || now.Membership == event.MembershipBan) {
		return nil
	}
	who, err := n.b.br.GetGhostByID(ctx, ghost)
	if err != nil {
		return err
	}
	content := &event.Content{Parsed: &event.MemberEventContent{
		Membership: event.MembershipInvite, IsDirect: true, Reason: who.Name + " of " + n.cfg.Name + " talks to you",
	}}
	if _, err := n.b.br.Bot.SendState(ctx, portal.MXID, event.StateMember, string(user), content, time.Time{}); err != nil {
		return fmt.Errorf("invite %s: %w", user, err)
	}
	return nil
}

// directInfo describes the room of a conversation.
func (n *network) directInfo(ghost networkid.UserID) *bridgev2.ChatInfo {
	kind := database.RoomTypeDM
	nick, _ := n.nickOf(ghost)
	topic := fmt.Sprintf("A private conversation with %s on %s", nick, n.cfg.Name)
	return &bridgev2.ChatInfo{
		Type: &kind, Topic: &topic, Name: &nick,
		JoinRule: &event.JoinRulesEventContent{JoinRule: event.JoinRuleInvite},
		Members: &bridgev2.ChatMemberList{
			OtherUserID: ghost,
			MemberMap: bridgev2.ChatMemberMap{ghost: {
				EventSender: bridgev2.EventSender{Sender: ghost}, Membership: event.MembershipJoin,
			}},
		},
	}
}

// target is where what is said in a room goes: to a channel or a person, by a connection.
type target struct {
	name   string // of the channel, or the nick
	box    *outbox
	puppet *puppet // nil: the bridge's own connection says it, with the sender's name before it
}

// connected reports whether the connection is there.
func (t *target) connected(n *network) bool {
	if t.puppet != nil {
		return t.puppet.session.Connected()
	}
	return n.session.Connected()
}

// targetOf finds where what somebody says in a room goes.
func (n *network) targetOf(portal *bridgev2.Portal, evt *event.Event, name string) (*target, error) {
	if ch := n.channelOf(portal); ch != nil {
		t := &target{name: ch.Name, box: n.outbox}
		if p := n.puppets.of(evt.Sender, name, ch); p != nil {
			t.box, t.puppet = p.outbox, p
		}
		return t, nil
	}
	_, user, ghost, ok := splitDirect(portal.PortalKey)
	if !ok {
		return nil, errNoChannel
	}
	if user != evt.Sender {
		return nil, errNotYours
	}
	nick, ok := n.nickOf(ghost)
	if !ok {
		return nil, errNobodyMore
	}
	p := n.puppets.of(user, name, nil)
	if p == nil {
		return nil, errNoOwnNick
	}
	return &target{name: nick, box: p.outbox, puppet: p}, nil
}

// invited begins a conversation with somebody on IRC whom a Matrix user has invited to a room: the
// framework has declined, and the room is the bridge's to make.
func (n *network) invited(ctx context.Context, ghost networkid.UserID, evt *event.Event) {
	if n.puppets.of(evt.Sender, "", nil) == nil {
		return
	}
	if err := n.ensureDirect(ctx, directKey(n.cfg.ID, evt.Sender, ghost)); err != nil {
		n.log.Error("a conversation cannot begin", "user", evt.Sender, "error", err)
	}
}
