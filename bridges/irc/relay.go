package irc

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/format"
)

var placeholder = regexp.MustCompile(`\{([a-z]*)\}`)

// checkRelay checks a relay format: {name} is the display name, {localpart} the
// part of the Matrix id before the colon and {id} the whole.
func checkRelay(f string) error {
	for _, m := range placeholder.FindAllStringSubmatch(f, -1) {
		switch m[1] {
		case "name", "localpart", "id":
		default:
			return fmt.Errorf("unknown placeholder %s; known are {name}, {localpart} and {id}", m[0])
		}
	}
	if !strings.Contains(f, "{name}") && !strings.Contains(f, "{localpart}") && !strings.Contains(f, "{id}") {
		return errors.New("must contain {name}, {localpart} or {id}, or nobody could tell who speaks")
	}
	return nil
}

// maxName is the longest name, in characters, that is relayed.
const maxName = 40

// expandRelay fills a relay format for a sender.
func expandRelay(f, name string, user id.UserID) string {
	localpart := strings.TrimPrefix(string(user), "@")
	localpart, _, _ = strings.Cut(localpart, ":")
	return strings.NewReplacer(
		"{name}", noPing(relayName(name, localpart)),
		"{localpart}", noPing(relayName(localpart, "someone")),
		"{id}", noPing(relayName(string(user), "someone")),
	).Replace(f)
}

// relayName makes a name fit for a line: no control characters, no formatting,
// not too long.
func relayName(name, otherwise string) string {
	lines := format.FromText(strings.ReplaceAll(name, "\n", " "))
	name = strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
	if name == "" || !strings.ContainsFunc(name, unicode.IsGraphic) {
		return otherwise
	}
	if utf8.RuneCountInString(name) > maxName {
		name = strings.TrimSpace(string([]rune(name)[:maxName])) + "…"
	}
	return name
}

// noPing puts a zero-width space behind the first character, so that a relayed
// name does not alert the person on IRC who has it as a nick.
func noPing(name string) string {
	_, n := utf8.DecodeRuneInString(name)
	if n >= len(name) {
		return name
	}
	return name[:n] + "\u200b" + name[n:]
}

// senderName is how the sender of an event is called.
func senderName(orig *bridgev2.OrigSender, sender id.UserID) string {
	if orig == nil {
		return ""
	}
	if orig.DisambiguatedName != "" && orig.DisambiguatedName != string(sender) {
		return orig.DisambiguatedName
	}
	return orig.Displayname
}
