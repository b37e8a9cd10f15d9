package config

import (
	"slices"
	"strings"
	"testing"
)

func TestACME(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ yaml, want string }{
		{`acme: {enabled: true, agree_to_terms: true}`, ""},
		{`acme: {enabled: true}`, "acme.agree_to_terms: must be true where acme.enabled is"},
		{`acme: {enabled: true, agree_to_terms: true, listen: []}`, "acme.listen: is empty"},
		{`acme: {listen: [x]}`, "acme.listen:"},
		{`acme: {http_listen: ["127.0.0.1:99999"]}`, "acme.http_listen:"},
		{`acme: {email: nobody}`, `acme.email: "nobody" is no e-mail address`},
		{`acme: {directory: "http://example.org"}`, "acme.directory: \"http://example.org\" is no https address"},
		{`acme: {domains: [192.0.2.1]}`, "acme.domains: entry 1, \"192.0.2.1\", is an address"},
		{`acme: {domains: [a.example, "b.example:443"]}`, "acme.domains: entry 2, \"b.example:443\", has a port"},
		{`acme: {domains: [Example.org]}`, "has capital letters"},
		{`acme: {enabled: true, agree_to_terms: true, domains: [localhost]}`, "is no name that others could look up"},
		{`acme: {enabled: true, agree_to_terms: true, http_listen: [":443"]}`, `acme.http_listen: ":443" is already used by acme.listen`},
	} {
		_, err := Parse("c.yaml", []byte("server: {name: example.org}\n"+tt.yaml), nil)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.yaml, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want %q", tt.yaml, err, tt.want)
		}
	}
}

func TestACMEDomains(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, url string
		want      []string
	}{
		{"example.org", "", []string{"example.org"}},
		{"example.org", "https://matrix.example.org/", []string{"matrix.example.org", "example.org"}},
		{"example.org:8448", "https://example.org:8443", []string{"example.org"}},
	} {
		c := Default()
		c.Server.Name, c.Server.PublicURL = tt.name, tt.url
		if got := c.ACMEDomains(); !slices.Equal(got, tt.want) {
			t.Errorf("%s, %s: %v, want %v", tt.name, tt.url, got, tt.want)
		}
	}
}
