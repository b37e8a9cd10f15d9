package format

import (
	"html"
	"strconv"
	"strings"
	"time"
)

// angleLen is the length of something in angle brackets at the beginning of a
// text that is more than text; 0 if there is none.
func angleLen(text string) int {
	end := strings.IndexAny(text, ">\n")
	if end < 2 || text[end] == '\n' || text[1] == ' ' {
		return 0
	}
	return end + 1
}

// angle reads a mention, an emoji, a timestamp or an address in angle brackets.
func (p *parser) angle(text string) (int, pair, bool) {
	n := angleLen(text)
	if n == 0 {
		return 0, pair{}, false
	}
	inner := text[1 : n-1]
	out, ok := p.angled(inner)
	return n, out, ok
}

func (p *parser) angled(inner string) (pair, bool) {
	switch {
	case strings.HasPrefix(inner, "@&"):
		if id := inner[2:]; isID(id) {
			name := "unknown-role"
			if p.look.Role != nil {
				if known := p.look.Role(id); known != "" {
					name = known
				}
			}
			p.rich = true
			return pair{"<strong>@" + html.EscapeString(name) + "</strong>", "@" + name}, true
		}
	case strings.HasPrefix(inner, "@"):
		if id := strings.TrimPrefix(inner[1:], "!"); isID(id) {
			return p.user(id), true
		}
	case strings.HasPrefix(inner, "#"):
		if id := inner[1:]; isID(id) {
			return p.channel(id), true
		}
	case strings.HasPrefix(inner, ":"), strings.HasPrefix(inner, "a:"):
		name, id, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(inner, "a"), ":"), ":")
		if ok && isID(id) && isEmojiName(name) {
			return p.emoji(name, id, inner[0] == 'a'), true
		}
	case strings.HasPrefix(inner, "t:"):
		at, kind, _ := strings.Cut(inner[2:], ":")
		if sec, err := strconv.ParseInt(at, 10, 64); err == nil && sec > -1<<40 && sec < 1<<40 && len(kind) <= 1 {
			when := Timestamp(time.Unix(sec, 0), kind)
			return pair{html.EscapeString(when), when}, true
		}
	case strings.HasPrefix(inner, "/"):
		if name, id, ok := strings.Cut(inner[1:], ":"); ok && isID(id) && name != "" && !strings.ContainsAny(name, "<>\n") {
			p.rich = true
			return pair{"<code>/" + html.EscapeString(name) + "</code>", "/" + name}, true
		}
	case strings.HasPrefix(inner, "id:"):
		if what := inner[3:]; what == "customize" || what == "browse" || what == "guide" {
			return pair{"<em>" + what + "</em>", what}, true
		}
	case strings.HasPrefix(inner, "https://"), strings.HasPrefix(inner, "http://"):
		if !strings.ContainsAny(inner, " \t<\"") {
			return pair{`<a href="` + html.EscapeString(inner) + `">` + html.EscapeString(inner) + "</a>", inner}, true
		}
	}
	return pair{}, false
}

func (p *parser) user(id string) pair {
	var name, mxid string
	if p.look.User != nil {
		name, mxid = p.look.User(id)
	}
	if name == "" {
		name = "unknown-user"
	}
	plain := "@" + strings.TrimPrefix(name, "@")
	if mxid == "" {
		return pair{html.EscapeString(plain), plain}
	}
	p.mention(mxid)
	p.rich = true
	return pair{`<a href="https://matrix.to/#/` + html.EscapeString(mxid) + `">` + html.EscapeString(plain) + "</a>", plain}
}

func (p *parser) channel(id string) pair {
	var name, link string
	if p.look.Channel != nil {
		name, link = p.look.Channel(id)
	}
	if name == "" {
		name = "unknown-channel"
	}
	if link == "" {
		return pair{html.EscapeString("#" + name), "#" + name}
	}
	p.rich = true
	return pair{`<a href="` + html.EscapeString(link) + `">` + html.EscapeString("#"+name) + "</a>", "#" + name}
}

func (p *parser) emoji(name, id string, animated bool) pair {
	text := ":" + name + ":"
	if p.look.Emoji != nil {
		if mxc := p.look.Emoji(name, id, animated); mxc != "" {
			p.rich = true
			return pair{`<img data-mx-emoticon src="` + html.EscapeString(mxc) + `" alt="` + text + `" title="` + text + `" height="32">`, text}
		}
	}
	return pair{text, text}
}

func isID(s string) bool {
	if len(s) == 0 || len(s) > 20 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func isEmojiName(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '_' && s[i] != '~' {
			return false
		}
	}
	return true
}

// Timestamp writes a time as Discord's style asks, in UTC: who reads it may be
// anywhere. A relative time would be wrong a moment later, so it is written whole.
func Timestamp(t time.Time, kind string) string {
	layout := "2 January 2006 15:04 MST"
	switch kind {
	case "t":
		layout = "15:04 MST"
	case "T":
		layout = "15:04:05 MST"
	case "d":
		layout = "02/01/2006"
	case "D":
		layout = "2 January 2006"
	case "F":
		layout = "Monday, 2 January 2006 15:04 MST"
	}
	return t.UTC().Format(layout)
}
