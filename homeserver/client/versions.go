package client

import (
	"github.com/landbridge-im/landbridge/homeserver/event"
)

// versions is GET /versions.
func (a *API) versions(c *call) (any, error) {
	features := map[string]bool{
		"org.matrix.msc3916.stable":     true, // authenticated media
		"org.matrix.msc4222":            true, // state_after
		"fi.mau.msc2246.stable":         true, // asynchronous uploads
		"fi.mau.msc2659.stable":         true, // application-service ping
		"uk.tcpip.msc4133.stable":       true, // profile fields
		"org.matrix.simplified_msc3575": true, // simplified sliding sync
		"com.beeper.msc4169":            true, // redactions sent as events
		"org.matrix.e2e_cross_signing":  true,
	}
	if c.session != nil && c.session.Service != nil {
		// These change how a room is made and filled; they are for bridges only.
		features["com.beeper.room_create_autojoin_invites"] = true
		features["com.beeper.msc4437"] = true
		features["com.beeper.arbitrary_profile_meta"] = true
		features["com.beeper.batch_sending"] = true
	}
	return map[string]any{
		"versions": []string{"r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9",
			"v1.10", "v1.11", "v1.12", "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18", "v1.19"},
		"unstable_features": features,
	}, nil
}

// capabilities is GET /capabilities.
func (a *API) capabilities(c *call) (any, error) {
	available := map[string]string{}
	for _, v := range event.Versions() {
		available[string(v)] = "stable"
	}
	on := map[string]bool{"enabled": true}
	return map[string]any{"capabilities": map[string]any{
		"m.room_versions":   map[string]any{"default": string(event.DefaultVersion), "available": available},
		"m.change_password": on,
		"m.set_displayname": on,
		"m.set_avatar_url":  on,
		"m.profile_fields":  on,
		"m.3pid_changes":    map[string]bool{"enabled": false},
		"m.get_login_token": map[string]bool{"enabled": false},
	}}, nil
}

// wellKnown is GET /.well-known/matrix/client.
func (a *API) wellKnown(c *call) (any, error) {
	return map[string]any{"m.homeserver": map[string]string{"base_url": a.o.PublicURL}}, nil
}
