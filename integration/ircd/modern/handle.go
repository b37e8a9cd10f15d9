package modern

import (
	"path"
	"slices"
	"strings"

	"gopkg.in/irc.v4"
)

// handle does what a line asks for; s.mu is held.
func (c *client) handle(m *irc.Message) {
	switch strings.ToUpper(m.Command) {
	case "CAP":
		c.onCap(m)
	case "AUTHENTICATE":
		c.authenticate(m.Param(0))
	case "NICK":
		c.onNick(m.Param(0))
	case "USER":
		c.user, c.real = m.Param(0), m.Trailing()
		c.greet()
	case "PING":
		c.say(&irc.Message{Prefix: &irc.Prefix{Name: name}, Command: "PONG", Params: []string{name, m.Trailing()}})
	case "QUIT":
		c.s.end(c, "Quit: "+m.Trailing())
	case "PASS", "PONG":
	default:
		if !c.registered {
			c.num("451", "You have not registered")
			return
		}
		c.command(m)
	}
}

func (c *client) command(m *irc.Message) {
	switch m.Command {
	case "JOIN":
		key := m.Param(1)
		for _, name := range strings.Split(m.Param(0), ",") {
			c.join(name, key)
		}
	case "PART":
		c.part(m.Param(0), m.Param(1))
	case "TOPIC":
		c.topic(m)
	case "MODE":
		c.mode(m)
	case "KICK":
		c.kick(m)
	case "INVITE":
		c.invite(m.Param(0), m.Param(1))
	case "NAMES":
		if ch := c.s.channels[fold(m.Param(0))]; ch != nil {
			c.names(ch)
		} else {
			c.num("366", m.Param(0), "End of /NAMES list")
		}
	case "LIST":
		for _, ch := range c.s.channels {
			c.num("322", ch.name, itoa(len(ch.members)), ch.topic)
		}
		c.num("323", "End of /LIST")
	case "WHO":
		c.who(m)
	case "WHOIS":
		c.whois(m.Trailing())
	case "BATCH":
		c.onBatch(m)
	case "PRIVMSG", "NOTICE", "TAGMSG":
		c.onMessage(m)
	case "RELAYMSG":
		c.relay(m)
	case "REDACT":
		c.redact(m)
	case "CHATHISTORY":
		c.chathistory(m)
	default:
		c.num("421", m.Command, "Unknown command")
	}
}

func (c *client) onCap(m *irc.Message) {
	reply := func(params ...string) {
		c.say(&irc.Message{Prefix: &irc.Prefix{Name: name}, Command: "CAP", Params: append([]string{c.nick}, params...)})
	}
	switch strings.ToUpper(m.Param(0)) {
	case "LS":
		c.negotiating = true
		half := len(c.s.opts.Caps) / 2
		reply("LS", "*", strings.Join(c.s.opts.Caps[:half], " "))
		reply("LS", strings.Join(c.s.opts.Caps[half:], " "))
	case "REQ":
		for _, want := range strings.Fields(m.Trailing()) {
			if !slices.ContainsFunc(c.s.opts.Caps, func(have string) bool { n, _, _ := strings.Cut(have, "="); return n == want }) {
				reply("NAK", m.Trailing())
				return
			}
		}
		for _, want := range strings.Fields(m.Trailing()) {
			c.caps[want] = true
		}
		reply("ACK", m.Trailing())
	case "END":
		c.negotiating = false
		c.greet()
	}
}

func (c *client) onNick(nick string) {
	if other := c.s.nicks[fold(nick)]; other != nil && other != c {
		c.num("433", nick, "Nickname is already in use")
		return
	}
	if !c.registered {
		c.nick = nick
		c.greet()
		return
	}
	told := map[*client]bool{c: true}
	c.from(c, nil, "NICK", nick)
	for _, ch := range c.s.channels {
		if _, in := ch.members[c]; !in {
			continue
		}
		for other := range ch.members {
			if !told[other] {
				told[other] = true
				other.from(c, nil, "NICK", nick)
			}
		}
	}
	delete(c.s.nicks, fold(c.nick))
	c.nick = nick
	c.s.nicks[fold(nick)] = c
}

