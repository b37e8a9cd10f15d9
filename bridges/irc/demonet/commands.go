package demonet

import (
	"fmt"
	"strings"
	"time"

	"gopkg.in/irc.v4"
)

// commands are the commands of registered clients with the least number of
// their parameters.
var commands = map[string]struct {
	params int
	run    func(*client, *irc.Message)
}{
	"JOIN":    {1, (*client).cmdJoin},
	"PART":    {1, (*client).cmdPart},
	"PRIVMSG": {2, (*client).cmdMessage},
	"NOTICE":  {2, (*client).cmdMessage},
	"TOPIC":   {1, (*client).cmdTopic},
	"NAMES":   {1, (*client).cmdNames},
	"WHO":     {1, (*client).cmdWho},
	"WHOIS":   {1, (*client).cmdWhois},
	"MODE":    {1, (*client).cmdMode},
	"KICK":    {2, (*client).cmdKick},
	"INVITE":  {2, (*client).cmdInvite},
	"LIST":    {0, (*client).cmdList},
	"MOTD":    {0, func(c *client, _ *irc.Message) { c.motd() }},
	"AWAY":    {0, (*client).cmdAway},
	"ISON":    {1, (*client).cmdIson},
	"LUSERS": {0, func(c *client, _ *irc.Message) {
		c.reply("251", fmt.Sprintf(":There are %d users on 1 server", len(c.s.nicks)))
	}},
	"USERHOST": {1, (*client).cmdUserhost},
}

// dispatch runs one command; true means that the client is to go.
func (c *client) dispatch(m *irc.Message) (gone bool) {
	select {
	case <-c.done:
		return true
	default:
	}
	switch m.Command {
	case "CAP":
		c.cmdCap(m)
		return false
	case "NICK":
		c.cmdNick(m)
		return false
	case "USER":
		c.cmdUser(m)
		return false
	case "PASS", "PONG":
		return false
	case "PING":
		c.send(":" + c.s.opts.Name + " PONG " + c.s.opts.Name + " :" + m.Trailing())
		return false
	case "QUIT":
		c.kill("Quit: " + cut(m.Param(0), 200))
		return true
	}
	if !c.registered {
		c.reply("451", ":You have not registered")
		return false
	}
	cmd, ok := commands[m.Command]
	switch {
	case !ok:
		c.reply("421", cut(m.Command, 50)+" :Unknown command")
	case len(m.Params) < cmd.params:
		c.reply("461", m.Command+" :Not enough parameters")
	default:
		cmd.run(c, m)
	}
	return false
}

// list splits a parameter at commas, into so many parts at most.
func list(param string) []string {
	parts := strings.SplitN(param, ",", 11)
	return parts[:min(len(parts), 10)]
}

func validChannel(name string) bool {
	return len(name) >= 2 && len(name) <= channelLen && name[0] == '#' && !strings.ContainsAny(name, " ,\x07\r\n:*?!@")
}

func (c *client) cmdJoin(m *irc.Message) {
	s := c.s
	keys := strings.Split(m.Param(1), ",")
	for i, name := range list(m.Param(0)) {
		if name == "0" {
			for ch := range c.joined {
				c.part(ch, "Left all channels")
			}
			continue
		}
		if !validChannel(name) {
			c.reply("403", cut(name, 60)+" :No such channel")
			continue
		}
		ch := s.channelOf(name)
		key := ""
		if i < len(keys) {
			key = keys[i]
		}
		switch {
		case ch != nil && ch.members[c] != nil:
			continue
		case len(c.joined) >= maxJoined:
			c.reply("405", name+" :You have joined too many channels")
			continue
		case ch == nil && len(s.channels) >= maxChannels:
			c.reply("437", name+" :Too many channels on this server")
			continue
		case ch != nil && !c.mayJoin(ch, key):
			continue
		}
		s.join(c, name)
	}
}

