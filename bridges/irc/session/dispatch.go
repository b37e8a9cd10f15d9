package session

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/irc.v4"
)

// handle handles one line of the server. An error ends the connection.
func (c *conn) handle(m *irc.Message) error {
	switch m.Command {
	case "PING":
		if s, ok := c.cfg.Handler.(Syncer); ok {
			s.Sync()
		}
		return c.write("PONG :" + m.Trailing())
	case "PONG":
		if n, ok := strings.CutPrefix(m.Trailing(), barrierPrefix); ok {
			if barrier, err := strconv.ParseUint(n, 10, 64); err == nil {
				c.confirm(barrier)
			}
		}
		return nil
	case "ERROR":
		return &serverError{reason: truncate(m.Trailing(), 300)}
	case "CAP":
		return c.handleCap(m)
	case "AUTHENTICATE":
		return c.handleAuthenticate(m)
	case "BATCH":
		c.handleBatch(m)
		return nil
	case "005":
		if len(m.Params) > 2 {
			c.state.addSupport(m.Params[1 : len(m.Params)-1])
		}
		return nil
	case "376", "422": // end of MOTD, no MOTD
		c.greeted()
		return nil
	}
	if !c.registered || strings.HasPrefix(m.Command, "90") && !(c.s.current() == c && m.Command == "900") {
		return c.handleRegistration(m)
	}
	if c.s.current() != c {
		// Some bouncers send no MOTD at all; anything for us but numerics of the
		// greeting means that it is over.
		if _, err := strconv.Atoi(m.Command); err != nil && m.Command != "NOTICE" && m.Command != "MODE" {
			c.greeted()
		}
	}
	if len(c.catching) > 0 {
		c.releaseLate()
	}
	if c.gather(m) {
		return nil
	}
	if isNumeric(m.Command) {
		if !c.answer(m) || m.Command == "353" || m.Command == "366" {
			c.handleNumeric(m)
		}
	} else {
		c.handleCommand(m)
	}
	return nil
}

func isNumeric(command string) bool {
	if len(command) != 3 {
		return false
	}
	_, err := strconv.Atoi(command)
	return err == nil
}

// maxSkew is how far in the future a server's clock may be before its times are
// not believed.
const maxSkew = 5 * time.Minute

func (c *conn) meta(m *irc.Message) Meta {
	now := time.Now()
	meta := Meta{Time: now, MsgID: truncate(m.Tags["msgid"], 255), Conn: c.id, Seq: c.seq}
	if t, err := time.Parse(time.RFC3339Nano, m.Tags["time"]); err == nil && t.Before(now.Add(maxSkew)) && t.Year() > 1990 {
		meta.Time = t
	}
	if b := c.batches[m.Tags["batch"]]; b != nil {
		meta.Batch = b.kind
	}
	return meta
}

func source(m *irc.Message) User {
	u := User{Account: m.Tags["account"]}
	if m.Prefix != nil {
		u.Nick, u.Username, u.Host = m.Prefix.Name, m.Prefix.User, m.Prefix.Host
	}
	return u
}

func (c *conn) emit(e Event) { c.cfg.Handler.HandleEvent(e) }

