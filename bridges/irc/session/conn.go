package session

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"
)

// conn is one connection of a session. The reader goroutine owns everything
// that has no lock named beside it.
type conn struct {
	s   *Session
	cfg Config
	log *slog.Logger
	raw *markedConn
	net net.Conn // raw, or TLS over it
	tls *tls.ConnectionState
	id  string
	seq uint64

	state *state

	// Registration.
	registered  bool
	nickTries   int
	sasl        *saslExchange
	saslDone    bool
	capEnded    bool
	offered     map[string]string
	batches     map[string]*batch // open batches by reference
	catching    map[string]*catchup
	since       map[string]time.Time // of channels whose playback was asked for
	ctcpReplies *bucket

	capMu   sync.Mutex
	enabled map[string]bool // by capMu

	writeMu sync.Mutex
	lastIn  time.Time // by activityMu
	pinged  time.Time // by activityMu: when the server was asked for life, or zero

	activityMu sync.Mutex

	// Sending; see queue.go.
	bucket       *bucket // writer goroutine
	labels       uint64  // writer goroutine
	out          chan *Line
	controlReady chan struct{}
	sendMu       sync.Mutex
	controls     []string  // by sendMu
	queries      []string  // by sendMu
	drained      bool      // by sendMu
	histories    []*asked  // by sendMu
	open         *question // by sendMu
	senders      sync.WaitGroup
	sentMu       sync.Mutex
	sent         []*sent // by sentMu
	barriers     uint64  // by sentMu
	refs         uint64  // by sentMu: of batches
	answeredSome chan struct{}

	watchMu sync.Mutex
	watcher *time.Timer // by watchMu; nil after the end
	started time.Time

	closeOnce  sync.Once
	closed     chan struct{}
	quit       chan struct{} // closed when the session is stopped
	readerDone chan struct{}
	work       sync.WaitGroup
	rejoins    map[string]*time.Timer // by rejoinMu; "" is the nick's
	rejoinMu   sync.Mutex
}

var errPingTimeout = errors.New("the server did not answer a PING")

// runConn makes one connection and serves it until it ends. The result says
// whether it was registered.
func (s *Session) runConn(ctx context.Context) (registered bool, err error) {
	if s.cfg.Gate != nil {
		if err := s.cfg.Gate(ctx); err != nil {
			return false, err
		}
	}
	dialCtx, cancel := context.WithTimeout(ctx, s.cfg.ConnectTimeout)
	defer cancel()
	nc, err := s.cfg.Dial(dialCtx, "tcp", s.cfg.Addr)
	if err != nil {
		return false, fmt.Errorf("connect to %s: %w", s.cfg.Addr, err)
	}
	raw := &markedConn{Conn: nc}
	c := &conn{
		s: s, cfg: s.cfg, log: s.log, raw: raw, net: raw, id: randomID(),
		state:        newState(s.wantedNick(), s.cfg.SelfOnly),
		offered:      make(map[string]string),
		enabled:      make(map[string]bool),
		batches:      make(map[string]*batch),
		catching:     make(map[string]*catchup),
		since:        make(map[string]time.Time),
		ctcpReplies:  newBucket(3, 0.1, time.Now()),
		bucket:       newBucket(s.cfg.Burst, s.cfg.PerSecond, time.Now()),
		out:          make(chan *Line, s.cfg.Queue),
		controlReady: make(chan struct{}, 1),
		answeredSome: make(chan struct{}, 1),
		closed:       make(chan struct{}),
		quit:         make(chan struct{}),
		readerDone:   make(chan struct{}),
		rejoins:      make(map[string]*time.Timer),
		lastIn:       time.Now(),
	}
	if s.cfg.TLS != nil {
		tc := tls.Client(raw, s.cfg.TLS)
		if err := tc.HandshakeContext(dialCtx); err != nil {
			nc.Close()
			return false, handshakeError(s.cfg.Addr, err)
		}
		state := tc.ConnectionState()
		c.net, c.tls = tc, &state
	}
	stop := context.AfterFunc(ctx, c.leave)
	defer stop()
	c.watch()
	err = c.read()
	c.close()
	c.unwatch()
	s.setConn(nil)
	close(c.readerDone)
	c.stopRejoins()
	if !c.registered {
		// No writer was started; there is nothing to drain either, because the
		// connection was never handed out.
		c.work.Wait()
		return false, err
	}
	c.work.Wait()
	return true, err
}

