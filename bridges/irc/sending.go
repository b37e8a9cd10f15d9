package irc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc/format"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// cut makes the lines of a message as they go over the wire.
func (b *outbox) cut(o *outgoing) []string {
	o.Relay, o.Whole, o.Concat = "", false, nil
	switch {
	case len(o.Steps) > 0:
		return make([]string, len(o.Steps))
	case o.Command == "TOPIC":
		return o.Lines
	}
	prefix := o.Prefix
	if separator := b.session.RelaySeparator(); o.RelayNick != "" && separator != "" && o.relayed {
		o.Relay, prefix = o.RelayNick+separator+relaySuffix, o.RelayPrefix
	}
	if lines := b.whole(o); o.Relay == "" && lines != nil {
		o.Whole = true
		return lines
	}
	limit := b.session.MaxText(o.Command, o.Channel) - len(prefix) - len(o.Suffix) - len(o.Relay)
	var lines []string
	for _, line := range o.Lines {
		for _, piece := range format.Split(line, limit) {
			lines = append(lines, prefix+piece+o.Suffix)
		}
	}
	return lines
}

// relaySuffix ends the nicks of Matrix users for whom a server relays.
const relaySuffix = "m"

// whole makes the lines of a message that the server takes as one, or nil if it does not.
func (b *outbox) whole(o *outgoing) []string {
	maxBytes, maxLines := b.session.Multiline()
	if maxLines < 2 || o.Suffix != "" || o.Command != "PRIVMSG" && o.Command != "NOTICE" {
		return nil
	}
	limit, bytes := b.session.MaxText(o.Command, o.Channel), 0
	var lines []string
	for i, line := range o.Lines {
		if i == 0 {
			line = o.Prefix + line
		}
		for j, piece := range format.Cut(line, limit) {
			if j > 0 {
				o.Concat = append(o.Concat, len(lines))
			}
			lines = append(lines, piece)
			bytes += len(piece) + 1
		}
	}
	if len(lines) < 2 || len(lines) > maxLines || bytes > maxBytes {
		o.Concat = nil
		return nil
	}
	return lines
}

// relayPause is how long a channel is not relayed to after its server has refused that.
const relayPause = 10 * time.Minute

// relayAgain has messages to a channel relayed although that was refused lately: the bridge's rank there has changed.
func (b *outbox) relayAgain(channel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.relayRefused, b.key(channel))
}

// send hands the lines of a message that are left to the session.
func (b *outbox) send(ctx context.Context, o *outgoing) {
	if o.doubt && !b.settleDoubt(ctx, o) {
		return
	}
	if o.known || o.Fixed == nil && o.Written > 0 {
		b.settleOne(o, o.failed) // a single line; a crash came after it was recorded as written
		return
	}
	if o.Anybody {
		if on, known := b.session.TopicLock(o.Channel); on || !known {
			b.settleOne(o, errTopicLocked)
			return
		}
	}
	if o.Needs != "" && !b.session.HasCap(o.Needs) {
		b.settleOne(o, errNotThere)
		return
	}
	if o.Fixed == nil {
		o.Fixed = b.cut(o)
		if len(o.Fixed) > 1 {
			if err := b.store.fix(ctx, o); err != nil {
				b.settleOne(o, err)
				return
			}
		}
	}
	if o.mark == nil {
		o.mark = b.store.ledger.of(o, true)
	}
	first, last := o.Written, len(o.Fixed)
	if o.Whole {
		last = 1 // all of it is one
	}
	b.mu.Lock()
	o.waiting, o.again = last-first, false
	if o.waiting <= 0 { // a crash came after the last line
		b.landed(o)
		b.finish(o, o.failed)
		b.mu.Unlock()
		return
	}
	b.mu.Unlock()
	for i := first; i < last; i++ {
		if err := b.session.Send(ctx, b.line(ctx, o, i)); err != nil {
			for range last - i {
				b.lineDone(o, i, session.Outcome{State: session.NotSent, Err: session.ErrDisconnected})
			}
			return
		}
	}
}

// line is a line of a message for the session.
func (b *outbox) line(ctx context.Context, o *outgoing, i int) *session.Line {
	command, params := o.line(i)
	line := &session.Line{
		Command: command,
		Params:  params,
		Before: func() error {
			if o.mark != nil {
				return nil
			}
			// Not ctx: a line that is about to be written should be recorded even
			// while the bridge is stopping.
			if err := b.store.written(context.WithoutCancel(ctx), o.Seq, i+1); err != nil {
				return err
			}
			o.Written = i + 1
			return nil
		},
		Mark: func() {
			if o.mark != nil {
				o.mark.written(i + 1)
				o.Written = i + 1
			}
		},
		Done: func(out session.Outcome) { b.lineDone(o, i, out) },
	}
	if i == 0 {
		line.Tags = o.Tags
	}
	if o.Whole {
		for j, text := range o.Fixed[1:] {
			line.More = append(line.More, session.Piece{Text: text, Concat: slices.Contains(o.Concat, j+1)})
		}
	}
	return line
}

