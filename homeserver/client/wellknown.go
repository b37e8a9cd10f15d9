package client

import (
	"encoding/json/jsontext"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// WellKnown is what the server tells under /.well-known/matrix.
type WellKnown struct {
	// IdentityServer is the base URL of the identity server that clients should use, or "".
	IdentityServer string
	// Extra are further members of /.well-known/matrix/client.
	Extra map[string]jsontext.Value
	// Server is where other servers find this one, as host:port, or "".
	Server string
	// SupportPage and Contacts tell people where to find help.
	SupportPage string
	Contacts    []Contact
	// PolicyKey is the Ed25519 key of the policy server of this name, as unpadded base64, or "".
	PolicyKey string
}

// Contact is a way to reach those who run the server.
type Contact struct {
	MatrixID string `json:"matrix_id,omitempty"`
	Email    string `json:"email_address,omitempty"`
	Role     string `json:"role"`
}

func (a *API) wellKnownRoutes() {
	root := []string{""}
	a.on("GET", root, "/.well-known/matrix/client", anyone, a.wellKnown)
	a.on("GET", root, "/.well-known/matrix/support", anyone, a.wellKnownSupport)
	a.on("GET", root, "/.well-known/matrix/server", anyone, a.wellKnownServer)
	a.on("GET", root, "/.well-known/matrix/policy_server", anyone, a.wellKnownPolicy)
}

// clientWellKnown is how clients configure themselves.
func (a *API) clientWellKnown() map[string]any {
	out := map[string]any{}
	for k, v := range a.o.WellKnown.Extra {
		out[k] = v
	}
	out["m.homeserver"] = map[string]string{"base_url": a.o.PublicURL}
	if t := a.transports(); len(t) > 0 {
		out["org.matrix.msc4143.rtc_foci"] = t // what clients read until they ask /rtc/transports
	}
	if a.o.OAuth != nil { // what clients read from before /auth_metadata
		out["org.matrix.msc2965.authentication"] = map[string]string{"issuer": a.o.OAuth.Issuer(), "account": a.o.OAuth.AccountURL()}
	}
	if id := a.o.WellKnown.IdentityServer; id != "" {
		out["m.identity_server"] = map[string]string{"base_url": id}
	}
	return out
}

// wellKnown is GET /.well-known/matrix/client.
func (a *API) wellKnown(*call) (any, error) { return a.clientWellKnown(), nil }

// wellKnownSupport is GET /.well-known/matrix/support: "404: No server support information
// available."
func (a *API) wellKnownSupport(*call) (any, error) {
	w := a.o.WellKnown
	if w.SupportPage == "" && len(w.Contacts) == 0 {
		return nil, mxerror.NotFound("There is no support information.")
	}
	out := map[string]any{}
	if len(w.Contacts) > 0 {
		out["contacts"] = w.Contacts
	}
	if w.SupportPage != "" {
		out["support_page"] = w.SupportPage
	}
	return out, nil
}

// wellKnownServer is GET /.well-known/matrix/server of the server-server API.
func (a *API) wellKnownServer(*call) (any, error) {
	if a.o.WellKnown.Server == "" {
		return nil, mxerror.NotFound("Other servers find this one without this file.")
	}
	return map[string]string{"m.server": a.o.WellKnown.Server}, nil
}

// wellKnownPolicy is GET /.well-known/matrix/policy_server: "404: No policy server information
// available."
func (a *API) wellKnownPolicy(*call) (any, error) {
	if a.o.WellKnown.PolicyKey == "" {
		return nil, mxerror.NotFound("There is no policy server of this name.")
	}
	return map[string]any{"public_keys": map[string]string{"ed25519": a.o.WellKnown.PolicyKey}}, nil
}
