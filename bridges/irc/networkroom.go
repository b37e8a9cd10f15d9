package irc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/txnid"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// networkRoomKey is the portal of the room in which the bridge's admins read what servers and services say. No channel
// has such a name.
func networkRoomKey(network string) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID(network + "/*server")}
}

// admins are the users who may do everything with the bridge.
func (n *network) admins() (list []id.UserID) {
	for who, may := range n.b.br.Config.Permissions {
		if strings.HasPrefix(who, "@") && may.Admin {
			list = append(list, id.UserID(who))
		}
	}
	return list
}

// noticeEntry makes an entry of what a server has said.
func (n *network) noticeEntry(e session.Notice) *entry {
	if !n.session.Connected() {
		return nil // greetings
	}
	return lineEntry(n.noticeLine(e.Meta, e.From, e.Text))
}

func (n *network) noticeLine(m session.Meta, from, text string) *line {
	if !n.cfg.NetworkRoom || len(n.admins()) == 0 || strings.TrimSpace(text) == "" {
		return nil
	}
	return &line{Kind: lineNotice, Time: m.Time, ID: lineID(m), Nick: from, Text: text}
}

// privateToBridge makes a line of what somebody has said to the bridge's own nick.
func (n *network) privateToBridge(e session.Message) *line {
	if e.Past || n.isSelf(e.From.Nick) {
		return nil
	}
	return n.noticeLine(e.Meta, e.From.Nick, e.Text)
}

// handleNotice takes what was said to the network's room.
func (n *network) handleNotice(ctx context.Context, l *line) {
	key := networkRoomKey(n.cfg.ID)
	// The framework handles nothing for a portal without a room.
	made := n.insist(ctx, "the network's room", func() error {
		portal, err := n.b.br.GetPortalByKey(ctx, key)
		if err != nil {
			return err
		}
		return n.ensureNetworkRoom(ctx, portal)
	})
	if !made {
		return
	}
	meta := n.metaIn(bridgev2.RemoteEventUnknown, key, l.Time, l.ID, "")
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		ok := n.insist(ctx, "a notice of the network", func() error {
			plain := plainTopic(l.Text)
			if l.Nick != "" {
				plain = "‹" + l.Nick + "› " + plain
			}
			content := &event.Content{Parsed: &event.MessageEventContent{MsgType: event.MsgNotice, Body: plain, Mentions: &event.Mentions{}}}
			_, err := n.b.br.Bot.SendMessage(txnid.With(ctx, "notice/"+l.ID), portal.MXID, event.EventMessage, content, &bridgev2.MatrixSendExtra{Timestamp: l.Time})
			return err
		})
		if ok {
			n.inbox.done(l.seq, false)
		}
	}
	n.queue(&meta)
}

// ensureNetworkRoom makes the room, with the bridge's admins invited.
func (n *network) ensureNetworkRoom(ctx context.Context, portal *bridgev2.Portal) error {
	if portal.MXID != "" {
		return nil
	}
	if err := portal.CreateMatrixRoom(ctx, n.login, n.networkRoomInfo()); err != nil {
		return fmt.Errorf("make the network's room: %w", err)
	}
	for _, admin := range n.admins() {
		content := &event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipInvite, Reason: "what the servers and services of " + n.cfg.Name + " say"}}
		if _, err := n.b.br.Bot.SendState(ctx, portal.MXID, event.StateMember, string(admin), content, time.Time{}); err != nil {
			n.log.Warn("an admin is not invited to the network's room", "user", admin, "error", err)
		}
	}
	return nil
}

func (n *network) networkRoomInfo() *bridgev2.ChatInfo {
	name, topic := n.cfg.Name, "What the servers and services of "+n.cfg.Name+" say"
	parent := spaceKey(n.cfg.ID).ID
	return &bridgev2.ChatInfo{
		Name: &name, Topic: &topic, ParentID: &parent,
		JoinRule: &event.JoinRulesEventContent{JoinRule: event.JoinRuleInvite},
		Members:  &bridgev2.ChatMemberList{MemberMap: bridgev2.ChatMemberMap{}},
	}
}
