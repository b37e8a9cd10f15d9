package session

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/irc.v4"
)

// maxBatches bounds the batches that a server may leave open.
const maxBatches = 64

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
	if !c.registered || strings.HasPrefix(m.Command, "90") {
		return c.handleRegistration(m)
	}
	if c.s.current() != c {
		// Some bouncers send no MOTD at all; anything for us but numerics of the
		// greeting means that it is over.
		if _, err := strconv.Atoi(m.Command); err != nil && m.Command != "NOTICE" && m.Command != "MODE" {
			c.greeted()
		}
	}
	if isNumeric(m.Command) {
		c.handleNumeric(m)
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

func (c *conn) handleBatch(m *irc.Message) {
	ref := m.Param(0)
	if name, ok := strings.CutPrefix(ref, "+"); ok {
		if len(c.batches) < maxBatches {
			c.batches[name] = m.Param(1)
		}
	} else if name, ok := strings.CutPrefix(ref, "-"); ok {
		delete(c.batches, name)
	}
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
	if ref := m.Tags["batch"]; ref != "" {
		meta.Batch = c.batches[ref]
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
	case "MODE":
		c.onMode(m, from)
	case "CHGHOST":
		if self {
			c.state.setSelf(m.Param(0), m.Param(1))
		}
	case "PRIVMSG", "NOTICE":
		c.onMessage(m, from, self)
	case "ACK": // labeled-response: processed, with nothing to say
		c.answered(m, "", "", Outcome{State: Delivered})
	case "FAIL":
		// FAIL <command> <code> [context...] <description>
		target := ""
		if len(m.Params) > 3 {
			target = m.Params[2]
		}
		c.answered(m, m.Param(0), target, Outcome{State: Refused, Err: &Refusal{Code: m.Param(1), Text: truncate(m.Trailing(), 300)}})
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
			continue
		}
		c.state.add(name, from.Nick, "")
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
	if self {
		c.state.shut(name)
		if w := c.s.wantOf(c.casemap(), name); w != nil {
			c.rejoinLater(w)
		}
	} else {
		c.state.remove(name, nick)
	}
	c.emit(Kick{Meta: c.meta(m), Channel: name, Nick: nick, By: by, Reason: m.Param(2), Self: self})
}

func (c *conn) casemap() Casemapping { return c.state.support().Casemapping }

func (c *conn) onMessage(m *irc.Message, from User, self bool) {
	if len(m.Params) < 2 {
		return
	}
	isup := c.state.support()
	ev := Message{Meta: c.meta(m), Target: m.Param(0), From: from, Text: m.Param(1), Echo: self}
	if channel := isup.splitStatus(ev.Target); isup.IsChannel(channel) {
		ev.Channel = channel
	}
	for _, tag := range []string{"+reply", "+draft/reply"} {
		if id := m.Tags[tag]; id != "" {
			ev.ReplyTo = truncate(id, 255)
		}
	}
	if m.Command == "NOTICE" {
		ev.Kind = KindNotice
	}
	if self {
		c.answered(m, m.Command, ev.Target, Outcome{State: Delivered, MsgID: ev.MsgID})
	}
	if body, ok := strings.CutPrefix(ev.Text, "\x01"); ok {
		command, arg, _ := strings.Cut(strings.TrimSuffix(body, "\x01"), " ")
		if !strings.EqualFold(command, "ACTION") || m.Command == "NOTICE" {
			if m.Command == "PRIVMSG" && !self {
				c.onCTCP(from, strings.ToUpper(command), arg)
			}
			return
		}
		ev.Kind, ev.Text = KindAction, arg
	}
	if from.Nick == "" || from.Username == "" && from.Host == "" && strings.Contains(from.Nick, ".") {
		return // the server itself
	}
	c.emit(ev)
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
