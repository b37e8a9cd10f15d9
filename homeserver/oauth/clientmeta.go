package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The grant types.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// Bounds of what a client says of itself.
const (
	uriMax       = 2048
	nameMax      = 128
	redirectsMax = 20
	// localesMax is how many languages are kept of each field.
	localesMax = 20
)

// clientMetadata are the metadata of a client that this server keeps: specification,
// "OAuthClientMetadata".
type clientMetadata struct {
	ClientURI       string   `json:"client_uri"`
	ClientName      string   `json:"client_name,omitempty"`
	LogoURI         string   `json:"logo_uri,omitempty"`
	TOSURI          string   `json:"tos_uri,omitempty"`
	PolicyURI       string   `json:"policy_uri,omitempty"`
	RedirectURIs    []string `json:"redirect_uris,omitempty"`
	ResponseTypes   []string `json:"response_types,omitempty"`
	GrantTypes      []string `json:"grant_types"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	ApplicationType string   `json:"application_type"`
	// Localized are client_name#fr and the like.
	Localized map[string]jsontext.Value `json:",unknown"`
}

// id names a client by its metadata, so that the same client gets the same name: "This can be
// mitigated by de-duplicating client registrations that have identical metadata."
func (m *clientMetadata) id(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

func badMetadata(text string) *protocolError { return bad("invalid_client_metadata", text) }

// parseMetadata reads what a client says of itself and applies the rules of RFC 7591 and of the
// specification. What the server does not know is left out: "The server MUST ignore values that it
// does not understand."
func parseMetadata(raw []byte) (*clientMetadata, error) {
	if v := jsontext.Value(raw); !v.IsValid() || v.Kind() != '{' {
		return nil, badMetadata("The body must be a JSON object.")
	}
	var in struct {
		ClientURI       *string                   `json:"client_uri"`
		ClientName      string                    `json:"client_name"`
		LogoURI         string                    `json:"logo_uri"`
		TOSURI          string                    `json:"tos_uri"`
		PolicyURI       string                    `json:"policy_uri"`
		RedirectURIs    []string                  `json:"redirect_uris"`
		ResponseTypes   *[]string                 `json:"response_types"`
		GrantTypes      *[]string                 `json:"grant_types"`
		AuthMethod      string                    `json:"token_endpoint_auth_method"`
		ApplicationType string                    `json:"application_type"`
		Rest            map[string]jsontext.Value `json:",unknown"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, badMetadata("A member of the metadata has the wrong type.")
	}
	if in.ClientURI == nil || *in.ClientURI == "" {
		return nil, badMetadata("client_uri is missing.")
	}
	m := &clientMetadata{ClientURI: *in.ClientURI, ClientName: in.ClientName, LogoURI: in.LogoURI, TOSURI: in.TOSURI, PolicyURI: in.PolicyURI,
		AuthMethod: in.AuthMethod, ApplicationType: in.ApplicationType}
	base, complaint := checkURI(m.ClientURI, nil)
	if complaint != "" {
		return nil, badMetadata("client_uri " + complaint + ".")
	}
	if !fitName(m.ClientName) {
		return nil, badMetadata("client_name must be readable text of at most 128 characters.")
	}
	for name, uri := range map[string]string{"logo_uri": m.LogoURI, "tos_uri": m.TOSURI, "policy_uri": m.PolicyURI} {
		if uri == "" {
			continue
		}
		if _, complaint := checkURI(uri, base); complaint != "" {
			return nil, badMetadata(name + " " + complaint + ".")
		}
	}
	if m.ApplicationType == "" {
		m.ApplicationType = "web" // "Defaults to web if omitted."
	}
	if m.ApplicationType != "web" && m.ApplicationType != "native" {
		return nil, badMetadata(`application_type must be "web" or "native".`)
	}
	if m.AuthMethod == "" {
		m.AuthMethod = "none"
	}
	if m.AuthMethod != "none" {
		return nil, badMetadata(`token_endpoint_auth_method must be "none": this server gives out no client secrets.`)
	}
	if err := m.takeGrants(in.GrantTypes, in.ResponseTypes); err != nil {
		return nil, err
	}
	if err := m.takeRedirects(in.RedirectURIs, base); err != nil {
		return nil, err
	}
	return m, m.takeLocalized(in.Rest, base)
}

