package modern

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/irc.v4"
)

func itoa(n int) string { return strconv.Itoa(n) }

// clientTags are those that a client may give.
func clientTags(m *irc.Message) map[string]string {
	tags := map[string]string{}
	for k, v := range m.Tags {
		if strings.HasPrefix(k, "+") {
			tags[k] = v
		}
	}
	return tags
}

// onBatch begins or ends a message of several lines.
func (c *client) onBatch(m *irc.Message) {
	ref := m.Param(0)
	switch {
	case strings.HasPrefix(ref, "+") && m.Param(1) == "draft/multiline" && c.multi == nil:
		c.multi = &pending{ref: ref[1:], target: m.Param(2), label: c.label, tags: clientTags(m)}
		c.gathering = false // the label is answered at the end
		c.label = ""
	case strings.HasPrefix(ref, "-") && c.multi != nil && c.multi.ref == ref[1:]:
		p := c.multi
		c.multi, c.label = nil, p.label
		bytes := 0
		for _, l := range p.lines {
			bytes += len(l.text)
		}
		switch {
		case len(p.lines) > 24:
			c.fail("BATCH", "MULTILINE_MAX_LINES", "24", "Too many lines")
		case bytes > 4096:
			c.fail("BATCH", "MULTILINE_MAX_BYTES", "4096", "Too many bytes")
		case len(p.lines) == 0:
			c.fail("BATCH", "MULTILINE_INVALID", "Invalid multiline batch")
		default:
			c.deliver(p.command, p.target, p.tags, p.lines, "")
		}
	default:
		c.multi = nil
		c.fail("BATCH", "INVALID_PARAMS", "Corrupt BATCH")
	}
}

func (c *client) onMessage(m *irc.Message) {
	if ref := m.Tags["batch"]; ref != "" {
		if c.multi == nil || c.multi.ref != ref || m.Param(0) != c.multi.target {
			c.multi = nil
			c.fail("BATCH", "MULTILINE_INVALID", "Invalid multiline batch")
			return
		}
		_, concat := m.Tags["draft/multiline-concat"]
		c.multi.command = m.Command
		c.multi.lines = append(c.multi.lines, part{m.Trailing(), concat})
		c.gathering = false // nothing is answered to it
		return
	}
	var lines []part
	if m.Command != "TAGMSG" {
		if len(m.Params) < 2 || m.Params[1] == "" {
			c.num("412", "No text to send")
			return
		}
		lines = []part{{text: m.Params[1]}}
	}
	if fold(m.Param(0)) == "*playback" && c.caps["znc.in/playback"] {
		c.playback(strings.Fields(m.Param(1)))
		return
	}
	c.deliver(m.Command, m.Param(0), clientTags(m), lines, "")
}

// playback answers "PLAY CHANNEL SECONDS" as the module of that name of a ZNC does: with what was said since.
func (c *client) playback(words []string) {
	if len(words) < 3 || words[0] != "PLAY" {
		return
	}
	ch := c.s.channels[fold(words[1])]
	since, err := strconv.ParseFloat(words[2], 64)
	if ch == nil || err != nil {
		return
	}
	ref := c.batch()
	c.say(&irc.Message{Prefix: &irc.Prefix{Name: name}, Command: "BATCH", Params: []string{"+" + ref, "znc.in/playback", ch.name}})
	for i := range ch.history {
		if it := &ch.history[i]; !it.gone && float64(it.at.UnixMilli())/1000 > since {
			c.item(ch.name, it, ref)
		}
	}
	c.say(&irc.Message{Prefix: &irc.Prefix{Name: name}, Command: "BATCH", Params: []string{"-" + ref}})
}

// deliver takes a message to all whom it concerns. from is whose words they are, if not the client's.
func (c *client) deliver(command, target string, tags map[string]string, lines []part, from string) {
	it := item{id: c.s.nextID(), from: c.mask(), account: c.account, command: command, tags: tags, at: time.Now(), lines: lines}
	if from != "" {
		it.from = from
	}
	if strings.HasPrefix(target, "#") {
		ch := c.s.channels[fold(target)]
		if ch == nil {
			c.num("403", target, "No such channel")
			return
		}
		rank, in := ch.members[c]
		switch {
		case !in, ch.modes['m'] && rank == "", ch.banned(c) && rank == "":
			c.num("404", ch.name, "Cannot send to channel")
			return
		case ch.modes['M'] && rank == "" && c.account == "":
			c.num("404", ch.name, "You need to be identified to a registered account to message this channel")
			return
		}
		ch.history = append(ch.history, it)
		for other := range ch.members {
			if other != c {
				other.item(ch.name, &it, "")
			}
		}
		if c.caps["echo-message"] || from != "" {
			c.item(ch.name, &it, "")
		}
		return
	}
	other := c.s.nicks[fold(target)]
	if other == nil {
		c.num("401", target, "No such nick")
		return
	}
	if other != c {
		other.item(other.nick, &it, "")
	}
	if c.caps["echo-message"] {
		c.item(other.nick, &it, "")
	}
}

