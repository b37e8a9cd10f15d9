package slack_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

type obj = map[string]any

// get reads a value out of nested objects.
func get(v any, path ...string) any {
	if raw, ok := v.(json.RawMessage); ok {
		var o any
		if json.Unmarshal(raw, &o) != nil {
			return nil
		}
		v = o
	}
	for _, p := range path {
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[p]
	}
	return v
}

func TestFromSlack(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	ts := k.slack.Say(k.bob, k.channel, "Hello *world* &amp; <@"+k.carol+">", nil)
	e := k.await("a message", message("Hello world & Carol"))
	if e.Sender != k.ghost(k.bob) {
		t.Errorf("said by %s", e.Sender)
	}
	if got, want := e.Field("formatted_body"), `Hello <strong>world</strong> &amp; <a href="https://matrix.to/#/`+k.ghost(k.carol)+`">Carol</a>`; got != want {
		t.Errorf("formatted as %s, want %s", got, want)
	}
	if users, _ := get(e.Content, "m.mentions", "user_ids").([]any); len(users) != 1 || users[0] != k.ghost(k.carol) {
		t.Errorf("mentions %v", users)
	}
	members, err := k.anna.Members(k.ctx, k.room)
	if err != nil {
		t.Fatal(err)
	}
	if members[k.ghost(k.bob)] != "Bob Builder" || members[k.ghost(k.carol)] != "Carol" {
		t.Errorf("members are %v", members)
	}

	// An edit, and a preview that is none.
	k.slack.Unfurl(k.channel, ts, []obj{{"from_url": "https://x.example", "title": "X", "text": "preview"}})
	k.slack.Edit(k.channel, ts, slacktest.Object{"text": "Hello again"})
	edit := k.await("the edit", func(e bridgetest.Event) bool { return get(e.Content, "m.relates_to", "rel_type") == "m.replace" })
	if get(edit.Content, "m.new_content", "body") != "Hello again" || get(edit.Content, "m.relates_to", "event_id") != e.ID {
		t.Errorf("the edit is %s", edit.Content)
	}

	// Reactions, with tone.
	k.slack.React(k.carol, k.channel, ts, "+1::skin-tone-3", true)
	r := k.await("a reaction", ofType("m.reaction"))
	if get(r.Content, "m.relates_to", "key") != "👍🏼" || r.Sender != k.ghost(k.carol) {
		t.Errorf("the reaction is %s", r)
	}
	k.slack.React(k.carol, k.channel, ts, "+1::skin-tone-3", false)
	if red := k.await("the reaction's end", ofType("m.room.redaction")); redacts(red) != r.ID {
		t.Errorf("redacted %s", red)
	}

	// Threads.
	k.slack.Say(k.carol, k.channel, "in the thread", slacktest.Object{"thread_ts": ts})
	reply := k.await("a reply", message("in the thread"))
	if get(reply.Content, "m.relates_to", "rel_type") != "m.thread" || get(reply.Content, "m.relates_to", "event_id") != e.ID {
		t.Errorf("the reply is %s", reply.Content)
	}
	k.slack.Say(k.carol, k.channel, "for all", slacktest.Object{"thread_ts": ts, "subtype": "thread_broadcast"})
	broadcast := k.await("a broadcast", message("for all"))
	if get(broadcast.Content, "m.relates_to", "m.in_reply_to", "event_id") != e.ID || get(broadcast.Content, "m.relates_to", "rel_type") != nil {
		t.Errorf("the broadcast is %s", broadcast.Content)
	}

	k.slack.Say(k.bob, k.channel, "waves", slacktest.Object{"subtype": "me_message"})
	if e := k.await("an action", message("waves")); e.Field("msgtype") != "m.emote" {
		t.Errorf("the action is %s", e.Content)
	}
	k.slack.Say("", k.channel, "ding", slacktest.Object{"subtype": "bot_message", "bot_id": "B0OTHERBOT", "username": "Alarm"})
	if e := k.await("a bot's message", message("ding")); !strings.HasPrefix(e.Sender, "@slack_b0otherbot.") {
		t.Errorf("the bot is %s", e.Sender)
	}

	// Files: one with a caption, two beside a text.
	k.slack.Upload(k.bob, k.channel, "a.txt", "text/plain", []byte("content of a"), slacktest.Object{"text": "see this"})
	f := k.await("a file", message("see this"))
	if f.Field("msgtype") != "m.file" || f.Field("filename") != "a.txt" || string(k.media(f.Field("url"))) != "content of a" {
		t.Errorf("the file is %s", f.Content)
	}
	k.slack.Pin(k.bob, k.channel, ts, true)
	if p := k.await("a pin", ofType("m.room.pinned_events")); !strings.Contains(string(p.Content), e.ID) {
		t.Errorf("pinned %s", p.Content)
	}

	k.slack.Delete(k.channel, ts)
	if red := k.await("a deletion", ofType("m.room.redaction")); redacts(red) != e.ID {
		t.Errorf("redacted %s", red)
	}
	k.slack.Say(k.bob, k.channel, "the end", nil)
	k.await("the end", message("the end"))
	if n := k.count("Hello again"); n > 1 {
		t.Errorf("%d edits", n)
	}
}

