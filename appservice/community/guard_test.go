package community

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"
)

// homeserver answers requests; ghosts may act where they have joined.
type homeserver struct {
	joined map[string]bool
	seen   []string
}

func (h *homeserver) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		raw, _ := io.ReadAll(req.Body)
		body = string(raw)
	}
	who := req.URL.Query().Get("user_id")
	h.seen = append(h.seen, req.Method+" "+strings.TrimPrefix(req.URL.Path, "/_matrix/client/v3/")+" "+who+" "+body)
	status, answer := 200, `{"event_id":"$real","room_id":"!made"}`
	switch {
	case strings.HasSuffix(req.URL.Path, "/invite"):
		h.joined["invited"] = true
	case strings.HasSuffix(req.URL.Path, "/join"):
		if h.joined["invited"] || h.joined["public"] {
			h.joined[who] = true
		} else {
			status = 403
		}
	case strings.HasPrefix(who, "@g_") && !h.joined[who]:
		status = 403
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(answer)), Header: http.Header{}, Request: req}, nil
}

func TestGuard(t *testing.T) {
	t.Parallel()
	m := Mapping{Members: Active, Channels: []Channel{{Channel: "Kept", Room: "!kept:x", Members: All}, {Channel: "still", Members: None}}}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, method, path, user, body string
		public, there                  bool
		status                         int
		answer                         string   // begins so
		seen                           []string // by the homeserver, each begins so
	}{
		{name: "name of a kept room", method: "PUT", path: "rooms/!kept:x/state/m.room.name", body: `{}`, status: 200, answer: `{"event_id":"$kept"`},
		{name: "mark in a kept room", method: "PUT", path: "rooms/!kept:x/state/m.bridge/me", status: 200, seen: []string{"PUT rooms/!kept:x/state/m.bridge/me"}},
		{name: "a kept room is not emptied", method: "POST", path: "rooms/!kept:x/kick", body: `{"user_id":"@anna:x","reason":"Deleting portal"}`, status: 200},
		{name: "who is bad is kicked from a kept room", method: "POST", path: "rooms/!kept:x/kick", body: `{"user_id":"@anna:x","reason":"bad"}`, status: 200,
			seen: []string{`POST rooms/!kept:x/kick  {"user_id":"@anna:x","reason":"bad"}`}},
		{name: "join of a kept room", method: "POST", path: "join/!kept:x", user: "@g_a:x", status: 403, seen: []string{"POST join/!kept:x @g_a:x"}},
		{name: "name of the bridge's room", method: "PUT", path: "rooms/!active/state/m.room.name", status: 200, seen: []string{"PUT rooms/!active/state/m.room.name"}},
		{name: "join", method: "POST", path: "join/!active", user: "@g_a:x", status: 200, answer: `{"room_id":"!active"}`},
		{name: "join of the bot", method: "POST", path: "join/!active", status: 200, seen: []string{"POST join/!active"}},
		{name: "invitation", method: "POST", path: "rooms/!active/invite", body: `{"user_id":"@g_a:x"}`, status: 200},
		{name: "invitation of a person", method: "POST", path: "rooms/!active/invite", body: `{"user_id":"@anna:x"}`, status: 200, seen: []string{`POST rooms/!active/invite  {"user_id":"@anna:x"}`}},
		{name: "membership", method: "PUT", path: "rooms/!active/state/m.room.member/@g_a:x", body: `{"membership":"invite"}`, status: 200},
		{name: "ban", method: "PUT", path: "rooms/!active/state/m.room.member/@g_a:x", body: `{"membership":"ban"}`, status: 200, seen: []string{"PUT rooms/!active/state/m.room.member/@g_a:x"}},
		{name: "first word", method: "PUT", path: "rooms/!active/send/m.room.message/1", user: "@g_a:x", body: `{"body":"hi"}`, status: 200,
			seen: []string{"PUT rooms/!active/send/", "POST rooms/!active/join @g_a:x", "POST rooms/!active/invite  {\"user_id\":\"@g_a:x\"}", "POST rooms/!active/join @g_a:x", `PUT rooms/!active/send/m.room.message/1 @g_a:x {"body":"hi"}`}},
		{name: "first word in a public room", public: true, method: "PUT", path: "rooms/!active/send/m.room.message/1", user: "@g_a:x", body: `{}`, status: 200,
			seen: []string{"PUT rooms/!active/send/", "POST rooms/!active/join @g_a:x", "PUT rooms/!active/send/"}},
		{name: "second word", there: true, method: "PUT", path: "rooms/!active/send/m.room.message/2", user: "@g_a:x", body: `{}`, status: 200, seen: []string{"PUT rooms/!active/send/"}},
		{name: "typing", method: "PUT", path: "rooms/!active/typing/@g_a:x", user: "@g_a:x", body: `{}`, status: 200, answer: "{}", seen: []string{"PUT rooms/!active/typing"}},
		{name: "leaving", there: true, method: "POST", path: "rooms/!active/leave", user: "@g_a:x", status: 200, seen: []string{"POST rooms/!active/leave"}},
		{name: "leaving of who never came", method: "POST", path: "rooms/!active/leave", user: "@g_a:x", status: 200, answer: `{"event_id":"$lazy"`, seen: []string{"POST rooms/!active/leave"}},
		{name: "leaving where nobody goes", there: true, method: "POST", path: "rooms/!none/leave", user: "@g_a:x", status: 200, answer: `{"event_id":"$lazy"`},
		{name: "another room", method: "POST", path: "join/!other", user: "@anna:x", status: 200, seen: []string{"POST join/!other @anna:x"}},
		{name: "a room is made", method: "POST", path: "createRoom", status: 200, answer: `{"event_id":"$real","room_id":"!made"}`,
			body: `{"initial_state":[{"type":"m.bridge","content":{"channel":{"id":"still"}}}],"invite":["@g_a:x","@anna:x"],"com.beeper.initial_members":["@g_a:x"]}`,
			seen: []string{`POST createRoom  {"com.beeper.initial_members":[],"initial_state":[{"type":"m.bridge","content":{"channel":{"id":"still"}}}],"invite":["@anna:x"]}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := &homeserver{joined: map[string]bool{"public": c.public, "@g_a:x": c.there}}
			g := NewGuard(h, func(u id.UserID) bool { return strings.HasPrefix(string(u), "@g_") }, m.RuleOf)
			g.Know("!kept:x", "kept", true)
			g.Know("!active", "any", false)
			g.Know("!none", "still", false)
			u := url.URL{Scheme: "http", Host: "hs", Path: "/_matrix/client/v3/" + c.path}
			if c.user != "" {
				u.RawQuery = url.Values{"user_id": {c.user}}.Encode()
			}
			req, err := http.NewRequestWithContext(t.Context(), c.method, u.String(), strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := g.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || !strings.HasPrefix(string(body), c.answer) {
				t.Errorf("answer %d %s", resp.StatusCode, body)
			}
			ok := len(h.seen) == len(c.seen)
			for i := 0; ok && i < len(c.seen); i++ {
				ok = strings.HasPrefix(h.seen[i], c.seen[i])
			}
			if !ok {
				t.Errorf("the homeserver has seen\n%s", strings.Join(h.seen, "\n"))
			}
			if c.path == "createRoom" {
				if r, _ := g.of("!made"); r.Members != None {
					t.Error("the rule of the new room is not known")
				}
			}
		})
	}
}

func TestMappingCheck(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]Mapping{
		`members: "some"`:                {Members: "some"},
		"channels[0]: channel is":        {Channels: []Channel{{Room: "#a:b"}}},
		`the channel "x" is of`:          {Channels: []Channel{{Channel: "X"}, {Channel: "x"}}},
		`the room "#a:b" is of`:          {Channels: []Channel{{Channel: "x", Room: "#a:b"}, {Channel: "y", Room: "#a:b"}}},
		`the alias "a" is of`:            {Channels: []Channel{{Channel: "x", Aliases: []string{"a"}}, {Channel: "y", Aliases: []string{"a"}}}},
		`room "a" must be a room id`:     {Channels: []Channel{{Channel: "x", Room: "a"}}},
		`space "#a" must be a room id`:   {Channels: []Channel{{Channel: "x", Space: "#a"}}},
		`alias "#a" must be the part`:    {Channels: []Channel{{Channel: "x", Aliases: []string{"#a"}}}},
		`members: "few" must be all, ac`: {Channels: []Channel{{Channel: "x", Members: "few"}}},
	} {
		if err := m.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %s", m, err, want)
		}
	}
}
