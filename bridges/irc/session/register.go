package session

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gopkg.in/irc.v4"
)

// wantedCaps are asked for when the server offers them.
var wantedCaps = map[string]bool{
	"message-tags": true, "server-time": true, "echo-message": true, "labeled-response": true,
	"batch": true, "account-tag": true, "account-notify": true, "extended-join": true,
	"multi-prefix": true, "setname": true, "away-notify": true, "chghost": true,
	"cap-notify": true, "userhost-in-names": true, "invite-notify": true, "standard-replies": true,
	"draft/multiline": true, "draft/chathistory": true, "draft/event-playback": true,
	"draft/message-redaction": true, "draft/relaymsg": true, "znc.in/playback": true,
}

// maxCaps bounds how many offered capabilities are remembered.
const maxCaps = 256

// begin sends the first lines of a connection.
func (c *conn) begin() error {
	lines := []string{"CAP LS 302"}
	if c.cfg.Password != "" {
		lines = append(lines, "PASS :"+c.cfg.Password)
	}
	lines = append(lines, "NICK "+c.s.wantedNick(), "USER "+c.cfg.Username+" 0 * :"+c.cfg.Realname)
	for _, line := range lines {
		if err := c.write(line); err != nil {
			return err
		}
	}
	return nil
}

// handleCap handles CAP lines: <nick> <subcommand> [*] :<capabilities>.
func (c *conn) handleCap(m *irc.Message) error {
	if len(m.Params) < 3 {
		return nil
	}
	caps := strings.Fields(m.Trailing())
	switch strings.ToUpper(m.Params[1]) {
	case "LS":
		c.offer(caps)
		if len(m.Params) >= 4 && m.Params[2] == "*" {
			return nil // more follows
		}
		return c.request(c.wantOffered(), true)
	case "NEW":
		c.offer(caps)
		return c.request(c.wantOffered(), false)
	case "DEL":
		for _, name := range caps {
			c.withdraw(name)
			c.setCap(name, false)
		}
	case "ACK":
		for _, name := range caps {
			if off, ok := strings.CutPrefix(name, "-"); ok {
				c.setCap(off, false)
			} else {
				c.setCap(name, true)
			}
		}
		return c.afterRequest()
	case "NAK":
		for _, name := range caps {
			c.withdraw(strings.TrimPrefix(name, "-"))
		}
		return c.afterRequest()
	}
	return nil
}

func (c *conn) withdraw(name string) {
	c.capMu.Lock()
	defer c.capMu.Unlock()
	delete(c.offered, name)
}

// offer1 returns the value of a capability that the server offers.
func (c *conn) offer1(name string) string {
	c.capMu.Lock()
	defer c.capMu.Unlock()
	return c.offered[name]
}

func (c *conn) offer(caps []string) {
	c.capMu.Lock()
	defer c.capMu.Unlock()
	for _, token := range caps {
		name, value, _ := strings.Cut(token, "=")
		if _, known := c.offered[name]; known || len(c.offered) < maxCaps {
			c.offered[name] = value
		}
	}
}

func (c *conn) wantOffered() []string {
	var names []string
	for name := range c.offered {
		if wantedCaps[name] && !c.hasCap(name) {
			names = append(names, name)
		}
	}
	if c.cfg.SASL != nil && !c.registered && c.offersMechanism() {
		names = append(names, "sasl")
	}
	// echo-message without labels is still of use, but labels need both batch and
	// message-tags; servers check that themselves.
	return names
}

// offersMechanism reports whether the server offers SASL with the mechanism that
// is configured; a server that lists none accepts any.
func (c *conn) offersMechanism() bool {
	value, ok := c.offered["sasl"]
	if !ok {
		return false
	}
	if value == "" {
		return true
	}
	for _, mech := range strings.Split(value, ",") {
		if strings.EqualFold(mech, c.cfg.SASL.Name()) {
			return true
		}
	}
	return false
}

// request asks for capabilities, a few at a time so that each line stays short
// and one refused name does not refuse all.
func (c *conn) request(names []string, registering bool) error {
	if registering && c.cfg.SASL != nil && !c.offersMechanism() {
		if c.cfg.SASLOptional {
			c.saslDone = true
			if len(names) == 0 {
				return c.endCap()
			}
		} else {
			return &authError{reason: "the server does not offer SASL " + c.cfg.SASL.Name()}
		}
	}
	if len(names) == 0 {
		return c.afterRequest()
	}
	for _, name := range names {
		if err := c.write("CAP REQ :" + name); err != nil {
			return err
		}
	}
	return nil
}

