package slack

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/bridges/moduleconfig"
)

// ConfigError is a mistake in the configuration.
type ConfigError = moduleconfig.Error

// Config is the module's configuration.
type Config struct {
	Workspaces []WorkspaceConfig
}

// WorkspaceConfig is one workspace.
type WorkspaceConfig struct {
	// ID names the workspace in Matrix ids; it must not be changed later.
	ID string
	// AppToken (xapp-) opens connections of Socket Mode; BotToken (xoxb-) does all else.
	AppToken, BotToken string
	// APIURL is the base of the Web API, with a slash at the end.
	APIURL string
	// Include and Exclude are patterns (path.Match) of channel names or ids. Empty
	// Include means all of which the bot is a member.
	Include, Exclude []string
	// Events is "socket" or "http"; with http, SigningSecret proves that a request is
	// Slack's, and Listen and Path say where they come in.
	Events, SigningSecret, Listen, Path string
	// Broadcast is what @room becomes: here, channel, everyone, or off.
	Broadcast string
	// SyncMembers is the number of members up to which all members of a channel are
	// in its room; of larger channels those who speak are.
	SyncMembers int
	// History says how much of a channel's past is brought in when it is bridged.
	History moduleconfig.Since
	// Queue is how many messages may wait to be sent.
	Queue int
	// AdminPower and OwnerPower are the power levels of a workspace's admins and owners.
	AdminPower, OwnerPower int
	// RoomAlias is the localpart of the space's alias; it begins those of the channels' rooms, unless Aliases is false.
	RoomAlias string
	Aliases   bool
	// TeamID is the workspace's id; needed for an app that is installed in a whole organisation of Enterprise Grid,
	// whose token does not say which workspace is meant.
	TeamID string
	// ClientID and ClientSecret are those of the app for OAuth: with them it can be installed by a page, people can
	// sign in, and tokens that end are renewed.
	ClientID, ClientSecret string
	// SignIn has people show who they are by signing in to Slack; it needs ClientSecret, and the app the address to which
	// they come back.
	SignIn bool
	// AppConfigToken lets an examination read the app's settings.
	AppConfigToken string
	// Sections are sub-spaces.
	Sections []Section
	// GroupPower gives members of user groups, by handle, a power level.
	GroupPower map[string]int
	// Bookmarks says what becomes of channels' bookmarks: state, topic or off.
	Bookmarks string
	// Status has people's status shown with their presence.
	Status bool
}

// Section is a sub-space of a workspace. Slack tells apps nothing of the sections that people sort their channels into.
type Section struct {
	ID, Name string
	// Channels are patterns of channel names, or ids.
	Channels []string
}

var teamPattern = regexp.MustCompile(`^T[A-Z0-9]{2,20}$`)

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

