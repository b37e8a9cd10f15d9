package reading

import (
	"html/template"
	"net/url"
	"regexp"
	"strings"
)

// address finds what may be an address of a web page.
var address = regexp.MustCompile(`https?://[^\s<>"'` + "`" + `]+`)

// text makes HTML of a text: everything is escaped, ends of lines are kept, and addresses of web pages
// become links, which search engines are asked not to follow.
func text(s string) template.HTML {
	var b strings.Builder
	for {
		at := address.FindStringIndex(s)
		if at == nil {
			break
		}
		link := strings.TrimRight(s[at[0]:at[1]], ".,;:!?)]}'\"")
		lines(&b, s[:at[0]])
		if u, err := url.Parse(link); err == nil && u.Host != "" && u.User == nil {
			escaped := template.HTMLEscapeString(link)
			b.WriteString(`<a rel="nofollow ugc noreferrer" href="` + escaped + `">` + escaped + `</a>`)
		} else {
			lines(&b, link)
		}
		s = s[at[0]+len(link):]
	}
	lines(&b, s)
	return template.HTML(b.String())
}

func lines(b *strings.Builder, s string) {
	b.WriteString(strings.ReplaceAll(template.HTMLEscapeString(s), "\n", "<br>"))
}