// mayJoin checks a channel's modes and says why not.
func (c *client) mayJoin(ch *channel, key string) bool {
	switch {
	case ch.inviteOnly && !ch.invited[c]:
		c.reply("473", ch.name+" :Cannot join channel (+i)")
	case ch.key != "" && key != ch.key:
		c.reply("475", ch.name+" :Cannot join channel (+k)")
	case ch.banned(c):
		c.reply("474", ch.name+" :Cannot join channel (+b)")
	case len(ch.members) >= maxMembers:
		c.reply("471", ch.name+" :Cannot join channel (full)")
	default:
		return true
	}
	return false
}

// join puts a client into a channel, which is made if need be.
func (s *Server) join(c *client, name string) *channel {
	ch := s.channelOf(name)
	if ch == nil {
		ch = &channel{
			name: name, created: time.Now(), noExternal: true, topicLock: true,
			members: make(map[*client]*membership), invited: make(map[*client]bool),
		}
		s.channels[fold(name)] = ch
	}
	ch.members[c] = &membership{op: len(ch.members) == 0}
	delete(ch.invited, c)
	c.joined[ch] = true
	now := time.Now()
	for other := range ch.members {
		other.relay(now, "", ":"+c.prefix()+" JOIN "+ch.name)
	}
	if c.virtual() {
		return ch
	}
	if ch.topic != "" {
		c.replyTopic(ch)
	}
	c.names(ch)
	return ch
}

func (c *client) cmdPart(m *irc.Message) {
	for _, name := range list(m.Param(0)) {
		ch := c.s.channelOf(name)
		if ch == nil || ch.members[c] == nil {
			c.reply("442", cut(name, 60)+" :You're not on that channel")
			continue
		}
		c.part(ch, cut(m.Param(1), 200))
	}
}

func (c *client) part(ch *channel, reason string) {
	line := ":" + c.prefix() + " PART " + ch.name
	if reason != "" {
		line += " :" + reason
	}
	ch.broadcast(line, "", nil)
	c.s.leave(ch, c)
}

// broadcast sends a line to all members but one.
func (ch *channel) broadcast(line, id string, except *client) {
	now := time.Now()
	for member := range ch.members {
		if member != except {
			member.relay(now, id, line)
		}
	}
}

func (c *client) cmdMessage(m *irc.Message) {
	text := m.Param(1)
	if text == "" {
		c.refuse(m, "412", ":No text to send")
		return
	}
	for _, target := range list(m.Param(0))[:1] {
		id := fmt.Sprintf("demo%d", c.s.ids.Add(1))
		line := ":" + c.prefix() + " " + m.Command + " " + target + " :" + text
		if strings.HasPrefix(target, "#") {
			ch := c.s.channelOf(target)
			switch {
			case ch == nil:
				c.refuse(m, "403", cut(target, 60)+" :No such channel")
				continue
			case !ch.maySpeak(c):
				c.refuse(m, "404", ch.name+" :Cannot send to channel")
				continue
			}
			ch.broadcast(line, id, c)
			if c.s.people != nil && m.Command == "PRIVMSG" {
				c.s.people.hear(c, ch.name, text)
			}
		} else {
			other := c.s.nicks[fold(target)]
			if other == nil {
				c.refuse(m, "401", cut(target, 60)+" :No such nick")
				continue
			}
			other.relay(time.Now(), id, line)
			if other.away != "" {
				c.reply("301", other.nick+" :"+other.away)
			}
			if c.s.people != nil && m.Command == "PRIVMSG" {
				c.s.people.hearPrivate(c, other, text)
			}
		}
		if c.caps["echo-message"] {
			c.relay(time.Now(), id, line)
		}
	}
}

// refuse answers with an error, unless the command is a NOTICE (RFC 2812,
// section 3.3.2: "automatic replies MUST NEVER be sent in response to a NOTICE
// message"); an unknown channel or a muted one is told all the same, as today's
// servers do.
func (c *client) refuse(m *irc.Message, code, params string) {
	if m.Command == "NOTICE" && code != "404" {
		return
	}
	c.reply(code, params)
}

func (ch *channel) maySpeak(c *client) bool {
	member := ch.members[c]
	if member != nil && (member.op || member.voice) {
		return true
	}
	return (member != nil || !ch.noExternal) && !ch.moderated && !ch.banned(c)
}

func messageOf(target, text string) *irc.Message {
	return &irc.Message{Command: "PRIVMSG", Params: []string{target, text}}
}
