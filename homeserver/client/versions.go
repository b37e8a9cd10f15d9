package client

import (
	"github.com/landbridge-im/landbridge/homeserver/event"
)

// versions is GET /versions.
func (a *API) versions(c *call) (any, error) {
	features := map[string]bool{
		"org.matrix.msc3916.stable":                      true, // authenticated media
		"org.matrix.msc4222":                             true, // state_after
		"fi.mau.msc2246.stable":                          true, // asynchronous uploads
		"fi.mau.msc2659.stable":                          true, // application-service ping
		"uk.tcpip.msc4133.stable":                        true, // profile fields
		"org.matrix.simplified_msc3575":                  true, // simplified sliding sync
		"com.beeper.msc4169":                             true, // redactions sent as events
		"org.matrix.msc4140":                             true, // delayed events
		"org.matrix.msc4155":                             true, // filters of invitations
		"uk.half-shot.msc2666.query_mutual_rooms.stable": true,
		"org.matrix.e2e_cross_signing":                   true,
		"org.matrix.msc3814":                             true, // dehydrated devices
	}
	if c.session != nil && c.session.Service != nil {
		// These change how a room is made and filled; they are for bridges only.
		features["com.beeper.room_create_autojoin_invites"] = true
		features["com.beeper.msc4437"] = true
		features["com.beeper.arbitrary_profile_meta"] = true
		features["com.beeper.batch_sending"] = true
		features["com.beeper.room_yeeting"] = true
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
	enabled := func(on bool) map[string]bool { return map[string]bool{"enabled": on} }
	// What needs interactive authentication is done on the account page by who came by OAuth.
	person := !c.session.Guest && c.session.Service == nil && !c.byOAuth()
	vapid, err := a.o.Pushers.VAPID(c.ctx)
	if err != nil {
		return nil, err
	}
	capabilities := map[string]any{
		"org.matrix.msc4174.webpush": map[string]any{"enabled": true, "vapid": vapid},
		"m.room_versions":            map[string]any{"default": string(a.roomVersion()), "available": available},
		"m.change_password":          enabled(person && !a.settings.Load().NoPasswordLogin),
		"m.set_displayname":          enabled(true),
		"m.set_avatar_url":           enabled(!c.session.Guest),
		"m.profile_fields":           map[string]any{"enabled": true},
		"m.3pid_changes":             enabled(person && a.o.Accounts.CanMail()),
		"m.get_login_token":          enabled(person && !a.settings.Load().NoLoginTokens),
		"m.forget_forced_upon_leave": enabled(false),
	}
	if c.session.Guest {
		// "Guest users may only modify their display name".
		capabilities["m.profile_fields"] = map[string]any{"enabled": true, "allowed": []string{"displayname"}}
	}
	if c.session.Admin {
		// "This property should be omitted altogether if suspend and lock would be false."
		capabilities["m.account_moderation"] = map[string]bool{"suspend": true, "lock": true}
	}
	return map[string]any{"capabilities": capabilities}, nil
}
