package irc

import (
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

func parseNode(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	return &node
}

func parseText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return ParseConfig(parseNode(t, text), "irc_")
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	cfg, err := parseText(t, `
public_media_url: https://media.example
networks:
  - id: libera
    name: Libera.Chat
    address: irc.libera.chat:6697
    nick: bridge
    sasl: {user: acc, password: secret}
    channels:
      - "#go"
      - {name: "#Key", key: sesame, room_alias: locked}
    relay_format: "[{name}] "
    flood: {burst: 3, per_second: 0.5}
    queue: 10
    outage_notice: 5m
  - {id: local, address: "127.0.0.1:6667", tls: false, nick: b}
`)
	if err != nil {
		t.Fatal(err)
	}
	n := cfg.Networks[0]
	if n.TLS == nil || n.TLS.ServerName != "irc.libera.chat" || n.SASL == nil || n.Burst != 3 || n.PerSecond != 0.5 ||
		n.Queue != 10 || n.OutageNotice != 5*time.Minute || n.RelayFormat != "[{name}] " || n.RoomAlias != "irc_libera" {
		t.Errorf("network = %+v", n)
	}
	want := []ChannelConfig{{Name: "#go", RoomAlias: "irc_libera_#go"}, {Name: "#Key", Key: "sesame", RoomAlias: "locked"}}
	for i, ch := range n.Channels {
		if ch != want[i] {
			t.Errorf("channel = %+v, want %+v", ch, want[i])
		}
	}
	if n := cfg.Networks[1]; n.TLS != nil || n.Name != "local" || n.RelayFormat != "<{name}> " {
		t.Errorf("network = %+v", n)
	}
	node := parseNode(t, "networks: [{id: x, address: 'h:1', nick: n, channels: ['#a', {name: '#b', room_alias: mine}]}]")
	if cfg, err := ParseConfig(node, "chat_"); err != nil || cfg.Networks[0].RoomAlias != "chat_x" ||
		cfg.Networks[0].Channels[0].RoomAlias != "chat_x_#a" || cfg.Networks[0].Channels[1].RoomAlias != "mine" {
		t.Errorf("with another prefix: %+v, %v", cfg, err)
	}
	for _, empty := range []string{"", "null", "{}", "networks: []", "networks:"} {
		if cfg, err := parseText(t, empty); err != nil || len(cfg.Networks) != 0 {
			t.Errorf("ParseConfig(%q) = %+v, %v", empty, cfg, err)
		}
	}
}

func TestParseConfigMistakes(t *testing.T) {
	t.Parallel()
	const good = "networks:\n- id: net\n  address: a:1\n  nick: n\n"
	for _, tc := range []struct{ name, in, want string }{
		{"unknown key", good + "  nik: x\n", "line 5: networks[0].nik: is not a known key"},
		{"unknown top key", "network: []\n", "line 1: network: is not a known key; known are demo, ident_listen, networks, public_media_url"},
		{"not a mapping", "- a\n", "line 1: the IRC configuration: must be a mapping"},
		{"networks no list", "networks: {}\n", "line 1: networks: must be a list"},
		{"key twice", good + "  queue: 1\n  queue: 2\n", "line 6: networks[0].queue: is given twice"},
		{"bad id", strings.Replace(good, "net\n", "Net_1\n", 1), `networks[0].id: is "Net_1"`},
		{"id twice", good + good[len("networks:\n"):], `networks[1].id: "net" is used twice`},
		{"no nick", "networks:\n- {id: a, address: 'b:1'}\n", "line 2: networks[0].nick: is missing"},
		{"bad nick", strings.Replace(good, "nick: n", "nick: n m", 1), "line 4: networks[0].nick: must not contain spaces"},
		{"bad address", strings.Replace(good, "a:1", "a", 1), `networks[0].address: is "a"`},
		{"bad bool", good + "  tls: maybe\n", `line 5: networks[0].tls: is "maybe"`},
		{"bad number", good + "  queue: 0\n", `line 5: networks[0].queue: is "0", but must be a whole number from 1`},
		{"bad rate", good + "  flood: {per_second: nan}\n", `line 5: networks[0].flood.per_second: is "nan"`},
		{"bad duration", good + "  outage_notice: 5\n", `line 5: networks[0].outage_notice: is "5"`},
		{"nick template", good + "  puppets: {nick: bridge}\n", "line 5: networks[0].puppets.nick: must contain {localpart} or {name}"},
		{"no puppets", good + "  puppets: {max: 0}\n", "line 5: networks[0].puppets.max: is \"0\""},
		{"no CA", good + "  tls_ca: /does/not/exist\n", "networks[0].tls_ca: open /does/not/exist"},
		{"SASL mechanism", good + "  sasl: {mechanism: magic, user: a, password: b}\n", `networks[0].sasl.mechanism: is "magic"`},
		{"SASL without password", good + "  sasl: {user: a}\n", "networks[0].sasl: needs user and password"},
		{"SASL in the clear", good + "  tls: false\n  sasl: {user: a, password: b}\n", "would send the password in the clear"},
		{"SCRAM without password", good + "  sasl: {mechanism: scram-sha-256, user: a}\n", "networks[0].sasl: needs user and password"},
		{"EXTERNAL without certificate", good + "  sasl: {mechanism: external}\n", "networks[0].sasl.mechanism: external needs tls_cert"},
		{"EXTERNAL with password", good + "  tls_cert: x\n  sasl: {mechanism: external, password: x}\n", "networks[0].sasl.password: is of no use"},
		{"no certificate", good + "  tls_cert: /does/not/exist\n", "networks[0].tls_cert: open /does/not/exist"},
		{"certificate without TLS", good + "  tls: false\n  tls_cert: x\n", "networks[0].tls_cert: is of no use"},
		{"power level", good + "  power_levels: {o: 100}\n", `line 5: networks[0].power_levels.o: is "100"`},
		{"power level of no mode", good + "  power_levels: {op: 50}\n", "line 5: networks[0].power_levels.op: is not the letter of a mode"},
		{"power levels", good + "  power_levels: 50\n", "line 5: networks[0].power_levels: must be a mapping"},
		{"members", good + "  members: some\n", `line 5: networks[0].members: is "some", but must be all or speaking`},
		{"members_max", good + "  members_max: -1\n", `line 5: networks[0].members_max: is "-1"`},
		{"netsplit_wait", good + "  netsplit_wait: long\n", `line 5: networks[0].netsplit_wait: is "long"`},
		{"ping_interval", good + "  ping_interval: 1ms\n", "networks[0].ping_interval: is 1ms, but must be a second at least"},
		{"channel without #", good + "  channels: [go]\n", `line 5: networks[0].channels[0].name: is "go"`},
		{"channel as comment", good + "  channels:\n  - #go\n  - '#x'\n", "networks[0].channels[0].name"},
		{"channel twice", good + "  channels: ['#a', '#A']\n", "networks[0].channels[1]: #A is listed twice"},
		{"channel with space", good + "  channels: ['#a b']\n", "networks[0].channels[0].name"},
		{"channel key unknown", good + "  channels: [{nam: '#a'}]\n", "networks[0].channels[0].nam: is not a known key"},
		{"alias with server", good + "  channels: [{name: '#a', room_alias: '#a:b'}]\n", "networks[0].channels[0].room_alias"},
		{"alias twice", good + "  channels: [{name: '#a', room_alias: x}, {name: '#b', room_alias: x}]\n", `the alias "x" is for both net #a and net #b`},
		{"relay placeholder", good + "  relay_format: '{nick}: '\n", "unknown placeholder {nick}"},
		{"relay without name", good + "  relay_format: 'M: '\n", "must contain {name}"},
		{"injection", good + "  realname: \"a\\r\\nQUIT\"\n", "line 5: networks[0].realname: must be one line"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseText(t, tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
		})
	}
}

