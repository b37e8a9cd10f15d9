package console

import (
	"html/template"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/manual"
)

// docsPath is where the documentation is read.
const docsPath = Path + "/docs"

// docsView is a page of the documentation, or the list of pages.
type docsView struct {
	List, Decisions []manual.Link
	Here            string
	Content         template.HTML
	Raw             string // of a file that is no page
}

// docsFirst are the pages that come first in the list, in this order.
var docsFirst = []string{"quick-start", "operations", "irc", "slack", "discord", "migrating-from-slack", "migrating-from-discord", "moving", "leaving", "application-services",
	"configuration", "configuration-reference", "security", "architecture", "write-a-module", "comparison"}

// docs shows the documentation.
func (c *Console) docs(v *visit) error {
	name := strings.Trim(v.r.PathValue("name"), "/")
	if strings.HasPrefix(name, manual.Configs) {
		raw, err := c.manual.File(name)
		if err != nil {
			return problemf("There is no such page.")
		}
		return v.show("/docs", sentence.Data(name), "doc", docsView{Here: name, Raw: string(raw)})
	}
	if name != "" {
		heading, content, err := c.manual.Page(name, c.o.Site.Path)
		if err != nil {
			return problemf("There is no such page.")
		}
		return v.show("/docs", sentence.Data(heading), "doc", docsView{Here: name, Content: content})
	}
	var out docsView
	var err error
	if out.List, err = c.manual.List("*.md"); err != nil {
		return err
	}
	place := func(l manual.Link) int {
		if i := slices.Index(docsFirst, l.Name); i >= 0 {
			return i
		}
		return len(docsFirst)
	}
	sortBy(out.List, place)
	if out.Decisions, err = c.manual.List("decisions/0*.md"); err != nil {
		return err
	}
	return v.show("/docs", say("Documentation"), "docs", out)
}
