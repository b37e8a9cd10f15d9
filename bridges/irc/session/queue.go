package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Line is one command to send.
type Line struct {
	// Command and Params make the line; the last parameter may hold spaces.
	Command string
	Params  []string
	// Tags are the client's own tags, each with the + before it; they are left out where the server has no
	// message-tags.
	Tags map[string]string
	// More, with PRIVMSG or NOTICE, are further lines of the same message, sent as one draft/multiline batch.
	More []Piece
	// Before, if set, is called before the line is written; an error keeps it from
	// being written and is the outcome. It runs in the connection's writer and must
	// not block for long.
	Before func() error
	// Mark, if set, is called when nothing is left to do but to give the line to the
	// operating system. It must do next to nothing.
	Mark func()
	// Done is called once with what became of the line, from one of the
	// connection's goroutines. It must not block.
	Done func(Outcome)
}

// Piece is a further line of a message of several lines. Concat says that it goes on where the line before
// it has ended.
type Piece struct {
	Text   string
	Concat bool
}

// Outcome says what became of a line.
type Outcome struct {
	State OutcomeState
	// Err says why, unless State is Delivered.
	Err error
	// MsgID is the network's id of the message, if the server echoed one.
	MsgID string
	// History says, with Unknown, that the server keeps history, which can tell.
	History bool
}

// OutcomeState is one of the constants below.
type OutcomeState int

// What may become of a line.
const (
	// Delivered: the server has processed the line without refusing it.
	Delivered OutcomeState = iota
	// Refused: the server has refused it; Err is a *Refusal.
	Refused
	// NotSent: it was never written.
	NotSent
	// Unknown: it was written, and the connection was lost before the server had
	// answered.
	Unknown
)