func TestSecretsAreNotInErrors(t *testing.T) {
	t.Parallel()
	_, err := parseText(t, "networks:\n- {id: a, address: 'b:1', nick: n, tls: false, server_password: \"hunter2\\n\", sasl: {user: a, password: hunter2}}\n")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v", err)
	}
}

func TestRelay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ format, name, want string }{
		{"<{name}> ", "Mia", "<M\u200bia> "},
		{"<{name}> ", "M", "<M> "},
		{"<{name}> ", "", "<m\u200bia> "},
		{"<{name}> ", "\x02\x03", "<m\u200bia> "},
		{"<{name}> ", "\u200b\u202e", "<m\u200bia> "},
		{"<{name}> ", "a\r\nQUIT", "<a\u200b QUIT> "},
		{"<{name}> ", strings.Repeat("x", 100), "<x\u200b" + strings.Repeat("x", 39) + "…> "},
		{"{localpart}/{id} ", "Mia", "m\u200bia/@\u200bmia:example.org "},
		{"<{name}> ", "{id}", "<{\u200bid}> "},
		{"<{name}> ", "🦊fox", "<🦊\u200bfox> "},
	} {
		if got := expandRelay(tc.format, tc.name, "@mia:example.org"); got != tc.want {
			t.Errorf("expandRelay(%q, %q) = %q, want %q", tc.format, tc.name, got, tc.want)
		}
	}
}

func TestCorrection(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ before, after, want string }{
		{"I like tee very much", "I like tea very much", "s/tee/tea/"},
		{"I like very much", "I like tea very much", "s/like/like tea/"},
		{"like tea", "I like tea", "s/like/I like/"},
		{"so I like like green tea", "so I like green tea", "s/like like/like/"},
		{"teh", "the", ""},
		{"something", "else entirely different", ""},
		{"see a/b", "see a/c", ""},
		{"", "x", ""},
		{"a b c d e f", "a x y z v f", ""},
		{"the end", "the End", "s/end/End/"},
	} {
		if got := correction(tc.before, tc.after); got != tc.want {
			t.Errorf("correction(%q, %q) = %q, want %q", tc.before, tc.after, got, tc.want)
		}
	}
}

func TestExampleConfig(t *testing.T) {
	t.Parallel()
	cfg, err := parseText(t, ExampleConfig)
	if err != nil || len(cfg.Networks) != 1 || len(cfg.Networks[0].Channels) != 2 {
		t.Errorf("the example is %+v, %v", cfg, err)
	}
	// What is commented out is right, too.
	var lines []string
	for _, line := range strings.Split(ExampleConfig, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		if strings.HasPrefix(trimmed, "#") && !strings.HasPrefix(trimmed, "# ") && !strings.Contains(line, "tls_ca") && !strings.Contains(line, "tls_cert") {
			line = strings.Replace(line, "#", "", 1)
		}
		lines = append(lines, line)
	}
	if _, err := parseText(t, strings.Join(lines, "\n")); err != nil {
		t.Error(err)
	}
}
