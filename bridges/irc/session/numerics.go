package session

import (
	"regexp"
	"strings"

	"gopkg.in/irc.v4"
)

// joinErrors are the numerics that refuse a JOIN, each with the channel as its
// second parameter.
var joinErrors = map[string]bool{
	"403": true, // ERR_NOSUCHCHANNEL
	"405": true, // ERR_TOOMANYCHANNELS
	"407": true, // ERR_TOOMANYTARGETS
	"437": true, // ERR_UNAVAILRESOURCE
	"470": true, // forwarded to another channel
	"471": true, // ERR_CHANNELISFULL
	"473": true, // ERR_INVITEONLYCHAN
	"474": true, // ERR_BANNEDFROMCHAN
	"475": true, // ERR_BADCHANNELKEY
	"476": true, // ERR_BADCHANMASK
	"477": true, // ERR_NEEDREGGEDNICK
	"480": true, // throttled, or TLS only
	"489": true, // TLS only
	"495": true, // too soon after a leave
	"520": true, // operators only
}

// sendErrors are the numerics that refuse something sent to a target, which is
// their second parameter.
var sendErrors = map[string]bool{
	"401": true, // ERR_NOSUCHNICK
	"403": true, // ERR_NOSUCHCHANNEL
	"404": true, // ERR_CANNOTSENDTOCHAN
	"407": true, // ERR_TOOMANYTARGETS
	"408": true, // no colours
	"412": true, // ERR_NOTEXTTOSEND
	"415": true, // cannot speak
	"439": true, // target change too fast
	"442": true, // ERR_NOTONCHANNEL
	"477": true, // needs registration
	"482": true, // ERR_CHANOPRIVSNEEDED
	"486": true, // who has no account may not send
	"492": true, // no CTCP
	"531": true, // cannot send to user
	"707": true, // targets change too fast
	"715": true, // too many invitations
	"716": true, // they hear only whom they accept
}

// loggedIn handles RPL_LOGGEDIN: nick, nick!user@host, account, text.
func (c *conn) loggedIn(m *irc.Message) {
	if len(m.Params) >= 3 {
		c.emit(LoggedIn{Account: m.Params[2]})
	}
}

func (c *conn) handleNumeric(m *irc.Message) {
	switch m.Command {
	case "332": // RPL_TOPIC
		c.state.setTopic(m.Param(1), m.Trailing())
		return
	case "324":
		c.onModeIs(m)
		return
	case "331": // RPL_NOTOPIC
		c.state.setTopic(m.Param(1), "")
		return
	case "353": // RPL_NAMREPLY: nick, symbol, channel, names
		if len(m.Params) >= 4 {
			for _, name := range strings.Fields(m.Params[3]) {
				prefixes, mask := c.state.splitPrefixes(name)
				nick, rest, _ := strings.Cut(mask, "!")
				c.state.add(m.Params[2], nick, prefixes)
				if user, host, ok := strings.Cut(rest, "@"); ok {
					c.state.know(nick, user, host, "")
				}
			}
		}
		return
	case "366": // RPL_ENDOFNAMES
		if ev, ok := c.state.complete(m.Param(1)); ok {
			ev.Meta = c.meta(m)
			c.emit(ev)
			c.query("MODE " + ev.Channel)
			c.query("MODE " + ev.Channel + " b")
			if _, whox := c.state.support().Tokens["WHOX"]; whox && len(ev.Members) <= maxWho {
				c.query("WHO " + ev.Channel + " %cuhna")
			}
		}
		return
	case "396": // RPL_HOSTHIDDEN: the host others see
		if host := m.Param(1); host != "" {
			if user, h, ok := strings.Cut(host, "@"); ok {
				c.state.setSelf(user, h)
			} else {
				c.state.setSelf("", host)
			}
		}
		return
	case "367": // RPL_BANLIST: nick, channel, mask
		if name, mask := m.Param(1), m.Param(2); mask != "" && c.state.setBan(name, mask, true) {
			c.emit(Mode{Meta: c.meta(m), Channel: name, Bans: []Ban{{Mask: mask, On: true}}})
		}
		return
	case "354": // RPL_WHOSPCRPL as %cuhna: nick, channel, user, host, nick, account
		if len(m.Params) >= 6 {
			c.state.know(m.Params[4], m.Params[2], m.Params[3], m.Params[5])
		}
		return
	case "900": // RPL_LOGGEDIN, after the registration too
		c.loggedIn(m)
		c.rejoinNow()
		return
	case "433", "432": // a refused change of nick
		return
	case "417": // ERR_INPUTTOOLONG names no target
		c.answered(m, "", "", Outcome{State: Refused, Err: &Refusal{Code: m.Command, Text: truncate(m.Trailing(), 300)}})
		return
	}
	refusal := &Refusal{Code: m.Command, Text: truncate(m.Trailing(), 300)}
	if sendErrors[m.Command] && c.answered(m, "", m.Param(1), Outcome{State: Refused, Err: refusal}) {
		return
	}
	if joinErrors[m.Command] {
		c.joinFailed(m)
	}
}

// maxWho is the most people of a channel whose accounts are asked for.
const maxWho = 2000

func (c *conn) joinFailed(m *irc.Message) {
	w := c.s.wantOf(c.casemap(), m.Param(1))
	if w == nil || c.state.inChannel(w.name) {
		return
	}
	c.emit(JoinFailed{
		Meta: c.meta(m), Channel: w.name, Code: m.Command, Text: truncate(m.Trailing(), 300),
		RetryIn: c.rejoinLater(w),
	})
}

// answered finishes the sent line that an answer belongs to: the one with its
// label, or without labels the oldest to the target (any, if the answer names
// no target) and of the command (any, if empty).
func (c *conn) answered(m *irc.Message, command, target string, o Outcome) bool {
	label := c.labelOf(m)
	folded := c.state.fold(target)
	e := c.forget(func(e *sent) bool {
		if label != "" {
			return e.label == label
		}
		return (target == "" || e.target == folded) && (command == "" || e.line.Command == command)
	})
	if e == nil {
		return false
	}
	finish(e.line, o)
	return true
}

// throttleNotice matches what servers of the Hybrid family say, in no numeric, when a channel gets too much at once and they have
// not said what they were sent.
var throttleNotice = regexp.MustCompile(`(?i)\b(?:message|notice) to (\S+) throttled`)

// throttled takes a server's notice for a refusal, if it is one.
func (c *conn) throttled(m *irc.Message, text string) {
	if found := throttleNotice.FindStringSubmatch(text); found != nil {
		c.answered(m, "", found[1], Outcome{State: Refused, Err: &Refusal{Code: "NOTICE", Text: truncate(text, 300)}})
	}
}
