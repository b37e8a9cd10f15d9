package slackexport

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack"
	"github.com/landbridge-im/landbridge/bridges/slack/format"
	"github.com/landbridge-im/landbridge/migration/archive"
	"github.com/landbridge-im/landbridge/migration/model"
)

// Mark is what the bridge remembers of a message: model.Message.Bridge.
type Mark struct{ Content string }

// Messages implements model.Export.
func (e *Export) Messages(ctx context.Context, c *model.Channel) iter.Seq2[*model.Message, error] {
	return func(yield func(*model.Message, error) bool) {
		canvases := e.canvasesOf(c)
		for _, day := range e.days[c.Key] {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			for _, r := range e.day(day) {
				m := e.convert(c, r)
				for m != nil && len(canvases) > 0 && canvases[0].Time.Before(m.Time) {
					if !yield(canvases[0], nil) {
						return
					}
					canvases = canvases[1:]
				}
				if m != nil && !yield(m, nil) {
					return
				}
			}
		}
		for _, m := range canvases {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// entry is a message with where it was.
type entry struct {
	message
	where string
}

// day reads one file of messages, in the order of time.
func (e *Export) day(name string) (list []*entry) {
	text, err := e.a.Read(name, maxDay)
	if err != nil {
		e.problem(name, "can't be read: "+err.Error(), true)
		return nil
	}
	if dumpPattern.MatchString(path.Base(name)) {
		text = dumped(text)
	}
	n := 0
	seen := map[string]string{}
	var take func(item json.RawMessage)
	take = func(item json.RawMessage) {
		n++
		r := &entry{where: fmt.Sprintf("%s, entry %d", name, n)}
		if err := lenient(item, &r.message); err != nil || len(item) == 0 || item[0] != '{' {
			e.problem(r.where, "is no message", true)
			return
		}
		replies := r.Replies
		r.Replies = nil
		if what := e.oddTime(r.TS); what != "" {
			e.problem(r.where, what, true)
			return
		}
		key := r.TS
		if r.Subtype == "message_changed" || r.Subtype == "message_deleted" {
			key += r.Subtype
		}
		if was, dup := seen[key]; !dup {
			seen[key] = string(item)
			list = append(list, r)
		} else if was != string(item) && r.Subtype != "thread_broadcast" {
			e.problem(r.where, "has the id of another message of this day ("+r.TS+"); the first one is taken", true)
		}
		for _, reply := range replies {
			take(reply)
		}
	}
	e.each(name, text, take)
	slices.SortStableFunc(list, func(x, y *entry) int { return strings.Compare(pad(x.TS), pad(y.TS)) })
	return list
}

// dumped is the list of messages of a channel of slackdump.
func dumped(text []byte) []byte {
	var d struct {
		Messages json.RawMessage `json:"messages"`
	}
	text, _ = archive.Text(text)
	if json.Unmarshal(text, &d) != nil {
		return text
	}
	return d.Messages
}

// pad makes ids comparable as text.
func pad(ts string) string {
	sec, frac, _ := strings.Cut(ts, ".")
	return strings.Repeat("0", max(0, 12-len(sec))) + sec + "." + frac
}

// earliest is before Slack was.
var earliest = time.Date(2009, 1, 1, 0, 0, 0, 0, time.UTC)

// oddTime tells what is wrong with an id, which is a time; "" for nothing.
func (e *Export) oddTime(ts string) string {
	t := slack.Time(ts)
	switch {
	case t.IsZero() || len(ts) > 30 || strings.Trim(ts, "0123456789.") != "":
		return fmt.Sprintf("has the time %.40q, which is none", ts)
	case t.Before(earliest) || t.After(e.o.Now):
		return fmt.Sprintf("has the time %s (%s), which can't be", t.UTC().Format(time.RFC3339), ts)
	}
	return ""
}

// convert makes a message; nil if there is nothing to be shown.
func (e *Export) convert(c *model.Channel, r *entry) *model.Message {
	m := &r.message
	name := func(ts string) string { return string(slack.MessageID(c.ID, ts, 0)) }
	out := &model.Message{Name: name(m.TS), Time: slack.Time(m.TS), Where: r.where}
	switch m.Subtype {
	case "message_changed":
		if m.Message == nil || m.Message.Edited == nil || e.oddTime(m.Message.TS) != "" {
			return nil // a preview or a reply: nothing to be seen
		}
		return e.convert(c, &entry{*m.Message, r.where})
	case "message_deleted":
		if e.oddTime(m.DeletedTS) != "" {
			return nil
		}
		out.Name, out.What = name(m.DeletedTS), model.Gone
		return out
	case "tombstone":
		out.What, out.Sender = model.Gone, string(slack.GhostID(first(m.User, "USLACKBOT")))
		out.Render = func(model.Resolver) model.Text { return model.Text{Body: "(this message was deleted)"} }
		if m.User == "" || m.User == "USLACKBOT" {
			e.slackbot(out)
		}
		return out
	case "message_replied":
		return nil // tells of a reply, which is there itself
	}
	if m.File != nil && len(m.Files) == 0 {
		m.Files = []file{*m.File}
	}
	e.sender(out, m)
	if out.Sender == "" {
		e.problem(r.where, "nobody has said this message; it is left out", true)
		return nil
	}
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		if m.Subtype == "thread_broadcast" {
			out.Reply = name(m.ThreadTS) // it is to be seen in the channel, which a message in a thread is not
		} else {
			out.Thread = name(m.ThreadTS)
		}
	}
	if !e.event(out, m) {
		e.say(out, m)
	}
	for i := range m.Files {
		out.Files = append(out.Files, e.file(&m.Files[i]))
	}
	for _, x := range m.Reactions {
		out.Reactions = append(out.Reactions, e.reaction(x.Name, x.Users, x.Count))
	}
	if m.Edited != nil && e.oddTime(m.Edited.TS) == "" {
		out.Edited = slack.Time(m.Edited.TS)
	}
	marks := make([]slack.FileMark, len(m.Files))
	for i, f := range m.Files {
		marks[i] = slack.FileMark{ID: f.ID, Mode: f.Mode}
	}
	out.Bridge = Mark{slack.ContentMark(m.Text, m.Blocks, m.Attachments, marks)}
	return out
}

// slackbot makes Slackbot known, who is in few lists.
func (e *Export) slackbot(out *model.Message) {
	if _, known := e.known["USLACKBOT"]; !known {
		p := e.person(&user{ID: "USLACKBOT"})
		out.Alias = &p
	}
}

// sender finds out who says a message, as the bridge does.
func (e *Export) sender(out *model.Message, m *message) {
	own, picture := "", m.Icons.Image
	if m.BotProfile != nil {
		own, picture = m.BotProfile.Name, first(picture, m.BotProfile.Icons.Image)
	}
	if m.Subtype == "file_comment" && m.Comment != nil {
		m.User, m.Text = m.Comment.User, m.Comment.Text
	}
	if m.Subtype == "huddle_thread" && m.Room != nil && (m.User == "" || m.User == "USLACK") {
		m.User = first(m.Room.CreatedBy, m.Room.Creator)
	}
	switch {
	case validID(m.BotID) && (m.Username != "" || m.User == "" || m.Subtype == "bot_message"):
		out.Sender = string(slack.BotGhostID(m.BotID, m.Username, own))
		out.Alias = &model.Person{Ghost: out.Sender, ID: m.BotID, Name: first(m.Username, own, m.BotID), Bot: true}
		if picture != "" {
			out.Alias.Avatar = &model.File{ID: "avatar/" + picture, Name: "avatar", Type: "image/png", URL: model.Secret(picture)}
		}
	case m.User == "USLACKBOT":
		out.Sender = string(slack.GhostID(m.User))
		e.slackbot(out)
	case validID(m.User):
		out.Sender = string(slack.GhostID(m.User))
		if _, known := e.known[m.User]; !known {
			u := user{ID: m.User, Stranger: true}
			if m.UserProfile != nil {
				u.Profile = *m.UserProfile
			}
			p := e.person(&u)
			out.Alias = &p
		}
	case m.Username != "":
		// An old integration, of which only the name is known.
		out.Sender = string(slack.BotGhostID("B0", m.Username, ""))
		out.Alias = &model.Person{Ghost: out.Sender, ID: "B0", Name: m.Username, Bot: true}
	}
}

// event tells of what changes the channel rather than says something.
func (e *Export) event(out *model.Message, m *message) bool {
	notice := func(text string) {
		out.What = model.Notice
		out.Render = func(model.Resolver) model.Text { return model.Text{Body: text} }
	}
	switch m.Subtype {
	case "channel_join", "group_join":
		out.What = model.Joined
	case "channel_leave", "group_leave":
		out.What = model.Left
	case "channel_topic", "group_topic":
		out.What, out.Value = model.Topic, format.Plain(format.Mrkdwn(m.Topic))
	case "channel_name", "group_name":
		out.What, out.Value = model.Named, format.Unescape(m.Name)
	case "channel_purpose", "group_purpose":
		notice("📝 The purpose of the channel is now: " + format.Plain(format.Mrkdwn(m.Purpose)))
	case "channel_archive", "group_archive":
		notice("📦 The channel was archived")
	case "channel_unarchive", "group_unarchive":
		notice("📦 The channel is in use again")
	case "huddle_thread":
		notice("📞 A huddle has started")
	default:
		return false
	}
	return true
}

// quiet are the subtypes of what Slack says about a channel in somebody's name.
var quiet = []string{"pinned_item", "unpinned_item", "bot_add", "bot_remove", "bot_enable", "bot_disable", "reminder_add", "reminder_delete", "sh_room_created", "sh_room_shared",
	"channel_convert_to_private", "channel_convert_to_public", "app_conversation_join", "joiner_notification", "joiner_notification_for_inviter", "channel_canvas_updated", "tabbed_canvas_updated",
	"channel_posting_permissions", "channel_tab_added", "welcome_party", "ekm_access_denied", "app_conversation_leave", "document_mention", "emoji_changed", "mpdm_move"}

// say makes the text of a message.
func (e *Export) say(out *model.Message, m *message) {
	switch {
	case m.Subtype == "me_message":
		out.What = model.Emote
	case slices.Contains(quiet, m.Subtype):
		out.What = model.Notice
	}
	text, blocks, attachments := m.Text, m.Blocks, m.Attachments
	out.Render = func(r model.Resolver) model.Text {
		x := format.ToMatrix(format.FromSlack(text, blocks, attachments), names{r})
		return model.Text{Body: x.Body, HTML: x.HTML, Users: x.Users, Room: x.Room}
	}
}

// names is what format asks.
type names struct{ r model.Resolver }

var _ format.Names = names{}

// User implements format.Names.
func (n names) User(id string) (name, userID string) { return n.r.User(id) }

// Channel implements format.Names.
func (n names) Channel(id string) (name, link string) { return n.r.Channel(id) }

// Group implements format.Names: exports say nothing of user groups.
func (n names) Group(string) (handle string, users []string) { return "", nil }

// CustomEmoji implements format.Names.
func (n names) CustomEmoji(name string) string {
	name, _, _ = strings.Cut(name, "::")
	return n.r.Emoji(name)
}

// reaction is one emoji under a message.
func (e *Export) reaction(name string, users []string, count int) model.Reaction {
	out := model.Reaction{Name: name, Count: max(count, len(users))}
	base, tone, toned := strings.Cut(name, "::")
	resolved := e.emojiAlias(base)
	if toned {
		resolved += "::" + tone
	}
	if key, ok := format.Emoji(resolved); ok {
		out.Key = key
	} else {
		out.Custom = base
	}
	for _, u := range users {
		if validID(u) {
			out.Users = append(out.Users, string(slack.GhostID(u)))
		}
	}
	return out
}

// emojiAlias is the emoji that a custom one is another name of.
func (e *Export) emojiAlias(name string) string {
	for range 5 {
		at, ok := slices.BinarySearchFunc(e.emoji, name, func(m model.Emoji, n string) int { return strings.Compare(m.Name, n) })
		if !ok || e.emoji[at].Alias == "" {
			return name
		}
		name = e.emoji[at].Alias
	}
	return name
}
