package discord

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice/txnid"
	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Codes of Discord's, from "JSON Error Codes".
const (
	codeUnknownMessage = 10008
	codeUnknownWebhook = 10015
	codeWebhookToken   = 50027
	codeThreadExists   = 160004
	codeThreadHere     = 160005 // threads cannot be made from system messages, or here
	codeMaxWebhooks    = 30007
)

// do implements doer.
func (n *bot) do(ctx context.Context, j *job) error {
	switch j.Kind {
	case jobMessage:
		return n.doMessage(ctx, j)
	case jobEdit:
		return n.doEdit(ctx, j)
	case jobDelete:
		return n.doDelete(ctx, j)
	case jobReact, jobUnreact:
		return n.doReact(ctx, j)
	case jobKick, jobBan, jobUnban, jobTimeout:
		return n.doModerate(ctx, j)
	case jobArchive:
		return n.doArchive(ctx, j)
	}
	return failure{fmt.Errorf("there is no job %q", j.Kind)}
}

// target finds the messages that a job is about, and where they are.
func (n *bot) target(ctx context.Context, j *job) (wire.ID, []wire.ID, error) {
	if j.TargetID != "" {
		return j.TargetChannel, []wire.ID{j.TargetID}, nil
	}
	channel, list, err := n.b.store.sent(ctx, j.Target)
	if err == nil && len(list) == 0 {
		err = failure{errors.New("the message that this belongs to is not on Discord")}
	}
	return channel, list, err
}

