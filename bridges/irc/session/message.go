package session

import (
	"strings"
	"time"

	"gopkg.in/irc.v4"
)

// relayTag names, on a message that was relayed (RELAYMSG), the nick of who relayed it.
const relayTag = "draft/relaymsg"

func (c *conn) onMessage(m *irc.Message, from User, self bool) {
	if len(m.Params) < 2 {
		return
	}
	isup := c.state.support()
	ev := Message{Meta: c.meta(m), Target: m.Param(0), From: from, Text: m.Param(1), Echo: self}
	ev.From.Relay = m.Tags[relayTag]
	if ev.From.Relay != "" && c.state.isSelf(ev.From.Relay) {
		self, ev.Echo = true, true
	}
	if !self && c.isPast(m) && (c.wasSelf(from) || ev.From.Relay != "" && c.wasSelf(User{Nick: ev.From.Relay, Host: from.Host})) {
		ev.Echo = true // of an earlier connection
	}
	if channel := isup.splitStatus(ev.Target); isup.IsChannel(channel) {
		ev.Channel = channel
	}
	ev.ReplyTo = replyTo(m)
	if m.Command == "NOTICE" {
		ev.Kind = KindNotice
	}
	if c.batches[m.Tags["batch"]].within(batchHistory) == nil && self {
		command := m.Command
		if ev.From.Relay != "" {
			command = "RELAYMSG"
		}
		c.answered(m, command, ev.Target, Outcome{State: Delivered, MsgID: ev.MsgID})
	}
	if body, ok := strings.CutPrefix(ev.Text, "\x01"); ok {
		command, arg, _ := strings.Cut(strings.TrimSuffix(body, "\x01"), " ")
		if !strings.EqualFold(command, "ACTION") || m.Command == "NOTICE" {
			if m.Command == "PRIVMSG" && !self && !c.isPast(m) {
				c.onCTCP(from, strings.ToUpper(command), arg)
			}
			return
		}
		ev.Kind, ev.Text = KindAction, arg
	}
	if isServerSource(from) {
		c.throttled(m, ev.Text)
		c.emit(Notice{Meta: ev.Meta, From: from.Nick, Text: ev.Text})
		return
	}
	if c.fromHistory(m, &ev) || c.hold(ev) {
		return
	}
	c.emit(ev)
}

// isServerSource reports whether a line comes from a server and not from a person.
func isServerSource(from User) bool {
	return from.Nick == "" || from.Username == "" && from.Host == "" && strings.Contains(from.Nick, ".")
}

func (c *conn) isPast(m *irc.Message) bool {
	b := c.batches[m.Tags["batch"]]
	return b.within(batchHistory) != nil || b.within(batchPlayback) != nil
}

func replyTo(m *irc.Message) string {
	for _, tag := range []string{"+draft/reply", "+reply"} {
		if id := m.Tags[tag]; id != "" {
			return truncate(id, 255)
		}
	}
	return ""
}

// channelOf is the channel that a target names, or empty.
func (c *conn) channelOf(target string) string {
	isup := c.state.support()
	if channel := isup.splitStatus(target); isup.IsChannel(channel) {
		return channel
	}
	return ""
}

// maxReaction bounds a reaction, in bytes.
const maxReaction = 64

// onTags handles a message that has tags alone.
func (c *conn) onTags(m *irc.Message, from User, self bool) {
	if isServerSource(from) || c.isPast(m) {
		return
	}
	ev := Tags{Meta: c.meta(m), Target: m.Param(0), Channel: c.channelOf(m.Param(0)), From: from, Echo: self, ReplyTo: replyTo(m)}
	ev.React, ev.Unreact = truncate(m.Tags["+draft/react"], maxReaction), truncate(m.Tags["+draft/unreact"], maxReaction)
	ev.Typing = m.Tags["+typing"]
	if self {
		c.answered(m, "TAGMSG", ev.Target, Outcome{State: Delivered, MsgID: ev.MsgID})
	}
	c.emit(ev)
}

// onRedact handles REDACT <target> <msgid> [reason].
func (c *conn) onRedact(m *irc.Message, from User, self bool) {
	if self {
		c.answered(m, "REDACT", m.Param(0), Outcome{State: Delivered})
	}
	c.emit(Redaction{
		Meta: c.meta(m), Target: m.Param(0), Channel: c.channelOf(m.Param(0)), From: from, Echo: self,
		ID: truncate(m.Param(1), 255), Reason: m.Param(2),
	})
}

// onFail handles a standard reply: FAIL <command> <code> [context...] <description>.
func (c *conn) onFail(m *irc.Message) {
	command := m.Param(0)
	if command == "CHATHISTORY" {
		c.historyFailed(m)
		return
	}
	target := ""
	if len(m.Params) > 3 {
		target = m.Params[2]
	}
	refused := Outcome{State: Refused, Err: &Refusal{Code: m.Param(1), Text: truncate(m.Trailing(), 300)}}
	if command == "BATCH" { // of a message of several lines
		command = "PRIVMSG"
	}
	if !c.answered(m, command, target, refused) && target != "" {
		c.answered(m, command, "", refused)
	}
}

// onCTCP answers the queries that people expect an answer to, a few at most.
func (c *conn) onCTCP(from User, command, arg string) {
	if from.Nick == "" || strings.ContainsAny(from.Nick, " :") {
		return
	}
	var reply string
	switch command {
	case "VERSION":
		reply = "Landbridge"
	case "PING":
		reply = truncate(arg, 100)
	case "CLIENTINFO":
		reply = "ACTION CLIENTINFO PING VERSION"
	default:
		return
	}
	if c.ctcpReplies.take(time.Now()) == 0 {
		c.control("NOTICE " + from.Nick + " :\x01" + strings.TrimSpace(command+" "+reply) + "\x01")
	}
}
