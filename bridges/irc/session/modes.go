package session

import (
	"slices"
	"strings"

	"gopkg.in/irc.v4"
)

// Modes are the letters of the modes that are set on a channel, in order, without
// lists such as that of bans and without the ranks of members.
type Modes string

// Has reports whether a mode is set.
func (m Modes) Has(mode byte) bool { return strings.IndexByte(string(m), mode) >= 0 }

func (m Modes) with(mode byte, on bool) Modes {
	letters := []byte(m)
	at, has := slices.BinarySearch(letters, mode)
	switch {
	case on && !has:
		letters = slices.Insert(letters, at, mode)
	case !on && has:
		letters = slices.Delete(letters, at, at+1)
	}
	return Modes(letters)
}

// modeChange is one mode of a MODE line.
type modeChange struct {
	mode byte
	on   bool
	arg  string
	rank bool // of a member
	list bool // an entry of a list, such as a ban
}

// modeChanges reads the modes of a MODE line as the server's ISUPPORT has them.
func (s *ISupport) modeChanges(modes string, args []string) []modeChange {
	var list []modeChange
	on := true
	for i := range len(modes) {
		mode := modes[i]
		if mode == '+' || mode == '-' {
			on = mode == '+'
			continue
		}
		change := modeChange{
			mode: mode, on: on,
			rank: strings.IndexByte(s.PrefixModes, mode) >= 0,
			list: strings.IndexByte(s.ChanModes[0], mode) >= 0,
		}
		if change.rank || change.list || strings.IndexByte(s.ChanModes[1], mode) >= 0 || strings.IndexByte(s.ChanModes[2], mode) >= 0 && on {
			if len(args) > 0 {
				change.arg, args = args[0], args[1:]
			}
		}
		list = append(list, change)
	}
	return list
}

// onMode handles a change of a channel's modes.
func (c *conn) onMode(m *irc.Message, by User) {
	isup := c.state.support()
	name := m.Param(0)
	if !isup.IsChannel(name) || len(m.Params) < 2 {
		return
	}
	ev := Mode{Meta: c.meta(m), Channel: name, By: by, Modes: m.Params[1], Args: m.Params[2:]}
	before, known := c.state.modes(name)
	now := before
	for _, change := range isup.modeChanges(ev.Modes, ev.Args) {
		switch {
		case change.rank:
			if change.arg != "" {
				c.state.setMode(name, change.arg, change.mode, change.on)
				ev.Ranked = append(ev.Ranked, change.arg)
			}
		case change.list:
			if change.mode == 'b' && change.arg != "" {
				c.state.setBan(name, change.arg, change.on)
				ev.Bans = append(ev.Bans, Ban{Mask: change.arg, On: change.on})
			}
		default:
			now = now.with(change.mode, change.on)
		}
	}
	// What one line changes says nothing of the rest: that is asked for after a join.
	if known && now != before {
		c.setModes(m, name, now)
	}
	c.emit(ev)
}

// onModeIs handles RPL_CHANNELMODEIS: nick, channel, modes, parameters.
func (c *conn) onModeIs(m *irc.Message) {
	if len(m.Params) < 3 {
		return
	}
	var now Modes
	for i := range len(m.Params[2]) {
		if mode := m.Params[2][i]; mode != '+' {
			now = now.with(mode, true)
		}
	}
	if before, known := c.state.modes(m.Params[1]); !known || before != now {
		c.setModes(m, m.Params[1], now)
	}
}

// setModes takes note of a channel's modes.
func (c *conn) setModes(m *irc.Message, name string, modes Modes) {
	if c.state.setModes(name, modes) {
		c.emit(ChannelModes{Meta: c.meta(m), Channel: name, Modes: modes})
	}
}

// isSplit reports whether the reason of a QUIT is that of a split of the network:
// the names of two servers, and nothing else.
func isSplit(reason string) bool {
	one, other, ok := strings.Cut(reason, " ")
	return ok && one != other && isServer(one) && isServer(other)
}

// isServer reports whether a word can be the name of a server; networks that hide
// theirs say "*.net *.split".
func isServer(word string) bool {
	if len(word) > 63 || !strings.Contains(word, ".") || strings.HasSuffix(word, ".") {
		return false
	}
	return !strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '*' || r == '_')
	})
}
