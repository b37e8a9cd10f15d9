package push

import (
	"encoding/json/jsontext"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := mxerror.As(err); ok {
		return strconv.Itoa(e.Status) + " " + e.Code
	}
	return err.Error()
}

func rule(t testing.TB, k Kind, id, body string) Rule {
	t.Helper()
	r, err := ParseRule(k, id, []byte(body))
	if err != nil {
		t.Fatalf("%s %s %s: %v", k, id, body, err)
	}
	return r
}

func ids(rules []Rule) string {
	var out []string
	for _, r := range rules {
		out = append(out, r.ID)
	}
	return strings.Join(out, " ")
}

func TestOrder(t *testing.T) {
	t.Parallel()
	type step struct{ id, before, after string }
	for _, c := range []struct {
		name  string
		steps []step
		want  string
		err   string
	}{
		{"newest first", []step{{"a", "", ""}, {"b", "", ""}, {"c", "", ""}}, "c b a", ""},
		{"an update stays", []step{{"a", "", ""}, {"b", "", ""}, {"a", "", ""}}, "b a", ""},
		{"before", []step{{"a", "", ""}, {"b", "", ""}, {"c", "a", ""}}, "b c a", ""},
		{"after", []step{{"a", "", ""}, {"b", "", ""}, {"c", "", "b"}}, "b c a", ""},
		{"after the last", []step{{"a", "", ""}, {"b", "", "a"}}, "a b", ""},
		{"before wins", []step{{"a", "", ""}, {"b", "", ""}, {"c", "", ""}, {"d", "a", "c"}}, "c b d a", ""},
		{"moved up", []step{{"a", "", ""}, {"b", "", ""}, {"c", "", ""}, {"a", "c", ""}}, "a c b", ""},
		{"moved down", []step{{"a", "", ""}, {"b", "", ""}, {"c", "", ""}, {"c", "", "a"}}, "b a c", ""},
		{"beside itself", []step{{"a", "", ""}, {"b", "", ""}, {"b", "b", ""}, {"a", "", "a"}}, "b a", ""},
		{"before itself, new", []step{{"a", "", ""}, {"b", "b", ""}}, "a", "400 M_UNKNOWN"},
		{"unknown before", []step{{"a", "", ""}, {"b", "x", ""}}, "a", "400 M_UNKNOWN"},
		{"unknown after", []step{{"a", "", ""}, {"b", "", "x"}}, "a", "400 M_UNKNOWN"},
		{"a default", []step{{"a", "", ""}, {"b", "", master}}, "a", "400 M_INVALID_PARAM"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ch, err := &Changes{}, error(nil)
			for _, s := range c.steps {
				if err = ch.Put(Override, rule(t, Override, s.id, `{"actions":[]}`), s.before, s.after); err != nil {
					break
				}
			}
			if code(err) != c.err {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if got := ids(ch.Made[Override]); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			all := ch.Rules(me).Override
			if all[0].ID != master || ids(all[1:len(all)-9]) != c.want {
				t.Errorf("user rules are not between master and the others: %s", ids(all))
			}
		})
	}
}

// TestOrderOfKinds: a rule may be beside one of its own kind only.
func TestOrderOfKinds(t *testing.T) {
	t.Parallel()
	c := &Changes{}
	if err := c.Put(Room, rule(t, Room, "!r:here", `{"actions":[]}`), "", ""); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(Sender, rule(t, Sender, "@s:here", `{"actions":[]}`), "!r:here", ""); code(err) != "400 M_UNKNOWN" {
		t.Error(err)
	}
	if err := c.Put(Underride, rule(t, Underride, "u", `{"actions":[]}`), "", ""); err != nil {
		t.Fatal(err)
	}
	if got := c.Rules(me).Underride[0].ID; got != "u" {
		t.Errorf("%s is before the user's underride rule", got)
	}
}

