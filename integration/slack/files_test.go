package slack_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// png is the beginning of a picture, which is enough to be known as one.
var png = []byte("\x89PNG\r\n\x1a\n picture")

// TestFiles has files of all kinds shared in Slack.
func TestFiles(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	share := func(name, mime string, file, extra slacktest.Object) string {
		ts, id := "", ""
		all := slacktest.Object{}
		if file != nil {
			all["files_have"] = file
		}
		for key, v := range extra {
			all[key] = v
		}
		ts, id = k.slack.Upload(k.bob, k.channel, name, mime, png, all)
		if id == "" {
			t.Fatal("no file")
		}
		return ts
	}
	media := func(what, kind string) bridgetest.Event {
		t.Helper()
		e := k.await(what, func(e bridgetest.Event) bool { return e.Type == "m.room.message" && e.Body() == what })
		if e.Field("msgtype") != kind {
			t.Errorf("%s is %s", what, e.Content)
		}
		if kind != "m.text" && string(k.media(e.Field("url"))) != string(png) {
			t.Errorf("%s has other contents", what)
		}
		return e
	}
	share("photo.png", "image/png", obj{"original_w": "40", "original_h": "30"}, nil)
	if e := media("photo.png", "m.image"); get(e.Content, "info", "w") != 40.0 || get(e.Content, "info", "mimetype") != "image/png" {
		t.Errorf("the picture is %s", e.Content)
	}
	share("code.go", "text/plain", obj{"mode": "snippet", "filetype": "go"}, nil)
	media("code.go", "m.file")
	share("song.mp3", "audio/mpeg", nil, nil)
	media("song.mp3", "m.audio")
	share("audio_message.m4a", "audio/mp4", obj{"subtype": "slack_audio", "duration_ms": 2500, "audio_wave_samples": []int{0, 50, 100}}, nil)
	voice := media("audio_message.m4a", "m.audio")
	if get(voice.Content, "org.matrix.msc3245.voice") == nil || get(voice.Content, "info", "duration") != 2500.0 {
		t.Errorf("the voice clip is %s", voice.Content)
	}
	share("clip.mp4", "video/mp4", obj{"subtype": "slack_video", "duration_ms": 9000}, nil)
	media("clip.mp4", "m.video")
	for _, mode := range []string{"canvas", "quip", "list", "external", "post", "space"} {
		share(mode, "application/vnd.slack-docs", obj{"mode": mode, "title": "Plan " + mode, "permalink": "https://acme.example/docs/" + mode}, nil)
		media("Plan "+mode+": https://acme.example/docs/"+mode, "m.text")
	}
	share("gone.txt", "text/plain", obj{"mode": "tombstone"}, nil)
	media("(a file that was deleted)", "m.text")
	share("old.txt", "text/plain", obj{"mode": "hidden_by_limit"}, nil)
	k.await("a hidden file", func(e bridgetest.Event) bool { return strings.Contains(e.Body(), "does not show any more") })
	share("huge.iso", "application/x-iso", obj{"size": 1 << 40}, nil)
	k.await("a huge file", func(e bridgetest.Event) bool { return strings.Contains(e.Body(), "too large") })
	// A file of another organisation comes without its details.
	share("theirs.txt", "text/plain", obj{"file_access": "check_file_info", "url_private": "", "url_private_download": "", "mimetype": "", "name": ""}, nil)
	media("theirs.txt", "m.file")

	// A caption that is changed leaves the file as it is, and a file that is deleted goes.
	ts := share("plan.png", "image/png", nil, obj{"text": "our plan"})
	first := media("our plan", "m.image")
	k.slack.Edit(k.channel, ts, slacktest.Object{"text": "the plan"})
	e := k.await("the caption", func(e bridgetest.Event) bool { return relationOf(e).EventID == first.ID })
	if get(e.Content, "m.new_content", "body") != "the plan" || get(e.Content, "m.new_content", "msgtype") != "m.image" || get(e.Content, "m.new_content", "filename") != "plan.png" {
		t.Errorf("the changed caption is %s", e.Content)
	}
	k.deleteFile(ts, 0)
	e = k.await("the file's end", func(e bridgetest.Event) bool { return relationOf(e).EventID == first.ID })
	if got := get(e.Content, "m.new_content", "body"); got != "the plan\n(a file that was deleted)" || get(e.Content, "m.new_content", "url") != nil {
		t.Errorf("without the file the message is %s", e.Content)
	}

	// Several files, of which one is deleted.
	one, two := k.slack.AddFile(k.bob, "one.txt", "text/plain", []byte("1")), k.slack.AddFile(k.bob, "two.txt", "text/plain", []byte("2"))
	ts = k.slack.Say(k.bob, k.channel, "two files", slacktest.Object{"subtype": "file_share", "files": []slacktest.Object{one, two}})
	k.await("the text", message("two files"))
	k.await("the first file", message("one.txt"))
	second := k.await("the second file", message("two.txt"))
	k.deleteFile(ts, 1)
	e = k.await("the second file's end", func(e bridgetest.Event) bool { return relationOf(e).Type == "m.replace" })
	if relationOf(e).EventID != second.ID || get(e.Content, "m.new_content", "body") != "(a file that was deleted)" {
		t.Errorf("the second file's end is %s", e)
	}
	k.slack.Delete(k.channel, ts)
	for range 3 {
		k.await("a deletion", ofType("m.room.redaction"))
	}
}

