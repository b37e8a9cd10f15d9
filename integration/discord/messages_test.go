package discord_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// reactionsFromDiscord: emoji of all kinds are there with who they are from, and gone when they are taken back, by them or by a
// moderator.
func (s *shared) reactionsFromDiscord() {
	ch, mia, room := s.newChannel("cheers", "mia-cheers")
	ben := s.dc.AddUser("ben")
	s.dc.AddMember(s.guild, ben)
	s.dc.AddFile("/emojis/77.png", []byte(png+"emoji"))
	s.dc.AddFile("/emojis/78.gif", []byte("GIF89a"))
	m := s.dc.Say(ch, s.anna, "react", nil)
	e := s.await(mia, room, s.ghost(s.anna), "react")
	found := func(from *discordtest.User, words ...string) event {
		s.Helper()
		return s.event(mia, room, "m.reaction", strings.Join(words, " "), func(ev event) bool {
			for _, word := range words {
				if !strings.Contains(plain(ev), word) {
					return false
				}
			}
			return ev.Sender == s.ghost(from) && relates(ev, "m.annotation", e.ID)
		})
	}
	gone := func(ev event) {
		s.Helper()
		s.event(mia, room, "m.room.redaction", "the end of a reaction", func(r event) bool { return redacts(r, ev.ID) })
	}
	for _, u := range []*discordtest.User{s.anna, ben} {
		for emoji, words := range map[string][]string{"🎉": {"🎉"}, "wave:77": {"mxc://", ":wave:"}, "a:dance:78": {"mxc://", ":dance:"}} {
			s.dc.React(m, u, emoji, true)
			ev := found(u, words...)
			if u == ben {
				s.dc.React(m, u, emoji, false)
				gone(ev)
			}
		}
	}
	// A super reaction, and one with an emoji that is of several characters.
	at := obj{"user_id": ben.ID, "channel_id": m.ChannelID, "message_id": m.ID, "guild_id": s.guild.ID}
	super := func(name string, more obj) obj {
		ev := obj{"emoji": obj{"id": nil, "name": name}}
		for _, from := range []obj{at, more} {
			for k, v := range from {
				ev[k] = v
			}
		}
		return ev
	}
	s.dc.Dispatch(s.guild.ID, "MESSAGE_REACTION_ADD", super("🚀", obj{"burst": true, "burst_colors": []any{"#ffffff"}, "type": 1}))
	rocket := found(ben, "🚀")
	s.dc.Dispatch(s.guild.ID, "MESSAGE_REACTION_REMOVE", super("🚀", obj{"burst": true, "type": 1}))
	gone(rocket)
	s.dc.Dispatch(s.guild.ID, "MESSAGE_REACTION_ADD", super("👩‍🚀", obj{"burst": false, "type": 0}))
	woman := found(ben, "👩‍🚀")
	// What a moderator removes: those with one emoji, and all.
	party, wave := found(s.anna, "🎉"), found(s.anna, ":wave:")
	s.dc.Dispatch(s.guild.ID, "MESSAGE_REACTION_REMOVE_EMOJI", super("🎉", nil))
	gone(party)
	s.dc.Dispatch(s.guild.ID, "MESSAGE_REACTION_REMOVE_ALL", obj{"channel_id": m.ChannelID, "message_id": m.ID, "guild_id": s.guild.ID})
	gone(wave)
	gone(woman)
}

