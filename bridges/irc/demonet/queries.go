package demonet

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"gopkg.in/irc.v4"
)

func (c *client) replyTopic(ch *channel) {
	c.reply("332", ch.name+" :"+ch.topic)
	c.reply("333", fmt.Sprintf("%s %s %d", ch.name, ch.topicBy, ch.topicAt.Unix()))
}

func (c *client) cmdTopic(m *irc.Message) {
	ch := c.s.channelOf(m.Param(0))
	switch {
	case ch == nil:
		c.reply("403", cut(m.Param(0), 60)+" :No such channel")
	case len(m.Params) == 1 && ch.topic == "":
		c.reply("331", ch.name+" :No topic is set")
	case len(m.Params) == 1:
		c.replyTopic(ch)
	case ch.members[c] == nil:
		c.reply("442", ch.name+" :You're not on that channel")
	case ch.topicLock && !ch.members[c].op:
		c.reply("482", ch.name+" :You're not channel operator")
	default:
		ch.topic, ch.topicBy, ch.topicAt = cut(m.Param(1), topicLen), c.prefix(), time.Now()
		ch.broadcast(":"+c.prefix()+" TOPIC "+ch.name+" :"+ch.topic, "", nil)
	}
}

// names sends the members of a channel, a line's worth at a time.
func (c *client) names(ch *channel) {
	var names []string
	for member, ms := range ch.members {
		names = append(names, ms.symbols(c.caps["multi-prefix"])+member.nick)
	}
	sort.Strings(names)
	for len(names) > 0 {
		n, size := 0, 0
		for n < len(names) && size+len(names[n]) < 380 {
			size += len(names[n]) + 1
			n++
		}
		c.reply("353", "= "+ch.name+" :"+strings.Join(names[:n], " "))
		names = names[n:]
	}
	c.reply("366", ch.name+" :End of /NAMES list")
}

func (ms *membership) symbols(all bool) string {
	switch {
	case ms.op && ms.voice && all:
		return "@+"
	case ms.op:
		return "@"
	case ms.voice:
		return "+"
	}
	return ""
}

func (c *client) cmdNames(m *irc.Message) {
	for _, name := range list(m.Param(0)) {
		if ch := c.s.channelOf(name); ch != nil {
			c.names(ch)
		} else {
			c.reply("366", cut(name, 60)+" :End of /NAMES list")
		}
	}
}

func (c *client) cmdWho(m *irc.Message) {
	mask := m.Param(0)
	if ch := c.s.channelOf(mask); ch != nil {
		for member, ms := range ch.members {
			c.who(ch.name, member, ms.symbols(true))
		}
	} else if other := c.s.nicks[fold(mask)]; other != nil {
		c.who("*", other, "")
	}
	c.reply("315", cut(mask, 60)+" :End of /WHO list")
}

func (c *client) who(channel string, other *client, symbols string) {
	flag := "H"
	if other.away != "" {
		flag = "G"
	}
	c.reply("352", fmt.Sprintf("%s %s %s %s %s %s%s :0 %s", channel, other.user, other.host, c.s.opts.Name, other.nick, flag, symbols, other.real))
}

func (c *client) cmdWhois(m *irc.Message) {
	nick := m.Trailing()
	other := c.s.nicks[fold(nick)]
	if other == nil {
		c.reply("401", cut(nick, 60)+" :No such nick")
		c.reply("318", cut(nick, 60)+" :End of /WHOIS list")
		return
	}
	c.reply("311", fmt.Sprintf("%s %s %s * :%s", other.nick, other.user, other.host, other.real))
	var channels []string
	for ch := range other.joined {
		channels = append(channels, ch.members[other].symbols(true)+ch.name)
	}
	sort.Strings(channels)
	if len(channels) > 0 {
		c.reply("319", other.nick+" :"+cut(strings.Join(channels, " "), 400))
	}
	c.reply("312", other.nick+" "+c.s.opts.Name+" :"+c.s.opts.Network)
	if other.away != "" {
		c.reply("301", other.nick+" :"+other.away)
	}
	c.reply("317", fmt.Sprintf("%s 0 %d :seconds idle, signon time", other.nick, other.since.Unix()))
	c.reply("318", other.nick+" :End of /WHOIS list")
}

func (c *client) cmdList(m *irc.Message) {
	var names []string
	for _, ch := range c.s.channels {
		names = append(names, ch.name)
	}
	sort.Strings(names)
	for _, name := range names {
		ch := c.s.channelOf(name)
		if m.Param(0) == "" || fold(m.Param(0)) == fold(name) {
			c.reply("322", fmt.Sprintf("%s %d :%s", name, len(ch.members), ch.topic))
		}
	}
	c.reply("323", ":End of /LIST")
}

func (c *client) cmdAway(m *irc.Message) {
	if c.away = cut(m.Param(0), 200); c.away == "" {
		c.reply("305", ":You are no longer marked as being away")
	} else {
		c.reply("306", ":You have been marked as being away")
	}
}

func (c *client) cmdIson(m *irc.Message) {
	var on []string
	for _, nick := range strings.Fields(strings.Join(m.Params, " ")) {
		if other := c.s.nicks[fold(nick)]; other != nil {
			on = append(on, other.nick)
		}
	}
	c.reply("303", ":"+strings.Join(on, " "))
}

func (c *client) cmdUserhost(m *irc.Message) {
	var hosts []string
	for _, nick := range m.Params[:min(len(m.Params), 5)] {
		if other := c.s.nicks[fold(nick)]; other != nil {
			hosts = append(hosts, other.nick+"=+"+other.user+"@"+other.host)
		}
	}
	c.reply("302", ":"+strings.Join(hosts, " "))
}