func (c *client) greet() {
	if c.registered || c.negotiating || c.user == "" || c.nick == "*" {
		return
	}
	if c.s.nicks[fold(c.nick)] != nil {
		c.num("433", c.nick, "Nickname is already in use")
		return
	}
	c.registered = true
	c.s.nicks[fold(c.nick)] = c
	c.s.from[fold(c.nick)] = c.conn.RemoteAddr().String()
	c.num("001", "Welcome to Modern")
	c.num("005", "CASEMAPPING=ascii", "CHANMODES=Ibe,k,l,imnpstCMRUr", "CHANTYPES=#", "PREFIX=(qaohv)~&@%+", "NETWORK=Modern",
		"NICKLEN=32", "TOPICLEN=390", "STATUSMSG=~&@%+", "WHOX", "EXCEPTS", "CHATHISTORY=1000", "MSGREFTYPES=msgid,timestamp", "are supported by this server")
	c.num("422", "MOTD File is missing")
}

func (c *client) join(name, key string) {
	if !strings.HasPrefix(name, "#") {
		c.num("403", name, "No such channel")
		return
	}
	ch := c.s.channel(name)
	if _, in := ch.members[c]; in {
		return
	}
	invited := ch.invited[fold(c.nick)]
	switch {
	case ch.key != "" && ch.key != key && !invited:
		c.num("475", name, "Cannot join channel (+k)")
		return
	case ch.modes['i'] && !invited:
		c.num("473", name, "Cannot join channel (+i)")
		return
	case ch.modes['R'] && c.account == "":
		c.num("477", name, "You must be logged in to an account to join")
		return
	case ch.banned(c) && !invited:
		c.num("474", name, "Cannot join channel (+b)")
		return
	}
	delete(ch.invited, fold(c.nick))
	rank := ""
	if len(ch.members) == 0 {
		rank = "o"
	}
	ch.members[c] = rank
	account := c.account
	if account == "" {
		account = "*"
	}
	for other := range ch.members {
		if other.caps["extended-join"] {
			other.from(c, nil, "JOIN", ch.name, account, c.real)
		} else {
			other.from(c, nil, "JOIN", ch.name)
		}
	}
	if ch.topic != "" {
		c.num("332", ch.name, ch.topic)
	}
	c.names(ch)
}

func (c *client) names(ch *channel) {
	for other, rank := range ch.members {
		who := other.nick
		if c.caps["userhost-in-names"] {
			who = other.mask()
		}
		c.num("353", "=", ch.name, symbols(rank)+who)
	}
	c.num("366", ch.name, "End of NAMES list")
}

func symbols(rank string) string {
	out := ""
	for i, r := range "qaohv" {
		if strings.ContainsRune(rank, r) {
			out += "~&@%+"[i : i+1]
		}
	}
	return out
}

func (c *client) part(name, reason string) {
	ch := c.s.channels[fold(name)]
	if ch == nil {
		c.num("403", name, "No such channel")
		return
	}
	for other := range ch.members {
		other.from(c, nil, "PART", ch.name, reason)
	}
	delete(ch.members, c)
}

func (c *client) op(ch *channel) bool {
	return strings.ContainsAny(ch.members[c], "qao")
}

func (c *client) topic(m *irc.Message) {
	ch := c.s.channels[fold(m.Param(0))]
	switch {
	case ch == nil:
		c.num("403", m.Param(0), "No such channel")
	case ch.modes['t'] && !c.op(ch):
		c.num("482", ch.name, "You're not a channel operator")
	default:
		ch.topic = m.Param(1)
		for other := range ch.members {
			other.from(c, nil, "TOPIC", ch.name, ch.topic)
		}
	}
}

func (c *client) kick(m *irc.Message) {
	ch, target := c.s.channels[fold(m.Param(0))], c.s.nicks[fold(m.Param(1))]
	switch {
	case ch == nil:
		c.num("403", m.Param(0), "No such channel")
	case !c.op(ch):
		c.num("482", ch.name, "You're not a channel operator")
	case target == nil:
		c.num("401", m.Param(1), "No such nick")
	default:
		for other := range ch.members {
			other.from(c, nil, "KICK", ch.name, target.nick, m.Param(2))
		}
		delete(ch.members, target)
	}
}