// reactionsFromMatrix: one of the bot stands for all of Matrix, from the first to the last; a custom emoji of Discord is one there.
func (s *shared) reactionsFromMatrix() {
	ch, mia, room := s.newChannel("likes", "mia-likes")
	leo := s.user("leo-likes")
	if _, err := leo.Join(s.ctx, room); err != nil {
		s.Fatal(err)
	}
	s.dc.AddFile("/emojis/79.png", []byte(png+"like"))
	m := s.dc.Say(ch, s.anna, "like me", nil)
	e := s.await(mia, room, s.ghost(s.anna), "like me")
	like := func(who *account, key string) string {
		return s.send(who, room, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": e.ID, "key": key}})
	}
	reactions := func(what string, want ...string) {
		s.Helper()
		s.onChannel(ch.ID, what, func(d discordtest.Message) bool {
			var have []string
			for _, r := range d.Reactions {
				have = append(have, fmt.Sprint(r.Emoji.Name, r.Count))
			}
			return d.ID == m.ID && strings.Join(have, " ") == strings.Join(want, " ")
		})
	}
	first, second := like(mia, "👍️"), like(leo, "👍️")
	reactions("the reaction", "👍1")
	s.redact(mia, room, first)
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "marker"})
	s.onDiscord(ch.ID, "marker")
	reactions("the second one's reaction", "👍1")
	s.redact(leo, room, second)
	reactions("no reaction")
	s.dc.React(m, s.anna, "like:79", true)
	custom := s.event(mia, room, "m.reaction", "the custom emoji", func(ev event) bool { return relates(ev, "m.annotation", e.ID) && strings.Contains(plain(ev), "mxc://") })
	var c struct {
		Rel struct {
			Key string `json:"key"`
		} `json:"m.relates_to"`
	}
	s.content(custom, &c)
	like(leo, c.Rel.Key)
	reactions("the custom emoji of both", "like2")
	// What Discord has no reaction for is told to its sender.
	like(mia, "just words")
	s.says(mia, room, "", "m.notice", "only emoji")
}

// systemMessages: every kind is words, also one that nobody knows yet.
func (s *shared) systemMessages() {
	ch, mia, room := s.newChannel("system", "mia-system")
	for kind, test := range map[int]struct{ content, want string }{
		1: {"", "added somebody"}, 2: {"", "removed somebody"}, 3: {"", "started a call"}, 4: {"Birds", "changed the name to Birds"}, 5: {"", "changed the icon"},
		6: {"", "pinned a message"}, 7: {"", "joined the server"}, 8: {"", "boosted the server"}, 9: {"", "level 1"}, 10: {"", "level 2"}, 11: {"", "level 3"},
		12: {"News #all", "follows another channel here: News #all"}, 14: {"", "listed in its directory"}, 15: {"", "listed in its directory"},
		16: {"", "listed in its directory"}, 17: {"", "listed in its directory"}, 18: {"Owls", "started the thread Owls"}, 22: {"", "invite people"},
		25: {"", "subscription to a role"}, 27: {"Trees", "started the stage Trees"}, 28: {"Trees", "ended the stage Trees"}, 29: {"", "is a speaker"},
		30: {"", "wants to speak"}, 31: {"Frogs", "topic of the stage to Frogs"}, 32: {"", "subscribed to an application"}, 36: {"", "closed the server"},
		37: {"", "opened the server"}, 38: {"", "reported a raid"}, 39: {"", "no raid"}, 44: {"", "bought something"}, 199: {"", "message type 199"}, 198: {"of the future", "of the future"},
	} {
		s.dc.Say(ch, s.anna, test.content, func(m *discordtest.Message) { m.Type = kind })
		if e := s.says(mia, room, s.ghost(s.anna), test.want); e.Field("msgtype") != "m.emote" {
			s.Errorf("type %d: %s", kind, e)
		}
	}
	s.dc.Say(ch, s.anna, "", func(m *discordtest.Message) {
		m.Type = 24
		m.Embeds = []map[string]any{{"type": "auto_moderation_message", "description": "a bad word"}, {"type": "rich", "description": "was kept back"}}
	})
	s.says(mia, room, s.ghost(s.anna), "was kept back")
	s.dc.Say(ch, s.anna, "", func(m *discordtest.Message) {
		m.Type = 46
		m.Embeds = []map[string]any{{"type": "poll_result", "fields": []any{
			obj{"name": "poll_question_text", "value": "Tea?"}, obj{"name": "victor_answer_text", "value": "yes"},
			obj{"name": "victor_answer_votes", "value": "2"}, obj{"name": "total_votes", "value": "3"},
		}}}
	})
	s.says(mia, room, s.ghost(s.anna), "Tea?", "has ended", "yes", "2 of 3 votes")
}

