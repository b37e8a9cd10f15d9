package pagetest

import (
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

var (
	words = regexp.MustCompile(`\pL{2,}`)
	// What is in no language: ids and addresses, times and sizes, names of networks and files.
	data = regexp.MustCompile(`[@#!$][^\s:]*:[\w.\[\]-]+|[$!#][\w.+-]+|\b\w+://\S*|/[\w./-]+|\b[\w.-]+\.(?:org|com|im|yaml|zip|json|js|html|md|conf)\b|\d+(?:\.\d+)? (?:s|min|h|B|[KMGT]iB)\b|\b\d+(?:\.\d+)?(?:ns|µs|ms|m|s|h)\b|\b(?:xoxb|xapp)-\S*|` +
		`\d+ (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b|\b[A-Z]{10}\b|\b(?:Slack|Discord|IRC|Matrix|Landbridge|matrix\.to|UTC|YAML|MiB|landbridge|CONNECTED|INFO|WARN|ERROR|DEBUG|TLS|QR)\b`)
)

// Untranslated gives the texts of a page, shown in the language page.Pseudo, that are no sentence which can be
// translated. known are names and other data that the page has by right.
func Untranslated(text string, known ...string) []string {
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	// look looks at a text that begins within so many sentences, and tells in how many it ends.
	look := func(s string, within int) int {
		bare := strings.Map(func(c rune) rune {
			switch {
			case c == '⟦':
				within++
			case c == '⟧':
				within--
			case within <= 0:
				return c
			}
			return -1
		}, s)
		for _, k := range known {
			if strings.ContainsAny(k, " </:") { // what people have said, with addresses in it
				bare = strings.ReplaceAll(bare, k, "")
			}
		}
		bare = data.ReplaceAllString(bare, "")
		for _, k := range known {
			bare = strings.ReplaceAll(bare, k, "")
		}
		if words.MatchString(bare) {
			out = append(out, strings.TrimSpace(s))
		}
		return within
	}
	within := 0
	known = slices.Clone(known)
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) }) // one may be part of another
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			within = look(n.Data, within)
		case n.Type == html.ElementNode:
			switch n.Data {
			case "code", "pre", "script", "style", "svg":
				return
			}
			for _, a := range n.Attr {
				switch a.Key {
				case "translate": // "no"
					return
				case "aria-label", "placeholder", "title", "alt":
					look(a.Val, 0)
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	return out
}