// afterRequest goes on with SASL or ends the negotiation when every request has
// been answered.
func (c *conn) afterRequest() error {
	if c.registered || c.capEnded || len(c.wantOffered()) > 0 && !c.onlySASLEnabled() {
		return nil
	}
	if c.cfg.SASL != nil && !c.saslDone {
		if c.sasl != nil {
			return nil // under way
		}
		if !c.hasCap("sasl") {
			return &authError{reason: "the server refused the capability sasl"}
		}
		if err := c.cfg.SASL.Start(c.tls); err != nil {
			return &authError{reason: err.Error()}
		}
		c.sasl = &saslExchange{mech: c.cfg.SASL}
		return c.write("AUTHENTICATE " + c.cfg.SASL.Name())
	}
	return c.endCap()
}

// onlySASLEnabled reports that nothing but an already enabled sasl is left of
// wantOffered, which lists sasl until registration.
func (c *conn) onlySASLEnabled() bool {
	for _, name := range c.wantOffered() {
		if name != "sasl" || !c.hasCap("sasl") {
			return false
		}
	}
	return true
}

func (c *conn) endCap() error {
	if c.capEnded {
		return nil
	}
	c.capEnded = true
	return c.write("CAP END")
}

func (c *conn) handleAuthenticate(m *irc.Message) error {
	if c.sasl == nil || c.saslDone {
		return nil
	}
	chunks, err := c.sasl.feed(m.Param(0))
	if err != nil {
		_ = c.write("AUTHENTICATE *")
		return &authError{reason: err.Error()}
	}
	for _, chunk := range chunks {
		if err := c.write("AUTHENTICATE " + chunk); err != nil {
			return err
		}
	}
	return nil
}

// handleRegistration handles the numerics that matter before the welcome.
func (c *conn) handleRegistration(m *irc.Message) error {
	switch m.Command {
	case "001":
		return c.welcome(m)
	case "900": // RPL_LOGGEDIN
		c.loggedIn(m)
		return nil
	case "903", "907": // RPL_SASLSUCCESS, ERR_SASLALREADY
		if f, ok := c.cfg.SASL.(finisher); ok && m.Command == "903" && !c.saslDone {
			if err := f.done(); err != nil {
				return &authError{reason: err.Error()}
			}
		}
		c.saslDone = true
		return c.endCap()
	case "902", "904", "905", "906", "908": // ERR_NICKLOCKED, ERR_SASLFAIL and kin
		if m.Command == "908" { // RPL_SASLMECHS: a failure numeric follows
			return nil
		}
		return &authError{reason: truncate(m.Trailing(), 200)}
	case "464", "465": // ERR_PASSWDMISMATCH, ERR_YOUREBANNEDCREEP
		if m.Command == "464" {
			return &authError{reason: truncate(m.Trailing(), 200)}
		}
		return &serverError{reason: truncate(m.Trailing(), 200)}
	case "432", "433", "436", "437": // bad, taken, collision, temporarily unavailable
		return c.nextNick(m)
	case "410": // ERR_INVALIDCAPCMD
		return nil
	case "421", "451":
		// ERR_UNKNOWNCOMMAND or ERR_NOTREGISTERED for CAP: a server without
		// capabilities goes on to the welcome by itself.
		return nil
	}
	return nil
}

// nextNick tries another nick after a collision: name_, name__, then name with
// a number, cut to what the server allows.
func (c *conn) nextNick(m *irc.Message) error {
	c.nickTries++
	if c.nickTries > maxNickTries {
		return fmt.Errorf("no nick like %s is free: %s", c.s.wantedNick(), truncate(m.Trailing(), 200))
	}
	limit := c.state.nickLimit(m.Param(1))
	nick := altNick(c.s.wantedNick(), c.nickTries, limit)
	if m.Command == "432" && c.nickTries == 1 && len(c.s.wantedNick()) > limit {
		nick = strings.ToValidUTF8(c.s.wantedNick()[:limit], "") // too long, not taken
	}
	c.state.setNick(nick)
	return c.write("NICK " + nick)
}

