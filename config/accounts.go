package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"encoding/pem"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/config/diag"
)

// Policy is a document that those who sign up accept.
type Policy struct {
	ID       string `yaml:"id"`
	Version  string `yaml:"version"`
	Language string `yaml:"language"` // such as en
	Name     string `yaml:"name"`
	URL      string `yaml:"url"`
}

// Login is how people log in.
type Login struct {
	// Password lets them do it with a password.
	Password bool `yaml:"password" reload:"yes"`
	// Tokens lets them log further clients in from one where they are.
	Tokens bool `yaml:"tokens" reload:"yes"`
	// ConfirmWithin is for how long one confirmation is enough for a device; 0: for nothing else.
	ConfirmWithin Duration `yaml:"confirm_within" reload:"yes"`
	JWT           JWT      `yaml:"jwt"`
	// OIDC are identity providers.
	OIDC []OIDC `yaml:"oidc"`
	// TrustedClients begin the addresses of clients that get login tokens without a question.
	TrustedClients []string `yaml:"trusted_clients"`
}

// JWT is logging in with JSON web tokens; off without a secret.
type JWT struct {
	// Secret is the key, or the PEM public key.
	Secret       Secret   `yaml:"secret"`
	SecretFile   string   `yaml:"secret_file"`
	Algorithm    string   `yaml:"algorithm"`
	Issuer       string   `yaml:"issuer"`
	Audiences    []string `yaml:"audiences"`
	SubjectClaim string   `yaml:"subject_claim"`
	NameClaim    string   `yaml:"name_claim"`
}

// OIDC is an identity provider.
type OIDC struct {
	ID               string   `yaml:"id"`
	Name             string   `yaml:"name"`
	Brand            string   `yaml:"brand"`
	Icon             string   `yaml:"icon"`
	Issuer           string   `yaml:"issuer"`
	ClientID         string   `yaml:"client_id"`
	ClientSecret     Secret   `yaml:"client_secret"`
	ClientSecretFile string   `yaml:"client_secret_file"`
	Scopes           []string `yaml:"scopes"`
	LocalpartClaim   string   `yaml:"localpart_claim"`
	NameClaim        string   `yaml:"name_claim"`
	EmailClaim       string   `yaml:"email_claim"`
	Register         bool     `yaml:"register"`
	Existing         bool     `yaml:"existing_accounts"`
}

// OAuth is the OAuth 2.0 API, with the pages on which people sign in and look after their accounts.
type OAuth struct {
	Enabled bool `yaml:"enabled"`
	// BrowserLifetime is how long a browser stays signed in to these pages.
	BrowserLifetime Duration `yaml:"browser_lifetime"`
}

// Sessions are the lifetimes of tokens; 0 is for ever.
type Sessions struct {
	AccessLifetime      Duration `yaml:"access_token_lifetime"`
	RefreshableLifetime Duration `yaml:"refreshable_access_token_lifetime"`
	RefreshLifetime     Duration `yaml:"refresh_token_lifetime"`
}

// Mail is how messages to e-mail addresses are sent; off without a server.
type Mail struct {
	Server       string `yaml:"server"`   // host:port
	Security     string `yaml:"security"` // starttls, tls or none
	User         string `yaml:"user"`
	Password     Secret `yaml:"password"`
	PasswordFile string `yaml:"password_file"`
	From         string `yaml:"from"`
	// Templates is a folder of texts that replace the built-in ones.
	Templates string `yaml:"templates"`
	// TellKnown lets strangers find out who has an account by e-mail addresses.
	TellKnown bool `yaml:"tell_known_addresses"`
}

// WellKnown is what the server tells under /.well-known/matrix.
type WellKnown struct {
	IdentityServer string `yaml:"identity_server"`
	// ClientExtra is a JSON object of further members for clients.
	ClientExtra string `yaml:"client_extra"`
	// Server is host:port where other servers find this one, or empty.
	Server          string    `yaml:"server"`
	SupportPage     string    `yaml:"support_page"`
	SupportContacts []Contact `yaml:"support_contacts"`
	// PolicyKey is the Ed25519 key of a policy server that has this server's name.
	PolicyKey string `yaml:"policy_server_key"`
}