func (c *client) invite(nick, name string) {
	ch, target := c.s.channels[fold(name)], c.s.nicks[fold(nick)]
	switch {
	case target == nil:
		c.num("401", nick, "No such nick")
	case ch == nil:
		c.num("403", name, "No such channel")
	case ch.modes['i'] && !c.op(ch):
		c.num("482", ch.name, "You're not a channel operator")
	default:
		ch.invited[fold(nick)] = true
		c.num("341", target.nick, ch.name)
		target.from(c, nil, "INVITE", target.nick, ch.name)
	}
}

// banned reports whether a ban meets a client: a mask of nick, user and host, or $a:account.
func (ch *channel) banned(c *client) bool {
	for _, mask := range ch.bans {
		if account, ok := strings.CutPrefix(mask, "$a:"); ok {
			if account == c.account && account != "" {
				return true
			}
			continue
		}
		if ok, _ := path.Match(fold(mask), fold(c.mask())); ok {
			return true
		}
	}
	return false
}

func (c *client) mode(m *irc.Message) {
	ch := c.s.channels[fold(m.Param(0))]
	if ch == nil {
		return
	}
	switch {
	case len(m.Params) == 1:
		list := "+"
		for mode, on := range ch.modes {
			if on {
				list += string(mode)
			}
		}
		c.num("324", ch.name, list)
	case len(m.Params) == 2 && strings.Trim(m.Params[1], "+") == "b":
		for _, mask := range ch.bans {
			c.num("367", ch.name, mask, "oper", "1700000000")
		}
		c.num("368", ch.name, "End of channel ban list")
	case !c.op(ch):
		c.num("482", ch.name, "You're not a channel operator")
	default:
		c.s.setModes(ch, c.mask(), m.Params[1], m.Params[2:])
	}
}

// setModes changes modes and tells everybody.
func (s *Server) setModes(ch *channel, by, modes string, args []string) {
	all, on := slices.Clone(args), true
	next := func() (arg string) {
		if len(args) > 0 {
			arg, args = args[0], args[1:]
		}
		return arg
	}
	for i := range len(modes) {
		switch mode := modes[i]; mode {
		case '+', '-':
			on = mode == '+'
		case 'b':
			mask := next()
			ch.bans = slices.DeleteFunc(ch.bans, func(have string) bool { return have == mask })
			if on {
				ch.bans = append(ch.bans, mask)
			}
		case 'q', 'a', 'o', 'h', 'v':
			if target := s.nicks[fold(next())]; target != nil {
				if _, in := ch.members[target]; in {
					rank := strings.ReplaceAll(ch.members[target], string(mode), "")
					if on {
						rank += string(mode)
					}
					ch.members[target] = rank
				}
			}
		case 'k':
			if ch.key = next(); !on {
				ch.key = ""
			}
			ch.modes['k'] = on
		default:
			ch.modes[mode] = on
		}
	}
	for other := range ch.members {
		other.say(&irc.Message{Prefix: irc.ParsePrefix(by), Command: "MODE", Params: append([]string{ch.name, modes}, all...)})
	}
}

func (c *client) who(m *irc.Message) {
	if ch := c.s.channels[fold(m.Param(0))]; ch != nil {
		for other, rank := range ch.members {
			account := other.account
			if account == "" {
				account = "0"
			}
			if len(m.Params) > 1 {
				c.num("354", ch.name, "~"+other.user, other.host, other.nick, account)
			} else {
				c.num("352", ch.name, "~"+other.user, other.host, name, other.nick, "H"+symbols(rank), "0 "+other.real)
			}
		}
	}
	c.num("315", m.Param(0), "End of WHO list")
}

func (c *client) whois(nick string) {
	if other := c.s.nicks[fold(nick)]; other != nil {
		c.num("311", other.nick, other.username(), other.host, "*", other.real)
		if other.account != "" {
			c.num("330", other.nick, other.account, "is logged in as")
		}
		c.num("312", other.nick, name, "A modern server")
	} else {
		c.num("401", nick, "No such nick")
	}
	c.num("318", nick, "End of /WHOIS list")
}
