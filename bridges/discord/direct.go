package discord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/format"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// codeNoDirect is Discord's "Cannot send messages to this user".
const codeNoDirect = 50007

// errands bounds how many people of Discord are answered at once.
const errands = 16

// errand does something that is not to hold up the pump, and does not outlive the bridge. Called by the pump.
func (n *bot) errand(ctx context.Context, f func(context.Context)) bool {
	select {
	case n.errands <- struct{}{}:
	default:
		return false
	}
	n.work.Go(func() {
		defer func() { <-n.errands }()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		stop := context.AfterFunc(n.ctx, cancel)
		defer stop()
		f(ctx)
	})
	return true
}

// onDirect answers a direct message to the bot.
func (n *bot) onDirect(ctx context.Context, e *entry) {
	var m wire.Message
	if !n.decode(e, &m) || m.ChannelID == "" || m.Author.ID == "" || m.Author.ID == n.self || m.Author.Bot || m.WebhookID != "" ||
		m.Type != wire.MessageDefault && m.Type != wire.MessageReply {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	started := n.errand(ctx, func(ctx context.Context) {
		defer n.inbox.done(handled{seq: e.seq})
		body := map[string]any{
			"content": n.answer(ctx, m.Author, m.Content), "allowed_mentions": map[string]any{"parse": []string{}},
			"nonce": "a" + string(m.ID), "enforce_nonce": true, // answered once, also if the bridge dies and answers again
			"message_reference": map[string]any{"message_id": m.ID, "channel_id": m.ChannelID, "fail_if_not_exists": false},
		}
		if err := n.api.Do(ctx, "POST", "/channels/"+string(m.ChannelID)+"/messages", "", body, nil); err != nil {
			n.log.Warn("a direct message is not answered", "error", err)
		}
	})
	if !started {
		n.log.Warn("too many direct messages at once; one is not answered")
		n.inbox.done(handled{seq: e.seq})
	}
}

// answer answers what somebody writes to the bot.
func (n *bot) answer(ctx context.Context, u wire.User, text string) string {
	words := strings.Fields(text)
	for len(words) > 0 && strings.HasPrefix(words[0], "<@") { // the bot's name
		words = words[1:]
	}
	command, rest := "", ""
	if len(words) > 0 {
		command = strings.ToLower(strings.Trim(words[0], "!/`."))
	}
	if len(words) > 1 {
		rest = strings.Trim(words[1], "`")
	}
	switch command {
	case "link":
		return n.sayLink(ctx, u, rest)
	case "unlink":
		return n.sayUnlink(ctx, u.ID)
	case "status":
		return n.sayStatus(ctx, u.ID, "")
	}
	return sayHelp
}

// Message implements appservice.Messenger.
func (b *Bridge) Message(ctx context.Context, to networkid.UserID, key, text string) error {
	n := b.client()
	if n == nil {
		return errNotRunning
	}
	if !isUser(to) {
		return fmt.Errorf("write to %q: %w", to, appservice.ErrNotReachable)
	}
	return n.message(ctx, wire.ID(to), key, text)
}

var _ appservice.Messenger = (*Bridge)(nil)

// message writes to somebody, once for each key and person: that sending was begun is stored before, and what was begun and is not
// known to be done is looked for.
func (n *bot) message(ctx context.Context, to wire.ID, key, text string) error {
	n.directs.Lock() // one at a time: Discord takes it ill if many are written to at once
	defer n.directs.Unlock()
	parts := format.Split(format.FromText(text).Text, format.MaxLength)
	if len(parts) == 0 || len(parts) > maxParts {
		return errors.New("a direct message must have text, and not too much of it")
	}
	for i, part := range parts {
		if err := n.messagePart(ctx, to, fmt.Sprintf("%s/%s/%d", to, key, i), part); err != nil {
			return err
		}
	}
	return nil
}

func (n *bot) messagePart(ctx context.Context, to wire.ID, key, text string) error {
	begun, done, err := n.b.store.direct(ctx, key)
	if err != nil || done {
		return err
	}
	var channel wire.Channel
	err = n.api.Do(ctx, "POST", "/users/@me/channels", "", map[string]any{"recipient_id": to}, &channel)
	if err != nil || channel.ID == "" {
		return reachable(err)
	}
	return reachable(n.sayOnce(ctx, channel.ID, to, key, text, begun))
}

// sayOnce has the bot say something in a channel. begun is when that was begun already, perhaps with success; zero if it was not.
// to is who it is for: a person, or the channel.
func (n *bot) sayOnce(ctx context.Context, channel, to wire.ID, key, text string, begun time.Time) error {
	path := "/channels/" + string(channel) + "/messages"
	if !begun.IsZero() {
		var list wire.List[wire.Message]
		after := wire.IDAt(begun.Add(-5 * time.Minute))
		if err := n.api.Do(ctx, "GET", path+"?limit=100&after="+string(after), path, nil, &list); err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(m wire.Message) bool {
			return m.Author.ID == n.selfID() && strings.TrimSpace(m.Content) == strings.TrimSpace(text)
		}) {
			return n.b.store.directDone(ctx, key)
		}
	} else if err := n.b.store.beginDirect(ctx, key, to); err != nil {
		return err
	}
	body := map[string]any{"content": text, "allowed_mentions": map[string]any{"parse": []string{}}, "nonce": hash(key)[:25], "enforce_nonce": true}
	if err := n.api.Do(ctx, "POST", path, "", body, nil); err != nil {
		return err
	}
	return n.b.store.directDone(context.WithoutCancel(ctx), key)
}

// reachable marks the errors after which somebody is not to be written to again.
func reachable(err error) error {
	switch {
	case err == nil:
		return nil
	case api.IsCode(err, codeNoDirect, codeUnknownUser), api.IsStatus(err, 403), api.IsStatus(err, 404):
		return fmt.Errorf("write a direct message: %w (%w)", appservice.ErrNotReachable, err)
	}
	return fmt.Errorf("write a direct message: %w", err)
}