func (c *conn) handleCommand(m *irc.Message) {
	from := source(m)
	self := from.Nick != "" && c.state.isSelf(from.Nick)
	if self && from.Username != "" {
		c.state.setSelf(from.Username, from.Host)
	}
	switch m.Command {
	case "JOIN":
		c.onJoin(m, from, self)
	case "PART":
		for _, name := range strings.Split(m.Param(0), ",") {
			c.onPart(m, from, self, name)
		}
	case "KICK":
		c.onKick(m, from)
	case "QUIT":
		if !self {
			c.nickFreed(from.Nick)
			meta := c.meta(m)
			c.emit(Quit{
				Meta: meta, User: from, Reason: m.Param(0), Channels: c.state.quit(from.Nick),
				Split: meta.Batch == "netsplit" || isSplit(m.Param(0)),
			})
		}
	case "NICK":
		if to := m.Param(0); to != "" {
			if !self {
				c.nickFreed(from.Nick)
			}
			c.emit(NickChange{Meta: c.meta(m), Old: from.Nick, New: to, Self: self, Channels: c.state.rename(from.Nick, to)})
		}
	case "TOPIC":
		c.state.setTopic(m.Param(0), m.Param(1))
		if self {
			c.answered(m, "TOPIC", m.Param(0), Outcome{State: Delivered})
		}
		c.emit(Topic{Meta: c.meta(m), Channel: m.Param(0), Text: m.Param(1), By: from})
	case "INVITE":
		c.emit(Invite{Meta: c.meta(m), Channel: m.Param(1), Nick: m.Param(0), By: from, Self: c.state.isSelf(m.Param(0))})
	case "TAGMSG":
		c.onTags(m, from, self)
	case "REDACT":
		c.onRedact(m, from, self)
	case "WALLOPS":
		c.emit(Notice{Meta: c.meta(m), From: from.Nick, Text: m.Trailing()})
	case "KILL":
		if c.state.isSelf(m.Param(0)) {
			c.emit(Notice{Meta: c.meta(m), From: from.Nick, Text: "killed: " + m.Trailing()})
		}
	case "MODE":
		c.onMode(m, from)
	case "CHGHOST":
		if self {
			c.state.setSelf(m.Param(0), m.Param(1))
		}
		c.state.know(from.Nick, m.Param(0), m.Param(1), "")
	case "ACCOUNT":
		c.state.know(from.Nick, "", "", m.Param(0))
	case "PRIVMSG", "NOTICE":
		c.onMessage(m, from, self)
	case "ACK": // labeled-response: processed, with nothing to say
		c.answered(m, "", "", Outcome{State: Delivered})
	case "FAIL":
		c.onFail(m)
	case "NOTE", "WARN":
		c.emit(Notice{Meta: c.meta(m), From: from.Nick, Text: m.Trailing()})
	}
}

func (c *conn) onJoin(m *irc.Message, from User, self bool) {
	if len(m.Params) >= 3 { // extended-join: channel, account, realname
		if account := m.Params[1]; account != "*" && from.Account == "" {
			from.Account = account
		}
	}
	for _, name := range strings.Split(m.Param(0), ",") {
		if name == "" {
			continue
		}
		if self {
			c.state.open(name)
			c.catchUp(name)
			continue
		}
		c.state.add(name, from.Nick, "")
		account := from.Account
		if account == "" && len(m.Params) >= 3 {
			account = "*"
		}
		c.state.know(from.Nick, from.Username, from.Host, account)
		ev := Join{Meta: c.meta(m), Channel: name, User: from}
		if len(m.Params) >= 3 {
			ev.Realname = m.Params[2]
		}
		c.emit(ev)
	}
}

func (c *conn) onPart(m *irc.Message, from User, self bool, name string) {
	if name == "" {
		return
	}
	if self {
		c.state.shut(name)
		if w := c.s.wantOf(c.casemap(), name); w != nil {
			c.rejoinLater(w) // a forced part (SAPART, a service)
		}
	} else {
		c.state.remove(name, from.Nick)
	}
	c.emit(Part{Meta: c.meta(m), Channel: name, User: from, Reason: m.Param(1), Self: self})
}

func (c *conn) onKick(m *irc.Message, by User) {
	name, nick := m.Param(0), m.Param(1)
	if name == "" || nick == "" {
		return
	}
	self := c.state.isSelf(nick)
	who := User{Nick: nick}
	if m, ok := c.state.member(name, nick); ok {
		who = User{Nick: nick, Username: m.Username, Host: m.Host, Account: m.Account}
	}
	if self {
		c.state.shut(name)
		if w := c.s.wantOf(c.casemap(), name); w != nil {
			c.rejoinLater(w)
		}
	} else {
		c.state.remove(name, nick)
	}
	c.emit(Kick{Meta: c.meta(m), Channel: name, Nick: nick, Who: who, By: by, Reason: m.Param(2), Self: self})
}

func (c *conn) casemap() Casemapping { return c.state.support().Casemapping }
