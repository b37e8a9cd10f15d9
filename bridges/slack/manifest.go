package slack

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// scope is a right of the app's bot.
type scope struct {
	name, purpose string
	// needed says that the bridge does not work without.
	needed bool
}

// botScopes are all that the module uses.
var botScopes = [...]scope{
	{"bookmarks:read", "show channels' bookmarks", false},
	{"channels:history", "read messages of public channels", true},
	{"channels:join", "join public channels", false},
	{"channels:manage", "rename public channels, set their topics, invite and remove people", false},
	{"channels:read", "see public channels", true},
	{"chat:write", "send messages", true},
	{"chat:write.customize", "send messages under the names of their Matrix senders", true},
	{"commands", "offer /matrix", false},
	{"emoji:read", "show custom emoji", true},
	{"files:read", "take files over into Matrix", true},
	{"files:write", "send files", true},
	{"groups:history", "read messages of private channels", false},
	{"groups:read", "see private channels", false},
	{"groups:write", "rename private channels, set their topics, invite and remove people", false},
	{"im:history", "understand what people write to the bot", false},
	{"im:read", "see who writes to the bot", false},
	{"im:write", "write to people", false},
	{"pins:read", "show what is pinned", false},
	{"pins:write", "pin what is pinned on Matrix", false},
	{"reactions:read", "take reactions over into Matrix", true},
	{"reactions:write", "send reactions", true},
	{"team:read", "know the name of the workspace", true},
	{"usergroups:read", "show mentions of user groups", false},
	{"users:read", "know the names of people", true},
}

// botEvents are those that the app has to be told of.
var botEvents = [...]string{
	"app_uninstalled", "channel_archive", "channel_created", "channel_deleted", "channel_history_changed", "channel_left", "channel_rename",
	"channel_shared", "channel_unarchive", "channel_unshared",
	"emoji_changed", "group_archive", "group_deleted", "group_history_changed", "group_left", "group_rename", "group_unarchive",
	"member_joined_channel", "member_left_channel", "message.channels", "message.groups", "message.im", "pin_added", "pin_removed",
	"reaction_added", "reaction_removed", "subteam_created", "subteam_members_changed", "subteam_updated",
	"team_join", "team_rename", "tokens_revoked", "user_change",
}

// App is what there is to choose of the app that Slack is to make.
type App struct {
	Name string
	// EventsURL is where events come over HTTP; without it they come by Socket Mode.
	EventsURL string
	// OAuthURL is the bridge's public address and /slack/oauth: with it the app can be installed by a page, people can
	// connect their own accounts, and tokens rotate.
	OAuthURL string
	// SignInURL is the address of the homeserver's claim page to which people come back who show who they are.
	SignInURL string
}

// Manifest is the description of the app that the module needs, in YAML, for "From a manifest" at
// https://api.slack.com/apps.
func (a App) Manifest() ([]byte, error) {
	name, eventsURL, oauthURL := a.Name, a.EventsURL, a.OAuthURL
	if name = strings.TrimSpace(name); name == "" || len([]rune(name)) > 35 {
		return nil, fmt.Errorf("the name of the app is %q, but must have 1 to 35 characters", name)
	}
	if eventsURL != "" && !strings.HasPrefix(eventsURL, "https://") {
		return nil, fmt.Errorf("the address for events is %q, but must begin with https://", eventsURL)
	}
	if oauthURL != "" && !strings.HasPrefix(oauthURL, "https://") {
		return nil, fmt.Errorf("the address for OAuth is %q, but must begin with https://", oauthURL)
	}
	if a.SignInURL != "" && !strings.HasPrefix(a.SignInURL, "https://") {
		return nil, fmt.Errorf("the address for signing in is %q, but must begin with https://", a.SignInURL)
	}
	type subscriptions struct {
		RequestURL string   `yaml:"request_url,omitempty"`
		BotEvents  []string `yaml:"bot_events"`
		UserEvents []string `yaml:"user_events,omitempty"`
	}
	type command struct {
		Command     string `yaml:"command"`
		URL         string `yaml:"url,omitempty"`
		Description string `yaml:"description"`
		Hint        string `yaml:"usage_hint"`
		Escape      bool   `yaml:"should_escape"`
	}
	var m struct {
		Display struct {
			Name string `yaml:"name"`
		} `yaml:"display_information"`
		Features struct {
			BotUser struct {
				Name   string `yaml:"display_name"`
				Online bool   `yaml:"always_online"`
			} `yaml:"bot_user"`
			Commands []command `yaml:"slash_commands"`
		} `yaml:"features"`
		OAuth struct {
			Redirects []string `yaml:"redirect_urls,omitempty"`
			Scopes    struct {
				Bot  []string `yaml:"bot"`
				User []string `yaml:"user,omitempty"`
			} `yaml:"scopes"`
		} `yaml:"oauth_config"`
		Settings struct {
			Events     subscriptions `yaml:"event_subscriptions"`
			OrgDeploy  bool          `yaml:"org_deploy_enabled"`
			SocketMode bool          `yaml:"socket_mode_enabled"`
			Rotation   bool          `yaml:"token_rotation_enabled"`
		} `yaml:"settings"`
	}
	m.Display.Name = name
	m.Features.BotUser.Name, m.Features.BotUser.Online = name, true
	for _, s := range botScopes {
		m.OAuth.Scopes.Bot = append(m.OAuth.Scopes.Bot, s.name)
	}
	m.Settings.Events = subscriptions{RequestURL: eventsURL, BotEvents: botEvents[:]}
	m.Features.Commands = []command{{Command: "/matrix", URL: eventsURL, Description: "Link your account to one on Matrix", Hint: "link [CODE] | unlink"}}
	if oauthURL != "" {
		m.OAuth.Redirects, m.OAuth.Scopes.User = []string{oauthURL}, slices.Clone(personScopes[:])
		m.Settings.Events.UserEvents, m.Settings.Rotation = personEvents[:], true
	}
	if a.SignInURL != "" {
		m.OAuth.Redirects = append(m.OAuth.Redirects, a.SignInURL)
		m.OAuth.Scopes.User = append(m.OAuth.Scopes.User, signInScopes[:]...)
	}
	m.Settings.SocketMode = eventsURL == ""
	var out strings.Builder
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&m); err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return []byte(out.String()), nil
}
