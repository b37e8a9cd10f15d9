package config

import (
	"maps"
	"strings"
	"testing"
)

func TestPermissions(t *testing.T) {
	t.Parallel()
	parse := func(permissions string) (*Config, error) {
		return Parse("x.yaml", []byte("server: {name: test}\nbridges:\n  - id: irc\n    module: irc\n    permissions:\n"+permissions), nil)
	}
	c, err := parse("      \"@anna:test\": admin\n      example.org:8448: commands\n      \"*\": block\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := (map[string]string{"@anna:test": "admin", "example.org:8448": "commands", "*": "block"}); !maps.Equal(c.Bridges[0].Permissions, want) {
		t.Errorf("got %v", c.Bridges[0].Permissions)
	}
	for bad, want := range map[string]string{
		"      test: relay\n      \"@anna:test\": king": "x.yaml:7:",
		"      anna@test: admin":                        `"anna@test" is nobody`,
		"      \"@anna\": admin":                        `"@anna" is nobody`,
		"      test: [admin]":                           "x.yaml:6:",
		"      test: 100":                               "must be a text",
		"      - test":                                  "must hold further keys",
	} {
		if _, err := parse(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", bad, err, want)
		}
	}
}