// messagesOfPrograms: crossposts, answers to commands and components, of both kinds, are readable text.
func (s *shared) messagesOfPrograms() {
	ch, mia, room := s.newChannel("programs", "mia-programs")
	for name, test := range map[string]struct {
		make func(*discordtest.Message)
		want []string
		not  string
	}{
		"crosspost": {func(m *discordtest.Message) {
			m.Content, m.Flags, m.Reference = "news from afar", 1<<1, &discordtest.Reference{MessageID: "5", ChannelID: "6", GuildID: "7"}
		}, []string{"news from afar"}, "m.in_reply_to"},
		"answer": {func(m *discordtest.Message) {
			m.Type, m.Content, m.Interaction = 20, "the weather is fine", obj{"id": "1", "type": 2, "name": "weather", "user": s.anna}
		}, []string{"anna used", "/weather", "the weather is fine"}, ""},
		"answer to a menu": {func(m *discordtest.Message) {
			m.Type, m.Content, m.Interaction = 23, "translated", obj{"id": "1", "type": 2, "name": "Translate", "user": s.anna}
		}, []string{"anna used", "Translate", "translated"}, ""},
		"buttons": {func(m *discordtest.Message) {
			m.Components = []map[string]any{{"type": 1, "components": []any{
				obj{"type": 2, "style": 5, "label": "Docs", "url": "https://docs.example"}, obj{"type": 2, "style": 1, "label": "Vote", "custom_id": "x"},
			}}, {"type": 1, "components": []any{obj{"type": 3, "custom_id": "y", "placeholder": "Pick", "options": []any{obj{"label": "one"}, obj{"label": "two"}}}}}}
		}, []string{"https://docs.example", "[Vote]", "Pick one | two"}, ""},
		"containers": {func(m *discordtest.Message) {
			m.Flags = 1 << 15
			m.Components = []map[string]any{{"type": 17, "components": []any{
				obj{"type": 10, "content": "**Heading**"}, obj{"type": 9, "components": []any{obj{"type": 10, "content": "a section"}}, "accessory": obj{"type": 2, "style": 5, "label": "Go", "url": "https://go.example"}},
				obj{"type": 12, "items": []any{obj{"media": obj{"url": "https://cdn.example/x.png"}, "description": "A cat"}}},
				obj{"type": 13, "file": obj{"url": "https://cdn.example/notes.txt"}}, obj{"type": 14},
			}}}
		}, []string{"<strong>Heading</strong>", "a section", "https://go.example", "https://cdn.example/x.png"}, ""},
	} {
		s.dc.Say(ch, s.anna, "", test.make)
		if e := s.says(mia, room, s.ghost(s.anna), test.want...); test.not != "" && strings.Contains(plain(e), test.not) {
			s.Errorf("%s: %s", name, e)
		}
	}
}

