package discordtest

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

func (s *Server) postWebhook(r *request) (any, *failure) {
	ch := s.channel(r.PathValue("channel"))
	if ch == nil {
		return nil, errUnknownChannel
	}
	if !s.may(ch.ID, ManageWebhooks) {
		return nil, errMissing
	}
	if ch.ThreadMetadata != nil || ch.Type == 4 {
		return nil, invalid("channel: Cannot have webhooks.")
	}
	var name string
	if !r.get("name", &name) || badName(name) {
		return nil, invalid("name: Username cannot contain \"discord\" or \"clyde\".")
	}
	n := 0
	for _, w := range s.webhooks {
		if w.ChannelID == ch.ID {
			n++
		}
	}
	if n >= 15 {
		return nil, &failure{400, 30007, "Maximum number of webhooks reached (15)"}
	}
	id := s.id()
	w := &Webhook{ID: id, Type: 1, GuildID: ch.GuildID, ChannelID: ch.ID, Name: name, Token: "webhook-token-" + id, ApplicationID: s.AppID, User: s.bot}
	s.webhooks[id] = w
	return w, nil
}

func badName(name string) bool {
	low := strings.ToLower(name)
	n := len([]rune(strings.TrimSpace(name)))
	return n < 1 || n > 80 || strings.Contains(low, "discord") || strings.Contains(low, "clyde")
}

// hook finds the webhook of a path, and the channel or thread that is written to.
func (s *Server) hook(r *request) (*Webhook, *Channel, *failure) {
	w := s.webhooks[r.PathValue("webhook")]
	if w == nil {
		return nil, nil, errUnknownWebhook
	}
	if w.Token != r.PathValue("token") {
		return nil, nil, &failure{401, 50027, "Invalid Webhook Token"}
	}
	ch := s.channel(w.ChannelID)
	if ch == nil {
		return nil, nil, errUnknownChannel
	}
	if t := r.URL.Query().Get("thread_id"); t != "" {
		thread := s.channel(t)
		if thread == nil || thread.ParentID == nil || *thread.ParentID != ch.ID {
			return nil, nil, errUnknownChannel
		}
		return w, thread, nil
	}
	return w, ch, nil
}

var (
	userMention = regexp.MustCompile(`<@!?(\d+)>`)
	roleMention = regexp.MustCompile(`<@&(\d+)>`)
)

// content checks a text and finds who is mentioned in it.
func (s *Server) content(r *request, m *Message) *failure {
	if raw, ok := r.body["content"]; ok && string(raw) != "null" {
		if !r.get("content", &m.Content) {
			return invalid("content: must be a string")
		}
	}
	m.Content = strings.TrimSpace(m.Content)
	if len(utf16.Encode([]rune(m.Content))) > 2000 {
		return invalid("content: Must be 2000 or fewer in length.")
	}
	// Without allowed_mentions everything is allowed.
	allowed := struct {
		Parse *[]string `json:"parse"`
		Users []string  `json:"users"`
		Roles []string  `json:"roles"`
	}{}
	given := r.get("allowed_mentions", &allowed)
	all := func(kind string) bool {
		return !given || allowed.Parse != nil && contains(*allowed.Parse, kind)
	}
	m.Mentions = []*User{}
	for _, f := range userMention.FindAllStringSubmatch(m.Content, -1) {
		if u := s.users[f[1]]; u != nil && (all("users") || contains(allowed.Users, u.ID)) {
			m.Mentions = append(m.Mentions, u)
		}
	}
	m.MentionRoles = []string{}
	for _, f := range roleMention.FindAllStringSubmatch(m.Content, -1) {
		if all("roles") || contains(allowed.Roles, f[1]) {
			m.MentionRoles = append(m.MentionRoles, f[1])
		}
	}
	m.MentionEveryone = (strings.Contains(m.Content, "@everyone") || strings.Contains(m.Content, "@here")) && all("everyone")
	return nil
}

