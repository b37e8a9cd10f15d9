package discordfetch

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// The form of DiscordChatExporter, as far as it is read again.

type document struct {
	Guild    guild     `json:"guild"`
	Channel  channel   `json:"channel"`
	Messages []message `json:"messages"`
	Count    int       `json:"messageCount"`
}

type guild struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Icon string `json:"iconUrl,omitempty"`
}

type channel struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	CategoryID string `json:"categoryId,omitempty"`
	Category   string `json:"category,omitempty"`
	Name       string `json:"name"`
	Topic      string `json:"topic,omitempty"`
}

type author struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Discriminator string `json:"discriminator"`
	Nickname      string `json:"nickname,omitempty"`
	Bot           bool   `json:"isBot"`
	Avatar        string `json:"avatarUrl,omitempty"`
}

type attachment struct {
	ID   string `json:"id"`
	URL  string `json:"url"`
	Name string `json:"fileName"`
	Size int64  `json:"fileSizeBytes"`
}

type sticker struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Format string `json:"format"`
	Source string `json:"sourceUrl"`
}

type emoji struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Code     string `json:"code"`
	Animated bool   `json:"isAnimated"`
	Image    string `json:"imageUrl,omitempty"`
}

type reacted struct {
	Emoji emoji    `json:"emoji"`
	Count int      `json:"count"`
	Users []author `json:"users,omitempty"`
}

type reference struct {
	MessageID string `json:"messageId"`
	ChannelID string `json:"channelId"`
}

type message struct {
	ID          string       `json:"id"`
	Type        string       `json:"type"`
	Time        time.Time    `json:"timestamp"`
	Edited      *time.Time   `json:"timestampEdited,omitempty"`
	Pinned      bool         `json:"isPinned"`
	Content     string       `json:"content"`
	Author      author       `json:"author"`
	Attachments []attachment `json:"attachments,omitempty"`
	Embeds      []embed      `json:"embeds,omitempty"`
	Stickers    []sticker    `json:"stickers,omitempty"`
	Reactions   []reacted    `json:"reactions,omitempty"`
	Mentions    []author     `json:"mentions,omitempty"`
	Reference   *reference   `json:"reference,omitempty"`
	Forwarded   *forwarded   `json:"forwardedMessage,omitempty"`
	Interaction *named       `json:"interaction,omitempty"`
}

type forwarded struct {
	Content     string       `json:"content"`
	Attachments []attachment `json:"attachments,omitempty"`
	Embeds      []embed      `json:"embeds,omitempty"`
	Stickers    []sticker    `json:"stickers,omitempty"`
}

type named struct {
	Name string `json:"name,omitempty"`
}

type located struct {
	URL string `json:"url,omitempty"`
}

type noted struct {
	Text string `json:"text,omitempty"`
}

type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type embed struct {
	Title       string  `json:"title,omitempty"`
	URL         string  `json:"url,omitempty"`
	Description string  `json:"description,omitempty"`
	Author      named   `json:"author"`
	Image       located `json:"image"`
	Footer      noted   `json:"footer"`
	Fields      []field `json:"fields,omitempty"`
}

func (f *fetcher) aboutGuild() guild {
	g := guild{ID: f.o.Guild, Name: f.guild.Name}
	if name, address := IconFile(f.o.Guild, f.guild.Icon); name != "" {
		g.Icon = f.files.place(name, address, "")
	}
	return g
}

// kinds are DiscordChatExporter's names of kinds of channels.
var kinds = map[wire.ChannelType]string{
	wire.ChannelText: "GuildTextChat", wire.ChannelVoice: "GuildVoiceChat", wire.ChannelAnnouncement: "GuildNews",
	wire.ThreadAnnouncement: "GuildNewsThread", wire.ThreadPublic: "GuildPublicThread", wire.ThreadPrivate: "GuildPrivateThread",
	wire.ChannelStage: "GuildStageVoice", wire.ChannelForum: "GuildForum", wire.ChannelMedia: "GuildForum",
}

func (f *fetcher) aboutChannel(ch *wire.Channel) channel {
	c := channel{ID: string(ch.ID), Type: kinds[ch.Type], CategoryID: string(ch.ParentID), Name: ch.Name, Topic: ch.Topic}
	for _, other := range f.guild.Channels {
		if other.ID == ch.ParentID {
			c.Category = other.Name
		}
	}
	return c
}

// types are DiscordChatExporter's names of kinds of messages; others are numbers.
var types = map[wire.Int]string{
	0: "Default", 1: "RecipientAdd", 2: "RecipientRemove", 3: "Call", 4: "ChannelNameChange", 5: "ChannelIconChange",
	6: "ChannelPinnedMessage", 7: "GuildMemberJoin", 18: "ThreadCreated", 19: "Reply",
}

