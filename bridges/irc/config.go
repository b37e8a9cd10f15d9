package irc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
	"github.com/landbridge-im/landbridge/bridges/moduleconfig"
)

// Config is the module's configuration.
type Config struct {
	Networks []NetworkConfig
	// PublicMediaURL is the address of a homeserver under which media can be
	// downloaded without a login, for links to files; it is used where the bridge
	// has no public media of its own.
	PublicMediaURL string
	// IdentListen is where an ident server (RFC 1413) listens; empty for none.
	IdentListen string
	// DemoListen is where the demonstration network listens. It runs only if no
	// network is configured.
	DemoListen string
}

// NetworkConfig is one IRC network.
type NetworkConfig struct {
	// ID names the network in Matrix ids; Name is what people see.
	ID, Name string
	// Address is host:port.
	Address string
	// TLS is nil for a connection in the clear.
	TLS *tls.Config

	Nick, Username, Realname, ServerPassword string
	SASL                                     session.Mechanism
	Channels                                 []ChannelConfig
	// RelayFormat stands before what Matrix users say; see expandRelay.
	RelayFormat string
	Burst       int
	PerSecond   float64
	// UserPace and ChannelPace bound what one Matrix user says, and what all say in one channel.
	UserPace, ChannelPace Pace
	// Queue is how many messages may wait to be sent.
	Queue int
	// OutageNotice is how long an outage lasts before the rooms are told of it.
	OutageNotice time.Duration
	// RoomAlias is the localpart of the space's alias.
	RoomAlias string
	// PowerLevels are those of ranks, by their modes, such as 'o': 50; see rankLevels.
	PowerLevels map[byte]int
	// Members says whose ghosts are in the rooms; see MemberPolicy. MembersMax is how
	// many people a channel may have for all of them to be there; 0 is no limit.
	Members    MemberPolicy
	MembersMax int
	// PingInterval is how long the server may be silent before it is asked for a sign of life; without one within half of that
	// time the connection is dead.
	PingInterval time.Duration
	// NetsplitWait is how long those whom a split of the network has cut off stay in
	// the rooms.
	NetsplitWait time.Duration
	// TellReactions says whether reactions and deletions are told in words where the network knows none.
	TellReactions bool
	// RelayMsg says whether the network is asked to relay under the senders' own names, where it can.
	RelayMsg bool
	// LongMessage is how many lines a message may become; of a longer one only the beginning is said, with the
	// address of a page that has all of it. 0 is no limit but maxLines.
	LongMessage int
	// Encoding is what text that is not UTF-8 is taken for; with Encode it is written in it too.
	Encoding encoding.Encoding
	Encode   bool
	// NetworkRoom says whether there is a room for what servers and services say.
	NetworkRoom bool
	// Dynamic says whether channels are bridged because somebody looks for their alias.
	Dynamic bool
	// Puppets says whether Matrix users have connections of their own.
	Puppets PuppetConfig
}

// MemberPolicy says which people of a channel are members of its room.
type MemberPolicy string

// The policies.
const (
	// MembersAll: all of them.
	MembersAll MemberPolicy = "all"
	// MembersSpeaking: those who have said something since they came.
	MembersSpeaking MemberPolicy = "speaking"
)

// ChannelConfig is one bridged channel.
type ChannelConfig struct {
	Name, Key string
	// RoomAlias is the localpart of the room's alias.
	RoomAlias string
}

// ConfigError is a mistake in the configuration.
type ConfigError = moduleconfig.Error

// ParseConfig reads the module's configuration. All mistakes are reported, each
// with its line and key. A nil or empty node is an empty configuration. aliasPrefix
// begins the aliases that the configuration does not name.
func ParseConfig(node *yaml.Node, aliasPrefix string) (*Config, error) {
	cfg := &Config{DemoListen: "127.0.0.1:6667"}
	if node == nil || node.Kind == 0 || node.Tag == "!!null" {
		return cfg, nil
	}
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	err := moduleconfig.Top(node, "the IRC configuration", map[string]moduleconfig.Reader{
		"ident_listen":     moduleconfig.Text(&cfg.IdentListen),
		"public_media_url": moduleconfig.Text(&cfg.PublicMediaURL),
		"demo": func(n *yaml.Node, key string) error {
			return moduleconfig.Mapping(n, key, map[string]moduleconfig.Reader{"listen": moduleconfig.Text(&cfg.DemoListen)})
		},
		"networks": func(n *yaml.Node, key string) error {
			return moduleconfig.Sequence(n, key, func(item *yaml.Node, key string) error {
				network, err := parseNetwork(item, key, aliasPrefix)
				cfg.Networks = append(cfg.Networks, network)
				return err
			})
		},
	})
	return cfg, errors.Join(err, cfg.check(node))
}

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

