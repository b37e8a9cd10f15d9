package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice/txnid"
	"github.com/landbridge-im/landbridge/bridges/discord/format"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// A poll of Discord is a text in Matrix with the numbers of votes, which follow; nobody in Matrix can vote in it, for bots
// cannot vote. A poll of Matrix is a poll on Discord, whose votes come back as votes of the ghosts.

// jobPoll is a poll that Matrix begins.
type jobPoll struct {
	Question string   `json:"question"`
	Answers  []string `json:"answers"`
	IDs      []string `json:"ids"` // of the answers, in Matrix
	Multiple bool     `json:"multiple,omitempty"`
}

// Limits of Discord's polls.
const (
	maxPollAnswers  = 10
	maxPollQuestion = 300
	maxPollAnswer   = 55
	pollHours       = 7 * 24
)

// wire is the poll as a request has it.
func (p *jobPoll) wire() map[string]any {
	answers := make([]any, len(p.Answers))
	for i, a := range p.Answers {
		answers[i] = map[string]any{"poll_media": map[string]any{"text": cutRunes(a, maxPollAnswer)}}
	}
	return map[string]any{
		"question": map[string]any{"text": cutRunes(p.Question, maxPollQuestion)}, "answers": answers,
		"duration": pollHours, "allow_multiselect": p.Multiple, "layout_type": 1,
	}
}

// text is the poll for where there can be none.
func (p *jobPoll) text() string {
	var b strings.Builder
	b.WriteString("📊 **" + format.Escape(p.Question) + "**")
	for i, a := range p.Answers {
		fmt.Fprintf(&b, "\n%d. %s", i+1, format.Escape(a))
	}
	return b.String()
}

// Types of events of polls: MSC3381, as it is in use and as it is to be.
var (
	eventPollStart    = event.Type{Type: "m.poll.start", Class: event.MessageEventType}
	eventPollResponse = event.Type{Type: "org.matrix.msc3381.poll.response", Class: event.MessageEventType}
)

// pollStart is the content of an event that begins a poll, in either form.
type pollStart struct {
	Unstable *struct {
		Question struct {
			Text string `json:"org.matrix.msc1767.text"`
			Body string `json:"body"`
		} `json:"question"`
		Answers []struct {
			ID   string `json:"id"`
			Text string `json:"org.matrix.msc1767.text"`
		} `json:"answers"`
		Max int `json:"max_selections"`
	} `json:"org.matrix.msc3381.poll.start"`
	Stable *struct {
		Question struct {
			Text []struct {
				Body string `json:"body"`
			} `json:"m.text"`
		} `json:"question"`
		Answers []struct {
			ID   string `json:"m.id"`
			Text []struct {
				Body string `json:"body"`
			} `json:"m.text"`
		} `json:"answers"`
		Max int `json:"max_selections"`
	} `json:"m.poll"`
}

// readPoll reads the poll of an event; nil if there is none.
func readPoll(raw json.RawMessage) *jobPoll {
	var c pollStart
	if json.Unmarshal(raw, &c) != nil {
		return nil
	}
	p := &jobPoll{}
	switch {
	case c.Unstable != nil:
		p.Question, p.Multiple = c.Unstable.Question.Text, c.Unstable.Max > 1
		if p.Question == "" {
			p.Question = c.Unstable.Question.Body
		}
		for _, a := range c.Unstable.Answers {
			p.Answers, p.IDs = append(p.Answers, a.Text), append(p.IDs, a.ID)
		}
	case c.Stable != nil:
		p.Multiple = c.Stable.Max > 1
		if len(c.Stable.Question.Text) > 0 {
			p.Question = c.Stable.Question.Text[0].Body
		}
		for _, a := range c.Stable.Answers {
			text := ""
			if len(a.Text) > 0 {
				text = a.Text[0].Body
			}
			p.Answers, p.IDs = append(p.Answers, text), append(p.IDs, a.ID)
		}
	}
	if strings.TrimSpace(p.Question) == "" || len(p.Answers) == 0 || slices.Contains(p.Answers, "") {
		return nil
	}
	return p
}

// onMatrixPoll takes a poll of a relayed user, which the framework would drop.
func (b *Bridge) onMatrixPoll(ctx context.Context, evt *event.Event) {
	n := b.client()
	if n == nil || evt.Sender == b.br.Bot.GetMXID() || b.br.IsGhostMXID(evt.Sender) {
		return
	}
	portal, err := b.br.GetPortalByMXID(ctx, evt.RoomID)
	if err != nil || portal == nil || portal.Relay != n.login {
		return
	}
	if err := n.sendPoll(b.br.Log.WithContext(ctx), portal, evt); err != nil {
		b.log.Warn("a poll is not relayed", "event_id", evt.ID, "error", err)
		status := refusal(err)
		info := bridgev2.StatusEventInfoFromEvent(evt)
		n.tellSender(ctx, &status, info)
		b.br.Matrix.SendMessageStatus(ctx, &status, info)
	}
}