func TestEdit(t *testing.T) {
	t.Parallel()
	c := &Changes{}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Put(Content, rule(t, Content, "tea", `{"pattern":"tea","actions":["notify"]}`), "", ""))
	must(c.Enable(Content, "tea", false))
	// The update changes the parameters, and not whether the rule is on.
	must(c.Put(Content, rule(t, Content, "tea", `{"pattern":"te*","actions":[]}`), "", ""))
	must(c.SetActions(Content, "tea", list(`{"set_tweak":"highlight"}`)))
	must(c.Enable(Override, master, true))
	must(c.SetActions(Underride, ".m.rule.message", []jsontext.Value{}))
	must(c.Enable(Underride, ".m.rule.message", false))
	must(c.Enable(Underride, ".m.rule.message", true))

	stored, err := c.encode()
	must(err)
	const want = `{"made":{"content":[{"rule_id":"tea","default":false,"enabled":false,"pattern":"te*","actions":[{"set_tweak":"highlight"}]}]},` +
		`"defaults":{".m.rule.master":{"enabled":true},".m.rule.message":{"actions":[]}}}`
	if stored != want {
		t.Errorf("stored %s\nwant   %s", stored, want)
	}
	if c, err = ParseChanges(stored); err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		kind    Kind
		id      string
		enabled bool
		actions string
	}{
		{Content, "tea", false, `[{"set_tweak":"highlight"}]`},
		{Override, master, true, `[]`},
		{Underride, ".m.rule.message", true, `[]`},
		{Underride, ".m.rule.encrypted", true, `["notify"]`},
	} {
		r, err := c.Rules(me).Find(w.kind, w.id)
		if err != nil || r.Enabled != w.enabled || encoded(t, r.Actions) != w.actions {
			t.Errorf("%s: %v %v %s", w.id, err, r.Enabled, r.Actions)
		}
	}
	for what, err := range map[string]error{
		"enable":           c.Enable(Room, "tea", true),
		"actions":          c.SetActions(Content, "coffee", nil),
		"delete":           c.Delete(Content, "coffee"),
		"other kind":       c.Enable(Underride, master, true),
		"delete of a kind": c.Delete(Override, "tea"),
	} {
		if code(err) != "404 M_NOT_FOUND" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := c.Delete(Override, master); code(err) != "400 M_INVALID_PARAM" {
		t.Error(err)
	}

	// Back to the defaults nothing is kept.
	must(c.Delete(Content, "tea"))
	must(c.Enable(Override, master, false))
	must(c.SetActions(Underride, ".m.rule.message", list(`"notify"`)))
	if stored, err := c.encode(); stored != "{}" {
		t.Errorf("kept %s, %v", stored, err)
	}
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	c := &Changes{}
	body := `{"pattern":"` + strings.Repeat("x", 15<<10) + `","actions":[]}`
	var err error
	for i := 0; err == nil && i < 100; i++ {
		if err = c.Put(Content, rule(t, Content, strconv.Itoa(i), body), "", ""); err == nil {
			_, err = c.encode()
		}
	}
	if code(err) != "413 M_TOO_LARGE" {
		t.Error(err)
	}
}

