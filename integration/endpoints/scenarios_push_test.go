package endpoints

import "github.com/landbridge-im/landbridge/integration/client"

var pushScenarios = map[string]scenario{
	"getPushRules":       plain,
	"getPushRulesGlobal": plain,
	"getPushRule":        rule("override", ".m.rule.master", nil),
	"isPushRuleEnabled":  rule("override", ".m.rule.master", nil),
	"getPushRuleActions": rule("override", ".m.rule.master", nil),
	"setPushRuleEnabled": rule("override", ".m.rule.master", object{"enabled": false}),
	"setPushRuleActions": rule("override", ".m.rule.tombstone", object{"actions": []string{"notify"}}),
	"setPushRule":        rule("content", "cake", object{"pattern": "cake", "actions": []string{"notify"}}),
	"deletePushRule": func(s *stage) call {
		s.post(s.alice(), "PUT", client.Path("pushrules", "global", "content", "cake"), object{"pattern": "cake", "actions": []string{"notify"}}, nil)
		return call{params: map[string]string{"kind": "content", "ruleId": "cake"}}
	},
	"getPushers": plain,
	"postPusher": with(object{"pushkey": "key", "kind": "http", "app_id": "org.example.app", "app_display_name": "App", "device_display_name": "Telephone",
		"lang": "en", "data": object{"url": "https://push.example.org/_matrix/push/v1/notify"}}),
	"getNotifications": func(s *stage) call {
		s.bob()
		_, err := s.bob().Send(s.Context(), s.room(), "m.room.message", "hello", client.Message("hello "+localpart(s.alice().UserID)))
		s.ok(err)
		return call{}
	},
}

func rule(kind, id string, body any) scenario {
	return func(*stage) call { return call{params: map[string]string{"kind": kind, "ruleId": id}, body: body} }
}