func redacts(e bridgetest.Event) string {
	if e.Redacts != "" {
		return e.Redacts
	}
	return e.Field("redacts")
}

func (k *talk) media(mxc string) []byte {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.ctx, http.MethodGet, k.server.URL()+"/_matrix/client/v1/media/download/"+strings.TrimPrefix(mxc, "mxc://"), nil)
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+k.anna.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	return raw
}

func TestRoomsFollow(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	dave := k.slack.AddUser("dave", "Dave")
	k.slack.Join(dave, k.channel)
	k.await("a join", func(e bridgetest.Event) bool {
		return e.Type == "m.room.member" && *e.StateKey == k.ghost(dave) && e.Field("membership") == "join"
	})
	k.slack.SetTopic(k.bob, k.channel, "all things &amp; more")
	if e := k.await("the topic", ofType("m.room.topic")); e.Field("topic") != "all things & more" {
		t.Errorf("the topic is %s", e)
	}
	k.slack.ChangeUser(dave, slacktest.Object{"profile": slacktest.Object{"display_name": "Davy"}})
	k.await("a new name", func(e bridgetest.Event) bool {
		return e.Type == "m.room.member" && *e.StateKey == k.ghost(dave) && e.Field("displayname") == "Davy"
	})
	k.slack.Rename(k.bob, k.channel, "everything")
	k.await("the name", func(e bridgetest.Event) bool { return e.Type == "m.room.name" && e.Field("name") == "everything" })
	k.slack.Leave(dave, k.channel)
	k.await("a leave", func(e bridgetest.Event) bool {
		return e.Type == "m.room.member" && *e.StateKey == k.ghost(dave) && e.Field("membership") == "leave"
	})
	k.slack.Archive(k.bob, k.channel, true)
	k.await("the archiving", func(e bridgetest.Event) bool {
		return e.Type == "m.room.name" && e.Field("name") == "everything (archived)"
	})
	// The bot is invited to another channel.
	other := k.slack.AddChannel("other", false, k.bob)
	k.slack.Join(slacktest.BotUser, other)
	k.room = k.join("other")
	k.slack.Say(k.bob, other, "over here", nil)
	k.await("a message in the other room", message("over here"))
}