// sendPoll puts a poll into the outbox.
func (n *bot) sendPoll(ctx context.Context, portal *bridgev2.Portal, evt *event.Event) error {
	ch, err := n.channelOf(ctx, portal, evt.Sender)
	if err != nil {
		return err
	}
	p := readPoll(evt.Content.VeryRaw)
	if p == nil {
		return errEmpty
	}
	orig := &bridgev2.OrigSender{UserID: evt.Sender}
	if info, err := n.b.br.Matrix.GetMemberInfo(ctx, portal.MXID, evt.Sender); err == nil && info != nil {
		orig.MemberEventContent = *info
	}
	j := n.newJob(jobMessage, queueOf(&ch), evt, orig)
	j.Poll, j.Parts = p, []string{""}
	if len(p.Answers) > maxPollAnswers {
		j.Poll, j.Parts = nil, []string{p.text()}
	}
	if ch.IsForum() {
		j.Post, j.Title, j.Tags = true, title(p.Question), tagsOf(&ch, p.Question)
	}
	if ch.IsThread() {
		j.RootID = ch.ID
	}
	if _, err := n.b.br.GetGhostByID(ctx, selfID); err != nil {
		return fmt.Errorf("prepare to store a message: %w", err)
	}
	row := &database.Message{
		ID: pendingID(evt.ID), MXID: evt.ID, Room: portal.PortalKey, SenderID: selfID, SenderMXID: evt.Sender, Timestamp: time.UnixMilli(evt.Timestamp),
		Metadata: &MessageMetadata{Channel: ch.ID, Name: j.Name, Text: cutBytes(p.Question, maxMeta), Answers: p.IDs},
	}
	err = n.outbox.add(ctx, j, func(ctx context.Context) error { return n.b.br.DB.Message.Insert(ctx, row) })
	if errors.Is(err, errDuplicate) {
		return nil
	}
	return err
}

// onVote takes a vote in a poll, or its end, to Matrix.
func (n *bot) onVote(ctx context.Context, e *entry, at place, room wire.ID) {
	var ev struct {
		UserID    wire.ID  `json:"user_id"`
		MessageID wire.ID  `json:"message_id"`
		AnswerID  wire.Int `json:"answer_id"`
	}
	if !n.decode(e, &ev) || ev.UserID == "" || ev.MessageID == "" {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	if n.early(ctx, e, room, ev.MessageID) {
		return
	}
	row, err := n.b.br.DB.Message.GetFirstPartByID(ctx, "", messageID(ev.MessageID))
	if err != nil {
		n.log.Warn("a vote is not shown", "message", ev.MessageID, "error", err)
		n.inbox.done(handled{seq: e.seq})
		return
	}
	// A poll of Discord that is not stored yet may be on its way into its room: its numbers are looked at when it is there.
	if row == nil || len(metaOf(row).Answers) == 0 {
		n.countVotes(at, ev.MessageID)
		n.inbox.done(handled{seq: e.seq})
		return
	}
	if m, ok := n.guilds.member(at.GuildID, ev.UserID); ok {
		n.meet(ctx, at.GuildID, room, userID(ev.UserID), m.User, &m)
	}
	meta := n.meta(bridgev2.RemoteEventUnknown, channelKey(room), time.Now(), "")
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		answer := strconv.Itoa(int(ev.AnswerID))
		if err := n.vote(ctx, portal, row, ev.MessageID, ev.UserID, answer, e.kind == "MESSAGE_POLL_VOTE_ADD", e.seq); err != nil {
			n.log.Warn("a vote is not shown", "message", ev.MessageID, "error", err)
		}
	}
	meta.PostHandleFunc = n.finish(e, handled{})
	n.queue(&meta)
}

// vote has a ghost vote in a poll of Matrix for what the person has chosen on Discord by now. Discord numbers the
// answers from 1.
func (n *bot) vote(ctx context.Context, portal *bridgev2.Portal, row *database.Message, message, user wire.ID, answer string, add bool, seq int64) error {
	chosen, err := n.b.store.vote(ctx, message, user, answer, add)
	if err != nil {
		return err
	}
	ids := []string{}
	for i, answer := range metaOf(row).Answers {
		if slices.Contains(chosen, strconv.Itoa(i+1)) {
			ids = append(ids, answer)
		}
	}
	ghost, err := n.b.br.GetGhostByID(ctx, userID(user))
	if err != nil {
		return err
	}
	if err := ghost.Intent.EnsureJoined(ctx, portal.MXID); err != nil {
		return err
	}
	ctx = txnid.With(ctx, "discord/vote/"+strconv.FormatInt(seq, 10))
	_, err = ghost.Intent.SendMessage(ctx, portal.MXID, eventPollResponse, &event.Content{Parsed: &event.PollResponseEventContent{
		RelatesTo: event.RelatesTo{Type: event.RelReference, EventID: row.MXID}, Response: event.PollResponse{Answers: ids},
	}}, nil)
	return err
}

// countVotes has the numbers of a poll looked at in a moment.
func (n *bot) countVotes(at place, message wire.ID) {
	if n.polls[message] {
		return
	}
	n.polls[message] = true
	n.work.Go(func() {
		if !pause(n.ctx, pollDelay) {
			return
		}
		_ = n.ask(n.ctx, func(ctx context.Context) { // in vain only while the bridge is stopping
			delete(n.polls, message)
			n.refetch(ctx, &wire.Channel{ID: at.ChannelID, GuildID: at.GuildID}, message)
		})
	})
}

// pollDelay is how long votes in a poll are gathered before its numbers are looked at.
const pollDelay = time.Second

// vote records a vote, or its end, and returns all votes of the person in the poll.
func (s *store) vote(ctx context.Context, message, user wire.ID, answer string, add bool) ([]string, error) {
	query := "DELETE FROM discord_vote WHERE bridge_id=$1 AND message_id=$2 AND user_id=$3 AND answer=$4"
	if add {
		query = "INSERT INTO discord_vote (bridge_id, message_id, user_id, answer) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
	}
	if _, err := s.db.Exec(ctx, query, s.bridge, string(message), string(user), answer); err != nil {
		return nil, fmt.Errorf("store a vote: %w", err)
	}
	rows, err := s.db.Query(ctx, "SELECT answer FROM discord_vote WHERE bridge_id=$1 AND message_id=$2 AND user_id=$3", s.bridge, string(message), string(user))
	list, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the votes of somebody: %w", err)
	}
	return list, nil
}
