package oauth

import "net/url"

// The actions of the account page: specification, "Account management URL actions".
const (
	actionProfile    = "org.matrix.profile"
	actionDevices    = "org.matrix.devices_list"
	actionView       = "org.matrix.device_view"
	actionDelete     = "org.matrix.device_delete"
	actionDeactivate = "org.matrix.account_deactivate"
	actionKeys       = "org.matrix.cross_signing_reset"
)

// oldActions are what clients from before version 1.18 call some of them.
var oldActions = map[string]string{"org.matrix.sessions_list": actionDevices, "org.matrix.session_view": actionView, "org.matrix.session_end": actionDelete,
	"sessions_list": actionDevices, "session_view": actionView, "session_end": actionDelete, "profile": actionProfile}

// Metadata are the server metadata of RFC 8414 with the specification's additions: the answer to GET
// /_matrix/client/v1/auth_metadata.
func (p *Provider) Metadata() any {
	u := p.o.PublicURL
	m := map[string]any{
		"issuer":                                     u + "/",
		"authorization_endpoint":                     u + pathAuthorize,
		"token_endpoint":                             u + pathToken,
		"revocation_endpoint":                        u + pathRevoke,
		"registration_endpoint":                      u + pathRegister,
		"device_authorization_endpoint":              u + pathDevice,
		"response_types_supported":                   []string{"code"},
		"response_modes_supported":                   []string{"query", "fragment"},
		"grant_types_supported":                      []string{grantCode, grantRefresh, grantDevice},
		"code_challenge_methods_supported":           []string{"S256"},
		"token_endpoint_auth_methods_supported":      []string{"none"},
		"revocation_endpoint_auth_methods_supported": []string{"none"},
		"scopes_supported":                           []string{scopeAPI, scopeAPIOld},
		// RFC 9207: a client that knows several servers can tell whose answer it got.
		"authorization_response_iss_parameter_supported": true,
		"account_management_uri":                         u + PathAccount,
		"account_management_actions_supported":           []string{actionProfile, actionDevices, actionView, actionDelete, actionDeactivate, actionKeys},
	}
	if !p.settings().NoPasswordLogin {
		m["prompt_values_supported"] = []string{"create"}
	}
	return m
}

// Issuer names the server as an authorization server.
func (p *Provider) Issuer() string { return p.o.PublicURL + "/" }

// AccountURL is the address of the account page.
func (p *Provider) AccountURL() string { return p.o.PublicURL + PathAccount }

// KeyResetURL is the address of the page on which users allow their clients to replace their
// cross-signing keys. session is that of the interactive authentication that waits for it.
func (p *Provider) KeyResetURL(session string) string {
	q := url.Values{"action": {actionKeys}}
	if session != "" {
		q.Set("session", session)
	}
	return p.AccountURL() + "?" + q.Encode()
}