func TestToSlack(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	first := k.say("hello <b> & @channel")
	m := k.inSlack("a message", withText("hello &lt;b&gt; &amp; @channel"))
	if m["username"] != "Anna" || m["bot_id"] != slacktest.Bot {
		t.Errorf("the message is %v", m)
	}
	ts := m["ts"].(string)
	k.send("m.room.message", obj{"msgtype": "m.text", "body": "* better", "m.new_content": obj{"msgtype": "m.text", "body": "better"},
		"m.relates_to": obj{"rel_type": "m.replace", "event_id": first}})
	k.inSlack("the edit", func(m slacktest.Object) bool { return m["ts"] == ts && m["text"] == "better" })

	k.send("m.room.message", obj{"msgtype": "m.text", "body": "Bob: look", "format": "org.matrix.custom.html",
		"formatted_body": `<a href="https://matrix.to/#/` + k.ghost(k.bob) + `">Bob</a>: <strong>look</strong> <a href="https://x.example/?a=1&amp;b=2">there</a>`})
	m = k.inSlack("a mention", withText("<@"+k.bob+">: *look* <https://x.example/?a=1&amp;b=2|there>"))
	if blocks, _ := json.Marshal(m["blocks"]); !strings.Contains(string(blocks), `"type":"rich_text"`) || !strings.Contains(string(blocks), k.bob) {
		t.Errorf("the blocks are %s", blocks)
	}

	k.send("m.room.message", obj{"msgtype": "m.text", "body": "reply", "m.relates_to": obj{"rel_type": "m.thread", "event_id": first}})
	if m = k.inSlack("a reply", withText("reply")); m["thread_ts"] != ts {
		t.Errorf("the reply is %v", m)
	}

	reaction := k.send("m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": first, "key": "❤️"}})
	reacted := func(on bool) func(slacktest.Object) bool {
		return func(m slacktest.Object) bool {
			list, _ := m["reactions"].([]any)
			return m["ts"] == ts && (len(list) > 0) == on
		}
	}
	k.inSlack("a reaction", reacted(true))
	k.redact(reaction)
	k.inSlack("no reaction", reacted(false))

	long := strings.TrimSpace(strings.Repeat("many words here. ", 500))
	k.say(long)
	k.inSlack("the end of a long message", func(m slacktest.Object) bool {
		s, _ := m["text"].(string)
		return len(s) > 100 && strings.HasSuffix(long, s)
	})
	var whole []string
	for _, m := range k.slack.Messages(k.channel) {
		if s, _ := m["text"].(string); strings.HasPrefix(s, "many") || strings.HasPrefix(s, "words") || strings.HasPrefix(s, "here") {
			whole = append(whole, s)
		}
	}
	if strings.Join(whole, " ") != long {
		t.Errorf("a long message came as %d pieces that are not the whole", len(whole))
	}

	mxc := k.uploadMedia("text/plain", []byte("file of anna"))
	k.send("m.room.message", obj{"msgtype": "m.file", "body": "notes.txt", "url": mxc})
	m = k.inSlack("a file", func(m slacktest.Object) bool { return m["subtype"] == "file_share" })
	file, _ := m["files"].([]any)
	if len(file) != 1 || string(k.slack.File(get(file[0], "id").(string))) != "file of anna" || !strings.Contains(m["text"].(string), "Anna") {
		t.Errorf("the file is %v", m)
	}

	k.redact(first)
	k.await("the redaction", ofType("m.room.redaction"))
	for {
		gone := true
		for _, m := range k.slack.Messages(k.channel) {
			gone = gone && m["ts"] != ts
		}
		if gone {
			break
		}
		if k.ctx.Err() != nil {
			t.Fatal("the message was not deleted")
		}
	}
	// Nothing of all that came back.
	k.slack.Say(k.bob, k.channel, "the end", nil)
	k.await("the end", message("the end"))
	all, err := k.anna.History(k.ctx, k.room)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Type == "m.room.message" && e.Sender != k.anna.UserID && e.Body() != "the end" {
			t.Errorf("an echo: %s", e)
		}
	}
}

func (k *talk) redact(event string) {
	k.t.Helper()
	if err := k.anna.Do(k.ctx, "PUT", "/v3/rooms/"+k.room+"/redact/"+event+"/r"+event[1:8], obj{}, nil); err != nil {
		k.t.Fatal(err)
	}
}

func (k *talk) uploadMedia(mime string, data []byte) string {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.ctx, http.MethodPost, k.server.URL()+"/_matrix/media/v3/upload", bytes.NewReader(data))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+k.anna.Token)
	req.Header.Set("Content-Type", mime)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		URI string `json:"content_uri"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.URI == "" {
		k.t.Fatal(resp.Status, err)
	}
	return out.URI
}