func (s *Server) execute(r *request) (any, *failure) {
	w, ch, f := s.hook(r)
	if f != nil {
		return nil, f
	}
	name := w.Name
	if r.get("username", &name); badName(name) {
		return nil, invalid("username: %q is not allowed", name)
	}
	author := &User{ID: w.ID, Username: name, Discriminator: "0000", Bot: true}
	var avatar string
	if r.get("avatar_url", &avatar) && avatar != "" {
		if !strings.HasPrefix(avatar, "http://") && !strings.HasPrefix(avatar, "https://") {
			return nil, invalid("avatar_url: Not a well formed URL.")
		}
		author.Avatar = ptr(fmt.Sprintf("%032x", len(avatar)))
	}
	if ch.Type == 15 || ch.Type == 16 {
		var title string
		if !r.get("thread_name", &title) || title == "" {
			return nil, &failure{400, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id"}
		}
		forum := ch
		ch = s.thread(ch, s.id(), author, title)
		r.get("applied_tags", &ch.AppliedTags)
		for _, tag := range ch.AppliedTags {
			if !slices.ContainsFunc(forum.Tags, func(have Tag) bool { return have.ID == tag }) {
				return nil, invalid("applied_tags: unknown tag %s", tag)
			}
		}
	} else if ch.ThreadMetadata != nil && ch.ThreadMetadata.Archived {
		ch.ThreadMetadata.Archived = false
		s.dispatch(ch.GuildID, "THREAD_UPDATE", ch)
	}
	m := s.newMessage(ch, author, "")
	if ch.ThreadMetadata != nil && len(s.messages[ch.ID]) == 0 && s.isForum(ch) {
		m.ID = ch.ID
	}
	m.WebhookID, m.ApplicationID = w.ID, w.ApplicationID
	if f := s.content(r, m); f != nil {
		return nil, f
	}
	if f := s.attach(r, m); f != nil {
		return nil, f
	}
	if r.get("poll", &m.Poll); m.Poll != nil {
		if _, ok := m.Poll["question"].(map[string]any); !ok {
			return nil, invalid("poll.question: This field is required")
		}
		answers, _ := m.Poll["answers"].([]any)
		for i, a := range answers {
			if a, ok := a.(map[string]any); ok {
				a["answer_id"] = i + 1
			}
		}
		delete(m.Poll, "duration")
		m.Poll["expiry"], m.Poll["results"] = stamp(time.Now().Add(time.Hour)), map[string]any{"is_finalized": false, "answer_counts": []any{}}
	}
	if m.Content == "" && len(m.Attachments) == 0 && m.Poll == nil {
		return nil, &failure{400, 50006, "Cannot send an empty message"}
	}
	s.post(ch, m)
	if r.URL.Query().Get("wait") != "true" {
		return nil, nil
	}
	return m, nil
}

func (s *Server) isForum(thread *Channel) bool {
	parent := s.channel(*thread.ParentID)
	return parent != nil && (parent.Type == 15 || parent.Type == 16)
}

// webhookMessage finds a message of a webhook.
func (s *Server) webhookMessage(r *request) (*Message, *failure) {
	w, ch, f := s.hook(r)
	if f != nil {
		return nil, f
	}
	for _, m := range s.messages[ch.ID] {
		if m.ID == r.PathValue("message") && m.WebhookID == w.ID {
			return m, nil
		}
	}
	return nil, errUnknownMessage
}

func (s *Server) editWebhookMessage(r *request) (any, *failure) {
	m, f := s.webhookMessage(r)
	if f != nil {
		return nil, f
	}
	if f := s.content(r, m); f != nil {
		return nil, f
	}
	if _, ok := r.body["attachments"]; ok {
		m.Attachments = []Attachment{} // those that are kept are not looked at
		if f := s.attach(r, m); f != nil {
			return nil, f
		}
	}
	m.EditedTimestamp = ptr(stamp(time.Now()))
	s.dispatch(m.GuildID, "MESSAGE_UPDATE", *m)
	return m, nil
}

// attach adds the files of a request to a message.
func (s *Server) attach(r *request, m *Message) *failure {
	for i := 0; ; i++ {
		head, ok := r.files[fmt.Sprintf("files[%d]", i)]
		if !ok {
			break
		}
		if head.Size > 10<<20 {
			return &failure{413, 40005, "Request entity too large"}
		}
		file, err := head.Open()
		if err != nil {
			return invalid("%v", err)
		}
		data, _ := io.ReadAll(file)
		file.Close()
		id := s.id()
		path := "/attachments/" + m.ChannelID + "/" + id + "/" + head.Filename
		s.files[path] = data
		m.Attachments = append(m.Attachments, Attachment{
			ID: id, Filename: head.Filename, Size: len(data), URL: s.CDN() + path, ProxyURL: s.CDN() + path, ContentType: head.Header.Get("Content-Type"),
		})
	}
	return nil
}

// FillWebhooks gives a channel as many webhooks of somebody else as it can have.
func (s *Server) FillWebhooks(ch *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 15 {
		id := s.id()
		s.webhooks[id] = &Webhook{ID: id, Type: 1, GuildID: ch.GuildID, ChannelID: ch.ID, Name: "Another", ApplicationID: "1"}
	}
}
