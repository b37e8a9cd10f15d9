package appservice

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/community"
)

// Instance is the configuration of one bridge.
type Instance struct {
	// ID names the instance, its folder, its registration and its metrics:
	// lower-case letters, digits, and - _ . inside.
	ID string
	// Module is the Name of a Module of the host.
	Module string
	// Config is the module's own configuration.
	Config *yaml.Node

	// URL is where a homeserver in another process reaches the host; empty for
	// one in this process.
	URL string
	// PublicURL is where the outside world reaches Public; empty for nowhere.
	PublicURL string

	// BotLocalpart is the localpart of the bridge's bot; default "<ID>bot".
	BotLocalpart string
	// BotName and BotAvatar (mxc://) are the bot's profile; empty leaves it.
	BotName, BotAvatar string
	// GhostPrefix begins the localparts of the remote people; default "<ID>_".
	GhostPrefix string
	// AliasPrefix begins the aliases of the bridge; default GhostPrefix.
	AliasPrefix string
	// CommandPrefix begins commands outside management rooms; default "!<ID>".
	CommandPrefix string

	// Permissions maps a user id, a server name or "*" to one of block, relay,
	// commands, user, admin; who is named most closely has what is said of them. Of
	// those not named, administrators of the homeserver (Options.Standing) are admin; its other people are
	// "commands", or "user" if the module has log-ins; all others are "relay".
	Permissions map[string]string
	// Rooms maps the network's channels to rooms.
	Rooms community.Mapping
	// ProvisioningSecret, of 16 bytes at least, switches on the provisioning API (Host.Public) and lets in there
	// who knows it; empty: off.
	ProvisioningSecret string
	// StatusEvents has the bridge tell in the rooms what became of each message (com.beeper.message_send_status).
	StatusEvents bool
	// Checkpoints is where it tells how far each message got.
	Checkpoints Checkpoints
	// DoublePuppet has the bridge act as the homeserver's own users where
	// they are logged in to the remote network.
	DoublePuppet bool
	// Encryption is end-to-bridge encryption.
	Encryption Encryption
	// Tune, if not nil, may change bridgev2's configuration before each start.
	// What the host relies on (AppService, Homeserver, asynchronous handling)
	// is set after it.
	Tune func(*bridgeconfig.Config)
}

// Encryption says how a bridge encrypts.
type Encryption struct {
	Allow   bool // take part in encrypted rooms
	Default bool // encrypt the rooms that the bridge makes
	Require bool // drop what is not encrypted
}