// handshakeError says in words what it may mean that a server does not answer as
// TLS has it.
func handshakeError(addr string, err error) error {
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, context.DeadlineExceeded), errors.As(err, &record):
		return fmt.Errorf("TLS with %s: %w; does this port speak TLS? (tls: false is for one that does not)", addr, err)
	}
	return fmt.Errorf("TLS with %s: %w", addr, err)
}

func randomID() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// leave ends the connection in good order: the writer stops and says goodbye, and
// the server's answers to what was sent before are read until it hangs up. A
// server that does not listen is not waited for.
func (c *conn) leave() {
	if c.s.current() != c {
		c.close()
		return
	}
	close(c.quit)
	timer := time.NewTimer(quitWait)
	defer timer.Stop()
	select {
	case <-c.closed:
	case <-timer.C:
		c.close()
	}
}

// quitWait is how long the server may take to hang up.
const quitWait = 2 * time.Second

func (c *conn) close() {
	c.closeOnce.Do(func() {
		close(c.closed)
		c.net.Close()
	})
}

// markedConn calls a function immediately before it writes, below TLS.
type markedConn struct {
	net.Conn
	mark atomic.Pointer[func()]
}

func (m *markedConn) Write(b []byte) (int, error) {
	if mark := m.mark.Swap(nil); mark != nil {
		(*mark)()
	}
	return m.Conn.Write(b)
}

// write writes one line at once.
func (c *conn) write(line string) error { return c.writeMarked(line, nil) }

// writeMarked writes one line, and calls mark, if not nil, immediately before.
func (c *conn) writeMarked(line string, mark func()) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if mark != nil {
		c.raw.mark.Store(&mark)
		defer c.raw.mark.Store(nil)
	}
	_ = c.net.SetWriteDeadline(time.Now().Add(c.cfg.PingTimeout))
	if c.cfg.Writer != nil {
		line = c.cfg.Writer(line)
	}
	_, err := c.net.Write([]byte(line + "\r\n"))
	if err != nil {
		c.close()
		return fmt.Errorf("write to the server: %w", err)
	}
	return nil
}

// read reads and handles lines until the connection ends.
func (c *conn) read() error {
	if err := c.begin(); err != nil {
		if c.tls == nil {
			return fmt.Errorf("before the server's first line: %w; does this port want TLS? (tls: true)", err)
		}
		return err
	}
	r := bufio.NewReader(c.net)
	for {
		line, err := readLine(r)
		if err != nil {
			if c.pingOverdue() {
				return errPingTimeout
			}
			if !c.registered && c.seq == 0 && c.tls == nil {
				return fmt.Errorf("before the server's first line: %w; does this port want TLS? (tls: true)", err)
			}
			if !c.registered {
				return fmt.Errorf("before the server's welcome: %w", err)
			}
			return fmt.Errorf("read from the server: %w", err)
		}
		c.alive()
		if line == "" {
			continue
		}
		if c.cfg.Reader != nil && !utf8.ValidString(line) {
			line = c.cfg.Reader(line)
		}
		m, err := parseLine(line)
		if err != nil {
			c.log.Debug("ignored a line of the server", "error", err)
			continue
		}
		c.seq++
		if err := c.handle(m); err != nil {
			return err
		}
	}
}

func (c *conn) alive() {
	c.activityMu.Lock()
	c.lastIn, c.pinged = time.Now(), time.Time{}
	c.activityMu.Unlock()
}

