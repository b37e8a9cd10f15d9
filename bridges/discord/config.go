package discord

import (
	"errors"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
	"github.com/landbridge-im/landbridge/bridges/moduleconfig"
)

// Config is the module's configuration: one bot, and what of its guilds is bridged.
type Config struct {
	// Token is the bot's token, without "Bot ".
	Token string
	// APIURL is the base of the REST API, with its version; GatewayURL replaces what
	// the API names as its gateway if it is not empty; CDNURL is the base of files.
	APIURL, GatewayURL, CDNURL string
	// Proxy is the address of a proxy for all connections to Discord; "" for the one that the environment names, if any.
	Proxy string
	// Guilds are those that are bridged; all that the bot is in if there are none.
	Guilds []wire.ID
	// Include are the channels and categories that are bridged, all if there are
	// none; Exclude are those that are not.
	Include, Exclude []wire.ID
	// WebhookName is the name of the webhooks that the bridge makes.
	WebhookName string
	// MemberLimit is up to how many members of a guild are all shown; of larger ones
	// those who speak are.
	MemberLimit int
	// UploadLimit is the largest file, in bytes, that is sent to Discord; a larger
	// one becomes a link.
	UploadLimit int
	// DownloadLimit is the largest file, in bytes, that is taken over to Matrix; a
	// larger one becomes a link.
	DownloadLimit int
	// Queue is how many messages may wait to be sent to one channel.
	Queue int
	// Public says that the rooms of channels that everybody in the guild sees can be
	// joined by everybody.
	Public bool
	// History says how much of a channel's past is brought in when it is bridged.
	History moduleconfig.Since
	// Moderation says that kicks and bans in Matrix are done on Discord.
	Moderation bool
	// Presence says that it is shown in Matrix who is online; it needs a privileged intent.
	Presence bool
	// Notices says that rooms are told of calls and scheduled events.
	Notices bool
	// ThreadRooms says that threads are rooms of their own, and ForumSpaces that forums are spaces with a room for
	// each post. Otherwise both are threads.
	ThreadRooms, ForumSpaces bool
	// Typing says that it is shown in Matrix who types.
	Typing bool
	// ClientSecret is the application's: with it people can show who they are by signing in to Discord in their browser.
	ClientSecret string
	// PublicMediaURL is the address of a homeserver under which media can be
	// downloaded without a login, for avatars and links to files; it is used where
	// the bridge has no public media of its own.
	PublicMediaURL string
}

// ConfigError is a mistake in the configuration.
type ConfigError = moduleconfig.Error

// ParseConfig reads the module's configuration. All mistakes are reported, each
// with its line and key.
func ParseConfig(node *yaml.Node) (*Config, error) {
	cfg := &Config{
		APIURL: "https://discord.com/api/v10", CDNURL: "https://cdn.discordapp.com",
		WebhookName: "Landbridge", MemberLimit: 500, UploadLimit: 10 << 20, DownloadLimit: 50 << 20,
		Queue: 1000, Public: true, Typing: true, Moderation: true, Notices: true,
	}
	if node == nil || node.Kind == 0 {
		return cfg, moduleconfig.Mistake(node, "token", "is missing")
	}
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	var tokenFile, secretFile, visibility string
	err := moduleconfig.Top(node, "the Discord configuration", map[string]moduleconfig.Reader{
		"token":              moduleconfig.Text(&cfg.Token),
		"token_file":         moduleconfig.Text(&tokenFile),
		"api_url":            address(&cfg.APIURL, "http", "https"),
		"gateway_url":        address(&cfg.GatewayURL, "ws", "wss"),
		"cdn_url":            address(&cfg.CDNURL, "http", "https"),
		"proxy":              address(&cfg.Proxy, "http", "https", "socks5"),
		"public_media_url":   address(&cfg.PublicMediaURL, "http", "https"),
		"client_secret":      moduleconfig.Trimmed(&cfg.ClientSecret),
		"client_secret_file": moduleconfig.Trimmed(&secretFile),
		"guilds":             ids(&cfg.Guilds),
		"channels": func(n *yaml.Node, key string) error {
			return moduleconfig.Mapping(n, key, map[string]moduleconfig.Reader{
				"include": ids(&cfg.Include), "exclude": ids(&cfg.Exclude),
			})
		},
		"webhook_name":   webhookName(&cfg.WebhookName),
		"member_limit":   moduleconfig.Int(&cfg.MemberLimit, 0, 100_000),
		"upload_limit":   moduleconfig.Int(&cfg.UploadLimit, 0, 500<<20),
		"download_limit": moduleconfig.Int(&cfg.DownloadLimit, 0, 1<<30),
		"queue":          moduleconfig.Int(&cfg.Queue, 1, 100_000),
		"history":        moduleconfig.History(&cfg.History),
		"typing":         moduleconfig.Bool(&cfg.Typing),
		"moderation":     moduleconfig.Bool(&cfg.Moderation),
		"presence":       moduleconfig.Bool(&cfg.Presence),
		"notices":        moduleconfig.Bool(&cfg.Notices),
		"threads":        choice(&cfg.ThreadRooms, "threads", "rooms"),
		"forums":         choice(&cfg.ForumSpaces, "threads", "space"),
		"visibility": func(n *yaml.Node, key string) error {
			if visibility = n.Value; visibility != "public" && visibility != "invite" {
				return moduleconfig.Mistake(n, key, "is %q, but must be public or invite", n.Value)
			}
			cfg.Public = visibility == "public"
			return nil
		},
	})
	errs := []error{err, fromFile(node, "token", &cfg.Token, tokenFile), fromFile(node, "client_secret", &cfg.ClientSecret, secretFile)}
	if cfg.Token == "" && tokenFile == "" {
		errs = append(errs, moduleconfig.Mistake(node, "token", "is missing: the bot's token from https://discord.com/developers/applications, or token_file"))
	}
	cfg.Token = strings.TrimPrefix(cfg.Token, "Bot ")
	if strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		errs = append(errs, moduleconfig.Mistake(node, "token", "must not contain spaces or line breaks"))
	}
	for _, id := range cfg.Include {
		if slices.Contains(cfg.Exclude, id) {
			errs = append(errs, moduleconfig.Mistake(node, "channels", "%s is both included and excluded", id))
		}
	}
	return cfg, errors.Join(errs...)
}

