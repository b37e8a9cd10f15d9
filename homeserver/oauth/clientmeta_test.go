package oauth

import (
	"encoding/json/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestRedirectURIs(t *testing.T) {
	t.Parallel()
	// The examples of the specification, "Redirect URI validation", and what is like them.
	for _, tc := range []struct {
		typ, uri string
		ok       bool
	}{
		{"web", "https://example.com/callback", true},
		{"web", "https://app.example.com/callback", true},
		{"web", "https://example.com:5173/?query=value", true},
		{"web", "https://EXAMPLE.com/callback", true},
		{"web", "https://example.com/callback#fragment", false},
		{"web", "https://example.com/callback#", false},
		{"web", "http://example.com/callback", false},
		{"web", "http://localhost/", false},
		{"web", "https://app.com/callback", false},
		{"web", "https://evilexample.com/callback", false},
		{"web", "https://example.com.evil.com/callback", false},
		{"web", "https://user@example.com/callback", false},
		{"web", "https://user:pw@example.com/callback", false},
		{"web", "https://evil.com\\@example.com/", false},
		{"web", "https:example.com/callback", false},
		{"web", "https:///callback", false},
		{"web", "com.example.app:/callback", false},
		{"web", "/callback", false},
		{"web", "", false},
		{"web", "https://example.com/a b", false},
		{"web", "https://example.com/\n", false},
		{"web", "https://example.com/%zz", false},
		{"web", "https://example.com/" + strings.Repeat("a", 3000), false},
		{"native", "com.example.app:/callback", true},
		{"native", "com.example:/", true},
		{"native", "com.example:callback", true},
		{"native", "http://localhost/callback", true},
		{"native", "http://127.0.0.1/callback", true},
		{"native", "http://[::1]/callback", true},
		{"native", "https://app.example.com/callback", true},
		{"native", "example:/callback", false},
		{"native", "com.example.app://callback", false},
		{"native", "com.examplefoo:/callback", false},
		{"native", "com.example.app:/callback#x", false},
		{"native", "https://localhost/callback", false},
		{"native", "http://localhost:1234/callback", false},
		{"native", "http://[::1]:1234/callback", false},
		{"native", "http://u@localhost/callback", false},
		{"native", "http://example.com/callback", false},
		{"native", "http://localhost.evil.com/", false},
		{"native", "javascript:alert(1)", false},
		{"native", "data:text/html,x", false},
		{"native", "file:///etc/passwd", false},
	} {
		base, err := url.Parse("https://example.com/")
		if err != nil {
			t.Fatal(err)
		}
		if got := checkRedirectURI(tc.uri, tc.typ, base); (got == "") != tc.ok {
			t.Errorf("%s %q: %q", tc.typ, tc.uri, got)
		}
	}
	// A host that is a word must not make a scheme of it.
	for _, host := range []string{"https://javascript/", "https://data/", "https://127.0.0.1/"} {
		base, _ := url.Parse(host)
		for _, uri := range []string{"javascript:alert(1)", "data:text/html,x", "1.0.0.127:/x"} {
			if checkRedirectURI(uri, "native", base) == "" {
				t.Errorf("%s may use %s", host, uri)
			}
		}
	}
}