// editsAndDeletions: what Matrix says of its messages happens to those of the webhook, however many they are; and of the bot's
// rights on those of others.
func (s *shared) editsAndDeletions() {
	ch, mia, room := s.newChannel("edits", "mia-edits")
	edit := func(target, text string) {
		s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "* " + text, "m.new_content": obj{"msgtype": "m.text", "body": text},
			"m.relates_to": obj{"rel_type": "m.replace", "event_id": target}})
	}
	long := strings.Repeat("many words ", 300)
	target := s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "begin " + long + "end"})
	last := s.onChannel(ch.ID, "the last part", func(m discordtest.Message) bool { return strings.HasSuffix(m.Content, "end") })
	first := s.onChannel(ch.ID, "the first part", func(m discordtest.Message) bool { return strings.HasPrefix(m.Content, "begin") })
	if first.ID == last.ID {
		s.Fatal("the message was not cut")
	}
	edit(target, "start "+long+"stop")
	s.onChannel(ch.ID, "the edit of both", func(m discordtest.Message) bool { return m.ID == last.ID && strings.HasSuffix(m.Content, "stop") })
	s.onChannel(ch.ID, "the edit of both", func(m discordtest.Message) bool { return m.ID == first.ID && strings.HasPrefix(m.Content, "start") })
	edit(target, "short")
	s.gone(ch.ID, last.ID)
	s.onChannel(ch.ID, "the short one", func(m discordtest.Message) bool { return m.ID == first.ID && m.Content == "short" })
	edit(target, strings.Repeat("more words ", 900))
	s.says(mia, room, "", "m.notice", "longer than fits")
	s.redact(mia, room, target)
	s.gone(ch.ID, first.ID)
	// An answer keeps what it quotes.
	asked := s.dc.Say(ch, s.anna, "a question", nil)
	q := s.await(mia, room, s.ghost(s.anna), "a question")
	answer := s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "an answer", "m.relates_to": obj{"m.in_reply_to": obj{"event_id": q.ID}}})
	s.onChannel(ch.ID, "the answer", func(m discordtest.Message) bool { return strings.HasSuffix(m.Content, "\nan answer") })
	edit(answer, "a better answer")
	s.onChannel(ch.ID, "the better answer", func(m discordtest.Message) bool {
		return strings.HasSuffix(m.Content, "\na better answer") && strings.Contains(m.Content, "/"+asked.ID+")")
	})
	// Somebody with the power to deletes what was said on Discord.
	s.boss(mia, room)
	s.redact(mia, room, q.ID)
	s.gone(ch.ID, asked.ID)
}

// mentions: people are alerted whom a message names, and nobody else.
func (s *shared) mentions() {
	ch, mia, room := s.newChannel("pings", "mia-pings")
	ben := s.dc.AddUser("ben")
	s.dc.AddMember(s.guild, ben)
	s.member(mia, room, s.ghost(ben), "join")
	alerted := func(m discordtest.Message) (names string) {
		for _, u := range m.Mentions {
			names += u.Username
		}
		return names
	}
	pill := func(u *discordtest.User) string {
		return `<a href="https://matrix.to/#/` + s.ghost(u) + `">` + u.Username + "</a>"
	}
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "ben: look", "format": "org.matrix.custom.html", "formatted_body": pill(ben) + ": look",
		"m.mentions": obj{"user_ids": []any{s.ghost(ben)}}})
	if m := s.onDiscord(ch.ID, "<@"+ben.ID+">: look"); alerted(m) != "ben" {
		s.Errorf("alerted: %q", alerted(m))
	}
	// Somebody who writes the form of a mention by hand alerts nobody.
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "<@" + ben.ID + "> @everyone by hand"})
	if m := s.onChannel(ch.ID, "what was written by hand", func(m discordtest.Message) bool { return strings.Contains(m.Content, "by hand") }); alerted(m) != "" || m.MentionEveryone {
		s.Errorf("alerted: %q, %v", alerted(m), m.MentionEveryone)
	}
	// Who is answered is alerted if the client says so.
	s.dc.Say(ch, s.anna, "a question", nil)
	q := s.await(mia, room, s.ghost(s.anna), "a question")
	for text, who := range map[string][]any{"quietly": {}, "aloud": {s.ghost(s.anna)}} {
		s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": text, "m.mentions": obj{"user_ids": who}, "m.relates_to": obj{"m.in_reply_to": obj{"event_id": q.ID}}})
		m := s.onChannel(ch.ID, text, func(m discordtest.Message) bool { return strings.HasSuffix(m.Content, "\n"+text) })
		if want := map[string]string{"quietly": "", "aloud": "anna"}[text]; alerted(m) != want {
			s.Errorf("%s: alerted: %q", text, alerted(m))
		}
	}
	// A mention on Discord is one in Matrix.
	s.dc.Say(ch, s.anna, "<@"+ben.ID+"> hello", nil)
	if e := s.says(mia, room, s.ghost(s.anna), "@ben", "hello"); !strings.Contains(plain(e), `"m.mentions":{"user_ids":["`+s.ghost(ben)+`"]`) || !strings.Contains(plain(e), "matrix.to/#/"+s.ghost(ben)) {
		s.Errorf("the mention is %s", e)
	}
}