// ParseConfig reads the module's configuration. All mistakes are reported, each with
// its line and key, and no secret in them. aliasPrefix begins the aliases that the
// configuration does not name.
func ParseConfig(node *yaml.Node, aliasPrefix string) (*Config, error) {
	cfg := &Config{}
	if node == nil || node.Kind == 0 || node.Tag == "!!null" {
		return nil, moduleconfig.Mistake(node, "workspaces", "is missing: at least one workspace must be configured")
	}
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	seen := make(map[string]bool)
	err := moduleconfig.Top(node, "the Slack configuration", map[string]moduleconfig.Reader{
		"workspaces": func(n *yaml.Node, key string) error {
			return moduleconfig.Sequence(n, key, func(item *yaml.Node, key string) error {
				w, err := parseWorkspace(item, key, aliasPrefix)
				if seen[w.ID] && w.ID != "" {
					err = errors.Join(err, moduleconfig.Mistake(item, key+".id", "%q is used twice", w.ID))
				}
				seen[w.ID] = true
				cfg.Workspaces = append(cfg.Workspaces, w)
				return err
			})
		},
	})
	if err == nil && len(cfg.Workspaces) == 0 {
		err = moduleconfig.Mistake(node, "workspaces", "is missing: at least one workspace must be configured")
	}
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

// secret is a value that may be in a file of its own.
type secret struct{ value, file string }

func (s *secret) fields(fields map[string]moduleconfig.Reader, name string) {
	fields[name], fields[name+"_file"] = moduleconfig.Trimmed(&s.value), moduleconfig.Trimmed(&s.file)
}

// read returns the secret, which must begin with prefix.
func (s *secret) read(node *yaml.Node, key, prefix string) (string, error) {
	value := s.value
	switch {
	case s.value != "" && s.file != "":
		return "", moduleconfig.Mistake(node, key, "is given twice: here and as %s_file", key)
	case s.file != "":
		raw, err := os.ReadFile(s.file)
		if err != nil {
			return "", moduleconfig.Mistake(node, key+"_file", "%v", err)
		}
		value = strings.TrimSpace(string(raw))
	}
	if value == "" {
		return "", moduleconfig.Mistake(node, key, "is missing")
	}
	if !strings.HasPrefix(value, prefix) || strings.ContainsAny(value, " \r\n\x00") {
		return "", moduleconfig.Mistake(node, key, "must be one word beginning with %q", prefix)
	}
	return value, nil
}

func parseWorkspace(node *yaml.Node, key, aliasPrefix string) (WorkspaceConfig, error) {
	w := WorkspaceConfig{
		APIURL: "https://slack.com/api/", Events: "socket", Path: "/slack/events", Broadcast: "channel",
		SyncMembers: 500, Queue: 10_000, AdminPower: 50, OwnerPower: 75, Aliases: true, Bookmarks: "state",
	}
	var app, bot, signing, client, manifest secret
	fields := map[string]moduleconfig.Reader{
		"id": moduleconfig.Trimmed(&w.ID), "api_url": moduleconfig.Trimmed(&w.APIURL), "room_alias": moduleconfig.Trimmed(&w.RoomAlias),
		"events": moduleconfig.OneOf(&w.Events, "socket", "http"), "listen": moduleconfig.Trimmed(&w.Listen), "path": moduleconfig.Trimmed(&w.Path),
		"broadcast":    moduleconfig.OneOf(&w.Broadcast, "here", "channel", "everyone", "off"),
		"history":      moduleconfig.History(&w.History),
		"sync_members": moduleconfig.Int(&w.SyncMembers, 0, 100_000), "queue": moduleconfig.Int(&w.Queue, 1, 1_000_000),
		"admin_power": moduleconfig.Int(&w.AdminPower, 0, 100), "owner_power": moduleconfig.Int(&w.OwnerPower, 0, 100),
		"aliases": moduleconfig.Bool(&w.Aliases), "team_id": moduleconfig.Trimmed(&w.TeamID), "client_id": moduleconfig.Trimmed(&w.ClientID),
		"bookmarks": moduleconfig.OneOf(&w.Bookmarks, "state", "topic", "off"), "status": moduleconfig.Bool(&w.Status),
		"sign_in":  moduleconfig.Bool(&w.SignIn),
		"sections": sections(&w.Sections), "group_power": groupPower(&w.GroupPower),
		"channels": func(n *yaml.Node, key string) error {
			return moduleconfig.Mapping(n, key, map[string]moduleconfig.Reader{"include": patterns(&w.Include), "exclude": patterns(&w.Exclude)})
		},
	}
	app.fields(fields, "app_token")
	bot.fields(fields, "bot_token")
	signing.fields(fields, "signing_secret")
	client.fields(fields, "client_secret")
	manifest.fields(fields, "app_config_token")
	errs := []error{moduleconfig.Mapping(node, key, fields)}
	var err error
	if !idPattern.MatchString(w.ID) {
		errs = append(errs, moduleconfig.Mistake(node, key+".id", "is %q, but must be of lower-case letters, digits and hyphens, such as acme", w.ID))
	}
	if w.ClientID != "" || client != (secret{}) {
		w.ClientSecret, err = client.read(node, key+".client_secret", "")
		errs = append(errs, err)
		if w.ClientID == "" {
			errs = append(errs, moduleconfig.Mistake(node, key+".client_id", "is missing: it is needed with client_secret"))
		}
	}
	if w.SignIn && w.ClientSecret == "" {
		errs = append(errs, moduleconfig.Mistake(node, key+".sign_in", "needs client_id and client_secret"))
	}
	if manifest != (secret{}) {
		w.AppConfigToken, err = manifest.read(node, key+".app_config_token", "xoxe")
		errs = append(errs, err)
	}
	if bot != (secret{}) || w.ClientID == "" { // without one, the app is installed by its page
		w.BotToken, err = bot.read(node, key+".bot_token", "xoxb-")
		errs = append(errs, err)
	}
	if w.TeamID != "" && !teamPattern.MatchString(w.TeamID) {
		errs = append(errs, moduleconfig.Mistake(node, key+".team_id", "is %q, but must be the id of a workspace, such as T0123ABCD", w.TeamID))
	}
	if u, err := url.Parse(w.APIURL); err != nil || u.Scheme != "https" && !local(u) || u.Host == "" {
		errs = append(errs, moduleconfig.Mistake(node, key+".api_url", "must be an https address, or http of this machine"))
	}
	if !strings.HasSuffix(w.APIURL, "/") {
		w.APIURL += "/"
	}
	switch w.Events {
	case "socket":
		w.AppToken, err = app.read(node, key+".app_token", "xapp-")
		errs = append(errs, err)
	case "http":
		w.SigningSecret, err = signing.read(node, key+".signing_secret", "")
		errs = append(errs, err)
		if _, _, err := net.SplitHostPort(w.Listen); w.Listen != "" && err != nil {
			errs = append(errs, moduleconfig.Mistake(node, key+".listen", "is %q, but must be host:port, such as 127.0.0.1:3000", w.Listen))
		}
		if !strings.HasPrefix(w.Path, "/") {
			errs = append(errs, moduleconfig.Mistake(node, key+".path", "is %q, but must begin with a slash", w.Path))
		}
	}
	if w.RoomAlias == "" {
		w.RoomAlias = aliasPrefix + w.ID
	}
	if strings.ContainsAny(w.RoomAlias, ":#\x00 ") {
		errs = append(errs, moduleconfig.Mistake(node, key+".room_alias", "is %q, but must be the part between # and : of an alias", w.RoomAlias))
	}
	return w, errors.Join(errs...)
}

// local reports whether an address is of this machine: http is for tests and proxies.
func local(u *url.URL) bool {
	if u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func patterns(into *[]string) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		return moduleconfig.Sequence(n, key, func(n *yaml.Node, key string) error {
			var s string
			if err := moduleconfig.Trimmed(&s)(n, key); err != nil {
				return err
			}
			s = strings.TrimPrefix(s, "#")
			if _, err := path.Match(s, ""); err != nil || s == "" {
				return moduleconfig.Mistake(n, key, "is %q, but must be the name or id of a channel, in which * stands for anything (quoted, because # begins a comment)", n.Value)
			}
			*into = append(*into, s)
			return nil
		})
	}
}