// takeGrants keeps the grant and response types that the server knows.
func (m *clientMetadata) takeGrants(grants, responses *[]string) error {
	wanted := []string{grantCode, grantRefresh}
	if grants != nil {
		wanted = *grants
	}
	for _, g := range []string{grantCode, grantRefresh, grantDevice} {
		if slices.Contains(wanted, g) {
			m.GrantTypes = append(m.GrantTypes, g)
		}
	}
	if !slices.Contains(m.GrantTypes, grantCode) {
		if !slices.Contains(m.GrantTypes, grantDevice) {
			return badMetadata("grant_types has no way to log in that this server knows.")
		}
		return nil
	}
	// "This MUST include the code value to use the authorisation code grant."
	if responses != nil && !slices.Contains(*responses, "code") {
		return badMetadata(`response_types must have "code" to use the grant type authorization_code.`)
	}
	m.ResponseTypes = []string{"code"}
	return nil
}

// takeRedirects checks the redirect URIs.
func (m *clientMetadata) takeRedirects(uris []string, base *url.URL) error {
	if len(uris) > redirectsMax {
		return bad("invalid_redirect_uri", "There are too many redirect_uris.")
	}
	for _, uri := range uris {
		if complaint := checkRedirectURI(uri, m.ApplicationType, base); complaint != "" {
			return bad("invalid_redirect_uri", "The redirect URI "+uri[:min(len(uri), 200)]+" "+complaint+".")
		}
		if !slices.Contains(m.RedirectURIs, uri) {
			m.RedirectURIs = append(m.RedirectURIs, uri)
		}
	}
	// "At least one URI is required to use the authorisation code grant."
	if len(m.RedirectURIs) == 0 && slices.Contains(m.GrantTypes, grantCode) {
		return bad("invalid_redirect_uri", "redirect_uris is missing.")
	}
	return nil
}

// takeLocalized keeps the human-readable values in other languages: RFC 7591, section 2.2.
func (m *clientMetadata) takeLocalized(rest map[string]jsontext.Value, base *url.URL) error {
	count := map[string]int{}
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		name, tag, ok := strings.Cut(key, "#")
		if !ok || name != "client_name" && name != "logo_uri" && name != "tos_uri" && name != "policy_uri" {
			continue
		}
		if !languageTag(tag) {
			return badMetadata(name + " is given in what is no language.")
		}
		if count[name]++; count[name] > localesMax {
			return badMetadata(name + " is given in too many languages.")
		}
		var text string
		if err := json.Unmarshal(rest[key], &text); err != nil {
			return badMetadata(key + " must be text.")
		}
		if name == "client_name" && !fitName(text) {
			return badMetadata(key + " must be readable text of at most 128 characters.")
		}
		if name != "client_name" {
			if _, complaint := checkURI(text, base); complaint != "" {
				return badMetadata(key + " " + complaint + ".")
			}
		}
		canonical, err := json.Marshal(text)
		if err != nil {
			return badMetadata(key + " is no valid text.")
		}
		if m.Localized == nil {
			m.Localized = map[string]jsontext.Value{}
		}
		m.Localized[key] = canonical
	}
	return nil
}

// checkURI applies the rules for client_uri and, with a base, those for the other addresses: "This
// URL MUST use the https scheme ... It MUST NOT use a user or password in the authority component of
// the URI." and "those MUST be either on the same host or on a subdomain of the host of the
// client_uri".
func checkURI(raw string, base *url.URL) (*url.URL, string) {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > uriMax:
		return nil, "is too long"
	case err != nil || !plainURI(raw):
		return nil, "is no valid URI"
	case u.Scheme != "https" || u.Opaque != "":
		return nil, "must use the https scheme"
	case u.Hostname() == "":
		return nil, "has no host"
	case u.User != nil:
		return nil, "must not have a user or password"
	case base != nil && !within(u, base):
		return nil, "must be on the host of client_uri, or on a subdomain of it"
	}
	return u, ""
}

// fitName refuses names that could not be read, or that would read as something else: characters
// that control, that turn the direction of writing, or that are not seen.
func fitName(s string) bool {
	return utf8.RuneCountInString(s) <= nameMax && utf8.ValidString(s) && (s == "" || strings.TrimSpace(s) != "") &&
		!strings.ContainsFunc(s, func(c rune) bool {
			return unicode.IsControl(c) || c == utf8.RuneError || c == '\u2028' || c == '\u2029' || unicode.Is(unicode.Bidi_Control, c)
		})
}

func languageTag(s string) bool {
	return s != "" && len(s) <= 35 && !strings.ContainsFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-')
	})
}
