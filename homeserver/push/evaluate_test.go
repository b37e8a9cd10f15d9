package push

import (
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// ev makes an event out of its JSON; what is not given is that of a message of @you:here.
func ev(t testing.TB, raw string) *Event {
	t.Helper()
	if !strings.Contains(raw, `"type"`) {
		raw = strings.Replace(raw, "{", `{"type":"m.room.message",`, 1)
	}
	if !strings.Contains(raw, `"sender"`) {
		raw = strings.Replace(raw, "{", `{"sender":"@you:here",`, 1)
	}
	e, err := event.Parse([]byte(raw), "$event", "!room:here", "11")
	if err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return NewEvent(e)
}

func TestConditions(t *testing.T) {
	t.Parallel()
	match := func(key, pattern string) string {
		return fmt.Sprintf(`{"kind":"event_match","key":%s,"pattern":%s}`, quote(key), quote(pattern))
	}
	is := func(key, value string) string {
		return fmt.Sprintf(`{"kind":"event_property_is","key":%s,"value":%s}`, quote(key), value)
	}
	has := func(key, value string) string {
		return fmt.Sprintf(`{"kind":"event_property_contains","key":%s,"value":%s}`, quote(key), value)
	}
	count := func(is string) string { return `{"kind":"room_member_count","is":"` + is + `"}` }
	const name = `{"kind":"contains_display_name"}`
	const may = `{"kind":"sender_notification_permission","key":"room"}`
	body := func(s string) string { return `{"content":{"body":` + quote(s) + `}}` }
	topic := func(json string) string { return `{"type":"m.room.topic","content":{"topic":` + json + `}}` }
	three := RoomContext{Members: 3}
	called := func(s string) RoomContext { return RoomContext{DisplayName: s} }

	for _, c := range []struct {
		condition, event string
		room             RoomContext
		want             bool
	}{
		// The specification's own examples.
		{match("content.topic", "lunc?*"), topic(`"Lunch plans"`), three, true},
		{match("content.topic", "lunc?*"), topic(`"LUNCH"`), three, true},
		{match("content.topic", "lunc?*"), topic(`" lunch"`), three, false},
		{match("content.topic", "lunc?*"), topic(`"lunc"`), three, false},
		{match("content.topic", "lunc?*"), topic(`null`), three, false},
		{match("content.body", "ex*ple"), body("An example event."), three, true},
		{match("content.body", "ex*ple"), body("exple"), three, true},
		{match("content.body", "ex*ple"), body("An exciting triple-whammy"), three, true},
		{is(`content.m\.federate`, "true"), `{"content":{"m.federate":true}}`, three, true},
		{is(`content.m\.federate`, "true"), `{"content":{"m.federate":"true"}}`, three, false},
		{is(`content.m\.federate`, "true"), `{"content":{"m.federate":1}}`, three, false},
		{has("content.alt_aliases", `"#myroom:example.com"`), `{"content":{"alt_aliases":["#somewhere:example.org","#myroom:example.com"]}}`, three, true},
		{has("content.alt_aliases", `":example.com"`), `{"content":{"alt_aliases":["#somewhere:example.org","#myroom:example.com"]}}`, three, false},

		{match("content.topic", "*"), `{"content":{}}`, three, false},
		{match("content.topic", "*"), topic("7"), three, false},
		{match("content.topic", "*"), topic(`["x"]`), three, false},
		{match("content.topic", "*"), topic(`""`), three, true},
		{match("content.topic", ""), topic(`""`), three, true},
		{match("content.topic", ""), topic(`"x"`), three, false},
		{match("content.topic", "[a-z]"), topic(`"b"`), three, false},
		{match("content.topic", `\*`), topic(`"\\x"`), three, true},
		{match("content.topic", "ÄRGER?"), topic(`"ärger☕"`), three, true},
		{match("type", "m.room.*"), body(""), three, true},
		{match("sender", "@you:*"), body(""), three, true},
		{match("room_id", "!room:here"), body(""), three, true},
		{match("event_id", "$event"), body(""), three, true},
		{match("state_key", ""), body(""), three, false},
		{match("state_key", ""), `{"state_key":"","content":{}}`, three, true},
		{match("state_key", "*"), `{"state_key":"x","content":{}}`, three, true},
		{match("content", "*"), body(""), three, false},
		{match("sender.x", "*"), body(""), three, false},
		{match("unsigned.x", "*"), body(""), three, false},
		{match("", "*"), body(""), three, false},
		{is("origin_server_ts", "7"), `{"origin_server_ts":7,"content":{}}`, three, true},

		// Paths.
		{match(`content.a\.b.c`, "x"), `{"content":{"a.b":{"c":"x"},"a":{"b":{"c":"y"}}}}`, three, true},
		{match(`content.a.b.c`, "y"), `{"content":{"a.b":{"c":"x"},"a":{"b":{"c":"y"}}}}`, three, true},
		{match(`content.a\\b`, "x"), `{"content":{"a\\b":"x"}}`, three, true},
		{match(`content.a\b`, "x"), `{"content":{"a\\b":"x"}}`, three, true},
		{match(`content.a\`, "x"), `{"content":{"a\\":"x"}}`, three, true},
		{match(`content.`, "x"), `{"content":{"":"x"}}`, three, true},
		{match(`content.l.0`, "x"), `{"content":{"l":["x"]}}`, three, false},
		{match(`content.a*`, "x"), `{"content":{"ab":"x"}}`, three, false},
		{match(`content.a|b`, "x"), `{"content":{"a|b":"x"}}`, three, true},
		{match(`content.ä`, "x"), `{"content":{"\u00e4":"x"}}`, three, true},

		// Words.
		{match("content.body", "cake"), body("Let them eat CAKE!"), three, true},
		{match("content.body", "cake"), body("cupcake"), three, false},
		{match("content.body", "cake"), body("cakes"), three, false},
		{match("content.body", "cake"), body("cake_"), three, false},
		{match("content.body", "cake"), body("cupcakes and cake"), three, true},
		{match("content.body", "cake"), body("cakeö"), three, true},
		{match("content.body", "cake*lie"), body("the cake is a lie."), three, true},
		{match("content.body", "cake*lie"), body("the cake is a lied"), three, false},
		{match("content.body", "cake*lie"), body("the cakes lie, cupcake, cake; belie lie"), three, true},
		{match("content.body", "cake*is*lie"), body("cake lie is"), three, false},
		{match("content.body", "c?ke"), body("a c☕ke"), three, true},
		{match("content.body", "c?ke"), body("a cke"), three, false},
		{match("content.body", "*ke"), body("a cake"), three, true},
		{match("content.body", "*ke"), body("a kebab"), three, false},
		{match("content.body", "ca*"), body("a cake"), three, true},
		{match("content.body", "ca*"), body("a scarf"), three, false},
		{match("content.body", "*"), body("x"), three, true},
		{match("content.body", "?"), body("ab"), three, false},
		{match("content.body", "?"), body("ab c"), three, true},
		{match("content.body", "@room"), body("hi @room"), three, true},
		{match("content.body", ""), body("anything"), three, true},
		{match("content.body", "cake"), `{"content":{"body":["cake"]}}`, three, false},
		{match(`content\.body`, "cake"), body("cake"), three, false},
		{match("content.formatted_body", "cake"), `{"content":{"formatted_body":"a cake"}}`, three, false},

		// Exact values.
		{is("content.v", `"X"`), `{"content":{"v":"x"}}`, three, false},
		{is("content.v", `"x\u0000☕"`), `{"content":{"v":"x\u0000\u2615"}}`, three, true},
		{is("content.v", `7`), `{"content":{"v":7}}`, three, true},
		{is("content.v", `7`), `{"content":{"v":7.0}}`, three, false},
		{is("content.v", `-9007199254740991`), `{"content":{"v":-9007199254740991}}`, three, true},
		{is("content.v", `9007199254740991`), `{"content":{"v":9007199254740992}}`, three, false},
		{is("content.v", `null`), `{"content":{"v":null}}`, three, true},
		{is("content.v", `null`), `{"content":{}}`, three, false},
		{is("content.v", `false`), `{"content":{"v":false}}`, three, true},
		{is("content.v", `false`), `{"content":{"v":null}}`, three, false},
		{is("content.v", `"[]"`), `{"content":{"v":[]}}`, three, false},
		{is("type", `"m.room.message"`), body(""), three, true},
		{has("content.v", `1`), `{"content":{"v":["1",[1],{"a":1},null,1]}}`, three, true},
		{has("content.v", `1`), `{"content":{"v":["1",[1],{"a":1},null]}}`, three, false},
		{has("content.v", `null`), `{"content":{"v":[0,null]}}`, three, true},
		{has("content.v", `"x"`), `{"content":{"v":"x"}}`, three, false},
		{has("content.v", `"x"`), `{"content":{"v":{"x":"x"}}}`, three, false},
		{has("content.v", `"x"`), `{"content":{}}`, three, false},

		// The room.
		{name, body("hello Bob Smith!"), called("bob smith"), true},
		{name, body("hello Bob Smithers"), called("Bob Smith"), false},
		{name, body("hello everyone"), called("*"), false},
		{name, body("hello b*b"), called("B*B"), true},
		{name, body("hello"), called(""), false},
		{name, `{"content":{}}`, called("x"), false},
		{count("3"), body(""), three, true},
		{count("==3"), body(""), three, true},
		{count("2"), body(""), three, false},
		{count("<3"), body(""), three, false},
		{count("<4"), body(""), three, true},
		{count(">3"), body(""), three, false},
		{count(">2"), body(""), three, true},
		{count("<=3"), body(""), three, true},
		{count("<=2"), body(""), three, false},
		{count(">=3"), body(""), three, true},
		{count(">=4"), body(""), three, false},
		{may, body(""), RoomContext{SenderPower: 49}, false},
		{may, body(""), RoomContext{SenderPower: 50}, true},
		{may, body(""), RoomContext{SenderPower: 50, Notifications: map[string]int64{"room": 51}}, false},
		{may, body(""), RoomContext{SenderPower: 0, Notifications: map[string]int64{"room": 0}}, true},
		{may, body(""), RoomContext{SenderPower: 0, Notifications: map[string]int64{"other": 0}}, false},
		{`{"kind":"org.unknown"}`, body(""), three, false},
	} {
		ch := &Changes{}
		r := rule(t, Override, "x", `{"actions":["notify"],"conditions":[`+c.condition+`]}`)
		if err := ch.Put(Override, r, "", ""); err != nil {
			t.Fatal(err)
		}
		a := Compile(me, ch).Evaluate(ev(t, c.event), c.room)
		if got := a.Rule == "x"; got != c.want {
			t.Errorf("%s on %s in %+v: got %v, want %v", c.condition, c.event, c.room, got, c.want)
		}
	}
}

func TestEvaluateDefaults(t *testing.T) {
	t.Parallel()
	rules := Compile(me, &Changes{})
	two, many := RoomContext{Members: 2}, RoomContext{Members: 9}
	for _, c := range []struct {
		event string
		room  RoomContext
		want  string // the rule, what it does, its sound
	}{
		{`{"content":{"msgtype":"m.text","body":"hi"}}`, many, ".m.rule.message n"},
		{`{"content":{"msgtype":"m.text","body":"hi"}}`, two, ".m.rule.room_one_to_one n default"},
		{`{"content":{"msgtype":"m.notice","body":"hi"}}`, two, ".m.rule.suppress_notices"},
		{`{"sender":"@me:here","content":{"msgtype":"m.text","body":"hi"}}`, two, ""},
		{`{"content":{"body":"hi","m.mentions":{"user_ids":["@x:here","@me:here"]}}}`, many, ".m.rule.is_user_mention nh default"},
		{`{"content":{"body":"hi","m.mentions":{"user_ids":["@ME:here"]}}}`, many, ".m.rule.message n"},
		{`{"content":{"body":"@room","m.mentions":{"room":true}}}`, many, ".m.rule.message n"},
		{`{"content":{"body":"@room","m.mentions":{"room":true}}}`, RoomContext{SenderPower: 50}, ".m.rule.is_room_mention nh"},
		{`{"content":{"body":"* hi","m.relates_to":{"rel_type":"m.replace"}}}`, two, ".m.rule.suppress_edits"},
		// Without m.mentions the whole user id in the body mentions, and nothing less.
		{`{"content":{"body":"hi @me:here, come"}}`, many, ".m.rule.is_user_mention nh default"},
		{`{"content":{"body":"hi me @me me: @me:heres"}}`, RoomContext{DisplayName: "me"}, ".m.rule.message n"},
		{`{"content":{"body":"hi me @me:here me","m.mentions":{}}}`, RoomContext{DisplayName: "me"}, ".m.rule.message n"},
		{`{"type":"m.room.encrypted","content":{}}`, many, ".m.rule.encrypted n"},
		{`{"type":"m.room.encrypted","content":{}}`, two, ".m.rule.encrypted_room_one_to_one n default"},
		{`{"type":"m.call.invite","content":{}}`, many, ".m.rule.call n ring"},
		{`{"type":"m.reaction","content":{}}`, two, ".m.rule.reaction"},
		{`{"type":"m.room.member","state_key":"@me:here","content":{"membership":"invite"}}`, many, ".m.rule.invite_for_me n default"},
		{`{"type":"m.room.member","state_key":"@x:here","content":{"membership":"invite"}}`, many, ".m.rule.member_event"},
		{`{"type":"m.room.tombstone","state_key":"","content":{}}`, many, ".m.rule.tombstone nh"},
		{`{"type":"m.room.tombstone","content":{}}`, many, ""},
		{`{"type":"m.room.server_acl","state_key":"","content":{}}`, many, ".m.rule.room.server_acl"},
		{`{"type":"m.room.topic","state_key":"","content":{}}`, many, ""},
	} {
		if got := describe(rules.Evaluate(ev(t, c.event), c.room)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.event, got, c.want)
		}
	}
}

func describe(a Actions) string {
	s := a.Rule
	if a.Notify {
		s += " n"
	}
	if a.Highlight {
		s += "h"
	}
	if v := a.Tweaks["sound"]; v != nil {
		s += " " + strings.Trim(string(v), `"`)
	}
	return s
}

// TestPriority builds up rules of which each takes precedence over all before.
func TestPriority(t *testing.T) {
	t.Parallel()
	c := &Changes{}
	const tea = `{"content":{"msgtype":"m.text","body":"time for tea"}}`
	check := func(want string) {
		t.Helper()
		// The compiled rules are those of the stored form.
		stored, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseChanges(stored)
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(Compile(me, back).Evaluate(ev(t, tea), RoomContext{Members: 4})); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	put := func(k Kind, id, body, after string) {
		t.Helper()
		if err := c.Put(k, rule(t, k, id, body), "", after); err != nil {
			t.Fatal(err)
		}
	}
	enable := func(k Kind, id string, on bool) {
		t.Helper()
		if err := c.Enable(k, id, on); err != nil {
			t.Fatal(err)
		}
	}
	check(".m.rule.message n")
	put(Underride, "under", `{"actions":["notify",{"set_tweak":"sound","value":"a"}]}`, "")
	check("under n a")
	put(Sender, "@other:here", `{"actions":[]}`, "")
	check("under n a")
	put(Sender, "@you:here", `{"actions":["dont_notify"]}`, "")
	check("@you:here")
	put(Room, "!other:here", `{"actions":["notify"]}`, "")
	check("@you:here")
	put(Room, "!room:here", `{"actions":["notify",{"set_tweak":"highlight","value":false}]}`, "")
	check("!room:here n")
	put(Content, "x", `{"pattern":"time","actions":["notify",{"set_tweak":"highlight"}]}`, "")
	check("x nh")
	put(Content, "y", `{"pattern":"tea","actions":["notify"]}`, "x")
	check("x nh")
	put(Content, "z", `{"pattern":"tea","actions":[{"set_tweak":"highlight","value":true}]}`, "")
	check("zh")
	put(Override, "o", `{"actions":[]}`, "")
	check("o")
	enable(Override, "o", false)
	check("zh")
	enable(Override, "o", true)
	check("o")
	enable(Override, master, true)
	check(master)
	enable(Override, master, false)
	for _, r := range []struct {
		k  Kind
		id string
	}{{Override, "o"}, {Content, "z"}, {Content, "x"}, {Content, "y"}, {Room, "!room:here"}, {Sender, "@you:here"}, {Underride, "under"}} {
		enable(r.k, r.id, false)
	}
	enable(Underride, ".m.rule.message", false)
	check("")
}

// TestCostly: patterns and texts made to take long don't.
func TestCostly(t *testing.T) {
	t.Parallel()
	c := &Changes{}
	for i, pattern := range []string{strings.Repeat("a?", 2000) + "b", strings.Repeat("*a?", 2000) + "b", strings.Repeat("a", 4000), strings.Repeat("*a", 2000) + "b"} {
		for n := range 8 {
			if err := c.Put(Content, rule(t, Content, fmt.Sprint(i, n), `{"pattern":"`+pattern+`","actions":[]}`), "", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	rules := Compile(me, c)
	e := ev(t, `{"content":{"body":"`+strings.Repeat("a", 60000)+`"}}`)
	x := &evaluation{ev: e, room: &RoomContext{}, budget: evaluationBudget}
	if _, ok := x.first(rules.content); ok {
		t.Error("matched")
	}
	if x.budget > 0 || x.budget < -evaluationBudget {
		t.Errorf("%d of the budget are left", x.budget)
	}
}
