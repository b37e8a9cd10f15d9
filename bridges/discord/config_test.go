package discord

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

func parse(t *testing.T, raw string) (*Config, error) {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(raw), &node); err != nil {
		t.Fatal(err)
	}
	return ParseConfig(&node)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	cfg, err := parse(t, "token: Bot abc.def\napi_url: http://127.0.0.1:1/api/v10/\ngateway_url: ws://127.0.0.1:1\nguilds: [175928847299117063, \"2\"]\nchannels: {include: [3], exclude: [4]}\nvisibility: invite\nmember_limit: 0\n")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Token != "abc.def" || cfg.APIURL != "http://127.0.0.1:1/api/v10" || cfg.Public || cfg.MemberLimit != 0 || len(cfg.Guilds) != 2 || cfg.Guilds[0] != "175928847299117063" {
		t.Errorf("%+v", cfg)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if cfg, err := parse(t, "token_file: "+file); err != nil || cfg.Token != "secret" {
		t.Errorf("%v, %v", cfg, err)
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	cfg, err := parse(t, strings.Replace(ExampleConfig, "the bot's token from https://discord.com/developers/applications", "abc", 1))
	if err != nil || len(cfg.Guilds) != 1 || !cfg.Public {
		t.Errorf("%+v, %v", cfg, err)
	}
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"{}":                                               "line 1: token: is missing",
		"token: a b":                                       "line 1: token: must not contain spaces",
		"tokn: x":                                          "line 1: tokn: is not a known key; known are api_url,",
		"token: x\ntoken: y":                               "line 2: token: is given twice",
		"token: x\ntoken_file: /y":                         "token_file: is given beside token",
		"token_file: /does/not/exist":                      "no such file",
		"token: x\napi_url: discord":                       "line 2: api_url: is \"discord\", but must be an address",
		"token: x\ngateway_url: http://x":                  "line 2: gateway_url:",
		"token: x\nproxy: far":                             "line 2: proxy: is \"far\", but must be an address that begins with http:// or https:// or socks5://",
		"token: x\nguilds: 5":                              "line 2: guilds: must be a list",
		"token: x\nguilds: [abc]":                          "line 2: guilds[0]: is \"abc\", but must be an id",
		"token: x\nvisibility: all":                        "line 2: visibility: is \"all\", but must be public or invite",
		"token: x\nwebhook_name: Clyde":                    "line 2: webhook_name:",
		"token: x\nqueue: 0":                               "line 2: queue: is \"0\", but must be a whole number from 1 to 100000",
		"token: x\nhistory: 90":                            "line 2: history: is \"90\", but must be none, all, an age such as 90d",
		"token: x\nhistory: -1d":                           "line 2: history:",
		"token: x\ntyping: maybe":                          "line 2: typing: is \"maybe\", but must be true or false",
		"token: x\nchannels: [1]":                          "line 2: channels: must be a mapping",
		"token: x\nchannels: {include: [1], exclude: [1]}": "1 is both included and excluded",
	} {
		_, err := parse(t, raw)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", raw, err, want)
		}
	}
}

func TestBridged(t *testing.T) {
	t.Parallel()
	cfg := &Config{Include: []wire.ID{"1", "5"}, Exclude: []wire.ID{"3", "4"}}
	for _, c := range []struct {
		id, parent wire.ID
		want       bool
	}{{"1", "", true}, {"2", "1", true}, {"3", "1", false}, {"2", "", false}, {"5", "4", true}, {"6", "4", false}} {
		if got := cfg.bridged(&wire.Channel{ID: c.id, ParentID: c.parent}); got != c.want {
			t.Errorf("%s in %s: %v", c.id, c.parent, got)
		}
	}
}