// maxNickTries is how many nicks like the wanted one are tried.
const maxNickTries = 12

// wasSelf reports whether something of the past was said by an earlier connection of the session: under its nick, or one that it takes
// when that is in use, and from its host.
func (c *conn) wasSelf(from User) bool {
	if host := c.s.OwnHost(); host == "" || host != from.Host {
		return false
	}
	wanted, limit := c.s.wantedNick(), c.state.support().NickLen
	for try := range maxNickTries + 1 {
		nick := wanted
		if try > 0 {
			nick = altNick(wanted, try, limit)
		}
		if c.state.same(from.Nick, nick) {
			return true
		}
	}
	return false
}

// altNick returns the nick for the given try (from 1), at most limit bytes long
// if limit is not 0.
func altNick(base string, try, limit int) string {
	suffix := strings.Repeat("_", try)
	if try > 2 {
		suffix = strconv.Itoa(try - 2)
	}
	if limit > len(suffix) && len(base)+len(suffix) > limit {
		base = strings.ToValidUTF8(base[:limit-len(suffix)], "")
	}
	return base + suffix
}

// welcome ends the registration. The owner is told when the server's greeting
// is complete, because ISUPPORT follows the welcome.
func (c *conn) welcome(m *irc.Message) error {
	if c.registered {
		return nil
	}
	c.registered = true
	if nick := m.Param(0); nick != "" && nick != "*" {
		c.state.setNick(nick)
	}
	c.work.Add(1)
	c.cfg.Go(func() {
		defer c.work.Done()
		c.writer()
	})
	return nil
}

// greeted is called at the end of the greeting (end or absence of the MOTD).
func (c *conn) greeted() {
	if !c.registered || c.s.current() == c {
		return
	}
	c.s.setConn(c)
	c.s.cfg.Handler.HandleEvent(Registered{Nick: c.state.nickName(), Support: c.state.support()})
	c.playback()
	for _, line := range joinLines(c.s.wants()) {
		c.control(line)
	}
	if !c.hasNick() {
		if c.cfg.SASL != nil {
			// Services let the owner of a nick end a connection that still has it.
			c.control("PRIVMSG NickServ :GHOST " + c.s.wantedNick())
		}
		c.regainNick(c.cfg.RejoinDelay)
	}
}

// hasNick reports whether the session has the configured nick, or what the server
// lets it have of it.
func (c *conn) hasNick() bool {
	want := c.s.wantedNick()
	if n := c.state.support().NickLen; n > 0 && n < len(want) {
		want = strings.ToValidUTF8(want[:n], "")
	}
	return c.state.nickName() == want
}

// maxRegain is the longest wait between two attempts to get the configured nick.
const maxRegain = 10 * time.Minute

// regainNick asks for the configured nick after a while, until the session has it.
// A server where it is still in use, by the connection of a process that has died
// for instance, answers with an error that is ignored.
func (c *conn) regainNick(after time.Duration) {
	c.rejoinMu.Lock()
	defer c.rejoinMu.Unlock()
	select {
	case <-c.closed:
		return
	default:
	}
	if old := c.rejoins[""]; old != nil {
		old.Stop()
	}
	c.rejoins[""] = time.AfterFunc(after, func() {
		if !c.hasNick() {
			c.control("NICK " + c.s.wantedNick())
			c.regainNick(min(max(2*after, c.cfg.RejoinDelay), maxRegain))
		}
	})
}

// nickFreed asks for the configured nick at once if it is what somebody has just
// given up.
func (c *conn) nickFreed(nick string) {
	if !c.hasNick() && c.state.same(nick, c.s.wantedNick()) {
		c.regainNick(0)
	}
}

// maxJoins is how many channels one JOIN names.
const maxJoins = 10

// joinLines joins channels, several with one line where no key is needed.
func joinLines(wants []*want) []string {
	var lines []string
	n := maxJoins // in the last line
	for _, w := range wants {
		last := len(lines) - 1
		switch {
		case w.key != "":
			lines, n = append(lines, joinLine(w.name, w.key)), maxJoins
		case n < maxJoins && len(lines[last])+1+len(w.name) < 400:
			lines[last] += "," + w.name
			n++
		default:
			lines, n = append(lines, joinLine(w.name, "")), 1
		}
	}
	return lines
}
