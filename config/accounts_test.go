package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAccountKeys(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hunter2hunter2hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("c.yaml", []byte(`
server: {name: example.org, trusted_proxies: ["127.0.0.1", "::ffff:10.1.2.3", "10.0.0.0/8", "fd00::/8"]}
registration:
  guests: true
  require_email: true
  terms:
    - {id: tos, version: "1", language: en, name: Terms, url: "https://example.org/tos"}
    - {id: tos, version: "1", language: de, name: Regeln, url: "https://example.org/regeln"}
login:
  jwt: {secret_file: `+secret+`, algorithm: HS512, audiences: [chat]}
  oidc:
    - {id: corp, name: Corp, issuer: "https://login.example.org", client_id: lb, client_secret_file: `+secret+`, scopes: [email], register: true}
  trusted_clients: ["https://app.example.org/"]
sessions: {refresh_token_lifetime: 720h}
mail: {server: "mail.example.org:587", from: "Example <noreply@example.org>", user: u, password_file: `+secret+`}
well_known:
  client_extra: '{"org.example": {"a": 1}}'
  support_contacts: [{role: m.role.admin, matrix_id: "@a:example.org"}]
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	var nets []string
	for _, p := range c.Server.Proxies() {
		nets = append(nets, p.String())
	}
	if got := strings.Join(nets, " "); got != "127.0.0.1/32 10.1.2.3/32 10.0.0.0/8 fd00::/8" {
		t.Errorf("proxies: %s", got)
	}
	if len(c.Registration.Terms) != 2 || c.Registration.Terms[1].Language != "de" || c.Login.OIDC[0].ClientSecret.Reveal() != "hunter2hunter2hunter2" ||
		c.Mail.Password.Reveal() != "hunter2hunter2hunter2" || c.Login.JWT.Secret.Reveal() != "hunter2hunter2hunter2" || c.Sessions.RefreshLifetime.Std() != 720*time.Hour {
		t.Errorf("%+v", c)
	}
	if x := c.WellKnown.Extra(); string(x["org.example"]) != `{"a": 1}` {
		t.Errorf("extra: %v", x)
	}
	shown, err := c.Show()
	if err != nil || strings.Contains(string(shown), "hunter2") || !strings.Contains(string(shown), "issuer: https://login.example.org") {
		t.Errorf("%v\n%s", err, shown)
	}
}

func TestAccountMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`server: {trusted_proxies: [proxy]}`:                                                                   `x:1:27: error: server.trusted_proxies: "proxy" is neither an address nor a network`,
		`registration: {terms: [{id: tos}]}`:                                                                   `registration.terms[0].version: is missing`,
		`registration: {terms: [{id: a, version: "1", language: en, name: n, url: "ftp://x"}]}`:                `registration.terms[0].url: "ftp://x" is no http or https address`,
		`registration: {terms: [{id: a, version: "1", language: en, name: n, url: "https://x", colour: red}]}`: `registration.terms[0].colour: unknown key`,
		`registration: {terms: {id: a}}`:                                                                       `registration.terms: must be a list`,
		`registration: {terms: [tos]}`:                                                                         `registration.terms[0]: must have keys of its own`,
		`registration: {require_email: true}`:                                                                  `registration.require_email: is set, but no mail can be sent`,
		`login: {password: false}`:                                                                             `login.password: is false, and there is no other way`,
		`login: {jwt: {secret: short}}`:                                                                        `login.jwt.secret: is short`,
		`login: {jwt: {secret: 0123456789abcdef, algorithm: none}}`:                                            `login.jwt.algorithm: is "none"`,
		`login: {jwt: {secret: 0123456789abcdef, secret_file: /x}}`:                                            `login.jwt.secret_file: is set beside login.jwt.secret`,
		`login: {jwt: {secret: 0123456789abcdef, algorithm: ES256}}`:                                           `login.jwt.secret: is no public key in PEM form`,
		`login: {jwt: {secret_file: /none/such}}`:                                                              `login.jwt.secret_file: "/none/such": there is no such file`,
		`login: {oidc: [{id: "a b", name: n, issuer: "https://x", client_id: c}]}`:                             `login.oidc[0].id: "a b" is no name`,
		`login: {oidc: [{id: a, name: n, issuer: "https://x", client_id: c}, {id: a, name: n, issuer: "https://x", client_id: c}]}`: `login.oidc[1].id: "a" is there twice`,
		`login: {oidc: [{id: a, name: n, issuer: x, client_id: c, icon: "https://x"}]}`:                                             `login.oidc[0].icon: must be an mxc:// address`,
		`login: {trusted_clients: ["https://app.example.org"]}`:                                                                     `could begin the address of another host`,
		`oauth: {browser_lifetime: 1s}`:                                  `oauth.browser_lifetime: is too short`,
		`login: {confirm_within: -1s}`:                                   `login.confirm_within: must not be negative`,
		`mail: {server: mail.example.org}`:                               `mail.server: "mail.example.org" is no host and port`,
		`mail: {server: "m:25"}`:                                         `mail.from: is missing`,
		`mail: {server: "m:25", from: "nobody"}`:                         `mail.from: "nobody" is no e-mail address`,
		`mail: {server: "m:25", from: "a@b.c", security: none, user: u}`: `would travel in the clear`,
		`mail: {security: ssl}`:                                          `mail.security: is "ssl"`,
		`well_known: {client_extra: "[]"}`:                               `well_known.client_extra: is no JSON object`,
		`well_known: {server: "https://x"}`:                              `well_known.server`,
		`well_known: {policy_server_key: "AAAA"}`:                        `well_known.policy_server_key: is no Ed25519 key`,
		`well_known: {support_contacts: [{role: m.role.admin}]}`:         `well_known.support_contacts[0]: has neither matrix_id nor email_address`,
		`rate_limits: {email_burst: 0}`:                                  `rate_limits.email_burst: must be from 1`,
	} {
		_, err := Parse("x", []byte(text), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := Parse("", nil, []string{"LANDBRIDGE_LOGIN_OIDC=x"}); err == nil || !strings.Contains(err.Error(), "cannot be set by the environment") {
		t.Error(err)
	}
}
