package demonet

import (
	"sort"
	"strings"
	"time"

	"gopkg.in/irc.v4"
)

func (c *client) cmdCap(m *irc.Message) {
	sub := strings.ToUpper(m.Param(0))
	nick := c.nick
	if nick == "" {
		nick = "*"
	}
	answer := func(params string) { c.send(":" + c.s.opts.Name + " CAP " + nick + " " + params) }
	switch sub {
	case "LS":
		c.negotiating = c.negotiating || !c.registered
		answer("LS :" + strings.Join(sorted(c.s.caps), " "))
	case "LIST":
		answer("LIST :" + strings.Join(sorted(c.caps), " "))
	case "REQ":
		c.negotiating = c.negotiating || !c.registered
		names := strings.Fields(m.Trailing())
		for _, name := range names {
			if !c.s.caps[strings.TrimPrefix(name, "-")] {
				answer("NAK :" + m.Trailing())
				return
			}
		}
		for _, name := range names {
			if off, ok := strings.CutPrefix(name, "-"); ok {
				delete(c.caps, off)
			} else {
				c.caps[name] = true
			}
		}
		answer("ACK :" + m.Trailing())
	case "END":
		c.negotiating = false
		c.tryRegister()
	default:
		c.reply("410", sub+" :Invalid CAP command")
	}
}

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (c *client) cmdNick(m *irc.Message) {
	nick := m.Param(0)
	switch {
	case nick == "":
		c.reply("431", ":No nickname given")
		return
	case !validNick(nick):
		c.reply("432", nick+" :Erroneous nickname")
		return
	}
	if other := c.s.nicks[fold(nick)]; other != nil && other != c {
		c.reply("433", nick+" :Nickname is already in use")
		return
	}
	if !c.registered {
		c.nick = nick
		c.tryRegister()
		return
	}
	line := ":" + c.prefix() + " NICK :" + nick
	now := time.Now()
	c.relay(now, "", line)
	for other := range c.neighbours() {
		other.relay(now, "", line)
	}
	delete(c.s.nicks, fold(c.nick))
	c.nick = nick
	c.s.nicks[fold(nick)] = c
}

// validNick follows RFC 2812, section 2.3.1, but for the length.
func validNick(nick string) bool {
	if len(nick) > nickLen {
		return false
	}
	for i := range len(nick) {
		ch := nick[i]
		letter := 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || strings.IndexByte("[]\\`_^{|}", ch) >= 0
		digit := '0' <= ch && ch <= '9' || ch == '-'
		if !letter && (!digit || i == 0) {
			return false
		}
	}
	return true
}

func (c *client) cmdUser(m *irc.Message) {
	switch {
	case c.registered:
		c.reply("462", ":You may not reregister")
	case len(m.Params) < 4:
		c.reply("461", "USER :Not enough parameters")
	default:
		c.user = "~" + cleanUser(m.Param(0))
		c.real = cut(m.Param(3), 100)
		c.tryRegister()
	}
}

func cleanUser(user string) string {
	user = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return -1
	}, user)
	if user == "" {
		return "user"
	}
	return cut(user, 9)
}

func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

func (c *client) tryRegister() {
	s := c.s
	if c.registered || c.negotiating || c.nick == "" || c.user == "" {
		return
	}
	if s.nicks[fold(c.nick)] != nil {
		c.reply("433", c.nick+" :Nickname is already in use")
		c.nick = ""
		return
	}
	c.registered = true
	s.nicks[fold(c.nick)] = c
	c.reply("001", ":Welcome to the "+s.opts.Network+" network "+c.prefix())
	c.reply("002", ":Your host is "+s.opts.Name+", running Landbridge")
	c.reply("003", ":This server was started "+s.started.UTC().Format(time.RFC1123))
	c.reply("004", s.opts.Name+" landbridge i biklmnotv")
	c.reply("005", "CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+ CHANMODES=b,k,,imnt NICKLEN=30 CHANNELLEN=50 TOPICLEN=390 :are supported by this server")
	c.reply("005", "NETWORK="+s.opts.Network+" MODES=4 CHANLIMIT=#:50 STATUSMSG=@+ :are supported by this server")
	c.motd()
}

func (c *client) motd() {
	c.reply("375", ":- "+c.s.opts.Name+" Message of the day -")
	c.reply("372", ":- This network lives inside a Landbridge process.")
	c.reply("372", ":- Join "+strings.Join(Channels(), " or ")+"; what you say is seen on Matrix.")
	c.reply("376", ":End of /MOTD command")
}
