package homeserver

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

type pushRule struct {
	ID         string           `json:"rule_id"`
	Default    *bool            `json:"default"`
	Enabled    *bool            `json:"enabled"`
	Pattern    string           `json:"pattern"`
	Conditions []map[string]any `json:"conditions"`
	Actions    []any            `json:"actions"`
}

type pushRuleset map[string][]pushRule

func (s pushRuleset) ids(kind string) (ids []string) {
	for _, r := range s[kind] {
		if !*r.Default {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// syncPushRules makes a sync and returns the m.push_rules in it; nil for none.
func (h *hs) syncPushRules(token, since string, timeout time.Duration) (rules pushRuleset, next string) {
	h.Helper()
	var s struct {
		Next string `json:"next_batch"`
		Data struct {
			Events []struct {
				Type    string
				Content struct{ Global pushRuleset }
			}
		} `json:"account_data"`
	}
	h.must(token, "GET", fmt.Sprintf("/v3/sync?since=%s&timeout=%d", since, timeout.Milliseconds()), nil, &s)
	for _, e := range s.Data.Events {
		if e.Type == "m.push_rules" {
			if rules != nil {
				h.Error("push rules twice in one sync")
			}
			rules = e.Content.Global
		}
	}
	return rules, s.Next
}

func TestPushRulesRead(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	for _, path := range []string{"/v3/pushrules/", "/r0/pushrules/", "/v3/user/@alice:test/account_data/m.push_rules"} {
		var all struct{ Global pushRuleset }
		h.must(alice, "GET", path, nil, &all)
		if all.Global["override"][0].ID != ".m.rule.master" || len(all.Global) != 5 || all.Global["room"] == nil {
			t.Errorf("%s: %v", path, all.Global)
		}
	}
	for _, path := range []string{"/v3/pushrules/global/", "/r0/pushrules/global/"} {
		var all pushRuleset
		h.must(alice, "GET", path, nil, &all)
		if all["underride"][0].ID != ".m.rule.call" || len(all) != 5 {
			t.Errorf("%s: %v", path, all)
		}
	}
	var r pushRule
	h.must(alice, "GET", "/v3/pushrules/global/override/.m.rule.invite_for_me", nil, &r)
	if r.ID != ".m.rule.invite_for_me" || !*r.Enabled || !*r.Default || r.Conditions[2]["pattern"] != "@alice:test" {
		t.Errorf("got %+v", r)
	}
	for path, want := range map[string]int{
		"/v3/pushrules/global/override/.m.rule.none":         404,
		"/v3/pushrules/global/override/.m.rule.none/enabled": 404,
		"/v3/pushrules/global/override/.m.rule.none/actions": 404,
		"/v3/pushrules/global/content/.m.rule.master":        404,
		"/v3/pushrules/global/strange/.m.rule.master":        404,
		"/v3/pushrules/device/override/.m.rule.master":       400,
		"/v3/pushrules/global/override/.m.rule.master/more":  400,
	} {
		if got := h.call(alice, "GET", path, nil, nil); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := h.call("", "GET", "/v3/pushrules/", nil, nil); got != 401 {
		t.Errorf("without a token: %d", got)
	}
	if got := h.call(alice, "PUT", "/v3/user/@alice:test/account_data/m.push_rules", map[string]any{"global": map[string]any{}}, nil); got != 405 {
		t.Errorf("writing the account data: %d", got)
	}
}

func TestPushRulesChange(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	rules, since := h.syncPushRules(alice, "", 0)
	if len(rules["override"]) == 0 || *rules["override"][0].Enabled {
		t.Fatalf("the initial sync has %v", rules)
	}
	_, bobSince := h.syncPushRules(bob, "", 0)

	const g = "/v3/pushrules/global/"
	actions := obj{"actions": []any{"notify"}}
	var r pushRule
	for _, step := range []struct {
		method, path string
		body         any
		check        func(s pushRuleset) bool
	}{
		{"PUT", "room/!r:test", obj{"actions": []any{"dont_notify"}}, func(s pushRuleset) bool { return s["room"][0].ID == "!r:test" && len(s["room"][0].Actions) == 1 }},
		{"PUT", "content/" + url.PathEscape("käse?"), obj{"actions": []any{}, "pattern": "käse"}, func(s pushRuleset) bool { return s["content"][0].ID == "käse?" && s["content"][0].Pattern == "käse" }},
		{"PUT", "override/a", actions, func(s pushRuleset) bool { return s["override"][0].ID == ".m.rule.master" && s["override"][1].ID == "a" }},
		{"PUT", "override/b?after=a", actions, func(s pushRuleset) bool { return slices.Equal(s.ids("override"), []string{"a", "b"}) }},
		{"PUT", "override/b?before=a", actions, func(s pushRuleset) bool { return slices.Equal(s.ids("override"), []string{"b", "a"}) }},
		{"PUT", "override/b/enabled", obj{"enabled": false}, func(s pushRuleset) bool { return !*s["override"][1].Enabled }},
		{"PUT", "override/b/enabled", obj{"enabled": true}, func(s pushRuleset) bool { return *s["override"][1].Enabled }},
		{"PUT", "override/b/actions", obj{"actions": []any{}}, func(s pushRuleset) bool { return len(s["override"][1].Actions) == 0 }},
		{"PUT", "override/.m.rule.master/enabled", obj{"enabled": true}, func(s pushRuleset) bool { return *s["override"][0].Enabled && *s["override"][0].Default }},
		{"PUT", "underride/.m.rule.message/actions", obj{"actions": []any{}}, func(s pushRuleset) bool { return len(s["underride"][3].Actions) == 0 }},
		{"DELETE", "override/b", nil, func(s pushRuleset) bool { return slices.Equal(s.ids("override"), []string{"a"}) }},
	} {
		// The change wakes a waiting sync, which has the whole of the rules.
		h.must(alice, step.method, g+step.path, step.body, nil)
		rules, since = h.syncPushRules(alice, since, 10*time.Second)
		if rules == nil || !step.check(rules) {
			t.Errorf("%s %s: %v", step.method, step.path, rules)
		}
	}
	h.must(alice, "GET", g+"override/a", nil, &r)
	if r.ID != "a" || *r.Default || !*r.Enabled {
		t.Errorf("got %+v", r)
	}
	var e struct{ Enabled bool }
	h.must(alice, "GET", g+"override/.m.rule.master/enabled", nil, &e)
	var acts struct{ Actions []any }
	h.must(alice, "GET", g+"underride/.m.rule.message/actions", nil, &acts)
	if !e.Enabled || acts.Actions == nil || len(acts.Actions) != 0 {
		t.Errorf("got %v %v", e, acts)
	}

	for _, bad := range []struct {
		method, path string
		body         any
		want         int
	}{
		{"PUT", "override/.x", actions, 400},
		{"PUT", "override/.m.rule.master", actions, 400},
		{"PUT", "override/a%2Fb", actions, 400},
		{"PUT", "override/a%5Cb", actions, 400},
		{"PUT", "override/%FF", actions, 400},
		{"PUT", "override/", actions, 400},
		{"PUT", "strange/x", actions, 400},
		{"PUT", "override/x?before=nothing", actions, 400},
		{"PUT", "override/x?after=%FF", actions, 400},
		{"PUT", "override/x?before=.m.rule.reaction", actions, 400},
		{"PUT", "override/x", obj{}, 400},
		{"PUT", "override/x", obj{"actions": []any{"jump"}}, 400},
		{"PUT", "override/x", obj{"actions": []any{}, "conditions": []any{obj{}}}, 400},
		{"PUT", "content/x", actions, 400},
		{"PUT", "override/x/enabled", obj{"enabled": true}, 404},
		{"PUT", "override/x/actions", actions, 404},
		{"PUT", "override/a/enabled", obj{}, 400},
		{"PUT", "override/a/actions", obj{"actions": []any{7}}, 400},
		{"PUT", "strange/a/enabled", obj{"enabled": true}, 404},
		{"DELETE", "override/x", nil, 404},
		{"DELETE", "override/.m.rule.master", nil, 400},
		{"DELETE", "strange/a", nil, 404},
	} {
		if got := h.call(alice, bad.method, g+bad.path, bad.body, nil); got != bad.want {
			t.Errorf("%s %s: %d, want %d", bad.method, bad.path, got, bad.want)
		}
	}
	// Nothing of that changed anything, nor did what is so already.
	h.must(alice, "PUT", g+"override/a/enabled", obj{"enabled": true}, nil)
	if after, _ := h.syncPushRules(alice, since, 0); after != nil {
		t.Errorf("changed to %v", after)
	}
	if after, _ := h.syncPushRules(bob, bobSince, 0); after != nil {
		t.Errorf("Bob was told %v", after)
	}
	var got struct{ Global pushRuleset }
	h.must(alice, "GET", "/v3/user/@alice:test/account_data/m.push_rules", nil, &got)
	initial, _ := h.syncPushRules(alice, "", 0)
	if text(t, got.Global) != text(t, rules) || text(t, initial) != text(t, rules) {
		t.Errorf("account data, initial sync and sync differ: %s\n%s\n%s", text(t, got.Global), text(t, initial), text(t, rules))
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestPushRulesTogether has several clients change a user's rules at the same time.
func TestPushRulesTogether(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice := h.user("alice")
	const clients, each = 8, 10
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				path := fmt.Sprintf("/v3/pushrules/global/sender/@u%d.%d:test", c, i)
				if got := h.call(alice, "PUT", path, map[string]any{"actions": []any{}}, nil); got != 200 {
					t.Errorf("%s: %d", path, got)
				}
			}
		})
	}
	wg.Wait()
	var all pushRuleset
	h.must(alice, "GET", "/v3/pushrules/global/", nil, &all)
	if got := len(all["sender"]); got != clients*each {
		t.Errorf("%d rules are left of %d", got, clients*each)
	}
	// In each client's own order the newest is first.
	last := map[string]string{}
	for _, r := range all["sender"] {
		who, n, _ := strings.Cut(strings.TrimSuffix(r.ID, ":test"), ".")
		if before, ok := last[who]; ok && before <= n {
			t.Errorf("%s: %s before %s", who, before, n)
		}
		last[who] = n
	}
}
