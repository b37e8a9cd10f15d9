package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

// metadataType marks the messages of the bridge, so that it finds out whether Slack has
// one whose answer it never got.
const metadataType = "landbridge_message"

// richText is elements as a block, with an id by which the message is known, too.
type richText struct {
	elements []format.Element
	id       string
}

var _ slackgo.Block = richText{}

// BlockType implements slack.Block.
func (richText) BlockType() slackgo.MessageBlockType { return slackgo.MBTRichText }

// ID implements slack.Block.
func (r richText) ID() string { return r.id }

// MarshalJSON implements json.Marshaler.
func (r richText) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"type": "rich_text", "block_id": r.id, "elements": r.elements})
}

// blockID names a part of what an event says. Slack gives it back with the message, also where it keeps metadata to itself.
func blockID(event id.EventID, part int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", event, part))
	return "landbridge-" + hex.EncodeToString(sum[:12])
}

// options are those of the message that says a part of an event.
func (p *piece) options(event id.EventID, part int) []slackgo.MsgOption {
	return []slackgo.MsgOption{slackgo.MsgOptionText(p.Text, false), slackgo.MsgOptionBlocks(richText{p.Elements, blockID(event, part)})}
}

// perform tries to do what is left to do of an action.
func (w *workspace) perform(ctx context.Context, a *action) error {
	switch a.Kind {
	case doPost:
		return w.postAll(ctx, a)
	case doUpload:
		return w.upload(ctx, a)
	case doEdit:
		return w.edit(ctx, a)
	case doDelete:
		return w.remove(ctx, a)
	case doReact, doUnreact:
		return w.react(ctx, a)
	case doName:
		return w.rename(ctx, a)
	case doTopic:
		return w.setTopic(ctx, a)
	case doPins:
		return w.pin(ctx, a)
	case doInvite, doKick:
		return w.invite(ctx, a)
	case doJoin, doLeave:
		return w.walk(ctx, a)
	}
	return fmt.Errorf("an action of an unknown kind, %q", a.Kind)
}

// target returns the row of a message, with the id that Slack has given it.
func (w *workspace) target(ctx context.Context, event id.EventID) (*database.Message, error) {
	row, err := w.b.br.DB.Message.GetPartByMXID(ctx, event)
	if err != nil || row == nil {
		return nil, err
	}
	if tsOf(row.ID) == "" {
		// An edit that was handled while the message was being sent has written the row as
		// it was before.
		ts := w.outbox.posted(event)
		if ts == "" {
			return nil, nil
		}
		row.ID = messageID(channelOf(row.Room), ts)
		return row, w.b.br.DB.Message.Update(ctx, row)
	}
	return row, nil
}

// thread returns the ts of the thread of an action, or "".
func (w *workspace) thread(ctx context.Context, a *action) (string, error) {
	if a.Thread == "" {
		return "", nil
	}
	row, err := w.target(ctx, a.Thread)
	if err != nil || row == nil {
		return "", err
	}
	if root := tsOf(row.ThreadRoot); root != "" {
		return root, nil
	}
	return tsOf(row.ID), nil
}

// postAll posts the pieces that Slack does not have yet.
func (w *workspace) postAll(ctx context.Context, a *action) error {
	voice, err := w.speaker(a)
	if err != nil {
		return err
	}
	thread, err := w.thread(ctx, a)
	if err != nil {
		return err
	}
	for len(a.TS) < len(a.Pieces) {
		ts := ""
		if a.begun {
			if ts, err = w.find(ctx, a, thread, len(a.TS)); err != nil {
				return err
			}
		}
		if ts == "" {
			if !a.begun {
				if err := w.b.store.progress(ctx, a, true, nil); err != nil {
					return err
				}
				a.begun = true
			}
			options := append(a.Pieces[len(a.TS)].options(a.EventID, len(a.TS)),
				slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{
					"event_id": string(a.EventID), "part": len(a.TS),
				}}))
			if a.As == "" {
				options = append(options, slackgo.MsgOptionUsername(a.Name))
			}
			if a.Icon != "" && a.As == "" {
				options = append(options, slackgo.MsgOptionIconURL(a.Icon))
			}
			if thread != "" {
				options = append(options, slackgo.MsgOptionTS(thread))
			}
			if _, ts, err = voice.slack().PostMessageContext(ctx, a.Channel, options...); err != nil {
				var limited *slackgo.RateLimitedError
				if errors.As(err, &limited) {
					a.begun = false // nothing was posted, so there is nothing to look for
				}
				return fmt.Errorf("chat.postMessage: %w", err)
			}
		}
		if err := w.gotTS(ctx, a, ts); err != nil {
			return err
		}
	}
	return nil
}

