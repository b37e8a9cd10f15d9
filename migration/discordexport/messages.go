package discordexport

import (
	"context"
	"fmt"
	"iter"
	"mime"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord"
	"github.com/landbridge-im/landbridge/bridges/discord/format"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
	"github.com/landbridge-im/landbridge/migration/model"
)

// Mark is what the bridge remembers of a message: model.Message.Bridge. Channel is where the message
// is: its thread, if it is in one.
type Mark struct{ Channel, Name string }

// Messages implements model.Export: those of the channel and of its threads, by time.
func (e *Export) Messages(ctx context.Context, c *model.Channel) iter.Seq2[*model.Message, error] {
	return func(yield func(*model.Message, error) bool) {
		waiting := slices.Clone(e.streams[c.Key])
		slices.SortStableFunc(waiting, func(x, y *stream) int { return x.first.compare(y.first) })
		var open []*cursor
		defer func() {
			for _, x := range open {
				x.stop()
			}
		}()
		for {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			// A thread is opened when its time has come, so that not all are open at once.
			low := lowest(open)
			for len(waiting) > 0 && (low < 0 || waiting[0].first.compare(open[low].at) <= 0) {
				x := e.begin(waiting[0])
				waiting = waiting[1:]
				if x.m != nil || x.err != nil {
					open = append(open, x)
				}
				low = lowest(open)
			}
			if low < 0 {
				return
			}
			x := open[low]
			m := x.m
			if x.err != nil {
				yield(nil, x.err)
				return
			}
			if x.advance(); x.m == nil && x.err == nil {
				x.stop()
				open = slices.Delete(open, low, low+1)
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

// cursor is a stream that is being read.
type cursor struct {
	m    *model.Message
	err  error
	at   place
	next func() (*model.Message, error, bool)
	stop func()
}

func (x *cursor) advance() {
	var ok bool
	if x.m, x.err, ok = x.next(); ok && x.err == nil {
		x.at = place{x.m.Time.UnixMilli(), number(x.m.Name)}
	}
}

func lowest(open []*cursor) int {
	low := -1
	for i, x := range open {
		if low < 0 || x.at.compare(open[low].at) < 0 {
			low = i
		}
	}
	return low
}

func (e *Export) begin(s *stream) *cursor {
	x := &cursor{}
	x.next, x.stop = iter.Pull2(e.stream(s))
	x.advance()
	return x
}

// stream reads a channel or thread.
func (e *Export) stream(s *stream) iter.Seq2[*model.Message, error] {
	return func(yield func(*model.Message, error) bool) {
		rooted := false
		for x, err := range e.items(s) {
			if err != nil {
				yield(nil, err)
				return
			}
			m := &message{}
			if err := lenient(x.raw, m); err != nil {
				e.problem(x.where, "is no message", true)
				continue
			}
			out := e.convert(s, m, x.file, x.where)
			if out == nil {
				continue
			}
			if s.thread != "" && !rooted {
				rooted = true
				if m.ID != s.thread && !e.starts(s) && !yield(e.root(s, out), nil) {
					return
				}
			}
			if !yield(out, nil) {
				return
			}
		}
	}
}

// starts tells whether the message with a thread's id can be in the channel itself, which is so
// where the channel was exported: its message, or the one that tells of the thread.
func (e *Export) starts(s *stream) bool {
	for _, other := range e.streams[string(discord.ChannelKey(s.Channel.CategoryID).ID)] {
		if other.thread == "" && other.first.id != 0 && other.first.id <= number(s.thread) {
			return true
		}
	}
	return false
}

// root makes a message with the thread's id, which replies can hang below.
func (e *Export) root(s *stream, by *model.Message) *model.Message {
	text := "🧵 " + s.Channel.Name
	return &model.Message{Name: s.thread, Sender: by.Sender, Alias: by.Alias, What: model.Notice, Time: by.Time, Where: by.Where, Bridge: Mark{s.thread, by.Sender},
		Apart: true, Render: func(model.Resolver) model.Text { return model.Text{Body: text} }}
}

// earliest is before Discord was.
var earliest = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)

// person is the author of a message, or who has reacted.
func (e *Export) person(a *author, from string) *model.Person {
	p := &model.Person{Ghost: a.ID, ID: a.ID, Name: first(a.Nickname, a.Name, a.ID), Username: a.Name, Bot: a.Bot}
	if a.Bot && a.Discriminator == "0000" {
		// What writes through a webhook; ids of those are of the webhook, not of the name.
		p.Ghost = string(discord.WebhookGhost(a.ID, a.Name))
		p.ID = p.Ghost
	}
	if a.Avatar != "" {
		f := e.file("avatar/"+a.Avatar, "avatar", a.Avatar, from)
		p.Avatar = &f
	}
	return p
}

// convert makes a message; nil if there is nothing to be shown.
func (e *Export) convert(s *stream, m *message, file, where string) *model.Message {
	at, err := time.Parse(time.RFC3339, m.Time)
	if err != nil {
		at = snowflake(number(m.ID))
		e.problem(where, fmt.Sprintf("has the time %.40q, which is none; that of its id is taken", m.Time), false)
	}
	if m.Type == threadStarter {
		return nil // it stands for the message that the thread has begun with
	}
	if at.Before(earliest) || at.After(e.now) {
		e.problem(where, "has the time "+at.UTC().Format(time.RFC3339)+", which can't be", true)
		return nil
	}
	if !validID(m.Author.ID) {
		e.problem(where, "nobody has said this message; it is left out", true)
		return nil
	}
	p := e.person(&m.Author, file)
	out := &model.Message{Name: m.ID, Sender: p.Ghost, Alias: p, Time: at, Where: where, Apart: true, Pinned: m.Pinned, Bridge: Mark{s.Channel.ID, m.Author.Name}}
	if s.thread != "" && m.ID != s.thread {
		out.Thread = s.thread
	}
	if m.Edited != "" {
		if out.Edited, err = time.Parse(time.RFC3339, m.Edited); err != nil {
			e.problem(where, fmt.Sprintf("was edited at %.40q, which is no time", m.Edited), false)
			out.Edited = time.Time{}
		}
	}
	if m.Type == "Reply" && m.Reference != nil && validID(m.Reference.MessageID) {
		out.Reply = m.Reference.MessageID
	}
	e.say(out, m)
	attachments, stickers := m.Attachments, m.Stickers
	if m.Forwarded != nil {
		attachments, stickers = append(slices.Clone(attachments), m.Forwarded.Attachments...), append(slices.Clone(stickers), m.Forwarded.Stickers...)
	}
	for _, a := range attachments {
		f := e.file(a.ID, first(a.Name, "file"), a.URL, file)
		f.Part, f.Size = "a"+a.ID, max(a.Size, 0)
		out.Files = append(out.Files, f)
	}
	for _, st := range stickers {
		f := e.file("sticker/"+st.ID, first(st.Name, "sticker"), st.Source, file)
		f.Part = "s" + st.ID
		if f.Lottie = strings.EqualFold(ext(st.Source), ".json"); f.Lottie {
			f.ID, f.Type, f.Size = f.ID+".png", "image/png", 0
		}
		out.Files = append(out.Files, f)
	}
	for _, x := range m.Reactions {
		out.Reactions = append(out.Reactions, e.reaction(x.Emoji, x.Users, x.Count, file))
	}
	return out
}

// system are the sorts of messages of Discord itself, with what they say where the export has no text.
var system = map[string]string{
	"RecipientAdd": "added somebody", "RecipientRemove": "removed somebody", "Call": "started a call", "ChannelNameChange": "changed the name", "ChannelIconChange": "changed the icon",
	"ChannelPinnedMessage": "pinned a message", "GuildMemberJoin": "joined the server", "ThreadCreated": "started a thread",
}

// threadStarter is the type of the message that shows in a thread what it began with; DiscordChatExporter has no name for it.
const threadStarter = "21"

// pollResult is the type of the message that tells how a poll has ended, which has no name there either.
const (
	pollResult     = "46"
	pollResultType = 46
)

// does is what a message of Discord itself says; "" for those of people. Types that DiscordChatExporter has no name for are
// numbers.
func does(m *message) string {
	if text, ok := system[m.Type]; ok {
		return strings.TrimSuffix(first(m.Content, text), ".")
	}
	n, err := strconv.Atoi(m.Type)
	if err != nil || len(m.Embeds)+len(m.Attachments)+len(m.Stickers) > 0 {
		return ""
	}
	text := discord.SystemText(wire.Int(n), m.Content)
	if text == m.Content {
		return "" // of a sort that the bridge does not know either, and it speaks for itself
	}
	return text
}

// say makes the text of a message.
func (e *Export) say(out *model.Message, m *message) {
	if text := does(m); text != "" {
		out.What = model.Emote
		out.Render = func(model.Resolver) model.Text { return model.Text{Body: text} }
		return
	}
	if m.Author.Bot {
		out.What = model.Notice
	}
	md := m.Content
	if m.Interaction != nil && md == "" && len(m.Embeds) == 0 {
		md = "-# /" + format.Escape(m.Interaction.Name)
	}
	if f := m.Forwarded; f != nil {
		md = strings.TrimPrefix(md+"\n-# Forwarded", "\n")
		if quoted := discord.EmbedText(f.Content, embeds(f.Embeds)); quoted != "" {
			md += "\n> " + strings.ReplaceAll(quoted, "\n", "\n> ")
		}
	}
	switch {
	case m.Type == pollResult:
		w := &wire.Message{Type: pollResultType, Embeds: embeds(m.Embeds)}
		for i := range w.Embeds {
			w.Embeds[i].Type = "poll_result"
		}
		md = discord.ExtraText(w)
	case m.Author.Bot || md == "": // what others have below their text is the preview of a link
		md = discord.EmbedText(md, embeds(m.Embeds))
	}
	if md == "" {
		return
	}
	mentions := m.Mentions
	inline := map[string]emoji{}
	for _, x := range m.Inline {
		inline[x.ID] = x
	}
	out.Render = func(r model.Resolver) model.Text {
		t := format.ToMatrix(md, format.Lookup{
			User: func(id string) (name, userID string) {
				if name, userID = r.User(id); name != "" {
					return name, userID
				}
				for _, x := range mentions {
					if x.ID == id {
						return first(x.Nickname, x.Name), ""
					}
				}
				return "", ""
			},
			Channel: r.Channel,
			Emoji:   func(_, id string, _ bool) string { return r.Emoji(id) },
		})
		text := model.Text{Body: t.Body, HTML: t.HTML, Users: t.Mentions, Room: t.Everyone}
		for _, x := range mentions { // in most exports they are flattened to names
			if _, userID := r.User(x.ID); userID != "" && !slices.Contains(text.Users, userID) {
				text.Users = append(text.Users, userID)
			}
		}
		return text
	}
}

func embeds(list []embed) []wire.Embed {
	out := make([]wire.Embed, len(list))
	for i, x := range list {
		o := &out[i]
		o.Type, o.Title, o.URL, o.Description = "rich", x.Title, x.URL, x.Description
		o.Author.Name, o.Image.URL, o.Footer.Text = x.Author.Name, x.Image.URL, x.Footer.Text
		for _, f := range x.Fields {
			o.Fields = append(o.Fields, struct {
				Name  string `json:"name"`
				Value string `json:"value"`
			}{f.Name, f.Value})
		}
	}
	return out
}

func (e *Export) reaction(x emoji, users []author, count int, file string) model.Reaction {
	out := model.Reaction{Name: string(discord.EmojiID(x.ID, x.Name)), Key: x.Name, Count: max(count, len(users))}
	if x.ID != "" && x.ID != "0" {
		out.Key, out.Custom = "", first(x.Code, x.Name)
		if x.Image != "" {
			f := e.file("emoji/"+x.ID, x.Name, x.Image, file)
			out.Picture = &f
		}
	}
	for i := range users {
		if validID(users[i].ID) {
			out.Users = append(out.Users, users[i].ID)
			out.People = append(out.People, *e.person(&users[i], file))
		}
	}
	return out
}

// file is a file beside the export, or at Discord. from is the JSON file that names it.
func (e *Export) file(id, name, address, from string) model.File {
	f := model.File{ID: id, Name: name, Type: mimeOf(first(path.Ext(name), ext(address)))}
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		f.URL, f.Link = model.Secret(address), address
		if i := strings.IndexByte(address, '?'); i >= 0 {
			f.Link = address[:i] // behind it is a signature that expires
		}
		return f
	}
	local := strings.ReplaceAll(address, `\`, "/")
	for _, n := range []string{local, unescape(local)} {
		if n = path.Join(path.Dir(from), n); n != "" && e.a.Has(n) {
			f.Size = e.a.Size(n)
			f.Open = e.opener(n)
			return f
		}
	}
	f.State = model.Forbidden
	return f
}

func unescape(s string) string {
	if out, err := url.PathUnescape(s); err == nil {
		return out
	}
	return s
}

func ext(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return path.Ext(address)
}

func mimeOf(ext string) string {
	t, _, _ := strings.Cut(mime.TypeByExtension(strings.ToLower(ext)), ";")
	return first(t, "application/octet-stream")
}
