package demonet

import (
	"fmt"
	"path"
	"strings"

	"gopkg.in/irc.v4"
)

// banned reports whether a ban matches nick!user@host.
func (ch *channel) banned(c *client) bool {
	for _, mask := range ch.bans {
		if ok, err := path.Match(globEscape(fold(mask)), fold(c.prefix())); err == nil && ok {
			return true
		}
	}
	return false
}

// globEscape leaves * and ? their meaning and takes it from what else
// path.Match knows.
func globEscape(mask string) string {
	return strings.NewReplacer(`\`, `\\`, `[`, `\[`).Replace(mask)
}

func (c *client) cmdMode(m *irc.Message) {
	target := m.Param(0)
	if !strings.HasPrefix(target, "#") {
		if fold(target) != fold(c.nick) {
			c.reply("502", ":Cannot change mode for other users")
		} else if len(m.Params) == 1 {
			c.reply("221", "+i")
		}
		return
	}
	ch := c.s.channelOf(target)
	switch {
	case ch == nil:
		c.reply("403", cut(target, 60)+" :No such channel")
	case len(m.Params) == 1:
		c.reply("324", ch.name+" "+ch.modes())
		c.reply("329", fmt.Sprintf("%s %d", ch.name, ch.created.Unix()))
	case strings.Trim(m.Param(1), "+") == "b" && len(m.Params) == 2:
		for _, mask := range ch.bans {
			c.reply("367", ch.name+" "+mask)
		}
		c.reply("368", ch.name+" :End of channel ban list")
	case ch.members[c] == nil || !ch.members[c].op:
		c.reply("482", ch.name+" :You're not channel operator")
	default:
		c.changeModes(ch, m.Param(1), m.Params[2:])
	}
}

func (ch *channel) modes() string {
	modes := "+"
	for _, f := range []struct {
		on   bool
		flag string
	}{{ch.inviteOnly, "i"}, {ch.moderated, "m"}, {ch.noExternal, "n"}, {ch.topicLock, "t"}, {ch.key != "", "k"}} {
		if f.on {
			modes += f.flag
		}
	}
	return modes
}

// changeModes applies a mode string, up to as many with parameters as ISUPPORT
// MODES says, and tells the members what was changed.
func (c *client) changeModes(ch *channel, modes string, args []string) {
	on, taken := true, 0
	var done strings.Builder
	var doneArgs []string
	sign := byte(0)
	next := func() (string, bool) {
		if taken >= len(args) || taken >= 4 {
			return "", false
		}
		taken++
		return args[taken-1], true
	}
	for i := range min(len(modes), 20) {
		mode := modes[i]
		if mode == '+' || mode == '-' {
			on = mode == '+'
			continue
		}
		arg, ok := "", true
		if strings.IndexByte("ovb", mode) >= 0 || mode == 'k' && on {
			if arg, ok = next(); !ok {
				continue
			}
		}
		if !c.changeMode(ch, mode, on, &arg) {
			continue
		}
		want := byte('-')
		if on {
			want = '+'
		}
		if sign != want {
			sign = want
			done.WriteByte(sign)
		}
		done.WriteByte(mode)
		if arg != "" {
			doneArgs = append(doneArgs, arg)
		}
	}
	if done.Len() > 0 {
		line := ":" + c.prefix() + " MODE " + ch.name + " " + done.String()
		if len(doneArgs) > 0 {
			line += " " + strings.Join(doneArgs, " ")
		}
		ch.broadcast(line, "", nil)
	}
}

func (c *client) changeMode(ch *channel, mode byte, on bool, arg *string) bool {
	flags := map[byte]*bool{'i': &ch.inviteOnly, 'm': &ch.moderated, 'n': &ch.noExternal, 't': &ch.topicLock}
	if flag := flags[mode]; flag != nil {
		changed := *flag != on
		*flag = on
		return changed
	}
	switch mode {
	case 'o', 'v':
		other := c.s.nicks[fold(*arg)]
		if other == nil || ch.members[other] == nil {
			c.reply("441", cut(*arg, 60)+" "+ch.name+" :They aren't on that channel")
			return false
		}
		*arg = other.nick
		if mode == 'o' {
			ch.members[other].op = on
		} else {
			ch.members[other].voice = on
		}
		return true
	case 'k':
		key := cut(*arg, 23)
		if on && (key == "" || strings.ContainsAny(key, " ,:")) {
			return false
		}
		ch.key = ""
		if on {
			ch.key = key
		}
		*arg = ch.key
		return true
	case 'b':
		return c.changeBan(ch, on, arg)
	}
	c.reply("472", string(rune(mode))+" :is unknown mode char to me")
	return false
}

func (c *client) changeBan(ch *channel, on bool, arg *string) bool {
	mask := cut(*arg, 100)
	if !strings.Contains(mask, "!") && !strings.Contains(mask, "@") {
		mask += "!*@*"
	}
	*arg = mask
	for i, b := range ch.bans {
		if fold(b) == fold(mask) {
			if !on {
				ch.bans = append(ch.bans[:i], ch.bans[i+1:]...)
			}
			return !on
		}
	}
	if !on {
		return false
	}
	if len(ch.bans) >= maxBans {
		c.reply("478", ch.name+" "+mask+" :Channel ban list is full")
		return false
	}
	ch.bans = append(ch.bans, mask)
	return true
}

func (c *client) cmdKick(m *irc.Message) {
	ch := c.s.channelOf(m.Param(0))
	if ch == nil {
		c.reply("403", cut(m.Param(0), 60)+" :No such channel")
		return
	}
	if ch.members[c] == nil || !ch.members[c].op {
		c.reply("482", ch.name+" :You're not channel operator")
		return
	}
	for _, nick := range list(m.Param(1)) {
		other := c.s.nicks[fold(nick)]
		if other == nil || ch.members[other] == nil {
			c.reply("441", cut(nick, 60)+" "+ch.name+" :They aren't on that channel")
			continue
		}
		reason := cut(m.Param(2), 200)
		if reason == "" {
			reason = c.nick
		}
		ch.broadcast(":"+c.prefix()+" KICK "+ch.name+" "+other.nick+" :"+reason, "", nil)
		c.s.leave(ch, other)
	}
}

func (c *client) cmdInvite(m *irc.Message) {
	other, ch := c.s.nicks[fold(m.Param(0))], c.s.channelOf(m.Param(1))
	switch {
	case other == nil:
		c.reply("401", cut(m.Param(0), 60)+" :No such nick")
	case ch == nil || ch.members[c] == nil:
		c.reply("442", cut(m.Param(1), 60)+" :You're not on that channel")
	case ch.members[other] != nil:
		c.reply("443", other.nick+" "+ch.name+" :is already on channel")
	case ch.inviteOnly && !ch.members[c].op:
		c.reply("482", ch.name+" :You're not channel operator")
	default:
		ch.invited[other] = true
		c.reply("341", other.nick+" "+ch.name)
		other.send(":" + c.prefix() + " INVITE " + other.nick + " " + ch.name)
	}
}
