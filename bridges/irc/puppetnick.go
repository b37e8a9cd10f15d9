package irc

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"maunium.net/go/mautrix/id"
)

// maxNick is the longest nick, in bytes, that is asked for; a network that allows fewer gets a
// shorter one.
const maxNick = 30

// checkNickTemplate checks a template of nicks: {localpart} and {name} are as in a relay format.
func checkNickTemplate(t string) error {
	for _, m := range placeholder.FindAllStringSubmatch(t, -1) {
		if m[1] != "localpart" && m[1] != "name" {
			return fmt.Errorf("unknown placeholder %s; known are {localpart} and {name}", m[0])
		}
	}
	if !strings.Contains(t, "{localpart}") && !strings.Contains(t, "{name}") {
		return errors.New("must contain {localpart} or {name}, or all would have the same nick")
	}
	if rest := placeholder.ReplaceAllString(t, ""); rest != nickChars(rest) {
		return fmt.Errorf("must be of what may be in a nick: letters, digits and %s", nickSpecial)
	}
	return nil
}

// nickSpecial is what may be in a nick besides letters and digits. RFC 2812, 2.3.1: "special = %x5B-60 /
// %x7B-7D ; "[", "]", "\", "`", "_", "^", "{", "|", "}"".
const nickSpecial = "[]\\`_^{|}-"

// nickChars leaves out what may not be in a nick.
func nickChars(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(nickSpecial, r):
			return r
		}
		return -1
	}, s)
}

// puppetNick makes the nick of a Matrix user.
func puppetNick(template, name string, user id.UserID) string {
	localpart, _, _ := strings.Cut(strings.TrimPrefix(string(user), "@"), ":")
	own := nickChars(localpart)
	if own == "" {
		own = fmt.Sprintf("m%x", crc32.ChecksumIEEE([]byte(user)))
	}
	shown := nickChars(strings.ReplaceAll(name, " ", "_"))
	if shown == "" {
		shown = own
	}
	// The template's own letters stay, so that everybody sees what kind of nick it is.
	room := maxNick - len(placeholder.ReplaceAllString(template, ""))
	cut := func(s string) string { return s[:min(len(s), max(room, 1))] }
	nick := strings.NewReplacer("{localpart}", cut(own), "{name}", cut(shown)).Replace(template)
	if c := nick[0]; c >= '0' && c <= '9' || c == '-' { // which a nick may not begin with
		nick = "_" + nick
	}
	return nick
}

// puppetUsername is the user name that a puppet tells the server: at most ten letters and digits.
func puppetUsername(user id.UserID) string {
	localpart, _, _ := strings.Cut(strings.TrimPrefix(string(user), "@"), ":")
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, localpart)
	if name == "" {
		name = "matrix"
	}
	return name[:min(len(name), 10)]
}
