package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gopkg.in/irc.v4"
)

const (
	// gapPage is how much history is asked for at a time to fill a gap, and maxHistory how much for one.
	gapPage    = 100
	maxHistory = 2000
	// holdTime is how long what is said now waits for what was said before, and maxHold how many
	// messages do.
	holdTime = 15 * time.Second
	maxHold  = 1000
)

// catchup is what a channel's gap is filled with. It belongs to the reader.
type catchup struct {
	channel string
	asked   time.Time
	past    int       // messages of the past so far
	held    []Message // said since
	seen    map[string]bool
}

const timestampFormat = "2006-01-02T15:04:05.000Z"

// timestampParam is a time as CHATHISTORY wants it.
func timestampParam(t time.Time) string { return "timestamp=" + t.UTC().Format(timestampFormat) }

// hasHistory reports whether the server can be asked what was said before.
func (c *conn) hasHistory() bool { return c.hasCap("draft/chathistory") && c.hasCap("batch") }

// catchUp asks for what was said in a channel since the owner heard something there last.
func (c *conn) catchUp(channel string) {
	if c.cfg.Since == nil || !c.hasHistory() {
		return
	}
	since := c.cfg.Since(channel)
	if since.IsZero() {
		return // a channel that is new to the owner
	}
	c.catchupOf(channel).asked = time.Now()
	// A little earlier: what the owner has heard already it knows by its id.
	c.control(historyLine(channel, timestampParam(since.Add(-time.Second))))
}

// catchupOf is what a channel's gap is filled with, from now on if it was not before.
func (c *conn) catchupOf(channel string) *catchup {
	key := c.state.fold(channel)
	if c.catching[key] == nil {
		c.catching[key] = &catchup{channel: channel, asked: time.Now(), seen: make(map[string]bool)}
	}
	return c.catching[key]
}

// early reports whether something was said in a channel whose gap is about to be filled: servers tell of it before they tell
// that the session has joined, if it is said in that moment.
func (c *conn) early(channel string) bool {
	return !c.state.opened(channel) && c.cfg.Since != nil && c.hasHistory() && !c.cfg.Since(channel).IsZero()
}

func historyLine(channel, after string) string {
	return fmt.Sprintf("CHATHISTORY AFTER %s %s %d", channel, after, gapPage)
}

// afterPage is where history goes on after a page: a little before its end, because what two people say at once can be in
// another order than its times, and a server that goes by these passes over what is behind the end and older than it. What is
// told twice is known by its id. A message is named by its id, where the server takes one, because several can be of one
// millisecond.
func (c *conn) afterPage(page []Message) string {
	e := page[len(page)-1]
	if before := page[len(page)-1-len(page)/10]; before.MsgID != "" {
		e = before
	}
	types, told := c.state.support().Tokens["MSGREFTYPES"]
	if e.MsgID != "" && (!told || strings.Contains(types, "msgid")) {
		return "msgid=" + e.MsgID
	}
	return timestampParam(e.Time)
}

// playback asks a ZNC for what was said while nobody was there.
func (c *conn) playback() {
	if c.cfg.Since == nil || !c.hasCap("znc.in/playback") || c.hasHistory() {
		return
	}
	for _, w := range c.s.wants() {
		if since := c.cfg.Since(w.name); !since.IsZero() {
			c.since[c.state.fold(w.name)] = since
			c.control(fmt.Sprintf("PRIVMSG *playback :PLAY %s %.3f", w.name, float64(since.UnixMilli()+1)/1000))
		}
	}
}

// hold keeps what is said in a channel back until the gap before it is filled.
func (c *conn) hold(e Message) bool {
	if e.Past || e.Channel == "" {
		return false
	}
	cu := c.catching[c.state.fold(e.Channel)]
	if cu == nil {
		if !c.early(e.Channel) {
			return false
		}
		cu = c.catchupOf(e.Channel)
	}
	if len(cu.held) >= maxHold || time.Since(cu.asked) > holdTime {
		c.release(cu)
		return false
	}
	cu.held = append(cu.held, e)
	return true
}

// release lets what was held back go.
func (c *conn) release(cu *catchup) {
	delete(c.catching, c.state.fold(cu.channel))
	for _, e := range cu.held {
		if e.MsgID == "" || !cu.seen[e.MsgID] {
			c.emit(e)
		}
	}
}

// releaseLate gives up on gaps that the server does not fill.
func (c *conn) releaseLate() {
	for _, cu := range c.catching {
		if time.Since(cu.asked) > holdTime {
			c.release(cu)
		}
	}
}

