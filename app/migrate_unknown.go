package app

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/landbridge-im/landbridge/migration/archive"
)

// others are things that are given for exports and are none, or not by themselves, as their files are called.
var others = []struct {
	name *regexp.Regexp
	what string
}{
	{regexp.MustCompile(`(?i)(?:^|/)(?:messages|nachrichten)/(?:index\.json|c?\d{15,20}/(?:messages|channel)\.(?:json|csv))$|(?:^|/)c?\d{15,20}/messages\.(?:json|csv)$`),
		"this is the data that Discord sends somebody of themselves: what that person said, and nothing of the others. Channels are exported by landbridge migrate fetch, or by DiscordChatExporter"},
	{regexp.MustCompile(`\[\d{15,20}\](?: \[part \d+\])?\.(?:html|htm|txt|csv)$`),
		"these are exports of DiscordChatExporter in another format than Json: export once more with --format Json"},
	{regexp.MustCompile(`\.weechatlog$|[#&][^/]*\.(?:log|txt)$|#[^/]+/[^/]+\.(?:log|txt)$`),
		"logs of IRC are read with -from irc"},
}

// whatElse says of what is neither an export of Slack nor of Discord what it is, as far as that can be told; err is what it is not.
func whatElse(name string, err error) error {
	if strings.EqualFold(path.Ext(name), ".sqlite") || strings.EqualFold(path.Ext(name), ".db") {
		return errors.New("this is a database; that of slackdump has to be made an export first: slackdump convert -f export -o export.zip " + path.Dir(name))
	}
	a, aerr := archive.OpenWhole(name)
	if aerr != nil {
		return err // says so already
	}
	defer a.Close()
	for _, o := range others {
		for _, n := range a.Names() {
			if o.name.MatchString(path.Join("/", n)) {
				return errors.New(o.what)
			}
		}
	}
	if notes := a.Notes(); len(notes) > 0 {
		return fmt.Errorf("%w; nor is it one of DiscordChatExporter in the format Json: %s", err, notes[0])
	}
	return fmt.Errorf("%w; nor is it one of DiscordChatExporter in the format Json", err)
}
