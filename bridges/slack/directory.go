package slack

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync"

	slackgo "github.com/slack-go/slack"
)

// directory knows who and what is in a workspace.
type directory struct {
	api *api
	log *slog.Logger

	mu       sync.RWMutex
	users    map[string]*user
	channels map[string]string // names
	groups   map[string]group
	handles  map[string]string // of groups, to ids
	emoji    map[string]string // custom ones, to addresses or alias:name
	bots     map[string]bot    // those that were asked for, also if they are not known
	cursor   string            // how far fillUsers is
	filled   bool              // it is done
}

type group struct {
	handle string
	users  []string
}

// bot is what a bot is called, and the address of its picture.
type bot struct{ name, picture string }

func newDirectory(a *api, log *slog.Logger) *directory {
	return &directory{
		api: a, log: log, users: make(map[string]*user), channels: make(map[string]string),
		groups: make(map[string]group), handles: make(map[string]string), emoji: make(map[string]string),
		bots: make(map[string]bot),
	}
}

// user returns somebody, who is asked for if not known, or nil.
func (d *directory) user(ctx context.Context, id string) *user {
	if u := d.known(id); u != nil {
		return u
	}
	if !strings.HasPrefix(id, "U") && !strings.HasPrefix(id, "W") {
		return nil
	}
	var resp struct {
		User user `json:"user"`
	}
	if err := d.api.call(ctx, "users.info", url.Values{"user": {id}}, &resp); err != nil || resp.User.ID == "" {
		d.log.Warn("somebody of the workspace is not known", "user", id, "error", err)
		return nil
	}
	d.setUser(&resp.User)
	return &resp.User
}

// bot returns what is known of a bot, which is asked for once in a run.
func (d *directory) bot(ctx context.Context, id string) bot {
	d.mu.RLock()
	b, ok := d.bots[id]
	d.mu.RUnlock()
	if ok {
		return b
	}
	var resp struct {
		Bot struct {
			Name  string `json:"name"`
			Icons icons  `json:"icons"`
		} `json:"bot"`
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if err := d.api.call(ctx, "bots.info", url.Values{"bot": {id}}, &resp); err != nil {
		d.log.Warn("a bot is not known", "bot", id, "error", err)
		if code(err) == "" {
			return b // perhaps the next time
		}
	}
	b = bot{resp.Bot.Name, resp.Bot.Icons.address()}
	d.mu.Lock()
	d.bots[id] = b
	d.mu.Unlock()
	return b
}

func (d *directory) known(id string) *user {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.users[id]
}

// named returns somebody by their user name or the name that is shown, or nil.
func (d *directory) named(name string) *user {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var found *user
	for _, u := range d.users {
		if u.Name == name {
			return u
		}
		if strings.EqualFold(u.displayName(), name) && !u.Deleted {
			found = u
		}
	}
	return found
}

func (d *directory) setUser(u *user) {
	u.Name, u.RealName = strings.Clone(u.Name), strings.Clone(u.RealName)
	d.mu.Lock()
	d.users[u.ID] = u
	d.mu.Unlock()
}

// fillUsers asks for all people of the workspace, a thousand at a time, going on where it was interrupted. Asking for them one by
// one, as they appear, would take fifty times as long.
func (d *directory) fillUsers(ctx context.Context) error {
	for {
		d.mu.RLock()
		cursor, filled := d.cursor, d.filled
		d.mu.RUnlock()
		if filled {
			return nil
		}
		args := url.Values{"limit": {"1000"}}
		if cursor != "" {
			args.Set("cursor", cursor)
		}
		var resp struct {
			Members []user `json:"members"`
			Meta    struct {
				Next string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := d.api.call(ctx, "users.list", args, &resp); err != nil {
			if code(err) == "invalid_cursor" {
				d.refill()
			}
			return err
		}
		for i := range resp.Members {
			u := resp.Members[i]
			d.setUser(&u)
		}
		d.mu.Lock()
		d.cursor, d.filled = resp.Meta.Next, resp.Meta.Next == ""
		d.mu.Unlock()
	}
}

// refill has fillUsers begin anew.
func (d *directory) refill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cursor, d.filled = "", false
}

// fillGroups asks for the user groups.
func (d *directory) fillGroups(ctx context.Context) error {
	var list []slackgo.UserGroup
	err := d.api.read(ctx, "usergroups.list", func() (err error) {
		list, err = d.api.slack().GetUserGroupsContext(ctx, slackgo.GetUserGroupsOptionIncludeUsers(true), slackgo.GetUserGroupsOptionTeamID(d.api.team))
		return err
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.groups)
	clear(d.handles)
	for _, g := range list {
		d.groups[g.ID] = group{g.Handle, g.Users}
		d.handles[g.Handle] = g.ID
	}
	return nil
}

// fillEmoji asks for the custom emoji.
func (d *directory) fillEmoji(ctx context.Context) error {
	var list map[string]string
	err := d.api.read(ctx, "emoji.list", func() (err error) {
		list, err = d.api.slack().GetEmojiContext(ctx)
		return err
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.emoji = list
	return nil
}

// customEmoji returns the address of a custom emoji's picture, or "". An alias of a
// standard one has none.
func (d *directory) customEmoji(name string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for range 5 {
		address := d.emoji[name]
		alias, ok := strings.CutPrefix(address, "alias:")
		if !ok {
			return address
		}
		name = alias
	}
	return ""
}

// emojiAlias returns the name that a custom emoji is another name of, or itself.
func (d *directory) emojiAlias(name string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for range 5 {
		alias, ok := strings.CutPrefix(d.emoji[name], "alias:")
		if !ok {
			return name
		}
		name = alias
	}
	return name
}

func (d *directory) hasEmoji(name string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, ok := d.emoji[name]
	return ok
}

func (d *directory) group(id string) (group, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	g, ok := d.groups[id]
	return g, ok
}

func (d *directory) groupOf(handle string) (string, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	id, ok := d.handles[handle]
	return id, ok
}

func (d *directory) channel(id string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.channels[id]
}

// channelNamed returns the id of a channel by its name, or "".
func (d *directory) channelNamed(name string) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for id, n := range d.channels {
		if n == name {
			return id
		}
	}
	return ""
}

func (d *directory) setChannel(id, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.channels[id] = name
}

// displayName is what Slack's own clients show: the display name if there is one, else
// the real name.
func (u *user) displayName() string {
	for _, name := range []string{u.Profile.DisplayName, u.Profile.RealName, u.RealName, u.Name} {
		if name = strings.TrimSpace(name); name != "" {
			return name
		}
	}
	return u.ID
}

// avatar returns the address of a picture and what tells it from an older one.
func (p *profile) avatar() (address, id string) {
	for _, a := range []string{p.Image512, p.Image192, p.Image72} {
		if a != "" {
			return a, a
		}
	}
	return "", ""
}