// wants reports whether a channel is to be bridged.
func (w *WorkspaceConfig) wants(id, name string) bool {
	return (len(w.Include) == 0 || matches(w.Include, id, name)) && !matches(w.Exclude, id, name)
}

func matches(list []string, id, name string) bool {
	for _, p := range list {
		if ok, _ := path.Match(p, name); ok || p == id {
			return true
		}
	}
	return false
}

// section returns the sub-space that a channel is in, or nil.
func (w *WorkspaceConfig) section(id, name string) *Section {
	for i := range w.Sections {
		if matches(w.Sections[i].Channels, id, name) {
			return &w.Sections[i]
		}
	}
	return nil
}

func sections(into *[]Section) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		return moduleconfig.Sequence(n, key, func(n *yaml.Node, key string) error {
			var s Section
			err := moduleconfig.Mapping(n, key, map[string]moduleconfig.Reader{
				"id": moduleconfig.Trimmed(&s.ID), "name": moduleconfig.Trimmed(&s.Name), "channels": patterns(&s.Channels),
			})
			switch {
			case err != nil:
				return err
			case !idPattern.MatchString(s.ID):
				return moduleconfig.Mistake(n, key+".id", "is %q, but must be of lower-case letters, digits and hyphens", s.ID)
			case len(s.Channels) == 0:
				return moduleconfig.Mistake(n, key+".channels", "is missing: names (* stands for anything) or ids of channels")
			case slices.ContainsFunc(*into, func(o Section) bool { return o.ID == s.ID }):
				return moduleconfig.Mistake(n, key+".id", "%q is used twice", s.ID)
			}
			if s.Name == "" {
				s.Name = s.ID
			}
			*into = append(*into, s)
			return nil
		})
	}
}

func groupPower(into *map[string]int) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		fields := map[string]moduleconfig.Reader{}
		levels := map[string]*int{}
		if n = moduleconfig.Resolve(n); n.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(n.Content); i += 2 {
				handle := n.Content[i].Value
				levels[handle] = new(int)
				fields[handle] = moduleconfig.Int(levels[handle], 0, 100)
			}
		}
		if err := moduleconfig.Mapping(n, key, fields); err != nil {
			return err
		}
		*into = make(map[string]int)
		for handle, level := range levels {
			(*into)[strings.TrimPrefix(handle, "@")] = *level
		}
		return nil
	}
}

// workspace returns the configuration of a workspace, or an error that it has none.
func (c *Config) workspace(id string) (*WorkspaceConfig, error) {
	for i := range c.Workspaces {
		if c.Workspaces[i].ID == id {
			return &c.Workspaces[i], nil
		}
	}
	return nil, fmt.Errorf("the workspace %s is not configured any more", id)
}
