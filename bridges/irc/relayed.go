package irc

import (
	"slices"
	"strings"
	"sync"

	"maunium.net/go/mautrix/id"
)

// relayNick is the nick under which a network relays what a Matrix user says, without its suffix.
func relayNick(name string, user id.UserID) string {
	nick := nickChars(strings.ReplaceAll(relayName(name, ""), " ", "_"))
	if nick == "" {
		localpart, _, _ := strings.Cut(strings.TrimPrefix(string(user), "@"), ":")
		nick = nickChars(localpart)
	}
	if nick == "" {
		nick = "someone"
	}
	if c := nick[0]; c >= '0' && c <= '9' || c == '-' {
		nick = "_" + nick
	}
	return nick[:min(len(nick), 24)]
}

// speakers are the Matrix users for whom the bridge has spoken of late, by channel and name, so that people on
// IRC can name them.
type speakers struct {
	mu   sync.Mutex
	list map[string][]speaker // by channel
}

type speaker struct {
	name string // lower case
	user id.UserID
}

// maxSpeakers bounds those of a channel.
const maxSpeakers = 200

func newSpeakers() *speakers { return &speakers{list: make(map[string][]speaker)} }

// heard takes note of somebody for whom the bridge speaks.
func (s *speakers) heard(channel, name string, user id.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.DeleteFunc(s.list[channel], func(x speaker) bool { return x.user == user })
	list = append(list, speaker{strings.ToLower(relayName(name, "")), user})
	if len(list) > maxSpeakers {
		list = list[1:]
	}
	s.list[channel] = list
}

// named are those whom a text addresses: with their name and a colon or comma at its beginning, or with an @ before
// their name.
func (s *speakers) named(channel, text string) (users []id.UserID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = strings.ReplaceAll(strings.ToLower(text), "\u200b", "")
	for _, x := range s.list[channel] {
		if x.name == "" {
			continue
		}
		nick := strings.ToLower(relayNick(x.name, x.user)) + "/" + relaySuffix
		for _, name := range []string{x.name, nick} {
			rest, ok := strings.CutPrefix(text, name)
			if ok && (strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, ",")) || namedIn(text, "@"+name) || name == nick && namedIn(text, nick) {
				users = append(users, x.user)
				break
			}
		}
	}
	return users
}

// namedIn reports whether a text has a word.
func namedIn(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(word)
		before := i == 0 || !wordByte(text[i-1])
		if before && (end == len(text) || !wordByte(text[end])) {
			return true
		}
		from = i + 1
	}
}

func wordByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b >= 0x80
}

// mentioned are the Matrix users whom a line names.
func (n *network) mentioned(l *line, body string) []id.UserID {
	users := n.puppets.mentioned(body)
	for _, name := range l.Channels {
		for _, user := range n.speakers.named(name, body) {
			if !slices.Contains(users, user) {
				users = append(users, user)
			}
		}
	}
	return users
}