// Contact is a way to reach those who run the server.
type Contact struct {
	Role     string `yaml:"role"`
	MatrixID string `yaml:"matrix_id"`
	Email    string `yaml:"email_address"`
}

// Proxies are server.trusted_proxies as networks.
func (s Server) Proxies() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range s.TrustedProxies {
		if p, err := parsePrefix(text); err == nil { // it has been checked
			out = append(out, p)
		}
	}
	return out
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// Extra is well_known.client_extra as a map; nil for none.
func (w WellKnown) Extra() map[string]jsontext.Value {
	var out map[string]jsontext.Value
	if w.ClientExtra == "" || json.Unmarshal([]byte(w.ClientExtra), &out) != nil {
		return nil // it has been checked
	}
	return out
}

// webAddress complains of what is no http or https address.
func (v *validator) webAddress(key, s string) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		v.add(key, diag.Quote(s)+" is no http or https address", "write https://example.org/page, say")
	}
}

func (v *validator) required(key, value, example string) bool {
	if value == "" && !v.bad[key] {
		v.add(key, "is missing", "write "+example+", say")
	}
	return value != ""
}

// accounts checks what has to do with people and how they come in.
func (v *validator) accounts() {
	c := v.config
	for _, s := range c.Server.TrustedProxies {
		if _, err := parsePrefix(s); err != nil {
			v.add("server.trusted_proxies", diag.Quote(s)+" is neither an address nor a network", "write 127.0.0.1 or 10.0.0.0/8, say")
		}
	}
	seen := map[string]string{}
	for i, p := range c.Registration.Terms {
		key := fmt.Sprintf("registration.terms[%d]", i)
		v.required(key+".id", p.ID, "terms_of_service")
		v.required(key+".version", p.Version, `"1.0"`)
		v.required(key+".language", p.Language, "en")
		v.required(key+".name", p.Name, "Terms of Service")
		if v.required(key+".url", p.URL, "https://example.org/terms") {
			v.webAddress(key+".url", p.URL)
		}
		if p.Language == "version" {
			v.add(key+".language", "is no language", "write en, say")
		}
		if have, ok := seen[p.ID]; ok && have != p.Version {
			v.add(key+".version", "differs from that of the same policy in another language", "give all languages of one id the same version")
		}
		seen[p.ID] = p.Version
	}
	if c.Registration.RequireEmail && c.Mail.Server == "" {
		v.add("registration.require_email", "is set, but no mail can be sent", "set mail.server too")
	}
	v.login()
	for _, d := range []struct {
		key   string
		value Duration
	}{{"login.confirm_within", c.Login.ConfirmWithin}, {"sessions.access_token_lifetime", c.Sessions.AccessLifetime},
		{"sessions.refreshable_access_token_lifetime", c.Sessions.RefreshableLifetime}, {"sessions.refresh_token_lifetime", c.Sessions.RefreshLifetime}} {
		if d.value < 0 {
			v.add(d.key, "must not be negative", "write 0s or 5m, say")
		}
	}
	if c.OAuth.BrowserLifetime.Std() < 5*time.Minute {
		v.add("oauth.browser_lifetime", "is too short to sign in and do anything", "write 168h, say")
	}
	v.mail()
	v.wellKnown()
}