// upload puts a file into somebody's media repository.
func (w *world) upload(m *account, name, kind, data string) string {
	w.Helper()
	var answer struct {
		URI string `json:"content_uri"`
	}
	req, err := http.NewRequestWithContext(w.ctx, "POST", w.server.URL()+"/_matrix/media/v3/upload?filename="+name, strings.NewReader(data))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.Token)
	req.Header.Set("Content-Type", kind)
	if err := doJSON(req, &answer); err != nil {
		w.Fatal(err)
	}
	return answer.URI
}

// files: files of all kinds go both ways, with their captions; one that is exchanged in Matrix is on Discord, and one that is taken away on Discord
// is in Matrix no more.
func (s *shared) files() {
	ch, mia, room := s.newChannel("papers", "mia-papers")
	file := func(name, kind, data, caption string) obj {
		content := obj{"msgtype": "m.file", "body": name, "filename": name, "url": s.upload(mia, name, kind, data), "info": obj{"mimetype": kind, "size": len(data)}}
		if caption != "" {
			content["body"] = caption
		}
		return content
	}
	target := s.send(mia, room, "m.room.message", file("a.txt", "text/plain", "old", "my paper"))
	sent := s.onDiscord(ch.ID, "my paper")
	if len(sent.Attachments) != 1 || string(s.dc.File(sent.Attachments[0].URL)) != "old" {
		s.Fatalf("sent: %+v", sent.Attachments)
	}
	edit := file("b.txt", "text/plain", "new", "my better paper")
	edit["m.new_content"], edit["m.relates_to"] = file("b.txt", "text/plain", "new", "my better paper"), obj{"rel_type": "m.replace", "event_id": target}
	s.send(mia, room, "m.room.message", edit)
	now := s.onChannel(ch.ID, "the new file", func(m discordtest.Message) bool {
		return m.ID == sent.ID && m.Content == "my better paper" && len(m.Attachments) == 1 && m.Attachments[0].Filename == "b.txt"
	})
	if got := string(s.dc.File(now.Attachments[0].URL)); got != "new" {
		s.Errorf("the file is %q", got)
	}
	for kind, mimeType := range map[string]string{"m.image": "image/png", "m.video": "video/mp4", "m.audio": "audio/ogg"} {
		name := kind[2:] + ".bin"
		content := file(name, mimeType, png+kind, "")
		content["msgtype"] = kind
		s.send(mia, room, "m.room.message", content)
		m := s.onChannel(ch.ID, name, func(m discordtest.Message) bool { return len(m.Attachments) == 1 && m.Attachments[0].Filename == name })
		if string(s.dc.File(m.Attachments[0].URL)) != png+kind {
			s.Errorf("%s is another file", name)
		}
	}
	data := "the data of it"
	address := s.dc.AddFile("/attachments/1/77/doc.pdf", []byte(data))
	m := s.dc.Say(ch, s.anna, "two files", func(m *discordtest.Message) {
		m.Attachments = []discordtest.Attachment{{ID: "77", Filename: "doc.pdf", Size: len(data), URL: address, ContentType: "application/pdf"}, {ID: "78", Filename: "too.pdf", Size: len(data), URL: address, ContentType: "application/pdf"}}
	})
	s.says(mia, room, s.ghost(s.anna), "m.file", "doc.pdf", "mxc://")
	too := s.says(mia, room, s.ghost(s.anna), "m.file", "too.pdf", "mxc://")
	s.dc.Edit(m, func(m *discordtest.Message) { m.Attachments = m.Attachments[:1] })
	s.event(mia, room, "m.room.redaction", "the end of the second file", func(ev event) bool { return redacts(ev, too.ID) })
}