// item shows a client a message, as far as it can see it, in a batch or on its own.
func (c *client) item(target string, it *item, batch string) {
	if it.command == "TAGMSG" && !c.caps["message-tags"] {
		return
	}
	tags := irc.Tags{"time": stamp(it.at)}
	if c.caps["message-tags"] {
		tags["msgid"] = it.id
		for k, v := range it.tags {
			tags[k] = v
		}
	}
	if c.caps["account-tag"] && it.account != "" {
		tags["account"] = it.account
	}
	if batch != "" {
		tags["batch"] = batch
	}
	prefix := irc.ParsePrefix(it.from)
	if len(it.lines) > 1 && c.caps["draft/multiline"] {
		ref := c.batch()
		c.say(&irc.Message{Tags: tags, Prefix: prefix, Command: "BATCH", Params: []string{"+" + ref, "draft/multiline", target}})
		for _, l := range it.lines {
			inner := irc.Tags{"batch": ref}
			if l.concat {
				inner["draft/multiline-concat"] = ""
			}
			c.say(&irc.Message{Tags: inner, Prefix: prefix, Command: it.command, Params: []string{target, l.text}})
		}
		end := irc.Tags{}
		if batch != "" {
			end["batch"] = batch
		}
		c.say(&irc.Message{Tags: end, Prefix: prefix, Command: "BATCH", Params: []string{"-" + ref}})
		return
	}
	if it.command == "TAGMSG" {
		c.say(&irc.Message{Tags: tags, Prefix: prefix, Command: "TAGMSG", Params: []string{target}})
		return
	}
	for i, l := range it.lines {
		own := irc.Tags{}
		for k, v := range tags {
			if k != "msgid" || i == 0 {
				own[k] = v
			}
		}
		c.say(&irc.Message{Tags: own, Prefix: prefix, Command: it.command, Params: []string{target, l.text}})
	}
}

func (c *client) relay(m *irc.Message) {
	ch := c.s.channels[fold(m.Param(0))]
	switch {
	case ch == nil:
		c.num("403", m.Param(0), "No such channel")
	case !c.op(ch):
		c.fail("RELAYMSG", "PRIVS_NEEDED", "You cannot relay messages to this channel")
	case strings.TrimSpace(m.Param(2)) == "":
		c.fail("RELAYMSG", "BLANK_MSG", "The message must not be blank")
	case !strings.Contains(m.Param(1), "/"):
		c.fail("RELAYMSG", "INVALID_NICK", "Relayed nicknames MUST contain a relaymsg separator from this set: /")
	default:
		tags := clientTags(m)
		tags["draft/relaymsg"] = c.nick
		c.deliver("PRIVMSG", ch.name, tags, []part{{text: m.Param(2)}}, m.Param(1)+"!~u@"+c.host)
	}
}

func (c *client) redact(m *irc.Message) {
	target, msgid := m.Param(0), m.Param(1)
	ch := c.s.channels[fold(target)]
	if ch == nil {
		c.fail("REDACT", "INVALID_TARGET", target, "No such channel")
		return
	}
	for i := range ch.history {
		it := &ch.history[i]
		if it.id != msgid || it.gone {
			continue
		}
		if !c.op(ch) && (c.account == "" || it.account != c.account) {
			c.fail("REDACT", "REDACT_FORBIDDEN", target, msgid, "You are not authorized to delete this message")
			return
		}
		it.gone = true
		for other := range ch.members {
			if other.caps["draft/message-redaction"] && (other != c || c.caps["echo-message"]) {
				other.from(c, nil, "REDACT", ch.name, msgid, m.Param(2))
			}
		}
		return
	}
	c.fail("REDACT", "UNKNOWN_MSGID", target, msgid, "This message does not exist or is too old")
}

// chathistory answers CHATHISTORY AFTER and LATEST.
func (c *client) chathistory(m *irc.Message) {
	sub, target := m.Param(0), m.Param(1)
	ch := c.s.channels[fold(target)]
	if ch == nil {
		c.fail("CHATHISTORY", "INVALID_TARGET", sub, target, "Messages could not be retrieved")
		return
	}
	limit, err := strconv.Atoi(m.Param(3))
	from, ok := 0, false
	if after, found := strings.CutPrefix(m.Param(2), "timestamp="); found {
		since, errTime := time.Parse("2006-01-02T15:04:05.000Z", after)
		ok = errTime == nil
		for from < len(ch.history) && !ch.history[from].at.Truncate(time.Millisecond).After(since) {
			from++
		}
	} else if after, found := strings.CutPrefix(m.Param(2), "msgid="); found {
		for i := range ch.history {
			if ch.history[i].id == after {
				from, ok = i+1, true
			}
		}
	}
	if err != nil || !ok || sub != "AFTER" {
		c.fail("CHATHISTORY", "INVALID_PARAMS", sub, "Invalid parameters")
		return
	}
	ref := c.batch()
	c.say(&irc.Message{Prefix: &irc.Prefix{Name: name}, Command: "BATCH", Params: []string{"+" + ref, "chathistory", ch.name}})
	for i := range ch.history[from:] {
		it := &ch.history[from+i]
		if it.gone || limit <= 0 {
			continue
		}
		limit--
		c.item(ch.name, it, ref)
	}
	c.say(&irc.Message{Prefix: &irc.Prefix{Name: name}, Command: "BATCH", Params: []string{"-" + ref}})
}
