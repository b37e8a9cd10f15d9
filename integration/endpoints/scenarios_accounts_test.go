package endpoints

import (
	"fmt"
	"net/url"

	"github.com/landbridge-im/landbridge/integration/client"
)

var accountScenarios = map[string]scenario{
	"register": func(s *stage) call {
		return call{body: object{"username": fmt.Sprintf("new%d", s.n.Add(1)), "password": client.Password, "auth": object{"type": "m.login.dummy"}}}
	},
	"checkUsernameAvailability": func(*stage) call { return call{query: url.Values{"username": {"nobody-yet"}}} },
	"registrationTokenValidity": func(*stage) call { return call{query: url.Values{"token": {"no-such-token"}}} },
	"getLoginFlows":             plain,
	"generateLoginToken":        func(s *stage) call { return call{body: s.confirmed(nil)} },
	"logout":                    plain,
	"logout_all":                plain,
	"getTokenOwner":             plain,
	"requestOpenIdToken":        with(object{}),
	"getAccount3PIDs":           plain,
	"delete3pidFromAccount":     with(object{"medium": "email", "address": "alice@example.org"}),
	"unbind3pidFromAccount":     with(object{"medium": "email", "address": "alice@example.org"}),
	"changePassword": func(s *stage) call {
		return call{as: s.alice(), body: s.confirmed(object{"new_password": "another long one"})}
	},
	"deactivateAccount":  func(s *stage) call { return call{as: s.alice(), body: s.confirmed(nil)} },
	"getUserProfile":     plain,
	"getProfileField":    named("displayname"),
	"deleteProfileField": named("displayname"),
	"setProfileField": func(*stage) call {
		return call{params: map[string]string{"keyName": "displayname"}, body: object{"displayname": "Alice"}}
	},
	"getWhoIs":    plain,
	"getPresence": plain,
	"setPresence": with(object{"presence": "unavailable", "status_msg": "away"}),
	"reportUser": func(s *stage) call {
		return call{params: map[string]string{"userId": s.bob().UserID}, body: object{"reason": "noise"}}
	},
	"getMutualRooms": func(s *stage) call { return call{query: url.Values{"user_id": {s.bob().UserID}}} },
	"login": func(s *stage) call {
		return call{body: object{"type": "m.login.password", "password": client.Password,
			"identifier": object{"type": "m.id.user", "user": localpart(s.alice().UserID)}}}
	},
	"getAuthMetadata": plain,
	"redirectToSSO": func(s *stage) call {
		return call{query: url.Values{"redirectUrl": {"https://app.example.org/"}}, status: 302}
	},
	"redirectToIdP": func(s *stage) call {
		return call{params: map[string]string{"idpId": "corp"}, query: url.Values{"redirectUrl": {"https://app.example.org/"}}, status: 302}
	},
	"refresh": func(s *stage) call {
		var out struct {
			Refresh string `json:"refresh_token"`
		}
		s.post(s.anon, "POST", client.Path("login"), object{"type": "m.login.password", "password": client.Password, "refresh_token": true,
			"identifier": object{"type": "m.id.user", "user": localpart(s.alice().UserID)}}, &out)
		return call{body: object{"refresh_token": out.Refresh}}
	},
}

func named(field string) scenario {
	return func(*stage) call { return call{params: map[string]string{"keyName": field}} }
}

var deviceScenarios = map[string]scenario{
	"getDevices":    plain,
	"getDevice":     plain,
	"updateDevice":  with(object{"display_name": "My telephone"}),
	"deleteDevice":  func(s *stage) call { return call{body: s.confirmed(nil)} },
	"deleteDevices": func(s *stage) call { return call{body: s.confirmed(object{"devices": []string{s.alice().DeviceID}})} },
}

var dataScenarios = map[string]scenario{
	"setAccountData":        with(object{"a": 1}),
	"setAccountDataPerRoom": with(object{"a": 1}),
	"getAccountData": func(s *stage) call {
		s.post(s.alice(), "PUT", client.Path("user", s.alice().UserID, "account_data", "org.example.data"), object{"a": 1}, nil)
		return call{}
	},
	"getAccountDataPerRoom": func(s *stage) call {
		s.post(s.alice(), "PUT", client.Path("user", s.alice().UserID, "rooms", s.room(), "account_data", "org.example.data"), object{"a": 1}, nil)
		return call{}
	},
	"setRoomTag":    tag(object{"order": 0.25}),
	"deleteRoomTag": tag(nil),
	"getRoomTags": func(s *stage) call {
		s.post(s.alice(), "PUT", client.Path("user", s.alice().UserID, "rooms", s.room(), "tags", "m.favourite"), object{"order": 0.5}, nil)
		return call{}
	},
	"defineFilter": with(object{"room": object{"timeline": object{"limit": 10}}, "event_fields": []string{"type", "content"}}),
	"getFilter": func(s *stage) call {
		var out struct {
			ID string `json:"filter_id"`
		}
		s.post(s.alice(), "POST", client.Path("user", s.alice().UserID, "filter"), object{"room": object{"timeline": object{"limit": 10}},
			"event_fields": []string{"type", "content"}, "presence": object{"not_types": []string{"*"}}}, &out)
		return call{params: map[string]string{"filterId": out.ID}}
	},
}

func tag(body any) scenario {
	return func(*stage) call { return call{params: map[string]string{"tag": "u.work"}, body: body} }
}