// caughtUp takes a page of history: for who has asked by History, or to fill a gap.
func (c *conn) caughtUp(b *batch) {
	target := b.param(0)
	folded := c.state.fold(target)
	if c.answerHistory(folded, historyAnswer{said: b.past, number: b.number}) {
		return
	}
	cu := c.catching[folded]
	if cu == nil {
		return
	}
	fresh := false
	for _, e := range b.past {
		if e.MsgID != "" && cu.seen[e.MsgID] {
			continue
		}
		cu.seen[e.MsgID] = true
		cu.past++
		fresh = true
		c.emit(e)
	}
	if b.number >= gapPage && cu.past < maxHistory && fresh {
		cu.asked = time.Now()
		c.control(historyLine(cu.channel, c.afterPage(b.past)))
		return
	}
	if cu.past >= maxHistory {
		c.log.Warn("more was said while the connection was away than is fetched", "channel", cu.channel, "messages", cu.past)
	}
	c.release(cu)
}

// historyFailed takes a refusal of history: FAIL CHATHISTORY <code> <subcommand> [target] :text.
func (c *conn) historyFailed(m *irc.Message) {
	refusal := &Refusal{Code: m.Param(1), Text: truncate(m.Trailing(), 300)}
	if len(m.Params) > 4 {
		folded := c.state.fold(m.Param(3))
		if c.answerHistory(folded, historyAnswer{err: refusal}) {
			return
		}
		if cu := c.catching[folded]; cu != nil {
			c.release(cu)
			return
		}
	}
	// It does not say which.
	c.answerHistory("", historyAnswer{err: refusal})
	for _, cu := range c.catching {
		c.release(cu)
	}
}

// asked is a question for history by History.
type asked struct {
	target string // folded
	answer chan historyAnswer
}

type historyAnswer struct {
	said   []Message
	number int // of lines, of whatever kind
	err    error
}

// answerHistory answers the oldest question about a target (any, if empty).
func (c *conn) answerHistory(folded string, answer historyAnswer) bool {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	for i, a := range c.histories {
		if folded == "" || a.target == folded {
			c.histories = append(c.histories[:i], c.histories[i+1:]...)
			a.answer <- answer
			return true
		}
	}
	return false
}

// ErrNoHistory says that the server cannot be asked what was said before.
var ErrNoHistory = errors.New("the server keeps no history")

// pageAsked is how many messages History asks for at a time, if the server allows as many.
const pageAsked = 500

// History asks the server what was said in a channel after a time, up to so many messages, the oldest first.
func (s *Session) History(ctx context.Context, target string, after time.Time, limit int) (said []Message, err error) {
	c := s.current()
	switch {
	case c == nil:
		return nil, ErrDisconnected
	case !c.hasHistory():
		return nil, ErrNoHistory
	}
	page := pageAsked
	for _, token := range []string{"CHATHISTORY", "draft/CHATHISTORY"} {
		if most, err := strconv.Atoi(c.state.support().Tokens[token]); err == nil && most > 0 {
			page = min(page, most)
		}
	}
	seen := make(map[string]bool)
	for from := timestampParam(after); len(said) < limit; {
		got, err := c.historyPage(ctx, target, from, page)
		if err != nil {
			return nil, err
		}
		before := len(said)
		for _, m := range got.said {
			if m.MsgID == "" || !seen[m.MsgID] {
				said, seen[m.MsgID] = append(said, m), true
			}
		}
		if got.number < page || len(said) == before {
			break
		}
		next := c.afterPage(got.said)
		if next == from {
			break // as many in one millisecond
		}
		from = next
	}
	return said, nil
}

// historyPage asks for a page of history.
func (c *conn) historyPage(ctx context.Context, target, after string, number int) (historyAnswer, error) {
	a := &asked{target: c.state.fold(target), answer: make(chan historyAnswer, 1)}
	c.sendMu.Lock()
	if len(c.histories) >= 64 {
		c.sendMu.Unlock()
		return historyAnswer{}, errors.New("too many questions for history are open")
	}
	c.histories = append(c.histories, a)
	c.sendMu.Unlock()
	c.control("CHATHISTORY AFTER " + target + " " + after + " " + strconv.Itoa(number))
	select {
	case got := <-a.answer:
		return got, got.err
	case <-c.closed:
		return historyAnswer{}, ErrDisconnected
	case <-ctx.Done():
		c.sendMu.Lock()
		for i, other := range c.histories {
			if other == a {
				c.histories = append(c.histories[:i], c.histories[i+1:]...)
				break
			}
		}
		c.sendMu.Unlock()
		return historyAnswer{}, ctx.Err()
	}
}

// fromHistory takes a message of the past. It returns false for one that is of the present.
func (c *conn) fromHistory(m *irc.Message, e *Message) bool {
	b := c.batches[m.Tags["batch"]]
	if past := b.within(batchHistory); past != nil {
		e.Past = true
		if e.From.Host != "" && !strings.HasPrefix(e.MsgID, "_") { // servers that tell events as messages
			past.past = append(past.past, *e)
		}
		return true
	}
	if b.within(batchPlayback) != nil {
		e.Past = true
		if since, ok := c.since[c.state.fold(e.Channel)]; ok && e.Time.After(since) && !e.Echo {
			c.emit(*e)
		}
		return true
	}
	return false
}