func TestMatchRedirectURI(t *testing.T) {
	t.Parallel()
	native := &clientMetadata{ApplicationType: "native", RedirectURIs: []string{"http://localhost/callback", "http://[::1]/callback", "http://127.0.0.1/:80/x?a=:80", "com.example:/cb", "https://example.com/cb"}}
	for uri, want := range map[string]bool{
		"http://localhost/callback": true, "http://localhost:1234/callback": true, "http://[::1]:1/callback": true, "http://127.0.0.1:80/:80/x?a=:80": true, "com.example:/cb": true,
		"http://localhost:1234/other": false, "http://127.0.0.1:1/callback": false, "http://localhost:x/callback": false, "http://localhost:/callback": false,
		"http://localhost:1@evil.com/callback": false, "https://example.com:443/cb": false, "com.example:/cb/": false, "http://LOCALHOST:1/callback": false,
		"http://localhost:1234/callback#x": false, "http://localhost:1234/callback?x": false, "": false,
	} {
		if matchRedirectURI(uri, native) != want {
			t.Errorf("%q: %v", uri, !want)
		}
	}
	web := &clientMetadata{ApplicationType: "web", RedirectURIs: []string{"http://localhost/callback"}}
	if matchRedirectURI("http://localhost:1/callback", web) {
		t.Error("a web client has a loopback interface")
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	// The example of the specification.
	m, err := parseMetadata([]byte(`{"client_name": "My App", "client_name#fr": "Mon application", "client_uri": "https://example.com/", "logo_uri": "https://example.com/logo.png",
		"tos_uri": "https://example.com/tos.html", "tos_uri#fr": "https://example.com/fr/tos.html", "policy_uri": "https://example.com/policy.html", "policy_uri#fr": "https://example.com/fr/policy.html",
		"redirect_uris": ["https://app.example.com/callback", "https://app.example.com/callback"], "token_endpoint_auth_method": "none", "response_types": ["code", "id_token"],
		"grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"], "application_type": "web", "contacts": ["a@example.com"], "software_id": "x"}`))
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"grant_types":["authorization_code","refresh_token"]`, `"response_types":["code"]`, `"client_name#fr":"Mon application"`, `"redirect_uris":["https://app.example.com/callback"]`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is missing in %s", want, out)
		}
	}
	if strings.Contains(string(out), "contacts") || strings.Contains(string(out), "software_id") {
		t.Errorf("%s", out)
	}
	for accept, want := range map[string]string{"fr-CA, en;q=0.5": "Mon application", "de": "My App", "": "My App", "\x00": "My App"} {
		if got := m.localized("client_name", m.ClientName, accept); got != want {
			t.Errorf("%q: %q", accept, got)
		}
	}
	least, err := parseMetadata([]byte(`{"client_uri": "https://example.com", "redirect_uris": ["https://example.com/"]}`))
	if err != nil || least.ApplicationType != "web" || least.AuthMethod != "none" || !slices.Equal(least.GrantTypes, []string{grantCode, grantRefresh}) {
		t.Errorf("%+v, %v", least, err)
	}
	base := func(more string) string {
		return `{"client_uri": "https://example.com/", "redirect_uris": ["https://example.com/"]` + more + `}`
	}
	for name, body := range map[string]string{
		"nothing": ``, "no JSON": `{`, "a list": `[]`, "no client_uri": `{"redirect_uris": ["https://example.com/"]}`,
		"twice":                `{"client_uri": "https://example.com/", "client_uri": "https://evil.com/", "redirect_uris": ["https://evil.com/"]}`,
		"http client_uri":      `{"client_uri": "http://example.com/", "redirect_uris": ["https://example.com/"]}`,
		"javascript":           `{"client_uri": "javascript:alert(1)", "redirect_uris": ["https://example.com/"]}`,
		"a user in client_uri": `{"client_uri": "https://u@example.com/", "redirect_uris": ["https://example.com/"]}`,
		"no redirect_uris":     `{"client_uri": "https://example.com/"}`,
		"one wrong redirect":   base(`, "x": 1`)[:len(base(""))-2] + `, "https://evil.com/"]}`,
		"tos elsewhere":        base(`, "tos_uri": "https://evil.com/tos"`),
		"javascript policy":    base(`, "policy_uri": "javascript:alert(1)"`),
		"javascript logo":      base(`, "logo_uri": "javascript:alert(1)"`),
		"localized javascript": base(`, "policy_uri#fr": "javascript:alert(1)"`),
		"no language":          base(`, "client_name#<script>": "x"`),
		"a number as name":     base(`, "client_name": 7`),
		"a name turned round":  base(`, "client_name": "a\u202eb"`),
		"a name of controls":   base(`, "client_name": "a\u0000b"`),
		"a long name":          base(`, "client_name": "` + strings.Repeat("a", 129) + `"`),
		"a secret":             base(`, "token_endpoint_auth_method": "client_secret_basic"`),
		"another type":         base(`, "application_type": "robot"`),
		"no way in":            base(`, "grant_types": ["refresh_token"]`),
		"implicit":             base(`, "response_types": ["token"]`),
		"redirects of numbers": `{"client_uri": "https://example.com/", "redirect_uris": [1]}`,
		"many redirects":       `{"client_uri": "https://example.com/", "redirect_uris": [` + strings.Repeat(`"https://example.com/",`, 30) + `"https://example.com/"]}`,
	} {
		if m, err := parseMetadata([]byte(body)); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"client_uri": "https://example.com/", "application_type": "native", "redirect_uris": ["com.example:/", "http://localhost/"], "client_name#fr": "x"}`))
	f.Add([]byte(`{"client_uri": "https://example.com/", "redirect_uris": ["https://example.com/"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMetadata(raw)
		if err != nil {
			return
		}
		for _, uri := range m.RedirectURIs {
			u, err := url.Parse(uri)
			if err != nil || u.Scheme == "javascript" || u.Scheme == "data" || u.Fragment != "" || u.User != nil || !matchRedirectURI(uri, m) {
				t.Errorf("%q is accepted", uri)
			}
		}
		out, err := json.Marshal(m, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		var again clientMetadata
		if err := json.Unmarshal(out, &again); err != nil {
			t.Errorf("%s: %v", out, err)
		}
	})
}

func FuzzScope(f *testing.F) {
	f.Add(scopeAPI + " " + scopeDevice + "ABC openid")
	f.Fuzz(func(t *testing.T, s string) {
		g, err := parseScope(s)
		if err == nil && (g.Device == "" || !strings.Contains(g.Scope, g.Device) || strings.ContainsAny(g.Scope, "\"\\\n")) {
			t.Errorf("%q: %+v", s, g)
		}
	})
}
