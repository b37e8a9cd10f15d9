package format

import (
	"fmt"
	"strconv"
	"strings"
)

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Escape makes text safe for mrkdwn: it cannot become a mention or a link.
func Escape(s string) string { return escaper.Replace(s) }

// ToMrkdwn writes elements in Slack's own markup.
func ToMrkdwn(list []Element) string {
	var b strings.Builder
	for _, e := range list {
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
		switch e.Type {
		case List:
			for i, item := range e.Items {
				if i > 0 {
					b.WriteByte('\n')
				}
				if e.Border > 0 {
					b.WriteString("&gt; ")
				}
				b.WriteString(strings.Repeat("    ", min(max(e.Indent, 0), maxDepth)) + bullet(e, i) + mrkdwnOf(item.Inlines))
			}
		case Quote:
			b.WriteString("&gt; " + strings.ReplaceAll(mrkdwnOf(e.Inlines), "\n", "\n&gt; "))
		case Preformatted:
			b.WriteString("```\n" + strings.ReplaceAll(Escape(plainOf(e.Inlines, nil)), "```", "`\u200b``") + "\n```")
		default:
			b.WriteString(mrkdwnOf(e.Inlines))
		}
	}
	return strings.Trim(b.String(), "\n")
}

func bullet(e Element, i int) string {
	if e.Style == "ordered" {
		return strconv.Itoa(e.Offset+i+1) + ". "
	}
	return "• "
}

func mrkdwnOf(list []Inline) string {
	var b strings.Builder
	for _, in := range list {
		b.WriteString(decorate(in, mrkdwnInline(in)))
	}
	return b.String()
}

func mrkdwnInline(in Inline) string {
	switch in.Type {
	case "link":
		if in.Text == "" {
			return "<" + escapeURL(in.URL) + ">"
		}
		return "<" + escapeURL(in.URL) + "|" + strings.NewReplacer("\n", " ", "|", "¦").Replace(Escape(in.Text)) + ">"
	case "user":
		return "<@" + in.UserID + ">"
	case "channel":
		return "<#" + in.ChannelID + ">"
	case "usergroup":
		return "<!subteam^" + in.UsergroupID + ">"
	case "broadcast":
		return "<!" + in.Range + ">"
	case "emoji":
		return ":" + in.Name + ":"
	case "date":
		return fmt.Sprintf("<!date^%d^%s|%s>", in.Timestamp, Escape(in.Format), Escape(in.Fallback))
	case "color":
		return Escape(in.Value)
	}
	return Escape(in.Text)
}

func escapeURL(u string) string {
	return strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C").Replace(u)
}

// decorate puts marks around the words of a text, which they must touch.
func decorate(in Inline, text string) string {
	if in.Style == nil || strings.TrimSpace(text) == "" {
		return text
	}
	if in.Type == "text" && strings.Contains(text, "\n") { // styles end with the line
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = decorate(in, lines[i])
		}
		return strings.Join(lines, "\n")
	}
	core := strings.TrimSpace(text)
	at := strings.Index(text, core)
	before, after := text[:at], text[at+len(core):]
	for _, m := range []struct {
		on   bool
		mark string
	}{{in.Style.Code, "`"}, {in.Style.Strike, "~"}, {in.Style.Italic, "_"}, {in.Style.Bold, "*"}} {
		if m.on {
			core = m.mark + core + m.mark
		}
	}
	return before + core + after
}