// fromFile reads a secret that may be in a file of its own.
func fromFile(node *yaml.Node, key string, value *string, file string) error {
	if file == "" {
		return nil
	}
	if *value != "" {
		return moduleconfig.Mistake(node, key+"_file", "is given beside %s; one is enough", key)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return moduleconfig.Mistake(node, key+"_file", "%v", err)
	}
	if *value = strings.TrimSpace(string(raw)); *value == "" {
		return moduleconfig.Mistake(node, key+"_file", "%s is empty", file)
	}
	return nil
}

// ids reads a list of snowflakes. YAML takes those without quotes for numbers,
// which does no harm: what is read is how they are written.
func ids(into *[]wire.ID) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		return moduleconfig.Sequence(n, key, func(item *yaml.Node, key string) error {
			if v, err := strconv.ParseUint(item.Value, 10, 64); err != nil || v == 0 {
				return moduleconfig.Mistake(item, key, "is %q, but must be an id such as 175928847299117063 (in Discord: settings, advanced, developer mode; then right click, copy id)", item.Value)
			}
			*into = append(*into, wire.ID(item.Value))
			return nil
		})
	}
}

// address reads an absolute URL without a slash at its end.
func address(into *string, schemes ...string) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		u, err := url.Parse(n.Value)
		if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) || u.RawQuery != "" || u.Fragment != "" {
			return moduleconfig.Mistake(n, key, "is %q, but must be an address that begins with %s://", n.Value, strings.Join(schemes, ":// or "))
		}
		*into = strings.TrimRight(n.Value, "/")
		return nil
	}
}

// choice reads one of two words; the second sets into.
func choice(into *bool, no, yes string) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		if n.Value != no && n.Value != yes {
			return moduleconfig.Mistake(n, key, "is %q, but must be %s or %s", n.Value, no, yes)
		}
		*into = n.Value == yes
		return nil
	}
}

func webhookName(into *string) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		if n.Value == "" || len(n.Value) > 80 || forbiddenName(n.Value) {
			return moduleconfig.Mistake(n, key, "is %q, but must have 1 to 80 characters and not contain \"clyde\" or \"discord\"", n.Value)
		}
		*into = n.Value
		return nil
	}
}

// forbiddenName reports whether Discord refuses a name of a webhook.
func forbiddenName(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "clyde") || strings.Contains(name, "discord")
}

// bridged reports whether a channel is bridged.
func (c *Config) bridged(ch *wire.Channel) bool {
	if slices.Contains(c.Exclude, ch.ID) || ch.ParentID != "" && slices.Contains(c.Exclude, ch.ParentID) && !slices.Contains(c.Include, ch.ID) {
		return false
	}
	return len(c.Include) == 0 || slices.Contains(c.Include, ch.ID) || ch.ParentID != "" && slices.Contains(c.Include, ch.ParentID)
}

// wants reports whether a guild is bridged.
func (c *Config) wants(guild wire.ID) bool {
	return len(c.Guilds) == 0 || slices.Contains(c.Guilds, guild)
}