func (c *conn) pingOverdue() bool {
	c.activityMu.Lock()
	defer c.activityMu.Unlock()
	return !c.pinged.IsZero() && time.Since(c.pinged) >= c.cfg.PingTimeout
}

// watch begins to look now and then whether the connection is still one. There is no goroutine meanwhile: its stack would be
// most of what a silent connection costs.
func (c *conn) watch() {
	c.watchMu.Lock()
	defer c.watchMu.Unlock()
	c.started = time.Now()
	c.watcher = time.AfterFunc(c.watchEvery(), func() {
		c.watchMu.Lock()
		defer c.watchMu.Unlock()
		if c.watcher == nil {
			return
		}
		c.work.Add(1)
		c.cfg.Go(func() {
			defer c.work.Done()
			if !c.check(time.Now()) {
				return
			}
			c.watchMu.Lock()
			defer c.watchMu.Unlock()
			if c.watcher != nil {
				c.watcher.Reset(c.watchEvery())
			}
		})
	})
}

func (c *conn) watchEvery() time.Duration {
	return min(c.cfg.PingInterval, c.cfg.PingTimeout, c.cfg.ConnectTimeout)/4 + 1
}

// unwatch ends what watch has begun; nothing is added to c.work afterwards.
func (c *conn) unwatch() {
	c.watchMu.Lock()
	defer c.watchMu.Unlock()
	c.watcher.Stop()
	c.watcher = nil
}

// check ends a registration that takes too long and a connection whose server has gone away without a word. It reports
// whether to look again later.
func (c *conn) check(now time.Time) bool {
	if c.s.current() != c {
		if now.Sub(c.started) > c.cfg.ConnectTimeout {
			c.close()
			return false
		}
		return true
	}
	c.activityMu.Lock()
	ask := c.pinged.IsZero() && now.Sub(c.lastIn) >= c.cfg.PingInterval
	if ask {
		c.pinged = now
	}
	overdue := !c.pinged.IsZero() && now.Sub(c.pinged) >= c.cfg.PingTimeout
	c.activityMu.Unlock()
	if overdue {
		c.close()
		return false
	}
	if c.unbarriered() > 0 {
		c.wakeWriter() // echoes may be overdue
	}
	if ask {
		_ = c.write("PING :" + barrierPrefix + "alive")
	}
	return true
}

func (c *conn) hasCap(name string) bool {
	c.capMu.Lock()
	defer c.capMu.Unlock()
	return c.enabled[name]
}

func (c *conn) setCap(name string, on bool) {
	c.capMu.Lock()
	defer c.capMu.Unlock()
	if on {
		c.enabled[name] = true
	} else {
		delete(c.enabled, name)
	}
}

// rejoinLater asks for a wanted channel again after the configured wait.
func (c *conn) rejoinLater(w *want) time.Duration {
	c.rejoinMu.Lock()
	defer c.rejoinMu.Unlock()
	key := CasemapASCII.Fold(w.name)
	if old := c.rejoins[key]; old != nil {
		old.Stop()
	}
	c.rejoins[key] = time.AfterFunc(c.cfg.RejoinDelay, func() {
		if c.s.wantOf(CasemapASCII, w.name) != nil && !c.state.inChannel(w.name) {
			c.control(joinLine(w.name, w.key))
		}
	})
	return c.cfg.RejoinDelay
}

// rejoinNow asks for all wanted channels at once: perhaps the account that was missing is there now.
func (c *conn) rejoinNow() {
	for _, w := range c.s.wants() {
		if !c.state.inChannel(w.name) {
			c.control(joinLine(w.name, w.key))
		}
	}
}

func (c *conn) stopRejoins() {
	c.rejoinMu.Lock()
	defer c.rejoinMu.Unlock()
	for _, t := range c.rejoins {
		t.Stop()
	}
}

// truncate cuts foreign text that goes into errors and events.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