// lineDone takes note of what became of a line. When all lines of a message are
// accounted for, it is finished, or queued again for the lines that the end of
// the connection left behind.
func (b *outbox) lineDone(o *outgoing, i int, out session.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch out.State {
	case session.Delivered:
		if i == 0 {
			o.msgID = out.MsgID
		}
	case session.Refused:
		if o.Relay != "" && refusesRelay(out.Err) {
			b.relayRefused[b.key(o.Channel)] = time.Now()
			o.unrelayed = true
			break
		}
		o.fail(out.Err)
	case session.Unknown:
		if out.History {
			o.doubt, o.again, o.doubted = true, true, time.Now() // it will be known
		} else {
			o.fail(errUncertain)
		}
	case session.NotSent:
		if errors.Is(out.Err, session.ErrDisconnected) {
			o.again = true
		} else {
			o.fail(out.Err)
		}
	}
	o.waiting--
	if o.waiting > 0 {
		return
	}
	b.landed(o)
	b.poke() // there is room for another one
	if o.unrelayed && !o.again && o.failed == nil {
		// Said by the bridge itself, with the name before it.
		o.unrelayed, o.Fixed, o.Written, o.again = false, nil, 0, true
		if o.mark != nil {
			o.mark.written(0)
		}
	}
	if !o.again {
		if o.failed == nil && o.mark != nil {
			o.mark.delivered()
		}
		b.finish(o, o.failed)
		return
	}
	at, _ := slices.BinarySearchFunc(b.queue, o, func(x, y *outgoing) int { return int(x.Seq - y.Seq) })
	b.queue = slices.Insert(b.queue, at, o)
}

// refusesRelay reports whether a server has refused to relay, and not what was said.
func refusesRelay(err error) bool {
	var refused *session.Refusal
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code {
	case "PRIVS_NEEDED", "NOT_ENABLED", "INVALID_NICK", "421", "432":
		return true
	}
	return false
}

// line returns the command of a line.
func (o *outgoing) line(i int) (command string, params []string) {
	switch {
	case i < len(o.Steps):
		return o.Steps[i][0], o.Steps[i][1:]
	case o.Relay != "":
		return "RELAYMSG", []string{o.Channel, o.Relay, o.Fixed[i]}
	}
	return o.Command, []string{o.Channel, o.Fixed[i]}
}

// doubtTime bounds how long a server may take to tell what was said.
const doubtTime = 30 * time.Second

// settleDoubt asks the server whether lines that were written, and of which the answer is not known, have arrived.
// It returns false if the message is settled, or ctx is done: it stays for the next start then.
func (b *outbox) settleDoubt(ctx context.Context, o *outgoing) bool {
	o.doubt = false
	if len(o.Steps) > 0 || o.Command == "TOPIC" || !isChannel(o.Channel) || o.At.IsZero() || len(o.Lines) == 0 {
		return b.uncertain(o)
	}
	asking, cancel := context.WithTimeout(ctx, doubtTime)
	defer cancel()
	arrived, all := 0, 0
	for again := true; ; again = false {
		var err error
		if arrived, all, err = b.arrived(asking, o); ctx.Err() != nil {
			return false
		} else if err != nil {
			if !errors.Is(err, session.ErrNoHistory) {
				b.log.Info("a server does not say whether a message has arrived", "error", err)
			}
			return b.uncertain(o)
		}
		rest := b.calm - time.Since(o.doubted)
		if !again || rest <= 0 || arrived == min(o.Written, all) {
			break
		}
		// A busy server may not have read yet what the lost connection has written.
		if wait(ctx, rest) != nil {
			return false
		}
	}
	b.log.Info("what was in doubt is settled", "event_id", o.EventID, "lines", o.Written, "arrived", arrived)
	o.Written, o.failed = arrived, nil
	if o.mark != nil {
		o.mark.written(arrived)
	}
	if arrived == all {
		b.settleOne(o, nil)
		return false
	}
	return true
}

// arrived is how many of the first lines of a message the server's history has, of all.
func (b *outbox) arrived(ctx context.Context, o *outgoing) (n, all int, err error) {
	said, err := b.session.History(ctx, o.Channel, o.At.Add(-2*time.Minute), historyLimit)
	if err != nil {
		return 0, 0, err
	}
	if o.Fixed == nil {
		o.Fixed = b.cut(o) // one line, which is never stored as cut
	}
	lines := o.Fixed
	if o.Whole {
		lines = []string{o.joined()}
	}
	own := make(map[string]int)
	for _, m := range said {
		if m.Echo && !b.knows(ctx, o, m.MsgID) {
			text := m.Text
			if m.Kind == session.KindAction {
				text = "\x01ACTION " + text + "\x01"
			}
			own[text]++
		}
	}
	for n < min(o.Written, len(lines)) && own[lines[n]] > 0 {
		own[lines[n]]--
		n++
	}
	return n, len(lines), nil
}

// calmTime is for how long after a connection was lost what it has written may still come to be known.
const calmTime = 4 * time.Second

// historyLimit is how much of the past is asked for to settle a doubt.
const historyLimit = 5000

// joined is a message of several lines as it is heard.
func (o *outgoing) joined() string {
	var text strings.Builder
	for i, line := range o.Fixed {
		if i > 0 && !slices.Contains(o.Concat, i) {
			text.WriteByte('\n')
		}
		text.WriteString(line)
	}
	return text.String()
}

// uncertain settles a message of which nobody can say whether it has arrived.
func (b *outbox) uncertain(o *outgoing) bool {
	o.fail(errUncertain)
	if o.Fixed != nil && o.Written < len(o.Fixed) && !o.Whole {
		return true // the rest of it goes on
	}
	b.settleOne(o, o.failed)
	return false
}