func (f *fetcher) message(ch *wire.Channel, m said, get getter) message {
	where := fmt.Sprintf("#%s, message %s", ch.Name, m.ID)
	out := message{ID: string(m.ID), Type: cmp.Or(types[m.Type], strconv.FormatInt(int64(m.Type), 10)), Time: m.Timestamp.Time, Pinned: m.Pinned,
		Content: m.Content, Author: f.author(m.Author, m.Member, get)}
	if m.WebhookID != "" && (m.ApplicationID == "" || m.Author.ID == m.WebhookID) {
		out.Author.ID, out.Author.Discriminator, out.Author.Bot = string(m.WebhookID), "0000", true
	}
	if out.Time.IsZero() {
		out.Time = m.ID.Time()
	}
	if !m.Edited.IsZero() {
		out.Edited = &m.Edited.Time
	}
	if extra := discord.ExtraText(m.Message); extra != "" {
		out.Content = strings.TrimPrefix(out.Content+"\n"+extra, "\n")
	}
	if m.Interaction != nil && m.Interaction.Name != "" {
		out.Interaction = &named{m.Interaction.Name}
	}
	out.Attachments, out.Embeds, out.Stickers = attachments(m.Message, where, get), embeds(m.Embeds), stickers(m.Message, where, get)
	for _, u := range m.Mentions {
		out.Mentions = append(out.Mentions, f.author(u, nil, get))
	}
	if r := m.Reference; r != nil {
		out.Reference = &reference{string(r.MessageID), string(r.ChannelID)}
	}
	if len(m.Snapshots) > 0 {
		s := &m.Snapshots[0].Message
		text := strings.TrimPrefix(s.Content+"\n"+discord.ExtraText(s), "\n")
		out.Forwarded = &forwarded{strings.TrimSuffix(text, "\n"), attachments(s, where, get), embeds(s.Embeds), stickers(s, where, get)}
	}
	for _, r := range m.reactions {
		out.Reactions = append(out.Reactions, f.reaction(r, where, get))
	}
	return out
}

func (f *fetcher) author(u wire.User, m *wire.Member, get getter) author {
	a := author{ID: string(u.ID), Name: u.Username, Discriminator: cmp.Or(u.Discriminator, "0"), Nickname: u.GlobalName, Bot: u.Bot}
	if m == nil {
		// The API says with a message only who its author is in the server; others are known from the list of members.
		if known, ok := f.members[u.ID]; ok {
			m = &known
		}
	}
	if m != nil {
		a.Nickname = cmp.Or(m.Nick, a.Nickname)
	}
	if name, address := AvatarFile(f.o.Guild, u, m); name != "" {
		a.Avatar = get(name, address, a.Name)
	}
	return a
}

// AvatarFile is the name in an export, and the address, of somebody's picture; "" for those without one. m is who they are
// in the server, nil if that is not known.
func AvatarFile(guild string, u wire.User, m *wire.Member) (name, address string) {
	switch {
	case u.ID == "":
		return "", ""
	case m != nil && plain(m.Avatar) != "":
		name = fmt.Sprintf("guilds/%s/users/%s/avatars/%s.png", guild, u.ID, plain(m.Avatar))
	case plain(u.Avatar) != "":
		name = fmt.Sprintf("avatars/%s/%s.png", u.ID, plain(u.Avatar))
	default:
		return "", ""
	}
	return "assets/" + name, cdn + name + "?size=256"
}

// EmojiFile is the name in an export, and the address, of a custom emoji's picture.
func EmojiFile(e wire.Emoji) (name, address string) {
	name = "emojis/" + string(e.ID) + ".png"
	if e.Animated {
		name = "emojis/" + string(e.ID) + ".gif"
	}
	return "assets/" + name, cdn + name
}

// IconFile is the name in an export, and the address, of the server's picture; "" if it has none.
func IconFile(guild, icon string) (name, address string) {
	if plain(icon) == "" {
		return "", ""
	}
	name = fmt.Sprintf("icons/%s/%s.png", guild, plain(icon))
	return "assets/" + name, cdn + name + "?size=256"
}

// cdn is where Discord's pictures are.
const cdn = "https://cdn.discordapp.com/"

// plain takes out of a hash what has no place in a path.
func plain(hash string) string {
	return strings.Map(func(c rune) rune {
		if c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			return c
		}
		return -1
	}, hash)
}

func attachments(m *wire.Message, where string, get getter) []attachment {
	var out []attachment
	for _, a := range m.Attachments {
		if a.ID == "" {
			continue
		}
		name := "files/" + string(a.ID) + extension(a.Filename)
		out = append(out, attachment{string(a.ID), get(name, a.URL, where), a.Filename, int64(a.Size)})
	}
	return out
}

// extension is that of a name, if it is a simple one.
func extension(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if len(ext) < 2 || len(ext) > 8 || "."+plain(ext) != ext {
		return ""
	}
	return ext
}

// formats of stickers: Discord, "Sticker Format Types".
var formats = map[wire.Int][2]string{1: {"Png", ".png"}, 2: {"Apng", ".png"}, 3: {"Lottie", ".json"}, 4: {"Gif", ".gif"}}

func stickers(m *wire.Message, where string, get getter) []sticker {
	var out []sticker
	for _, s := range m.Stickers {
		format, ok := formats[s.Format]
		if !ok || s.ID == "" {
			continue
		}
		host := "https://cdn.discordapp.com"
		if s.Format == 4 {
			host = "https://media.discordapp.net" // "Sticker GIFs are not available through the CDN"
		}
		name := "stickers/" + string(s.ID) + format[1]
		out = append(out, sticker{string(s.ID), s.Name, format[0], get("assets/"+name, host+"/"+name, where)})
	}
	return out
}

func (f *fetcher) reaction(r reaction, where string, get getter) reacted {
	e := emoji{ID: string(r.Emoji.ID), Name: r.Emoji.Name, Code: r.Emoji.Name, Animated: r.Emoji.Animated}
	if e.ID != "" {
		name, address := EmojiFile(r.Emoji)
		e.Image = get(name, address, where)
	}
	out := reacted{Emoji: e, Count: int(r.Count)}
	for _, u := range r.users {
		out.Users = append(out.Users, f.author(u, nil, get))
	}
	return out
}

func embeds(list []wire.Embed) []embed {
	var out []embed
	for _, e := range list {
		if e.Type == "poll_result" {
			continue // which is in the text
		}
		o := embed{Title: e.Title, URL: e.URL, Description: e.Description, Author: named{e.Author.Name}, Image: located{e.Image.URL}, Footer: noted{e.Footer.Text}}
		for _, f := range e.Fields {
			o.Fields = append(o.Fields, field{f.Name, f.Value})
		}
		out = append(out, o)
	}
	return out
}