func TestParseRule(t *testing.T) {
	t.Parallel()
	const invalid, missing = "400 M_INVALID_PARAM", "400 M_MISSING_PARAM"
	for _, c := range []struct {
		kind     Kind
		id, body string
		want     string // an error, or the rule's conditions, pattern and actions
	}{
		{Override, "x", `{"actions":[]}`, `[] - []`},
		{Override, "x", `{"actions":["notify"],"conditions":null,"more":{}}`, `[] - ["notify"]`},
		{Room, "x", `{"actions":["dont_notify"],"conditions":[7],"pattern":"p"}`, `- - ["dont_notify"]`},
		{Sender, "x", `{"actions":["coalesce", "notify", {"set_tweak": "sound", "value": {"deep": [ ]}}]}`, `- - ["coalesce","notify",{"set_tweak":"sound","value":{"deep":[]}}]`},
		{Content, "x", `{"actions":[],"pattern":"a*b"}`, `- a*b []`},
		{Underride, "x", `{"actions":[],"conditions":[ {"kind": "org.new", "key": 7} ]}`, `[{"kind":"org.new","key":7}] - []`},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"event_property_is","key":"k","value":null}]}`, `[{"kind":"event_property_is","key":"k","value":null}] - []`},

		{Content, "x", `{"actions":[]}`, missing},
		{Content, "x", `{"actions":[],"pattern":null}`, missing},
		{Content, "x", `{"actions":[],"pattern":7}`, invalid},
		{Override, "x", `{}`, missing},
		{Override, "x", `{"actions":null}`, missing},
		{Override, "x", `{"actions":"notify"}`, invalid},
		{Override, "x", `{"actions":["nothing"]}`, invalid},
		{Override, "x", `{"actions":[7]}`, invalid},
		{Override, "x", `{"actions":[null]}`, invalid},
		{Override, "x", `{"actions":[{}]}`, missing},
		{Override, "x", `{"actions":[{"set_tweak":""}]}`, missing},
		{Override, "x", `{"actions":[{"set_tweak":7}]}`, invalid},
		{Override, "x", `{"actions":[` + strings.Repeat(`"notify",`, maxItems) + `"notify"]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":{}}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[null]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{}]}`, missing},
		{Override, "x", `{"actions":[],"conditions":[{"kind":7}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[` + strings.Repeat(`{"kind":"x"},`, maxItems) + `{"kind":"x"}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"event_match","key":"k"}]}`, missing},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"event_match","pattern":"k"}]}`, missing},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"event_match","key":7,"pattern":"k"}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"event_property_is","key":"k"}]}`, missing},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"event_property_is","key":"k","value":[]}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"event_property_contains","key":"k","value":1.5}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"event_property_contains","key":"k","value":9007199254740992}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"room_member_count"}]}`, missing},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"room_member_count","is":2}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"room_member_count","is":"=2"}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"room_member_count","is":"> 2"}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"room_member_count","is":"-2"}]}`, invalid},
		{Override, "x", `{"actions":[],"conditions":[{"kind":"sender_notification_permission"}]}`, missing},
		{Override, "x", `{"actions":[],"actions":[]}`, "400 M_BAD_JSON"},
		{Override, "x", `{"actions":[{"set_tweak":"a","set_tweak":"b"}]}`, "400 M_BAD_JSON"},
		{Override, "x", `[]`, "400 M_BAD_JSON"},
		{Override, "x", `{"actions":[]`, "400 M_NOT_JSON"},
		{Override, "x", "{\"actions\":[],\"\xff\":0}", "400 M_NOT_JSON"},
		{Override, "x", `{"actions":[],"pad":"` + strings.Repeat("x", maxRule) + `"}`, "413 M_TOO_LARGE"},
		{Override, "", `{"actions":[]}`, invalid},
		{Override, ".x", `{"actions":[]}`, invalid},
		{Override, "a/b", `{"actions":[]}`, invalid},
		{Override, `a\b`, `{"actions":[]}`, invalid},
		{Override, "\xff", `{"actions":[]}`, invalid},
		{Override, strings.Repeat("x", maxID+1), `{"actions":[]}`, invalid},
	} {
		r, err := ParseRule(c.kind, c.id, []byte(c.body))
		got := code(err)
		if err == nil {
			conditions, pattern := "-", "-"
			if r.Conditions != nil {
				conditions = join(r.Conditions)
			}
			if r.Pattern != nil {
				pattern = *r.Pattern
			}
			got = conditions + " " + pattern + " " + join(r.Actions)
		}
		if got != c.want {
			t.Errorf("%s %q %.80s: got %s, want %s", c.kind, c.id, c.body, got, c.want)
		}
	}
}

func join(values []jsontext.Value) string {
	var out []string
	for _, v := range values {
		out = append(out, string(v))
	}
	return "[" + strings.Join(out, ",") + "]"
}

func TestParseOthers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"enabled":true}`: "true", `{"enabled":false}`: "false", `{}`: "400 M_MISSING_PARAM", `{"enabled":"yes"}`: "400 M_INVALID_PARAM", `true`: "400 M_BAD_JSON",
	} {
		on, err := ParseEnabled([]byte(body))
		if got := code(err); got != want && (err != nil || strconv.FormatBool(on) != want) {
			t.Errorf("%s: %v %v", body, on, err)
		}
	}
	for body, want := range map[string]string{
		`{"actions":["notify"]}`: `["notify"]`, `{"actions":["dont_notify"]}`: `["dont_notify"]`, `{}`: "400 M_MISSING_PARAM", `{"actions":[0]}`: "400 M_INVALID_PARAM",
	} {
		a, err := ParseActions([]byte(body))
		if got := code(err); got != want && (err != nil || join(a) != want) {
			t.Errorf("%s: %s %v", body, a, err)
		}
	}
	for _, k := range []string{"override", "content", "room", "sender", "underride"} {
		if got, err := ParseKind(k); string(got) != k || err != nil {
			t.Error(k, got, err)
		}
	}
	if _, err := ParseKind("device"); code(err) != "404 M_NOT_FOUND" {
		t.Error(err)
	}
}

// TestShared: what Rules returned stays as it is when the changes go on.
func TestShared(t *testing.T) {
	t.Parallel()
	c := &Changes{}
	for _, id := range []string{"a", "b", "c"} {
		if err := c.Put(Sender, rule(t, Sender, id, `{"actions":[]}`), "", ""); err != nil {
			t.Fatal(err)
		}
	}
	was := c.Made[Sender]
	copied := slices.Clone(was)
	if err := c.Enable(Sender, "a", false); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(Sender, "c"); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(Sender, rule(t, Sender, "d", `{"actions":[]}`), "a", ""); err != nil {
		t.Fatal(err)
	}
	if ids(was) != ids(copied) || !was[2].Enabled {
		t.Errorf("changed to %v", was)
	}
}