// check finds what only shows when networks are looked at together.
func (c *Config) check(node *yaml.Node) error {
	var errs []error
	ids := make(map[string]bool)
	aliases := make(map[string]string)
	for i := range c.Networks {
		n := &c.Networks[i]
		key := fmt.Sprintf("networks[%d]", i)
		if n.ID != "" && ids[n.ID] {
			errs = append(errs, moduleconfig.Mistake(node, key+".id", "%q is used twice", n.ID))
		}
		ids[n.ID] = true
		list := []struct{ alias, of string }{{n.RoomAlias, "the space of " + n.ID}}
		for _, ch := range n.Channels {
			list = append(list, struct{ alias, of string }{ch.RoomAlias, n.ID + " " + ch.Name})
		}
		for _, a := range list {
			if other, taken := aliases[a.alias]; taken && a.alias != "" {
				errs = append(errs, moduleconfig.Mistake(node, key, "the alias %q is for both %s and %s", a.alias, other, a.of))
			}
			aliases[a.alias] = a.of
		}
	}
	return errors.Join(errs...)
}

// saslConfig is the sasl key of a network.
type saslConfig struct {
	mechanism, user, password string
	cleartext                 bool
	node                      *yaml.Node
}

type tlsConfig struct {
	on                  bool
	ca, name, cert, key string
}