// longMessages: they are cut where it does no harm, are whole together, and in order.
func (s *shared) longMessages() {
	ch, mia, room := s.newChannel("novels", "mia-novels")
	var lines, code []string
	for i := range 120 {
		lines = append(lines, fmt.Sprintf("Line %d is no short one.", i))
		code = append(code, fmt.Sprintf("fmt.Println(%d) // prints", i))
	}
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": strings.Join(lines, "\n")})
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "code", "format": "org.matrix.custom.html",
		"formatted_body": `<pre><code class="language-go">` + strings.Join(code, "\n") + `</code></pre>`})
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "after"})
	s.onDiscord(ch.ID, "after")
	var text, program []string
	for _, m := range s.dc.Messages(ch.ID) {
		switch {
		case m.Content == "after":
		case strings.HasPrefix(m.Content, "```"):
			if !strings.HasPrefix(m.Content, "```go\n") || !strings.HasSuffix(m.Content, "```") {
				s.Errorf("a part of the code begins or ends otherwise: %.20q", m.Content)
			}
			program = append(program, strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(m.Content, "```go\n"), "```"), "\n"))
		default:
			text = append(text, m.Content)
		}
	}
	if len(text) < 2 || strings.Join(text, "\n") != strings.Join(lines, "\n") {
		s.Errorf("the text is %d messages: %q", len(text), text)
	}
	if len(program) < 2 || strings.Join(program, "\n") != strings.Join(code, "\n") {
		s.Errorf("the code is %d messages: %q", len(program), program)
	}
}

// past has something have been said in a channel before the bridge is there.
func (w *world) past() *discordtest.Channel {
	ch := w.dc.AddChannel(w.guild, 0, "before", "")
	ben := w.dc.AddUser("ben")
	w.dc.AddMember(w.guild, ben)
	now := time.Now()
	w.dc.SayAt(ch, w.anna, "long ago", now.Add(-60*24*time.Hour))
	m := w.dc.SayAt(ch, ben, "not so long ago", now.Add(-2*24*time.Hour))
	w.dc.React(m, w.anna, "🎉", true)
	m.Pinned = true
	w.dc.SayAt(ch, w.anna, "a while ago", now.Add(-time.Hour))
	return ch
}

// recentHistory: a room begins with what was said since when the configuration says, by whom and when it was said.
func (s *shared) recentHistory() {
	w := s.recent
	mia := w.user("mia-recent")
	room := w.join(mia, s.before)
	w.await(mia, room, w.ghost(w.anna), "a while ago")
	w.dc.Say(s.before, w.anna, "now", nil)
	w.await(mia, room, w.ghost(w.anna), "now")
	history, err := mia.History(w.ctx, room)
	if err != nil {
		w.Fatal(err)
	}
	var said []string
	var pinned event
	for _, e := range history {
		if e.Type == "m.room.message" {
			said = append(said, e.Body())
		}
		if e.Body() == "not so long ago" {
			pinned = e
		}
	}
	if got := strings.Join(said, ", "); got != "not so long ago, a while ago, now" {
		w.Errorf("the room has %s", got)
	}
	if age := time.Since(time.UnixMilli(pinned.TS)).Round(time.Hour); age != 48*time.Hour || pinned.Sender == w.ghost(w.anna) {
		w.Errorf("it is of %s ago, by %s", age, pinned.Sender)
	}
	w.event(mia, room, "m.reaction", "the reaction", func(e event) bool {
		return e.Sender == w.ghost(w.anna) && relates(e, "m.annotation", pinned.ID)
	})
	w.state(mia, room, "m.room.pinned_events", "", pinned.ID)
	if _, err := s.admin.Join(w.ctx, room); err != nil {
		w.Fatal(err)
	}
	w.send(s.admin, room, "m.room.message", obj{"msgtype": "m.text", "body": "!recent history"})
	w.says(mia, room, "", "The history of all channels is there")
}