// deleteFile deletes a file of a message.
func (k *talk) deleteFile(ts string, n int) {
	k.t.Helper()
	for _, m := range k.slack.Messages(k.channel) {
		if m["ts"] != ts {
			continue
		}
		raw, err := json.Marshal(m["files"])
		if err != nil {
			k.t.Fatal(err)
		}
		var files []slacktest.Object
		if err := json.Unmarshal(raw, &files); err != nil {
			k.t.Fatal(err)
		}
		files[n] = slacktest.Object{"id": files[n]["id"], "mode": "tombstone"}
		k.slack.Change(k.channel, ts, slacktest.Object{"files": files})
	}
}

// TestFilesToSlack sends files of all kinds, captions and where somebody is.
func TestFilesToSlack(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	mxc := k.uploadMedia("image/png", png)
	for _, c := range []struct{ kind, name string }{{"m.image", "a.png"}, {"m.video", "b.mp4"}, {"m.audio", "c.ogg"}, {"m.file", "d.bin"}} {
		k.send("m.room.message", obj{"msgtype": c.kind, "body": "see <this>", "filename": c.name, "url": mxc})
		m := k.inSlack(c.name, func(m slacktest.Object) bool {
			files, _ := m["files"].([]any)
			return len(files) == 1 && get(files[0], "name") == c.name
		})
		id, _ := get(m["files"].([]any)[0], "id").(string)
		if string(k.slack.File(id)) != string(png) || m["text"] != "*Anna*\nsee &lt;this&gt;" {
			t.Errorf("%s is %v", c.name, m)
		}
	}
	k.send("m.sticker", obj{"body": "a cat", "url": mxc, "info": obj{"mimetype": "image/png"}})
	k.inSlack("a sticker", func(m slacktest.Object) bool { return m["subtype"] == "file_share" && m["text"] == "*Anna*" })
	k.send("m.room.message", obj{"msgtype": "m.location", "body": "here I am", "geo_uri": "geo:51.5,-0.1"})
	k.inSlack("a place", func(m slacktest.Object) bool { s, _ := m["text"].(string); return strings.Contains(s, "geo:51.5,-0.1") })
	k.send("m.room.message", obj{"msgtype": "m.emote", "body": "waves"})
	k.inSlack("an action", withText("_waves_"))
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

// TestNotes has what Slack notes by itself: huddles, reminders, what is for one person's eyes only, and bookmarks.
func TestNotes(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	ts := k.slack.Say("USLACKBOT", k.channel, "", slacktest.Object{"subtype": "huddle_thread", "room": obj{"id": "R1", "has_ended": false, "date_start": 1700000000, "date_end": 0}})
	e := k.await("a huddle", message("📞 A huddle has started"))
	if e.Field("msgtype") != "m.notice" {
		t.Errorf("the huddle is %s", e.Content)
	}
	k.slack.Change(k.channel, ts, slacktest.Object{"room": obj{"id": "R1", "has_ended": true, "date_start": 1700000000, "date_end": 1700000700}})
	e = k.await("its end", func(x bridgetest.Event) bool { return relationOf(x).EventID == e.ID })
	if get(e.Content, "m.new_content", "body") != "📞 A huddle has ended after 12 minutes" {
		t.Errorf("its end is %s", e.Content)
	}
	k.slack.Say(k.bob, k.channel, "for anna alone", slacktest.Object{"is_ephemeral": true})
	k.slack.Say("USLACKBOT", k.channel, "Reminder: lunch", slacktest.Object{"subtype": "reminder_add"})
	e = k.await("a reminder", message("Reminder: lunch"))
	if k.member(e.Sender).Name != "Slackbot" || k.count("for anna alone") != 0 {
		t.Errorf("the reminder is %s", e)
	}
	// Bookmarks are room state.
	other := k.slack.AddChannel("other", false, k.bob)
	k.slack.Bookmark(other, "Wiki", "https://wiki.example")
	k.slack.Join(slacktest.BotUser, other)
	k.room = k.join("other")
	k.await("the bookmarks", func(e bridgetest.Event) bool {
		list, _ := get(e.Content, "bookmarks").([]any)
		return e.Type == "im.landbridge.bookmarks" && len(list) == 1 && get(list[0], "title") == "Wiki" && get(list[0], "link") == "https://wiki.example"
	})
}
