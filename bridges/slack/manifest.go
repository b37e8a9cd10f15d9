package slack

import (
	"fmt"
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
	{"channels:history", "read messages of public channels", true},
	{"channels:join", "join public channels", false},
	{"channels:read", "see public channels", true},
	{"chat:write", "send messages", true},
	{"chat:write.customize", "send messages under the names of their Matrix senders", true},
	{"emoji:read", "show custom emoji", true},
	{"files:read", "take files over into Matrix", true},
	{"files:write", "send files", true},
	{"groups:history", "read messages of private channels", false},
	{"groups:read", "see private channels", false},
	{"pins:read", "show what is pinned", false},
	{"reactions:read", "take reactions over into Matrix", true},
	{"reactions:write", "send reactions", true},
	{"team:read", "know the name of the workspace", true},
	{"usergroups:read", "show mentions of user groups", false},
	{"users:read", "know the names of people", true},
}

// botEvents are those that the app has to be told of.
var botEvents = [...]string{
	"app_uninstalled", "channel_archive", "channel_created", "channel_deleted", "channel_left", "channel_rename", "channel_unarchive",
	"emoji_changed", "group_archive", "group_deleted", "group_left", "group_rename", "group_unarchive",
	"member_joined_channel", "member_left_channel", "message.channels", "message.groups", "pin_added", "pin_removed",
	"reaction_added", "reaction_removed", "subteam_created", "subteam_members_changed", "subteam_updated",
	"team_join", "tokens_revoked", "user_change",
}

// Manifest is the description of the app that the module needs, in YAML, for "From a manifest" at
// https://api.slack.com/apps. With an events URL, events come there over HTTP; without one, by
// Socket Mode.
func Manifest(name, eventsURL string) ([]byte, error) {
	if name = strings.TrimSpace(name); name == "" || len([]rune(name)) > 35 {
		return nil, fmt.Errorf("the name of the app is %q, but must have 1 to 35 characters", name)
	}
	if eventsURL != "" && !strings.HasPrefix(eventsURL, "https://") {
		return nil, fmt.Errorf("the address for events is %q, but must begin with https://", eventsURL)
	}
	type subscriptions struct {
		RequestURL string   `yaml:"request_url,omitempty"`
		BotEvents  []string `yaml:"bot_events"`
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
		} `yaml:"features"`
		OAuth struct {
			Scopes struct {
				Bot []string `yaml:"bot"`
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
	m.Settings.Events = subscriptions{eventsURL, botEvents[:]}
	m.Settings.SocketMode = eventsURL == ""
	var out strings.Builder
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&m); err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return []byte(out.String()), nil
}
