package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

var _ appservice.Freezer = (*Bridge)(nil)

// maxTopic is how many characters a channel's topic may have.
const maxTopic = 250

// Freeze implements appservice.Freezer. Slack lets no app take away the right to write.
func (b *Bridge) Freeze(ctx context.Context, notice string) (undone []string, err error) {
	for _, w := range b.workspaces() {
		channels := w.gaps.channels()
		for _, channel := range channels {
			missing, err := w.freeze(ctx, channel, notice)
			if err != nil {
				return undone, err
			}
			undone = append(undone, missing...)
		}
		if len(channels) > 0 {
			undone = append(undone, fmt.Sprintf("In the workspace %s people can still write: Slack lets no app change that. An administrator can, "+
				"in each channel's settings, under “Posting permissions”, or by archiving the channels.", w.cfg.ID))
		}
	}
	return undone, nil
}

func (w *workspace) freeze(ctx context.Context, channel, notice string) (undone []string, err error) {
	ch, err := w.channel(ctx, channel)
	if err != nil {
		return []string{fmt.Sprintf("Nothing was said in the channel %s: %v.", channel, err)}, ctx.Err()
	}
	if ch.IsArchived || ch.IsIM || ch.IsMpIM {
		return nil, nil
	}
	done, err := w.b.store.frozen(ctx, w.cfg.ID)
	if err != nil {
		return nil, err
	}
	if _, ok := done[channel]; !ok {
		if err := w.b.store.freeze(ctx, w.cfg.ID, channel, ch.Topic.Value); err != nil {
			return nil, err
		}
	}
	topic := []rune(strings.Join(strings.Fields(notice), " "))
	topic = topic[:min(len(topic), maxTopic)]
	if format.Plain(format.Mrkdwn(ch.Topic.Value)) != string(topic) {
		if err := w.retopic(ctx, channel, string(topic)); err != nil {
			undone = append(undone, fmt.Sprintf("The topic of #%s does not say it: %v.", ch.Name, err))
		}
	}
	if err := w.tell(ctx, channel, "freeze/"+channel+"/"+notice, notice); err != nil {
		return append(undone, fmt.Sprintf("The notice is not in #%s: %v.", ch.Name, err)), ctx.Err()
	}
	return undone, nil
}

// tell has the bot say something in a channel, once for each key.
func (w *workspace) tell(ctx context.Context, channel, key, text string) error {
	was, begun, err := w.b.store.beginDirect(ctx, key)
	if err != nil || was {
		return err
	}
	if !begun.IsZero() {
		ts, err := w.find(ctx, &action{Channel: channel, EventID: id.EventID(key), Created: begun.UnixMilli()}, "", 0)
		if err != nil {
			return err
		}
		if ts != "" {
			return w.b.store.endDirect(ctx, key)
		}
	}
	err = w.api.read(ctx, "chat.postMessage", func() error {
		_, _, err := w.api.slack().PostMessageContext(ctx, channel, slackgo.MsgOptionText(format.Escape(text), false),
			slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"event_id": key, "part": 0}}))
		var limited *slackgo.RateLimitedError
		if err != nil && transient(err) && !errors.As(err, &limited) {
			return fmt.Errorf("it may or may not have been said: %w", errors.Join(context.Canceled, err)) // not tried again blindly
		}
		return err
	})
	if err != nil {
		return err
	}
	return w.b.store.endDirect(context.WithoutCancel(ctx), key)
}

var _ appservice.Announcer = (*Bridge)(nil)

// Announce implements appservice.Announcer.
func (b *Bridge) Announce(ctx context.Context, key, text string) (undone []string, err error) {
	for _, w := range b.workspaces() {
		for _, channel := range w.gaps.channels() {
			ch, err := w.channel(ctx, channel)
			if err == nil && (ch.IsArchived || ch.IsIM || ch.IsMpIM) {
				continue
			}
			if err == nil {
				err = w.tell(ctx, channel, "announce/"+channel+"/"+key, text)
			}
			if ctx.Err() != nil {
				return undone, ctx.Err()
			}
			if err != nil {
				undone = append(undone, fmt.Sprintf("It was not announced in the channel %s: %v.", channel, err))
			}
		}
	}
	return undone, nil
}

func (w *workspace) retopic(ctx context.Context, channel, topic string) error {
	return w.api.read(ctx, "conversations.setTopic", func() error {
		_, err := w.api.slack().SetTopicOfConversationContext(ctx, channel, topic)
		return err
	})
}

// Thaw implements appservice.Freezer.
func (b *Bridge) Thaw(ctx context.Context) (undone []string, err error) {
	for _, w := range b.workspaces() {
		topics, err := b.store.frozen(ctx, w.cfg.ID)
		if err != nil {
			return undone, err
		}
		for channel, topic := range topics {
			if err := w.retopic(ctx, channel, format.Plain(format.Mrkdwn(topic))); err != nil {
				undone = append(undone, fmt.Sprintf("The topic of the channel %s is not what it was, %q: %v.", channel, topic, err))
				continue
			}
			if err := b.store.thaw(ctx, w.cfg.ID, channel); err != nil {
				return undone, err
			}
		}
	}
	return undone, ctx.Err()
}

// CatchUp implements appservice.Freezer: it looks for what was missed in all channels, and waits until the rooms have
// handled it and all that has come.
func (b *Bridge) CatchUp(ctx context.Context) error {
	for _, w := range b.workspaces() {
		w.gaps.begin(true)
		if err := w.waitFor(ctx, func() bool { return w.gaps.none() && w.inbox.empty() }); err != nil {
			return err
		}
		for _, channel := range w.gaps.channels() {
			handled := make(chan struct{})
			w.turn(channel, nil, "", func(context.Context, *bridgev2.Portal) error { close(handled); return nil })
			select {
			case <-handled:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

func (w *workspace) waitFor(ctx context.Context, cond func() bool) error {
	for !cond() {
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// none reports whether no channel waits for what was missed.
func (g *gaps) none() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.todo) == 0 && len(g.held) == 0
}

// empty reports whether no event waits for the pump.
func (b *inbox) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !slices.ContainsFunc(b.queue, func(e *entry) bool { return e != nil })
}
