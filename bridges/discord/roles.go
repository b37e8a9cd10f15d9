package discord

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"maunium.net/go/mautrix/bridgev2"

	"github.com/landbridge-im/landbridge/bridges/discord/format"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Matrix has no roles. Who writes @Moderators alerts the role of that name, if everybody on Discord may alert it, or if
// the writer may alert a whole room in Matrix.

// pingRoles turns the names of roles in a text for Discord into mentions, by right, and notes whom they alert.
func (n *bot) pingRoles(ctx context.Context, j *job, portal *bridgev2.Portal, text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	guildID, err := n.guildOf(portal)
	if err != nil {
		return text
	}
	var roles []wire.Role
	n.guilds.read(guildID, func(g *guild) {
		for id, r := range g.roles {
			if id != guildID && r.Name != "" { // not @everyone
				roles = append(roles, r)
			}
		}
	})
	// The longest first: of "Mods" and "Mods of music" the latter is meant where it stands.
	slices.SortFunc(roles, func(a, b wire.Role) int {
		return cmp.Or(cmp.Compare(len(b.Name), len(a.Name)), cmp.Compare(a.ID.Uint(), b.ID.Uint()))
	})
	asked, right := false, false
	return replaceNames(text, func(rest string) (with string, length int) {
		for _, r := range roles {
			name := format.Escape(r.Name)
			if !strings.HasPrefix(rest, name) {
				continue
			}
			if next, _ := utf8.DecodeRuneInString(rest[len(name):]); unicode.IsLetter(next) || unicode.IsDigit(next) {
				continue
			}
			if !r.Mentionable && !asked {
				asked, right = true, n.mayAlertAll(ctx, portal, j.Status.Sender)
			}
			if !r.Mentionable && !right {
				return "", 0
			}
			if !slices.Contains(j.Roles, string(r.ID)) {
				j.Roles = append(j.Roles, string(r.ID))
			}
			return "<@&" + string(r.ID) + ">", len(name)
		}
		return "", 0
	})
}

// replaceNames calls f with what follows each @ of a text that begins a word outside of code and addresses, and puts what f
// returns in the place of the @ and as many bytes as it says; nothing is replaced if that is none.
func replaceNames(text string, f func(rest string) (with string, length int)) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			b.WriteString(text[i : i+2])
			i += 2
		case c == '`':
			ticks := len(text[i:]) - len(strings.TrimLeft(text[i:], "`"))
			end := i + ticks
			if at := strings.Index(text[end:], text[i:end]); at >= 0 {
				end += at + ticks
			}
			b.WriteString(text[i:end])
			i = end
		case c == '@' && beginsWord(text[:i]):
			if with, n := f(text[i+1:]); n > 0 {
				b.WriteString(with)
				i += 1 + n
				continue
			}
			fallthrough
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// beginsWord reports whether what follows a text begins a word.
func beginsWord(before string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	return !unicode.IsLetter(last) && !unicode.IsDigit(last) && !strings.ContainsRune("<&/@", last)
}