// Refusal is a numeric reply or standard reply that refuses a command.
type Refusal struct {
	Code, Text string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s (%s)", r.Text, r.Code) }

// ErrInvalidLine is the outcome of lines that no IRC line can carry.
var ErrInvalidLine = errors.New("text with line breaks or NUL cannot be one IRC line")

// sent is a line that was written and not yet confirmed.
type sent struct {
	line   *Line
	target string // folded first parameter
	label  string
	// barrier is the number of the PING whose PONG confirms the line, or 0 while
	// none has been sent after it.
	barrier uint64
	at      time.Time
	size    int // bytes
}

// format makes the bytes of a command. The last parameter gets a colon always:
// some servers treat ":" as part of the text otherwise, and it costs one byte
// that MaxText counts.
func (l *Line) format() (string, error) {
	var b strings.Builder
	b.WriteString(l.Command)
	for i, p := range l.Params {
		if strings.ContainsAny(p, "\r\n\x00") {
			return "", ErrInvalidLine
		}
		if i == len(l.Params)-1 {
			b.WriteString(" :")
		} else {
			if p == "" || p[0] == ':' || strings.ContainsRune(p, ' ') {
				return "", ErrInvalidLine
			}
			b.WriteByte(' ')
		}
		b.WriteString(p)
	}
	return b.String(), nil
}

// enqueue hands a line to the writer, waiting while the queue is full.
func (c *conn) enqueue(ctx context.Context, line *Line) error {
	select {
	case <-c.closed:
		return ErrDisconnected
	default:
	}
	// The writer drains the queue after closed; a line that slips in behind that
	// drain is found by the second check under the lock.
	c.sendMu.Lock()
	if c.drained {
		c.sendMu.Unlock()
		return ErrDisconnected
	}
	c.senders.Add(1)
	c.sendMu.Unlock()
	defer c.senders.Done()
	select {
	case c.out <- line:
		return nil
	case <-c.closed:
		return ErrDisconnected
	case <-ctx.Done():
		return ctx.Err()
	}
}

// control queues a command of the session's own, paced like the rest but before
// messages. It never blocks: the queue for these grows with the number of
// channels at most.
func (c *conn) control(line string) {
	c.sendMu.Lock()
	if len(c.controls) < maxControls {
		c.controls = append(c.controls, line)
	}
	c.sendMu.Unlock()
	c.wakeWriter()
}

// wakeWriter has the writer look for something to do.
func (c *conn) wakeWriter() {
	select {
	case c.controlReady <- struct{}{}:
	default:
	}
}

// query queues a question that can wait until there is nothing else to send.
func (c *conn) query(line string) {
	c.sendMu.Lock()
	if len(c.queries) < maxControls {
		c.queries = append(c.queries, line)
	}
	c.sendMu.Unlock()
	c.wakeWriter()
}

// ask sends the oldest question if there is room for it, and returns how long to
// wait for that otherwise, or 0 if there is none left.
func (c *conn) ask() (wait time.Duration, err error) {
	for {
		c.sendMu.Lock()
		if len(c.queries) == 0 {
			c.sendMu.Unlock()
			return 0, nil
		}
		if wait := c.bucket.spare(time.Now()); wait > 0 {
			c.sendMu.Unlock()
			return wait, nil
		}
		line := c.queries[0]
		c.queries = c.queries[1:]
		c.sendMu.Unlock()
		if err := c.write(line); err != nil {
			return 0, err
		}
	}
}

const maxControls = 10000

func (c *conn) nextControl() (string, bool) {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	if len(c.controls) == 0 {
		return "", false
	}
	line := c.controls[0]
	c.controls = c.controls[1:]
	return line, true
}

// writer sends control lines and queued messages, paced, until the connection
// ends, and then reports what has not been written.
func (c *conn) writer() {
	defer c.drain()
	for {
		select {
		case <-c.quit:
			c.goodbye()
			return
		default:
		}
		if line, ok := c.nextControl(); ok {
			if !c.pace() || c.write(line) != nil {
				c.goodbye()
				return
			}
			continue
		}
		var again <-chan time.Time
		if len(c.out) == 0 {
			c.barrier() // for messages whose echo has not come
			wait, err := c.ask()
			if err != nil {
				return
			}
			if wait > 0 {
				again = time.After(wait)
			}
		}
		select {
		case <-again:
		case <-c.closed:
			return
		case <-c.quit:
		case <-c.controlReady:
		case line := <-c.out:
			if !c.paceUnread() || !c.pace() {
				finish(line, Outcome{State: NotSent, Err: ErrDisconnected})
				c.goodbye()
				return
			}
			if !c.writeLine(line) {
				return
			}
			c.barrierIfIdle()
		}
	}
}

// goodbye quits if the session is being stopped, and waits for the end of the
// connection.
func (c *conn) goodbye() {
	select {
	case <-c.quit:
		c.barrier() // or nobody would know what became of the last lines
		_ = c.write("QUIT :Bridge is stopping")
		<-c.closed
	default:
	}
}

// pace waits for a token; false means that the connection has ended or is to.
func (c *conn) pace() bool {
	for {
		wait := c.bucket.take(time.Now())
		if wait == 0 {
			return true
		}
		// Lines that wait for their barrier should not wait for the bucket too.
		c.barrier()
		timer := time.NewTimer(wait)
		select {
		case <-c.closed:
			timer.Stop()
			return false
		case <-c.quit:
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

func (c *conn) writeLine(line *Line) bool {
	text, err := line.format()
	for _, more := range line.More {
		if strings.ContainsAny(more.Text, "\r\n\x00") {
			err = ErrInvalidLine
		}
	}
	if err == nil && line.Before != nil {
		err = line.Before()
	}
	if err != nil {
		finish(line, Outcome{State: NotSent, Err: err})
		return true
	}
	entry := &sent{line: line, at: time.Now(), size: len(text)}
	if len(line.Params) > 0 {
		entry.target = c.state.fold(line.Params[0])
	}
	var tags []string
	if c.hasCap("labeled-response") {
		c.labels++
		entry.label = fmt.Sprintf("l%d", c.labels)
		tags = append(tags, "label="+entry.label)
	}
	if c.hasCap("message-tags") {
		for name, value := range line.Tags {
			tags = append(tags, name+"="+escapeTag(value))
		}
	}
	lines := []string{text}
	if len(line.More) > 0 {
		lines = multiline(fmt.Sprintf("m%d", c.nextBatch()), line)
		entry.size = 0
		for _, l := range lines {
			entry.size += len(l)
		}
	}
	if len(tags) > 0 {
		lines[0] = "@" + strings.Join(tags, ";") + " " + lines[0]
	}
	// Recorded before it is written: the answer may be read before write returns.
	c.remember(entry)
	for i, l := range lines {
		mark := line.Mark
		if i > 0 {
			mark = nil
			c.bucket.spend(0.5)
		}
		if c.writeMarked(l, mark) != nil {
			return false
		}
	}
	return true
}

// multiline makes the lines of a message of several lines.
func multiline(ref string, line *Line) []string {
	lines := []string{"BATCH +" + ref + " " + batchMultiline + " " + line.Params[0]}
	for _, p := range append([]Piece{{Text: line.Params[1]}}, line.More...) {
		tags := "@batch=" + ref
		if p.Concat {
			tags += ";draft/multiline-concat"
		}
		lines = append(lines, tags+" "+line.Command+" "+line.Params[0]+" :"+p.Text)
	}
	return append(lines, "BATCH -"+ref)
}

func (c *conn) nextBatch() uint64 {
	c.sentMu.Lock()
	defer c.sentMu.Unlock()
	c.refs++
	return c.refs
}

var tagEscaper = strings.NewReplacer(";", `\:`, " ", `\s`, `\`, `\\`, "\r", `\r`, "\n", `\n`)

// escapeTag writes the value of a tag as IRCv3 message-tags has it.
func escapeTag(value string) string { return tagEscaper.Replace(value) }

// maxUnread is how many bytes of what was sent the server may not have answered. What a server has not
// handled yet lies in a queue, and a connection whose queue is too long is killed for flooding: of the servers
// that are in use the strictest allow 1,000 to 2,560 bytes (RFC 1459, section 8.10, has 512 with the line that is read).
const maxUnread = 1000

// unread returns how many bytes the server has not answered.
func (c *conn) unread() (bytes int) {
	c.sentMu.Lock()
	defer c.sentMu.Unlock()
	for _, e := range c.sent {
		bytes += e.size
	}
	return bytes
}

// paceUnread waits until the server has handled most of what was sent.
func (c *conn) paceUnread() bool {
	for c.unread() > maxUnread {
		c.force()
		select {
		case <-c.closed:
			return false
		case <-c.quit:
			return false
		case <-c.answeredSome:
		}
	}
	return true
}

// force asks for an answer to all that was sent, echoes or not.
func (c *conn) force() {
	c.sentMu.Lock()
	pending := false
	next := c.barriers + 1
	for _, e := range c.sent {
		if e.barrier == 0 {
			e.barrier, pending = next, true
		}
	}
	if pending {
		c.barriers = next
	}
	c.sentMu.Unlock()
	if pending {
		c.bucket.spend(0.5)
		_ = c.write(fmt.Sprintf("PING :%s%d", barrierPrefix, next))
	}
}

// barrierIfIdle sends a PING whose PONG confirms what was sent, when nothing
// more is waiting or a good deal is unconfirmed.
func (c *conn) barrierIfIdle() {
	if len(c.out) == 0 || c.unbarriered() >= 8 {
		c.barrier()
	}
}

// barrier asks the server for a PONG if lines are waiting for one. Servers
// process a connection's lines in order, so its PONG says that all lines before
// the PING were processed.
func (c *conn) barrier() {
	echoes := c.hasCap("echo-message")
	c.sentMu.Lock()
	pending := false
	next := c.barriers + 1
	for _, e := range c.sent {
		if e.barrier != 0 || echoes && e.isMessage() && time.Since(e.at) < echoPatience {
			continue
		}
		e.barrier, pending = next, true
	}
	if pending {
		c.barriers = next
	}
	c.sentMu.Unlock()
	if pending {
		c.bucket.spend(0.5)
		_ = c.write(fmt.Sprintf("PING :%s%d", barrierPrefix, next))
	}
}

// echoPatience is how long the echo of a message may take before a barrier
// confirms it instead.
const echoPatience = 5 * time.Second

func (e *sent) isMessage() bool { return e.line.Command == "PRIVMSG" || e.line.Command == "NOTICE" }

const barrierPrefix = "landbridge-"

func (c *conn) unbarriered() int {
	c.sentMu.Lock()
	defer c.sentMu.Unlock()
	n := 0
	for _, e := range c.sent {
		if e.barrier == 0 {
			n++
		}
	}
	return n
}

func (c *conn) remember(e *sent) {
	c.sentMu.Lock()
	c.sent = append(c.sent, e)
	c.sentMu.Unlock()
}

// forget removes and returns the oldest unconfirmed line for which match holds.
func (c *conn) forget(match func(*sent) bool) *sent {
	c.sentMu.Lock()
	defer c.sentMu.Unlock()
	for i, e := range c.sent {
		if match(e) {
			c.sent = append(c.sent[:i], c.sent[i+1:]...)
			select {
			case c.answeredSome <- struct{}{}:
			default:
			}
			return e
		}
	}
	return nil
}

// confirm finishes all lines up to a barrier as delivered.
func (c *conn) confirm(barrier uint64) {
	for {
		e := c.forget(func(e *sent) bool { return e.barrier != 0 && e.barrier <= barrier })
		if e == nil {
			return
		}
		finish(e.line, Outcome{State: Delivered})
	}
}

// drain reports the lines that the ended connection leaves behind.
func (c *conn) drain() {
	c.sendMu.Lock()
	c.drained = true
	c.sendMu.Unlock()
	c.cfg.Go(func() {
		c.senders.Wait()
		close(c.out)
	})
	var waiting []*Line
	for line := range c.out {
		waiting = append(waiting, line)
	}
	<-c.readerDone // whatever the server answered has been read
	for {
		e := c.forget(func(*sent) bool { return true })
		if e == nil {
			break
		}
		finish(e.line, Outcome{State: Unknown, Err: ErrDisconnected, History: c.hasHistory()})
	}
	for _, line := range waiting {
		finish(line, Outcome{State: NotSent, Err: ErrDisconnected})
	}
}

func finish(line *Line, o Outcome) {
	if line.Done != nil {
		line.Done(o)
	}
}