func (v *validator) login() {
	l := v.config.Login
	if l.JWT.Secret != "" {
		v.oneOf("login.jwt.algorithm", l.JWT.Algorithm, "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
		if strings.HasPrefix(l.JWT.Algorithm, "HS") && len(l.JWT.Secret.Reveal()) < 16 {
			v.add("login.jwt.secret", "is short and could be guessed", "use 32 letters and digits")
		}
		if block, _ := pem.Decode([]byte(l.JWT.Secret.Reveal())); block == nil && !strings.HasPrefix(l.JWT.Algorithm, "HS") {
			v.add("login.jwt.secret", "is no public key in PEM form, which "+l.JWT.Algorithm+" needs", "name a file that begins with -----BEGIN PUBLIC KEY----- in login.jwt.secret_file")
		}
		v.required("login.jwt.subject_claim", l.JWT.SubjectClaim, "sub")
	}
	ids := map[string]bool{}
	for i, p := range l.OIDC {
		key := fmt.Sprintf("login.oidc[%d]", i)
		if v.required(key+".id", p.ID, "example") && (len(p.ID) > 64 || strings.Trim(p.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-") != "") {
			v.add(key+".id", diag.Quote(p.ID)+" is no name for this", "use letters, digits and . _ ~ -, at most 64")
		}
		if ids[p.ID] {
			v.add(key+".id", diag.Quote(p.ID)+" is there twice", "give each provider an id of its own")
		}
		ids[p.ID] = true
		v.required(key+".name", p.Name, "Example Company")
		v.required(key+".client_id", p.ClientID, "landbridge")
		if v.required(key+".issuer", p.Issuer, "https://login.example.org") {
			v.webAddress(key+".issuer", p.Issuer)
		}
		if p.Icon != "" && !strings.HasPrefix(p.Icon, "mxc://") {
			v.add(key+".icon", "must be an mxc:// address", "upload the picture with a client, and write its address")
		}
	}
	for _, s := range l.TrustedClients {
		v.webAddress("login.trusted_clients", s)
		if u, err := url.Parse(s); err == nil && u.Path == "" {
			v.add("login.trusted_clients", diag.Quote(s)+" could begin the address of another host", "end it with a slash")
		}
	}
	if !l.Password && l.JWT.Secret == "" && len(l.OIDC) == 0 {
		v.add("login.password", "is false, and there is no other way to log in", "set login.jwt or login.oidc too")
	}
}

func (v *validator) mail() {
	m := v.config.Mail
	v.oneOf("mail.security", m.Security, "starttls", "tls", "none")
	if m.Server == "" {
		return
	}
	host, port, err := net.SplitHostPort(m.Server)
	if err != nil || host == "" || port == "" {
		v.add("mail.server", diag.Quote(m.Server)+" is no host and port", "write mail.example.org:587, say")
	}
	if v.required("mail.from", m.From, `"Landbridge <noreply@example.org>"`) {
		if _, err := mail.ParseAddress(m.From); err != nil {
			v.add("mail.from", diag.Quote(m.From)+" is no e-mail address", `write "Landbridge <noreply@example.org>", say`)
		}
	}
	if m.Security == "none" && m.User != "" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, host) {
		v.add("mail.security", "is none, and the password would travel in the clear", "write starttls or tls")
	}
}

func (v *validator) wellKnown() {
	w := v.config.WellKnown
	if w.IdentityServer != "" {
		v.webAddress("well_known.identity_server", w.IdentityServer)
	}
	if w.SupportPage != "" {
		v.webAddress("well_known.support_page", w.SupportPage)
	}
	if w.Server != "" {
		if err := CheckServerName(w.Server); err != nil {
			v.add("well_known.server", err.Error(), "write matrix.example.org:443, say")
		}
	}
	if w.PolicyKey != "" {
		// Both alphabets are in use: the specification's own example is of the URL-safe one.
		if key, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(w.PolicyKey)); err != nil || len(key) != ed25519.PublicKeySize {
			v.add("well_known.policy_server_key", "is no Ed25519 key", "write its 32 bytes as base64 without padding: 43 characters")
		}
	}
	if w.ClientExtra != "" {
		var object map[string]jsontext.Value
		if err := json.Unmarshal([]byte(w.ClientExtra), &object); err != nil || object == nil {
			v.add("well_known.client_extra", "is no JSON object", `write '{"org.example.key": {"a": 1}}', say`)
		}
	}
	for i, contact := range w.SupportContacts {
		key := fmt.Sprintf("well_known.support_contacts[%d]", i)
		v.required(key+".role", contact.Role, "m.role.admin")
		switch {
		case contact.MatrixID == "" && contact.Email == "":
			v.add(key, "has neither matrix_id nor email_address", "write one of them")
		case contact.MatrixID != "" && (!strings.HasPrefix(contact.MatrixID, "@") || !strings.Contains(contact.MatrixID, ":")):
			v.add(key+".matrix_id", diag.Quote(contact.MatrixID)+" is no user id", "write @admin:"+v.config.Server.Name+", say")
		}
	}
}