// build makes the settings for a connection to a host.
func (s *tlsConfig) build(node *yaml.Node, key, host string) (*tls.Config, error) {
	if !s.on {
		if s.cert != "" || s.key != "" {
			return nil, moduleconfig.Mistake(node, key+".tls_cert", "is of no use without tls")
		}
		return nil, nil
	}
	cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.name != "" {
		cfg.ServerName = s.name
	}
	var errs []error
	if s.ca != "" {
		pool, err := loadCA(s.ca)
		if err != nil {
			errs = append(errs, moduleconfig.Mistake(node, key+".tls_ca", "%v", err))
		}
		cfg.RootCAs = pool
	}
	if s.cert != "" || s.key != "" {
		private := s.key
		if private == "" {
			private = s.cert // both in one file, as other clients have it
		}
		pair, err := tls.LoadX509KeyPair(s.cert, private)
		if err != nil {
			errs = append(errs, moduleconfig.Mistake(node, key+".tls_cert", "%v", err))
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, errors.Join(errs...)
}

func parseNetwork(node *yaml.Node, key, aliasPrefix string) (NetworkConfig, error) {
	n := NetworkConfig{Burst: 5, PerSecond: 1, Queue: 1000, OutageNotice: time.Minute, RelayFormat: "<{name}> ",
		Members: MembersAll, NetsplitWait: 10 * time.Minute, PingInterval: time.Minute, TellReactions: true, RelayMsg: true, LongMessage: 5, NetworkRoom: true,
		Puppets: PuppetConfig{Nick: "{localpart}[m]", Max: 200, Spread: 500 * time.Millisecond}}
	secure := tlsConfig{on: true}
	var sasl *saslConfig
	err := moduleconfig.Mapping(node, key, map[string]moduleconfig.Reader{
		"id":              moduleconfig.Text(&n.ID),
		"name":            moduleconfig.Text(&n.Name),
		"address":         moduleconfig.Text(&n.Address),
		"tls":             moduleconfig.Bool(&secure.on),
		"tls_ca":          moduleconfig.Text(&secure.ca),
		"tls_server_name": moduleconfig.Text(&secure.name),
		"tls_cert":        moduleconfig.Text(&secure.cert),
		"tls_key":         moduleconfig.Text(&secure.key),
		"nick":            ircWord(&n.Nick),
		"username":        ircWord(&n.Username),
		"realname":        ircLine(&n.Realname),
		"server_password": ircLine(&n.ServerPassword),
		"room_alias":      moduleconfig.Text(&n.RoomAlias),
		"relay_format":    relayFormat(&n.RelayFormat),
		"queue":           moduleconfig.Int(&n.Queue, 1, 100_000),
		"outage_notice":   moduleconfig.Duration(&n.OutageNotice),
		"power_levels":    powerLevels(&n.PowerLevels),
		"members":         memberPolicy(&n.Members),
		"members_max":     moduleconfig.Int(&n.MembersMax, 0, 1_000_000),
		"netsplit_wait":   moduleconfig.Duration(&n.NetsplitWait),
		"ping_interval":   moduleconfig.Duration(&n.PingInterval),
		"puppets":         puppetConfig(&n.Puppets),
		"tell_reactions":  moduleconfig.Bool(&n.TellReactions),
		"relaymsg":        moduleconfig.Bool(&n.RelayMsg),
		"long_message":    moduleconfig.Int(&n.LongMessage, 0, maxLines),
		"encoding":        textEncoding(&n.Encoding),
		"encode":          moduleconfig.Bool(&n.Encode),
		"network_room":    moduleconfig.Bool(&n.NetworkRoom),
		"dynamic":         moduleconfig.Bool(&n.Dynamic),
		"flood": func(v *yaml.Node, key string) error {
			return moduleconfig.Mapping(v, key, map[string]moduleconfig.Reader{
				"burst":      moduleconfig.Int(&n.Burst, 1, 1000),
				"per_second": moduleconfig.Float(&n.PerSecond, 0.05, 1000),
				"user":       pace(&n.UserPace),
				"channel":    pace(&n.ChannelPace),
			})
		},
		"sasl": func(v *yaml.Node, key string) error {
			sasl = &saslConfig{node: v, mechanism: "plain"}
			return moduleconfig.Mapping(v, key, map[string]moduleconfig.Reader{
				"mechanism":       moduleconfig.Text(&sasl.mechanism),
				"user":            moduleconfig.Text(&sasl.user),
				"password":        moduleconfig.Text(&sasl.password),
				"allow_cleartext": moduleconfig.Bool(&sasl.cleartext),
			})
		},
		"channels": func(v *yaml.Node, key string) error {
			return moduleconfig.Sequence(v, key, func(item *yaml.Node, key string) error {
				ch, err := parseChannel(item, key)
				n.Channels = append(n.Channels, ch)
				return err
			})
		},
	})
	errs := []error{err}
	if !idPattern.MatchString(n.ID) {
		errs = append(errs, moduleconfig.Mistake(node, key+".id", "is %q, but must be of lower-case letters, digits and hyphens, such as libera", n.ID))
	}
	if n.Nick == "" {
		errs = append(errs, moduleconfig.Mistake(node, key+".nick", "is missing"))
	}
	if n.PingInterval < time.Second {
		errs = append(errs, moduleconfig.Mistake(node, key+".ping_interval", "is %v, but must be a second at least", n.PingInterval))
	}
	host, _, err := net.SplitHostPort(n.Address)
	if err != nil || host == "" {
		errs = append(errs, moduleconfig.Mistake(node, key+".address", "is %q, but must be host:port, such as irc.libera.chat:6697", n.Address))
	}
	n.TLS, err = secure.build(node, key, host)
	errs = append(errs, err)
	if sasl != nil {
		mech, err := sasl.build(key, &secure)
		n.SASL = mech
		errs = append(errs, err)
	}
	n.fill(aliasPrefix)
	seen := make(map[string]bool)
	for i, ch := range n.Channels {
		folded := session.CasemapASCII.Fold(ch.Name)
		if seen[folded] {
			errs = append(errs, moduleconfig.Mistake(node, fmt.Sprintf("%s.channels[%d]", key, i), "%s is listed twice", ch.Name))
		}
		seen[folded] = true
	}
	return n, errors.Join(errs...)
}

// reader turns text that is not UTF-8 into it, or is nil.
func (n *NetworkConfig) reader() func(string) string {
	if n.Encoding == nil {
		return nil
	}
	return func(text string) string {
		out, err := n.Encoding.NewDecoder().String(text)
		if err != nil {
			return session.ToUTF8(text)
		}
		return out
	}
}

// writer turns what is sent into the network's encoding, or is nil. What that does not have is a question mark.
func (n *NetworkConfig) writer() func(string) string {
	if n.Encoding == nil || !n.Encode {
		return nil
	}
	return func(text string) string {
		out, err := encoding.ReplaceUnsupported(n.Encoding.NewEncoder()).String(text)
		if err != nil {
			return text
		}
		return strings.ReplaceAll(out, "\x1a", "?")
	}
}

// fill sets what follows from other values.
func (n *NetworkConfig) fill(aliasPrefix string) {
	if n.Name == "" {
		n.Name = n.ID
	}
	if n.RoomAlias == "" {
		n.RoomAlias = aliasPrefix + n.ID
	}
	for i := range n.Channels {
		if ch := &n.Channels[i]; ch.RoomAlias == "" && ch.Name != "" {
			ch.RoomAlias = aliasLocalpart(aliasPrefix, n.ID, ch.Name)
		}
	}
}

func (s *saslConfig) build(key string, secure *tlsConfig) (session.Mechanism, error) {
	mechanism := strings.ToLower(s.mechanism)
	switch mechanism {
	case "external":
		if secure.cert == "" {
			return nil, moduleconfig.Mistake(s.node, key+".sasl.mechanism", "external needs tls_cert, the certificate of the account")
		}
		if s.password != "" {
			return nil, moduleconfig.Mistake(s.node, key+".sasl.password", "is of no use with external")
		}
		return &session.External{User: s.user}, nil
	case "plain", "scram-sha-256":
	default:
		return nil, moduleconfig.Mistake(s.node, key+".sasl.mechanism", "is %q; known are plain, scram-sha-256 and external", s.mechanism)
	}
	if s.user == "" || s.password == "" {
		return nil, moduleconfig.Mistake(s.node, key+".sasl", "needs user and password")
	}
	if strings.ContainsRune(s.user+s.password, 0) {
		return nil, moduleconfig.Mistake(s.node, key+".sasl", "user and password must not contain NUL")
	}
	if mechanism == "scram-sha-256" {
		return &session.Scram{User: s.user, Password: s.password}, nil
	}
	if !secure.on && !s.cleartext {
		return nil, moduleconfig.Mistake(s.node, key+".sasl", "would send the password in the clear: set tls, or sasl.allow_cleartext")
	}
	return &session.Plain{User: s.user, Password: s.password, AllowCleartext: s.cleartext}, nil
}

func loadCA(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	return pool, nil
}

// parseChannel reads a channel: its name alone, or a mapping.
func parseChannel(node *yaml.Node, key string) (ChannelConfig, error) {
	var ch ChannelConfig
	if node.Kind == yaml.ScalarNode {
		ch.Name = node.Value
	} else if err := moduleconfig.Mapping(node, key, map[string]moduleconfig.Reader{
		"name": moduleconfig.Text(&ch.Name), "key": ircWord(&ch.Key), "room_alias": moduleconfig.Text(&ch.RoomAlias),
	}); err != nil {
		return ch, err
	}
	if !validChannelName(ch.Name) {
		return ch, moduleconfig.Mistake(node, key+".name", "is %q, but must be a channel such as \"#go\" (quoted, because # begins a comment)", ch.Name)
	}
	if strings.ContainsAny(ch.RoomAlias, ":#\x00 ") {
		return ch, moduleconfig.Mistake(node, key+".room_alias", "is %q, but must be the part between # and : of an alias", ch.RoomAlias)
	}
	return ch, nil
}

func validChannelName(name string) bool {
	return len(name) >= 2 && len(name) <= 100 && strings.IndexByte("#&!+", name[0]) >= 0 && !strings.ContainsAny(name, " ,\x00\x07\r\n:")
}
