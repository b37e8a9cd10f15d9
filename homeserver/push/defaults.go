package push

import "encoding/json/jsontext"

// defaults are the server-default rules of one kind, for one user, in order of importance:
// specification, "Predefined Rules". Default rules exist of two kinds only.
func defaults(k Kind, user string) []Rule {
	const (
		notify    = `"notify"`
		sound     = `{"set_tweak":"sound","value":"default"}`
		ring      = `{"set_tweak":"sound","value":"ring"}`
		highlight = `{"set_tweak":"highlight"}`
		pair      = `{"kind":"room_member_count","is":"2"}`
	)
	switch k {
	case Override:
		return []Rule{
			disabled(standard(master, list())),
			standard(".m.rule.suppress_notices", list(), match("content.msgtype", "m.notice")),
			standard(".m.rule.invite_for_me", list(notify, sound),
				match("type", "m.room.member"), match("content.membership", "invite"), match("state_key", user)),
			standard(".m.rule.member_event", list(), match("type", "m.room.member")),
			standard(userMention, list(notify, sound, highlight),
				property("event_property_contains", `content.m\.mentions.user_ids`, quote(user))),
			standard(".m.rule.is_room_mention", list(notify, highlight),
				property("event_property_is", `content.m\.mentions.room`, "true"),
				`{"kind":"sender_notification_permission","key":"room"}`),
			standard(".m.rule.tombstone", list(notify, highlight), match("type", "m.room.tombstone"), match("state_key", "")),
			standard(".m.rule.reaction", list(), match("type", "m.reaction")),
			standard(".m.rule.room.server_acl", list(), match("type", "m.room.server_acl"), match("state_key", "")),
			standard(".m.rule.suppress_edits", list(), property("event_property_is", `content.m\.relates_to.rel_type`, `"m.replace"`)),
		}
	case Underride:
		return []Rule{
			standard(".m.rule.call", list(notify, ring), match("type", "m.call.invite")),
			standard(".m.rule.encrypted_room_one_to_one", list(notify, sound), pair, match("type", "m.room.encrypted")),
			standard(".m.rule.room_one_to_one", list(notify, sound), pair, match("type", "m.room.message")),
			standard(".m.rule.message", list(notify), match("type", "m.room.message")),
			standard(".m.rule.encrypted", list(notify), match("type", "m.room.encrypted")),
		}
	}
	return nil
}

// master is the rule that "has always a higher priority than other rules, even user defined
// ones".
const master = ".m.rule.master"

// userMention is the rule for those whom an event mentions.
const userMention = ".m.rule.is_user_mention"

// findDefault finds a server-default rule. It is the same for all users but for conditions.
func findDefault(k Kind, id string) (Rule, bool) {
	for _, r := range defaults(k, "") {
		if r.ID == id {
			return r, true
		}
	}
	return Rule{}, false
}

func standard(id string, actions []jsontext.Value, conditions ...string) Rule {
	return Rule{ID: id, Default: true, Enabled: true, Conditions: list(conditions...), Actions: actions}
}

func disabled(r Rule) Rule {
	r.Enabled = false
	return r
}

func list(raw ...string) []jsontext.Value {
	out := make([]jsontext.Value, len(raw))
	for i, s := range raw {
		out[i] = jsontext.Value(s)
	}
	return out
}

func match(key, pattern string) string {
	return `{"kind":"event_match","key":` + quote(key) + `,"pattern":` + quote(pattern) + `}`
}

func property(kind, key, value string) string {
	return `{"kind":` + quote(kind) + `,"key":` + quote(key) + `,"value":` + value + `}`
}

func quote(s string) string {
	// AppendQuote fails only on invalid UTF-8, which it replaces, and which no identifier holds.
	raw, _ := jsontext.AppendQuote(nil, s)
	return string(raw)
}
