package push

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"strings"
	"testing"
)

// specified are the rules of "Predefined Rules" of the specification 1.19, in its order and
// words; $me is "[the user's Matrix ID]".
const specified = `{
"override": [
  {"rule_id": ".m.rule.master", "default": true, "enabled": false, "conditions": [], "actions": []},
  {"rule_id": ".m.rule.suppress_notices", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "content.msgtype", "pattern": "m.notice"}],
   "actions": []},
  {"rule_id": ".m.rule.invite_for_me", "default": true, "enabled": true,
   "conditions": [
     {"key": "type", "kind": "event_match", "pattern": "m.room.member"},
     {"key": "content.membership", "kind": "event_match", "pattern": "invite"},
     {"key": "state_key", "kind": "event_match", "pattern": "$me"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "default"}]},
  {"rule_id": ".m.rule.member_event", "default": true, "enabled": true,
   "conditions": [{"key": "type", "kind": "event_match", "pattern": "m.room.member"}],
   "actions": []},
  {"rule_id": ".m.rule.is_user_mention", "default": true, "enabled": true,
   "conditions": [{"kind": "event_property_contains", "key": "content.m\\.mentions.user_ids", "value": "$me"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "default"}, {"set_tweak": "highlight"}]},
  {"rule_id": ".m.rule.is_room_mention", "default": true, "enabled": true,
   "conditions": [
     {"kind": "event_property_is", "key": "content.m\\.mentions.room", "value": true},
     {"kind": "sender_notification_permission", "key": "room"}],
   "actions": ["notify", {"set_tweak": "highlight"}]},
  {"rule_id": ".m.rule.tombstone", "default": true, "enabled": true,
   "conditions": [
     {"kind": "event_match", "key": "type", "pattern": "m.room.tombstone"},
     {"kind": "event_match", "key": "state_key", "pattern": ""}],
   "actions": ["notify", {"set_tweak": "highlight"}]},
  {"rule_id": ".m.rule.reaction", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.reaction"}],
   "actions": []},
  {"rule_id": ".m.rule.room.server_acl", "default": true, "enabled": true,
   "conditions": [
     {"kind": "event_match", "key": "type", "pattern": "m.room.server_acl"},
     {"kind": "event_match", "key": "state_key", "pattern": ""}],
   "actions": []},
  {"rule_id": ".m.rule.suppress_edits", "default": true, "enabled": true,
   "conditions": [{"kind": "event_property_is", "key": "content.m\\.relates_to.rel_type", "value": "m.replace"}],
   "actions": []}
],
"content": [], "room": [], "sender": [],
"underride": [
  {"rule_id": ".m.rule.call", "default": true, "enabled": true,
   "conditions": [{"key": "type", "kind": "event_match", "pattern": "m.call.invite"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "ring"}]},
  {"rule_id": ".m.rule.encrypted_room_one_to_one", "default": true, "enabled": true,
   "conditions": [
     {"kind": "room_member_count", "is": "2"},
     {"kind": "event_match", "key": "type", "pattern": "m.room.encrypted"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "default"}]},
  {"rule_id": ".m.rule.room_one_to_one", "default": true, "enabled": true,
   "conditions": [
     {"kind": "room_member_count", "is": "2"},
     {"kind": "event_match", "key": "type", "pattern": "m.room.message"}],
   "actions": ["notify", {"set_tweak": "sound", "value": "default"}]},
  {"rule_id": ".m.rule.message", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.message"}],
   "actions": ["notify"]},
  {"rule_id": ".m.rule.encrypted", "default": true, "enabled": true,
   "conditions": [{"kind": "event_match", "key": "type", "pattern": "m.room.encrypted"}],
   "actions": ["notify"]}
]}`

const me = "@me:here"

// canonical makes JSON comparable.
func canonical(t testing.TB, raw []byte) string {
	t.Helper()
	v := jsontext.Value(raw).Clone()
	if err := v.Canonicalize(); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return string(v)
}

func encoded(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return canonical(t, raw)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	want := canonical(t, []byte(strings.ReplaceAll(specified, "$me", me)))
	if got := encoded(t, (&Changes{}).Rules(me)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	seen := map[string]bool{}
	for _, k := range []Kind{Override, Content, Room, Sender, Underride} {
		for _, r := range defaults(k, me) {
			if seen[r.ID] || r.ID[0] != '.' {
				t.Errorf("bad id %s", r.ID)
			}
			seen[r.ID] = true
			for _, raw := range r.Conditions {
				c, err := parseCondition(raw)
				if _, strange := c.(unknown); err != nil || strange {
					t.Errorf("%s: condition %s: %v", r.ID, raw, err)
				}
			}
			if got, err := checkActions(&r.Actions); err != nil || len(got) != len(r.Actions) {
				t.Errorf("%s: actions %s: %v", r.ID, r.Actions, err)
			}
		}
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{"", "{}", `{"defaults":{".m.rule.of.another.version":{"enabled":false}}}`} {
		raw, err := Render(`@"odd\:here`, stored)
		if err != nil {
			t.Fatal(err)
		}
		want := `{"global":` + strings.ReplaceAll(specified, "$me", `@\"odd\\:here`) + `}`
		if got, want := canonical(t, raw), canonical(t, []byte(want)); got != want {
			t.Errorf("stored %q: got %s\nwant %s", stored, got, want)
		}
	}
	if _, err := Render(me, `{"made":7}`); err == nil {
		t.Error("nonsense was rendered")
	}
}
