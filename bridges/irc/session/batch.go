package session

import (
	"strings"

	"gopkg.in/irc.v4"
)

// Bounds of what a server may leave open, and of one message of several lines.
const (
	maxBatches    = 64
	maxBatchLines = 1000
	maxBatchBytes = 256 << 10
)

// The kinds of batches that are more than a mark on their lines.
const (
	batchMultiline = "draft/multiline"
	batchHistory   = "chathistory"
	batchPlayback  = "znc.in/playback"
)

// batch is a batch that the server has opened (IRCv3 batch).
type batch struct {
	kind   string
	start  *irc.Message // the BATCH line
	outer  *batch
	lines  []*irc.Message // of a draft/multiline
	bytes  int
	past   []Message // of a chathistory
	number int       // lines of a chathistory, of whatever kind
}

func (b *batch) param(i int) string { return b.start.Param(2 + i) }

// within returns the batch or the one around it that is of a kind, or nil.
func (b *batch) within(kind string) *batch {
	for ; b != nil; b = b.outer {
		if b.kind == kind {
			return b
		}
	}
	return nil
}

// label is the label of the batch, or of the one around it.
func (b *batch) label() string {
	for ; b != nil; b = b.outer {
		if label := b.start.Tags["label"]; label != "" {
			return label
		}
	}
	return ""
}

// labelOf is the label of what a line answers: its own, or that of its batch.
func (c *conn) labelOf(m *irc.Message) string {
	if label := m.Tags["label"]; label != "" {
		return label
	}
	return c.batches[m.Tags["batch"]].label()
}

// handleBatch opens or closes a batch.
func (c *conn) handleBatch(m *irc.Message) {
	ref := m.Param(0)
	if name, ok := strings.CutPrefix(ref, "+"); ok {
		if len(c.batches) < maxBatches {
			c.batches[name] = &batch{kind: m.Param(1), start: m, outer: c.batches[m.Tags["batch"]]}
		}
		return
	}
	name, ok := strings.CutPrefix(ref, "-")
	b := c.batches[name]
	if !ok || b == nil {
		return
	}
	delete(c.batches, name)
	switch b.kind {
	case batchMultiline:
		c.onMultiline(b)
	case batchHistory:
		c.caughtUp(b)
	case "labeled-response":
		// All that the server had to say to a command, and none of it was a refusal.
		c.answered(b.start, "", "", Outcome{State: Delivered})
	}
}

// gather takes the lines of a message of several lines, and those of history that are of no use.
// It returns true if there is nothing else to do with a line.
func (c *conn) gather(m *irc.Message) bool {
	b := c.batches[m.Tags["batch"]]
	if b == nil {
		return false
	}
	if b.kind == batchMultiline {
		if size := len(m.Trailing()); len(b.lines) < maxBatchLines && b.bytes+size <= maxBatchBytes {
			b.lines, b.bytes = append(b.lines, m), b.bytes+size
		}
		return true
	}
	if past := b.within(batchHistory); past != nil {
		past.number++
	} else if b.within(batchPlayback) == nil {
		return false
	}
	switch m.Command {
	case "PRIVMSG", "NOTICE":
		return false
	}
	return true // who came and went then; only who is there now counts
}

// onMultiline makes one message of a draft/multiline batch: "Clients MUST concatenate lines with a line
// feed, unless the line has the tag draft/multiline-concat."
func (c *conn) onMultiline(b *batch) {
	if len(b.lines) == 0 {
		return
	}
	first := *b.lines[0]
	first.Tags = make(irc.Tags, len(b.start.Tags))
	for k, v := range b.start.Tags {
		first.Tags[k] = v
	}
	if b.start.Prefix != nil {
		first.Prefix = b.start.Prefix
	}
	var text strings.Builder
	for i, m := range b.lines {
		if _, concat := m.Tags["draft/multiline-concat"]; i > 0 && !concat {
			text.WriteByte('\n')
		}
		text.WriteString(m.Trailing())
	}
	first.Params = []string{b.param(0), text.String()}
	if b.outer != nil && b.outer.within(batchHistory) != nil {
		b.outer.within(batchHistory).number++
	}
	c.handleCommand(&first)
}