// webhookPath is the path of a webhook, or of a message of one, in a channel or in a
// thread of it.
func webhookPath(w webhook, channel, where wire.ID, message wire.ID, query url.Values) string {
	path := "/webhooks/" + string(w.id) + "/" + w.token
	if message != "" {
		path += "/messages/" + string(message)
	}
	if query == nil {
		query = url.Values{}
	}
	if where != "" && where != channel {
		query.Set("thread_id", string(where))
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// thread returns the thread that a job writes into, making it if needed; the channel
// itself if there is none.
func (n *bot) thread(ctx context.Context, j *job) (wire.ID, error) {
	root, where := j.RootID, j.Channel
	if root == "" && j.Root == "" {
		return j.Channel, nil
	}
	if root == "" {
		ch, list, err := n.b.store.sent(ctx, j.Root)
		if err != nil {
			return "", err
		}
		if len(list) == 0 {
			return "", failure{errors.New("the message that the thread begins with is not on Discord")}
		}
		root, where = list[0], ch
	}
	if where == root { // a post in a forum
		return root, nil
	}
	if t, ok := n.guilds.channel(root); ok && t.IsThread() || j.Title == "" {
		return root, nil // it is there; a room of its own has no title
	}
	if ch, ok := n.guilds.channel(j.Channel); ok && ch.IsForum() {
		return root, nil
	}
	path := "/channels/" + string(j.Channel) + "/messages/" + string(root) + "/threads"
	err := n.api.Do(ctx, "POST", path, "/channels/"+string(j.Channel)+"/threads", map[string]any{"name": j.Title}, nil)
	switch {
	case err == nil, api.IsCode(err, codeThreadExists):
		return root, nil
	case api.IsCode(err, codeThreadHere, codeUnknownMessage):
		// The thread was made without a message, and has its own id.
		var t wire.Channel
		if n.api.Do(ctx, "GET", "/channels/"+string(root), "", nil, &t) == nil && t.IsThread() {
			return root, nil
		}
	}
	return "", err
}

// doMessage sends a message, in several parts if it is long.
func (n *bot) doMessage(ctx context.Context, j *job) error {
	where, err := n.thread(ctx, j)
	if err != nil {
		return err
	}
	for repairs := 0; j.Next < len(j.Parts); {
		hook, err := n.hooks.get(ctx, j.Channel)
		if err != nil {
			return err
		}
		if !j.attempted.IsZero() {
			// Whether Discord has it already is not known.
			found, err := n.findSent(ctx, j, hook, where)
			if err != nil {
				return err
			}
			if found != nil {
				if err := n.record(ctx, j, found); err != nil {
					return err
				}
				continue
			}
		}
		var file *api.File
		if j.File != nil && j.Next == 0 {
			if file, err = n.load(ctx, j.File); err != nil {
				return err
			}
		}
		j.attempted = time.Now()
		if err := n.b.store.attempt(ctx, j, j.attempted); err != nil {
			j.attempted = time.Time{}
			return err
		}
		sent, err := n.execute(ctx, j, hook, where, file)
		if err == nil && sent.ID == "" {
			// It was taken, and it was not said under which id.
			if sent, err = n.findSent(ctx, j, hook, where); err == nil && sent == nil {
				err = failure{errors.New("the message was taken, and Discord did not say under which id")}
			}
		}
		if err == nil {
			if err := n.record(ctx, j, sent); err != nil {
				return err
			}
			continue
		}
		if !api.Refused(err) {
			return err
		}
		j.attempted = time.Time{}
		if err := n.b.store.attempt(ctx, j, j.attempted); err != nil {
			return err
		}
		if j.Poll != nil && api.IsStatus(err, 400) {
			// Polls cannot be everywhere; the question can.
			j.Parts, j.Poll = []string{j.Poll.text()}, nil
			continue
		}
		if repairs++; repairs > 2 || !api.IsCode(err, codeUnknownWebhook, codeWebhookToken) {
			return err
		}
		n.hooks.forget(j.Channel) // somebody has deleted it
	}
	return nil
}

// execute makes the request that sends a part of a message.
func (n *bot) execute(ctx context.Context, j *job, hook webhook, where wire.ID, file *api.File) (*wire.Message, error) {
	body := map[string]any{"content": j.Parts[j.Next], "username": j.Name, "allowed_mentions": allowedMentions(j)}
	if j.Avatar != "" {
		body["avatar_url"] = j.Avatar
	}
	if j.Post && j.Next == 0 {
		body["thread_name"] = j.Title
		if len(j.Tags) > 0 {
			body["applied_tags"] = j.Tags
		}
	}
	if j.Poll != nil && j.Next == 0 {
		body["poll"] = j.Poll.wire()
	}
	if j.Post && j.Next > 0 {
		if ch, _, err := n.b.store.sent(ctx, j.EventID); err == nil && ch != "" {
			where = ch
		}
	}
	path := webhookPath(hook, j.Channel, where, "", url.Values{"wait": {"true"}})
	bucket := "/webhooks/" + string(hook.id)
	var sent wire.Message
	var err error
	if file != nil {
		body["attachments"] = []map[string]any{{"id": 0, "filename": file.Name}}
		err = n.api.Upload(ctx, "POST", path, bucket, body, []api.File{*file}, &sent)
	} else {
		err = n.api.Do(ctx, "POST", path, bucket, body, &sent)
	}
	return &sent, err
}

// allowedMentions says whom a message may alert. Discord, "Allowed Mentions Object": what
// is not listed is shown and alerts nobody.
func allowedMentions(j *job) map[string]any {
	parse := []string{}
	if j.Everyone {
		parse = append(parse, "everyone")
	}
	users := j.Users
	if users == nil {
		users = []string{}
	}
	roles := j.Roles
	if roles == nil {
		roles = []string{}
	}
	return map[string]any{"parse": parse, "users": users[:min(len(users), 100)], "roles": roles[:min(len(roles), 100)]}
}

// record stores that a part was sent.
func (n *bot) record(ctx context.Context, j *job, sent *wire.Message) error {
	first := j.Next == 0
	j.Next++
	j.attempted = time.Time{}
	channel := sent.ChannelID
	if channel == "" {
		channel = j.Channel
	}
	err := n.b.store.sentPart(context.WithoutCancel(ctx), j, channel, sent.ID, func(ctx context.Context) error {
		row, err := n.b.br.DB.Message.GetPartByMXID(ctx, j.EventID)
		if err != nil || row == nil {
			return err // deleted meanwhile
		}
		meta := *metaOf(row)
		if first {
			row.ID, meta.Channel = messageID(sent.ID), channel
		} else {
			meta.More = append(meta.More, sent.ID)
		}
		row.Metadata = &meta
		return n.b.br.DB.Message.Update(ctx, row)
	})
	if err != nil {
		j.Next--
		j.attempted = time.Now().Add(-time.Minute) // it is found again
	}
	return err
}

// findSent looks whether a part was sent by a request whose answer was not heard.
func (n *bot) findSent(ctx context.Context, j *job, hook webhook, where wire.ID) (*wire.Message, error) {
	if j.Post && j.Next == 0 {
		return n.findPost(ctx, j, hook)
	}
	after := wire.IDAt(j.attempted.Add(-5 * time.Minute))
	for range 20 {
		var page wire.List[wire.Message]
		path := "/channels/" + string(where) + "/messages?limit=100&after=" + string(after)
		if err := n.api.Do(ctx, "GET", path, "/channels/"+string(where)+"/messages", nil, &page); err != nil {
			if api.Refused(err) {
				return nil, errUncertain
			}
			return nil, err
		}
		slices.SortFunc(page, func(a, b wire.Message) int {
			return strings.Compare(fmt.Sprintf("%020s", a.ID), fmt.Sprintf("%020s", b.ID))
		})
		for i := range page {
			m := &page[i]
			after = m.ID
			if m.WebhookID != hook.id || m.Author.Username != j.Name || strings.TrimSpace(m.Content) != strings.TrimSpace(j.Parts[j.Next]) {
				continue
			}
			known, err := n.b.store.wasSent(ctx, m.ID)
			if err != nil {
				return nil, err
			}
			if !known {
				return m, nil
			}
		}
		if len(page) < 100 {
			return nil, nil
		}
	}
	return nil, errUncertain
}

// findPost looks whether a post of a forum was made by a request whose answer was not heard.
func (n *bot) findPost(ctx context.Context, j *job, hook webhook) (*wire.Message, error) {
	ch, ok := n.guilds.channel(j.Channel)
	if !ok {
		return nil, errUncertain
	}
	var answer struct {
		Threads wire.List[wire.Channel] `json:"threads"`
	}
	if err := n.api.Do(ctx, "GET", "/guilds/"+string(ch.GuildID)+"/threads/active", "", nil, &answer); err != nil {
		if api.Refused(err) {
			return nil, errUncertain
		}
		return nil, err
	}
	after := wire.IDAt(j.attempted.Add(-5 * time.Minute))
	for _, t := range answer.Threads {
		if t.ParentID != j.Channel || t.Name != j.Title || t.OwnerID != hook.id || !t.ID.After(after) {
			continue
		}
		known, err := n.b.store.wasSent(ctx, t.ID)
		if err != nil {
			return nil, err
		}
		if !known {
			return &wire.Message{ID: t.ID, ChannelID: t.ID}, nil
		}
	}
	return nil, nil
}

// load gets a file of Matrix.
func (n *bot) load(ctx context.Context, f *jobFile) (*api.File, error) {
	raw, err := n.b.br.Bot.DownloadMedia(ctx, f.URL, f.File)
	if err != nil {
		if refusedByMatrix(err) {
			return nil, failure{fmt.Errorf("get the file: %w", err)}
		}
		return nil, fmt.Errorf("get the file: %w", err)
	}
	return &api.File{Name: f.Name, ContentType: f.Mime, Data: raw}, nil
}

// doEdit changes what was sent.
func (n *bot) doEdit(ctx context.Context, j *job) error {
	where, list, err := n.target(ctx, j)
	if err != nil {
		return err
	}
	if len(j.Parts) > len(list) {
		return failure{errors.New("the corrected text is longer than fits into the messages that were sent")}
	}
	hook, err := n.hooks.get(ctx, j.Channel)
	if err != nil {
		return err
	}
	bucket := "/webhooks/" + string(hook.id) + "/messages"
	for i, message := range list {
		path := webhookPath(hook, j.Channel, where, message, nil)
		if i >= len(j.Parts) {
			if err := n.api.Do(ctx, "DELETE", path, bucket, nil, nil); err != nil && !api.IsCode(err, codeUnknownMessage) {
				return err
			}
			continue
		}
		body := map[string]any{"content": j.Parts[i], "allowed_mentions": allowedMentions(j)}
		if i == 0 && j.File != nil {
			// Discord: what "attachments" does not list is taken away; so the new file takes the place of the old one.
			file, err := n.load(ctx, j.File)
			if err != nil {
				return err
			}
			body["attachments"] = []map[string]any{{"id": 0, "filename": file.Name}}
			if err := n.api.Upload(ctx, "PATCH", path, bucket, body, []api.File{*file}, nil); err != nil {
				return err
			}
			continue
		}
		if err := n.api.Do(ctx, "PATCH", path, bucket, body, nil); err != nil {
			return err
		}
	}
	// The framework may have stored the row as it was before the message was sent.
	row, err := n.b.br.DB.Message.GetPartByMXID(ctx, j.Target)
	if err == nil && row != nil && strings.HasPrefix(string(row.ID), pendingPrefix) {
		row.ID = messageID(list[0])
		err = n.b.br.DB.Message.Update(ctx, row)
	}
	return err
}

// doDelete deletes what was sent; somebody else's message if the bot may.
func (n *bot) doDelete(ctx context.Context, j *job) error {
	where, list, err := n.target(ctx, j)
	if err != nil {
		return err
	}
	for _, message := range list {
		path, bucket := "/channels/"+string(where)+"/messages/"+string(message), "/channels/"+string(where)+"/messages/delete"
		if j.TargetID == "" {
			hook, err := n.hooks.get(ctx, j.Channel)
			if err != nil {
				return err
			}
			path, bucket = webhookPath(hook, j.Channel, where, message, nil), "/webhooks/"+string(hook.id)+"/messages"
		}
		if err := n.api.Do(ctx, "DELETE", path, bucket, nil, nil); err != nil && !api.IsCode(err, codeUnknownMessage) {
			return err
		}
	}
	return nil
}

func (n *bot) doReact(ctx context.Context, j *job) error {
	where, list, err := n.target(ctx, j)
	if err != nil {
		return err
	}
	method := "PUT"
	if j.Kind == jobUnreact {
		method = "DELETE"
	}
	path := "/channels/" + string(where) + "/messages/" + string(list[0]) + "/reactions/" + url.PathEscape(j.Emoji) + "/@me"
	err = n.api.Do(ctx, method, path, "/channels/"+string(where)+"/messages/id/reactions", nil, nil)
	if j.Kind == jobUnreact && api.IsStatus(err, 404) {
		return nil
	}
	return err
}

// settled implements doer: it tells the sender what became of a message.
func (n *bot) settled(ctx context.Context, j *job, err error) {
	status := bridgev2.MessageStatus{Status: event.MessageStatusSuccess}
	if err != nil {
		n.log.Warn("something from Matrix is not on Discord", "event_id", j.EventID, "what", string(j.Kind), "error", err)
		status = refusal(err)
		n.tellSender(ctx, &status, j.statusInfo())
	}
	n.b.br.Matrix.SendMessageStatus(ctx, &status, j.statusInfo())
	switch j.Kind {
	case jobKick, jobBan, jobUnban, jobTimeout:
		n.moderated(ctx, j, err)
	}
}

// tellSender says in the room that a message has failed. The framework would do it too,
// but some time later, and never if the process dies before that.
func (n *bot) tellSender(ctx context.Context, status *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) {
	if !status.SendNotice || info.MessageType == event.MsgNotice {
		return
	}
	status.SendNotice = false
	ctx, cancel := context.WithTimeout(txnid.With(ctx, "failed/"+string(info.SourceEventID)), time.Minute)
	defer cancel()
	content := &event.Content{Parsed: status.ToNoticeEvent(info)}
	if _, err := n.b.br.Bot.SendMessage(ctx, info.RoomID, event.EventMessage, content, nil); err != nil {
		n.log.Error("somebody is not told that their message has failed", "event_id", info.SourceEventID, "error", err)
	}
}

// lacking says what the bot needs for a request that was refused for a lack of rights.
func lacking(what string) string {
	switch {
	case strings.Contains(what, "/bans"):
		return "The bot needs Ban Members, and a role above theirs"
	case strings.HasPrefix(what, "DELETE") && strings.Contains(what, "/members/"):
		return "The bot needs Kick Members, and a role above theirs"
	case strings.Contains(what, "/members/"):
		return "The bot needs Time out Members, and a role above theirs"
	case strings.Contains(what, "/reactions/"):
		return "The bot needs Add Reactions in the channel"
	case strings.HasPrefix(what, "PATCH /channels/"):
		return "The bot needs Manage Threads in the channel"
	case strings.HasPrefix(what, "DELETE /channels/"):
		return "The bot needs Manage Messages in the channel"
	case strings.HasSuffix(what, "/threads"):
		return "The bot needs Create Public Threads in the channel"
	}
	return "The bot needs Manage Webhooks in the channel"
}

// refusal makes the status that a sender sees from an error.
func refusal(err error) bridgev2.MessageStatus {
	status := bridgev2.WrapErrorInStatus(err).WithStatus(event.MessageStatusFail).
		WithErrorReason(event.MessageStatusNetworkError).WithIsCertain(true).WithSendNotice(true).WithErrorAsMessage()
	var answer *api.Error
	switch {
	case errors.Is(err, errUncertain):
		status = status.WithIsCertain(false).WithStatus(event.MessageStatusRetriable)
	case errors.Is(err, errOutboxFull):
		status = status.WithStatus(event.MessageStatusRetriable)
	case errors.As(err, &answer) && answer.Status == 403:
		status = status.WithErrorReason(event.MessageStatusNoPermission).
			WithMessage("Discord refuses it: " + answer.Message + ". " + lacking(answer.What))
	case api.IsCode(err, codeMaxWebhooks):
		status = status.WithMessage("The channel on Discord has as many webhooks as it can have. Somebody who manages it has to delete one: Edit Channel, Integrations, Webhooks")
	case errors.As(err, &answer):
		status = status.WithMessage("Discord refuses it: " + answer.Message)
	case errors.Is(err, errTooLong), errors.Is(err, errEmpty), errors.Is(err, errTooLarge):
		status = status.WithErrorReason(event.MessageStatusUnsupported)
	case errors.Is(err, errReadOnly):
		status = status.WithErrorReason(event.MessageStatusNoPermission)
	}
	return status
}
