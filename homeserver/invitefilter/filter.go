package invitefilter

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Verdict is what is to become of an invitation.
type Verdict int

const (
	// Allow lets the invitation through.
	Allow Verdict = iota
	// Ignore takes it, and does not show it to the invited user.
	Ignore
	// Block refuses it.
	Block
)

// Types of account data that invitations are judged by.
const (
	Stable   = "m.invite_permission_config"
	Unstable = "org.matrix.msc4155.invite_permission_config"
)

// listMax bounds how many patterns of one list are looked at.
const listMax = 1000

// Filter is what one user wants. The zero value allows everything.
type Filter struct {
	blockAll bool
	lists    gjson.Result
}

// Load reads a user's filter.
func Load(ctx context.Context, s *store.Store, user int64) (Filter, error) {
	var f Filter
	for _, typ := range [...]string{Stable, Unstable} {
		d, err := s.AccountData(ctx, user, 0, typ)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return f, fmt.Errorf("reading whose invitations are wanted: %w", err)
		}
		f.add(typ, d.Content)
	}
	return f, nil
}

// add takes in one piece of account data. "A missing, invalid or unsupported value means that the
// user wants to receive invites as normal."
func (f *Filter) add(typ, content string) {
	if action := gjson.Get(content, "default_action"); action.Type == gjson.String && action.Str == "block" {
		f.blockAll = true
	}
	if typ == Unstable {
		f.lists = gjson.Parse(content)
	}
}

// Judge tells what is to become of an invitation by a user. MSC4155: users go before servers, and
// of each what is allowed before what is ignored before what is blocked; what no list names is
// allowed. default_action comes before all lists, since it means all invitations.
func (f Filter) Judge(sender string) Verdict {
	if f.blockAll {
		return Block
	}
	_, server, _ := strings.Cut(sender, ":")
	host, _, _ := strings.Cut(server, ":")
	for _, l := range [...]struct {
		name    string
		server  bool
		verdict Verdict
	}{
		{"allowed_users", false, Allow}, {"ignored_users", false, Ignore}, {"blocked_users", false, Block},
		{"allowed_servers", true, Allow}, {"ignored_servers", true, Ignore}, {"blocked_servers", true, Block},
	} {
		list := f.lists.Get(l.name)
		if !list.IsArray() {
			continue
		}
		for i, p := range list.Array() {
			if i == listMax {
				break
			}
			if p.Type != gjson.String {
				continue
			}
			if !l.server && glob(p.Str, sender) || l.server && (glob(p.Str, server) || glob(p.Str, host)) {
				return l.verdict
			}
		}
	}
	return Allow
}

// glob matches a pattern in which * stands for any text and ? for one character.
func glob(pattern, s string) bool {
	p, text := []rune(pattern), []rune(s)
	star, mark := -1, 0
	i, j := 0, 0
	for i < len(text) {
		switch {
		case j < len(p) && p[j] == '*':
			star, mark = j, i
			j++
		case j < len(p) && (p[j] == '?' || p[j] == text[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '*' {
		j++
	}
	return j == len(p)
}