// gotTS records that Slack has the next message of an action.
func (w *workspace) gotTS(ctx context.Context, a *action, ts string) error {
	ctx = context.WithoutCancel(ctx) // what Slack has must be known
	a.TS = append(a.TS, ts)
	if len(a.TS) == 1 {
		w.outbox.remember(a.EventID, ts)
	}
	err := w.b.store.progress(ctx, a, false, func(ctx context.Context) error {
		row, err := w.b.br.DB.Message.GetPartByMXID(ctx, a.EventID)
		if err != nil || row == nil {
			return err // it was deleted meanwhile
		}
		row.ID = messageID(a.Channel, a.TS[0])
		meta := *metaOf(row)
		meta.More = a.TS[1:]
		row.Metadata = &meta
		return w.b.br.DB.Message.Update(ctx, row)
	})
	if err != nil {
		a.TS = a.TS[:len(a.TS)-1] // found again by its metadata
		return err
	}
	a.begun = false
	for _, e := range w.early.take(a.Channel + "/" + ts) { // somebody of Slack was faster
		w.inbox.again(e)
	}
	return nil
}

// find looks for a message that was perhaps posted, and returns its ts or "".
func (w *workspace) find(ctx context.Context, a *action, thread string, part int) (string, error) {
	voice, err := w.speaker(a)
	if err != nil {
		return "", err
	}
	args := values("channel", a.Channel, "oldest", timeTS(time.UnixMilli(a.Created).Add(-time.Minute)), "limit", "200", "include_all_metadata", "true")
	method, block := "conversations.history", blockID(a.EventID, part)
	if thread != "" {
		method = "conversations.replies"
		args.Set("ts", thread)
	}
	for {
		var resp struct {
			Messages []message `json:"messages"`
			Meta     struct {
				Next string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := voice.call(ctx, method, args, &resp); err != nil {
			return "", err
		}
		for i := range resp.Messages {
			m := &resp.Messages[i]
			if m.Metadata.Type == metadataType && m.Metadata.Payload.Event == string(a.EventID) && m.Metadata.Payload.Part == part || m.hasBlock(block) {
				return m.TS, nil
			}
		}
		if resp.Meta.Next == "" {
			return "", nil
		}
		args.Set("cursor", resp.Meta.Next)
	}
}

// hasBlock reports whether a block of a message has some id.
func (m *message) hasBlock(id string) bool {
	var list []struct {
		ID string `json:"block_id"`
	}
	return json.Unmarshal(m.Blocks, &list) == nil && len(list) > 0 && list[0].ID == id
}

// upload sends a file: to a place that Slack names, and then into the channel.
func (w *workspace) upload(ctx context.Context, a *action) error {
	if len(a.TS) > 0 {
		return nil // in an earlier run, which did not come to record that nothing is left to do
	}
	voice, err := w.speaker(a)
	if err != nil {
		return err
	}
	thread, err := w.thread(ctx, a)
	if err != nil {
		return err
	}
	if a.File.SlackID == "" {
		err := w.b.br.Bot.DownloadMediaToFile(ctx, a.File.URL, a.File.Encrypted, false, func(f *os.File) error {
			stat, err := f.Stat()
			if err != nil {
				return err
			}
			if stat.Size() == 0 || stat.Size() > maxUpload {
				return errTooLarge
			}
			place, err := voice.slack().GetUploadURLExternalContext(ctx, slackgo.GetUploadURLExternalParameters{FileName: a.File.Name, FileSize: int(stat.Size())})
			if err != nil {
				return fmt.Errorf("files.getUploadURLExternal: %w", err)
			}
			if err := voice.slack().UploadToURL(ctx, slackgo.UploadToURLParameters{UploadURL: place.UploadURL, Reader: f, Filename: a.File.Name}); err != nil {
				return fmt.Errorf("upload a file: %w", err)
			}
			a.File.SlackID = place.FileID
			return nil
		})
		if err != nil {
			return err
		}
		if err := w.b.store.progress(ctx, a, false, nil); err != nil {
			return err
		}
	}
	if a.begun {
		if ts, err := w.shared(ctx, a, 1); err != nil || ts != "" {
			if err == nil {
				err = w.gotTS(ctx, a, ts)
			}
			return err
		}
	}
	if err := w.b.store.progress(ctx, a, true, nil); err != nil {
		return err
	}
	a.begun = true
	var comment string
	if a.As == "" {
		comment = "*" + format.Escape(a.Name) + "*"
	}
	for i := range a.Pieces {
		comment = strings.TrimPrefix(comment+"\n"+a.Pieces[i].Text, "\n")
	}
	_, err = voice.slack().CompleteUploadExternalContext(ctx, slackgo.CompleteUploadExternalParameters{
		Files: []slackgo.FileSummary{{ID: a.File.SlackID, Title: a.File.Name}}, Channel: a.Channel, ThreadTimestamp: thread, InitialComment: comment,
	})
	if err != nil {
		return fmt.Errorf("files.completeUploadExternal: %w", err)
	}
	ts, err := w.shared(ctx, a, 10)
	if err != nil {
		return err
	}
	if ts == "" {
		// The event that tells of it will say.
		return w.b.store.expectFile(ctx, a.File.SlackID, a.EventID)
	}
	return w.gotTS(ctx, a, ts)
}

// shared returns the ts of the message by which a file was shared, or "": Slack makes
// it a while after the call.
func (w *workspace) shared(ctx context.Context, a *action, tries int) (string, error) {
	voice, err := w.speaker(a)
	if err != nil {
		return "", err
	}
	for try := range tries {
		if try > 0 {
			if err := sleep(ctx, time.Duration(try)*200*time.Millisecond); err != nil {
				return "", err
			}
		}
		var resp struct {
			File struct {
				Shares map[string]map[string][]struct {
					TS string `json:"ts"`
				} `json:"shares"`
			} `json:"file"`
		}
		if err := voice.call(ctx, "files.info", values("file", a.File.SlackID), &resp); err != nil {
			return "", err
		}
		for _, kind := range resp.File.Shares {
			if list := kind[a.Channel]; len(list) > 0 {
				return list[0].TS, nil
			}
		}
	}
	return "", nil
}

// edit changes the messages that a message is in Slack. If it is longer now, messages
// come at the end; if it is shorter, those that are too many go.
func (w *workspace) edit(ctx context.Context, a *action) error {
	voice, err := w.speaker(a)
	if err != nil {
		return err
	}
	row, err := w.target(ctx, a.Target)
	if err != nil {
		return err
	}
	if row == nil {
		return errNotSent
	}
	have := append([]string{tsOf(row.ID)}, metaOf(row).More...)
	for i, ts := range have {
		if i >= len(a.Pieces) {
			if err := w.delete(ctx, voice, a.Channel, ts); err != nil {
				return err
			}
			continue
		}
		if _, _, _, err := voice.slack().UpdateMessageContext(ctx, a.Channel, ts, a.Pieces[i].options(a.EventID, i)...); err != nil {
			return fmt.Errorf("chat.update: %w", err)
		}
	}
	more := have[1:min(len(have), len(a.Pieces))]
	thread := tsOf(row.ThreadRoot)
	for i := len(have); i < len(a.Pieces); i++ {
		if a.begun { // in this run or an earlier one; Slack may have it
			ts, err := w.find(ctx, a, thread, i)
			if err != nil {
				return err
			}
			if ts != "" {
				more = append(more, ts)
				continue
			}
		} else {
			if err := w.b.store.progress(ctx, a, true, nil); err != nil {
				return err
			}
			a.begun = true
		}
		options := append(a.Pieces[i].options(a.EventID, i), slackgo.MsgOptionMetadata(slackgo.SlackMetadata{
			EventType: metadataType, EventPayload: map[string]any{"event_id": string(a.EventID), "part": i},
		}))
		if a.As == "" {
			options = append(options, slackgo.MsgOptionUsername(a.Name))
		}
		if thread != "" {
			options = append(options, slackgo.MsgOptionTS(thread))
		}
		_, ts, err := voice.slack().PostMessageContext(ctx, a.Channel, options...)
		if err != nil {
			return fmt.Errorf("chat.postMessage: %w", err)
		}
		more = append(more, ts)
	}
	meta := *metaOf(row)
	meta.More = more
	row.Metadata = &meta
	return w.b.br.DB.Message.Update(context.WithoutCancel(ctx), row)
}

// remove deletes the messages that a message is in Slack.
func (w *workspace) remove(ctx context.Context, a *action) error {
	voice, err := w.speaker(a)
	if err != nil {
		return err
	}
	list := a.TS
	if len(list) == 0 {
		// It was deleted before Slack had it; its action was done before this one.
		if ts := w.outbox.posted(a.Target); ts != "" {
			list = []string{ts}
		}
	}
	for _, ts := range list {
		if err := w.delete(ctx, voice, a.Channel, ts); err != nil {
			return err
		}
	}
	return nil
}

func (w *workspace) delete(ctx context.Context, voice *api, channel, ts string) error {
	_, _, err := voice.slack().DeleteMessageContext(ctx, channel, ts)
	if code(err) == "message_not_found" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("chat.delete: %w", err)
	}
	return nil
}

// react adds the bot's reaction, or takes it back with the last of those it stands for.
func (w *workspace) react(ctx context.Context, a *action) error {
	voice, err := w.speaker(a)
	if err != nil {
		return err
	}
	row, err := w.target(ctx, a.Target)
	if err != nil {
		return err
	}
	if row == nil {
		return errNotSent
	}
	item := slackgo.NewRefToMessage(a.Channel, tsOf(row.ID))
	if a.Kind == doReact {
		err = voice.slack().AddReactionContext(ctx, a.Emoji, item)
		if code(err) == "already_reacted" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reactions.add: %w", err)
		}
		return nil
	}
	if a.As == "" {
		if others, err := w.others(ctx, row, a); err != nil || others {
			return err
		}
	}
	err = voice.slack().RemoveReactionContext(ctx, a.Emoji, item)
	if c := code(err); c == "no_reaction" || c == "message_not_found" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reactions.remove: %w", err)
	}
	return nil
}
