package slack_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/tools"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// emulated is a workspace of Slack as others, who have never seen this bridge, understand its Web API.
type emulated struct {
	t    *testing.T
	base string
}

// newEmulated starts the package emulate.
func newEmulated(t *testing.T) *emulated {
	t.Helper()
	node := tools.NewNode(t, "sdk")
	addr := ports.Addr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	script := tools.Start(t.Context(), t, node.Program, node.Script(t, filepath.Join("sdk", "emulate.mjs")), port)
	if !script.Lines.Scan() || script.Lines.Text() != "ready" {
		t.Fatalf("emulate does not start: %q %v", script.Lines.Text(), script.Wait())
	}
	return &emulated{t, "http://" + addr + "/api/"}
}

// call calls a method with somebody's token.
func (e *emulated) call(ctx context.Context, token, method string, args url.Values) (answer obj) {
	e.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", e.base+method, strings.NewReader(args.Encode()))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer["ok"] != true {
		e.t.Fatalf("%s: %v %v", method, answer, err)
	}
	return answer
}

// said are the messages of a channel, newest first.
func (e *emulated) said(ctx context.Context, channel string) (list []obj) {
	e.t.Helper()
	messages, _ := e.call(ctx, "xoxb-emulate", "conversations.history", url.Values{"channel": {channel}})["messages"].([]any)
	for _, m := range messages {
		list = append(list, m.(map[string]any))
	}
	return list
}

// TestEmulate has the bridge speak with a Web API that others wrote: rooms, history, what was missed, and what is said on Matrix.
func TestEmulate(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience())
	defer cancel()
	const alice, bot = "xoxp-alice", "xoxb-emulate"
	channel := ""
	channels, _ := e.call(ctx, alice, "conversations.list", nil)["channels"].([]any)
	for _, c := range channels {
		if c := c.(map[string]any); c["name"] == "general" {
			channel, _ = c["id"].(string)
		}
	}
	for _, token := range []string{alice, bot} {
		e.call(ctx, token, "conversations.join", url.Values{"channel": {channel}})
	}
	say := func(text string, extra url.Values) string {
		args := url.Values{"channel": {channel}, "text": {text}}
		for key, v := range extra {
			args[key] = v
		}
		ts, _ := e.call(ctx, alice, "chat.postMessage", args)["ts"].(string)
		return ts
	}
	root := say("from the *past*", nil)
	say("in a thread", url.Values{"thread_ts": {root}})
	edited := say("to be edited", nil)
	deleted := say("to be deleted", nil)
	e.call(ctx, alice, "reactions.add", url.Values{"channel": {channel}, "timestamp": {root}, "name": {"tada"}})

	k := &talk{t: t, ctx: ctx}
	k.serve(fmt.Sprintf("bridges:\n  - id: slack\n    module: slack\n    config:\n      workspaces:\n        - id: acme\n          bot_token: %s\n          events: http\n"+
		"          signing_secret: %s\n          listen: %q\n          history: all\n          api_url: %s\n", bot, slacktest.SigningSecret, ports.Addr(t), e.base))
	k.room = k.join("general")
	k.await("the reaction", ofType("m.reaction"))
	k.until("the past", func() bool {
		return slices.Equal(k.bodies(), []string{"from the past", "in a thread", "to be edited", "to be deleted"})
	})

	first := k.say("from Matrix")
	find := func(what string, match func(obj) bool) (found obj) {
		t.Helper()
		k.until(what, func() bool {
			list := e.said(ctx, channel)
			i := slices.IndexFunc(list, match)
			if i >= 0 {
				found = list[i]
			}
			return i >= 0
		})
		return found
	}
	sent := find("a message", func(m obj) bool { return m["text"] == "from Matrix" })
	k.send("m.room.message", obj{"msgtype": "m.text", "body": "* better", "m.new_content": obj{"msgtype": "m.text", "body": "better"},
		"m.relates_to": obj{"rel_type": "m.replace", "event_id": first}})
	find("its edit", func(m obj) bool { return m["ts"] == sent["ts"] && m["text"] == "better" })
	k.send("m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": first, "key": "\U0001f44d"}})
	find("a reaction", func(m obj) bool { return m["ts"] == sent["ts"] && m["reactions"] != nil })

	if err := k.server.Kill(); err != nil {
		t.Fatal(err)
	}
	say("while it was away", nil)
	e.call(ctx, alice, "chat.update", url.Values{"channel": {channel}, "ts": {edited}, "text": {"was edited"}})
	e.call(ctx, alice, "chat.delete", url.Values{"channel": {channel}, "ts": {deleted}})
	if err := k.server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	k.until("what was missed", func() bool {
		return slices.Equal(k.bodies(), []string{"from the past", "in a thread", "to be edited", "", "from Matrix", "while it was away"})
	})
	k.await("the edit", func(e bridgetest.Event) bool {
		return relationOf(e).Type == "m.replace" && e.Field("body") == "* was edited"
	})
	if err := k.anna.Do(ctx, "PUT", "/v3/rooms/"+k.room+"/redact/"+first+"/t", obj{}, nil); err != nil {
		t.Fatal(err)
	}
	k.until("the deletion", func() bool {
		return !slices.ContainsFunc(e.said(ctx, channel), func(m obj) bool { return m["ts"] == sent["ts"] })
	})
}
