package slack

import (
	"context"
	"errors"
	"fmt"
	"time"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

var _ appservice.Messenger = (*Bridge)(nil)

// Message implements appservice.Messenger.
func (b *Bridge) Message(ctx context.Context, to networkid.UserID, key, text string) error {
	user := slackID(to)
	for _, w := range b.workspaces() {
		if w.dir.user(ctx, user) != nil {
			return w.write(ctx, user, key, format.Escape(text))
		}
	}
	return fmt.Errorf("%s is in no workspace: %w", user, appservice.ErrNotReachable)
}

// maxWrite is how often a message to somebody is tried while Slack asks for patience.
const maxWrite = 20

// write writes to somebody by the bot, once for each key. text is mrkdwn.
func (w *workspace) write(ctx context.Context, user, key, text string) error {
	done, begun, err := w.b.store.beginDirect(ctx, key)
	if err != nil || done {
		return err
	}
	var ch *slackgo.Channel
	err = w.api.read(ctx, "conversations.open", func() (err error) {
		ch, _, _, err = w.api.slack().OpenConversationContext(ctx, &slackgo.OpenConversationParameters{Users: []string{user}, ReturnIM: true})
		return err
	})
	if err != nil {
		return unreachable(err)
	}
	if !begun.IsZero() {
		ts, err := w.find(ctx, &action{Channel: ch.ID, EventID: id.EventID(key), Created: begun.UnixMilli()}, "", 0)
		if err != nil {
			return err
		}
		if ts != "" {
			return w.b.store.endDirect(ctx, key)
		}
	}
	for range maxWrite {
		_, _, err = w.api.slack().PostMessageContext(ctx, ch.ID, slackgo.MsgOptionText(text, false), slackgo.MsgOptionDisableLinkUnfurl(),
			slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"event_id": key, "part": 0}}))
		var limited *slackgo.RateLimitedError
		if !errors.As(err, &limited) {
			break
		}
		if err := sleep(ctx, max(limited.RetryAfter, 100*time.Millisecond)); err != nil {
			return err
		}
	}
	if err != nil {
		return unreachable(fmt.Errorf("chat.postMessage: %w", err))
	}
	return w.b.store.endDirect(context.WithoutCancel(ctx), key)
}

// unreachable marks the errors that say that somebody takes no messages.
func unreachable(err error) error {
	switch code(err) {
	case "user_not_found", "user_disabled", "user_not_visible", "cannot_dm_bot", "messages_tab_disabled", "is_bot", "account_inactive_user":
		return fmt.Errorf("%w: %w", appservice.ErrNotReachable, err)
	}
	return err
}