var (
	idPattern        = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$`)
	localpartPattern = regexp.MustCompile(`^[a-z0-9._=/+-]{1,200}$`)
)

var permissionLevels = map[string]bridgeconfig.Permissions{
	"block":    bridgeconfig.PermissionLevelBlock,
	"relay":    bridgeconfig.PermissionLevelRelay,
	"commands": bridgeconfig.PermissionLevelCommands,
	"user":     bridgeconfig.PermissionLevelUser,
	"admin":    bridgeconfig.PermissionLevelAdmin,
}

// complete fills in defaults and refuses what cannot work.
func (inst *Instance) complete() error {
	if !idPattern.MatchString(inst.ID) {
		return fmt.Errorf("bridge id %q: must be 1 to 64 lower-case letters, digits, '.', '_' or '-', with a letter or digit at both ends", inst.ID)
	}
	bad := func(key, value, want string) error {
		return fmt.Errorf("bridge %s: %s %q: %s", inst.ID, key, value, want)
	}
	setDefault(&inst.BotLocalpart, inst.ID+"bot")
	setDefault(&inst.GhostPrefix, inst.ID+"_")
	setDefault(&inst.AliasPrefix, inst.GhostPrefix)
	setDefault(&inst.CommandPrefix, "!"+inst.ID)
	for key, value := range map[string]string{"bot localpart": inst.BotLocalpart, "ghost prefix": inst.GhostPrefix} {
		if !localpartPattern.MatchString(value) {
			return bad(key, value, "must be lower-case letters, digits or ._=/+-")
		}
	}
	if strings.ContainsAny(inst.AliasPrefix, ":#\x00 ") {
		return bad("alias prefix", inst.AliasPrefix, "must not contain ':', '#' or spaces")
	}
	if strings.ContainsAny(inst.CommandPrefix, " \n") {
		return bad("command prefix", inst.CommandPrefix, "must not contain spaces")
	}
	if inst.BotAvatar != "" {
		if _, err := id.ParseContentURI(inst.BotAvatar); err != nil {
			return bad("bot avatar", inst.BotAvatar, "must be an mxc:// URI")
		}
	}
	for who, level := range inst.Permissions {
		if _, ok := permissionLevels[level]; !ok {
			return bad("permission of "+who, level, "must be block, relay, commands, user or admin")
		}
		if who != "*" && strings.HasPrefix(who, "@") {
			if _, _, err := id.UserID(who).Parse(); err != nil {
				return bad("permission", who, "must be a user id, a server name or *")
			}
		}
	}
	if n := len(inst.ProvisioningSecret); n > 0 && n < minSecret {
		return fmt.Errorf("bridge %s: the provisioning secret has %d bytes, and must have %d at least", inst.ID, n, minSecret)
	}
	if err := inst.Rooms.Check(); err != nil {
		return fmt.Errorf("bridge %s: rooms: %w", inst.ID, err)
	}
	if (inst.Encryption.Default || inst.Encryption.Require) && !inst.Encryption.Allow {
		return fmt.Errorf("bridge %s: encryption: default and require need allow", inst.ID)
	}
	return nil
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

//go:embed defaults.yaml
var defaultConfig []byte

// bridgeConfig is bridgev2's configuration for inst.
func bridgeConfig(inst Instance, hs Homeserver, reg Registration, pickleKey string) (*bridgeconfig.Config, error) {
	cfg := new(bridgeconfig.Config)
	// Templates inside can only be set by decoding YAML.
	if err := yaml.Unmarshal(defaultConfig, cfg); err != nil {
		return nil, fmt.Errorf("default bridge configuration: %w", err)
	}
	if inst.Tune != nil {
		inst.Tune(cfg)
	}
	cfg.Homeserver.Address = hs.URL
	cfg.Homeserver.Domain = hs.Domain
	cfg.Homeserver.Software = bridgeconfig.SoftwareStandard
	cfg.Homeserver.Websocket = false

	cfg.AppService.ID = inst.ID
	cfg.AppService.Address = inst.URL
	cfg.AppService.PublicAddress = inst.PublicURL
	cfg.AppService.NoServer = true // requests come by Handler
	cfg.AppService.ASToken = reg.ASToken
	cfg.AppService.HSToken = reg.HSToken
	cfg.AppService.EphemeralEvents = true
	cfg.AppService.AsyncTransactions = false
	cfg.AppService.UsernameTemplate = inst.GhostPrefix + "{{.}}"
	cfg.AppService.Bot.Username = inst.BotLocalpart
	cfg.AppService.Bot.Displayname = inst.BotName
	cfg.AppService.Bot.Avatar = inst.BotAvatar
	if inst.BotAvatar != "" {
		uri, err := id.ParseContentURI(inst.BotAvatar)
		if err != nil {
			return nil, fmt.Errorf("bot avatar: %w", err)
		}
		cfg.AppService.Bot.ParsedAvatar = uri
	}

	cfg.Matrix.MessageStatusEvents = inst.StatusEvents
	cfg.Provisioning.SharedSecret = inst.ProvisioningSecret
	cfg.Homeserver.MessageSendCheckpointEndpoint = "" // see checkpoints

	cfg.Bridge.CommandPrefix = inst.CommandPrefix
	// Events of one room are handled in order, one at a time, and the marker
	// that tells when (see marker.go) is an event of this kind.
	cfg.Bridge.AsyncEvents = false
	cfg.Bridge.EnableSendStateRequests = false

	if inst.PublicURL != "" {
		// Networks fetch the pictures of those who speak there: each address is signed.
		mac := hmac.New(sha256.New, []byte(pickleKey))
		mac.Write([]byte("public media"))
		cfg.PublicMedia.Enabled, cfg.PublicMedia.HashLength = true, 32
		cfg.PublicMedia.PathPrefix = "_mautrix/publicmedia"
		cfg.PublicMedia.SigningKey = hex.EncodeToString(mac.Sum(nil))
	}
	if inst.DoublePuppet {
		cfg.DoublePuppet.Secrets = map[string]string{hs.Domain: "as_token:" + reg.ASToken}
	}

	cfg.Encryption.Allow = inst.Encryption.Allow
	cfg.Encryption.Default = inst.Encryption.Default
	cfg.Encryption.Require = inst.Encryption.Require
	cfg.Encryption.Appservice = true // to-device events come in transactions
	cfg.Encryption.MSC4190 = true
	cfg.Encryption.PickleKey = pickleKey
	return cfg, nil
}

func ptr[T any](v T) *T { return &v }

// loadPickleKey returns the key that the bridge's encryption secrets are stored
// under, making it on the first call.
func loadPickleKey(dir string) (string, error) {
	path := filepath.Join(dir, "pickle.key")
	data, err := os.ReadFile(path)
	if err == nil {
		if key := strings.TrimSpace(string(data)); key != "" {
			return key, nil
		}
		return "", fmt.Errorf("read %s: the file is empty", path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read pickle key: %w", err)
	}
	key := rand.Text() + rand.Text()
	if err := writeFile(path, []byte(key+"\n")); err != nil {
		return "", fmt.Errorf("write pickle key: %w", err)
	}
	return key, nil
}
