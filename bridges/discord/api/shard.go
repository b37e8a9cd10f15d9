package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Operations of the gateway. Discord: "Gateway Opcodes".
const (
	opDispatch  = 0
	opHeartbeat = 1
	opIdentify  = 2
	opResume    = 6
	opReconnect = 7
	opInvalid   = 9
	opHello     = 10
	opAck       = 11
)

const (
	// maxFrame is the largest message of the gateway, in bytes.
	maxFrame = 64 << 20
	// writeTime bounds how long a message to the gateway may take.
	writeTime = 10 * time.Second
	// steady is how long a connection must have lasted for its failures to be forgotten.
	steady = 10 * time.Second
)

// shard is one connection to the gateway, made again whenever it ends. Its fields are those of run.
type shard struct {
	c      *Client
	plan   *plan
	number int
	handle func(Event)
	log    *slog.Logger

	session string       // what can be resumed; "" for nothing
	resume  string       // where
	seq     atomic.Int64 // the newest event
	vain    int          // how often resuming has failed, one time after the other
	seen    seen         // what was handed on of late
}

// maxVain is how often resuming is tried in vain before a session is given up. What it would have told is fetched then.
const maxVain = 3

// frame is a message of the gateway.
type frame struct {
	Op   wire.Int        `json:"op"`
	Data json.RawMessage `json:"d"`
	Seq  wire.Int        `json:"s"`
	Type string          `json:"t"`
}

// run is connected until ctx is done, or there is an error of type *Fatal.
func (s *shard) run(ctx context.Context) error {
	wait := s.c.opts.BackoffMin
	for ctx.Err() == nil {
		began := time.Now()
		ready, err := s.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			if f := fatal(closed.Code); f != nil {
				return f
			}
			if closed.Code == closeBadSequence || closed.Code == closeSessionOver {
				s.session = ""
			}
		}
		if ready {
			s.vain = 0
			s.handle(Event{Type: Disconnected})
		} else if s.session != "" && reached(err) {
			if s.vain++; s.vain >= maxVain {
				s.session, s.vain = "", 0
			}
		}
		if !ready && s.resume != "" && !errors.Is(err, errInvalid) {
			// Perhaps that part of the gateway is gone.
			s.resume = ""
		}
		lasted := time.Since(began)
		if ready && lasted > steady {
			wait = s.c.opts.BackoffMin
		}
		s.log.Info("the connection to Discord has ended", "lasted", lasted.Round(time.Second), "error", err, "again_in", wait)
		// Not all at once, if there are several.
		if sleep(ctx, wait+time.Duration(rand.Float64()*float64(wait)/2)) != nil {
			return nil
		}
		if !errors.Is(err, errInvalid) { // after that comes a new session, and no storm
			wait = min(2*wait, s.c.opts.BackoffMax)
		}
	}
	return nil
}

// reached reports whether a connection ended after it was made: that it could not be made says nothing of the session.
func reached(err error) bool { return !errors.Is(err, errUnreachable) }

var (
	errUnreachable = errors.New("connect to the gateway")
	errInvalid     = errors.New("the session cannot be resumed")
	errReconnect   = errors.New("the gateway asks for a new connection")
	errSilent      = errors.New("the gateway has not answered a heartbeat")
	errNoHello     = errors.New("the gateway does not begin with a hello")
)

// link is one connection.
type link struct {
	ws *websocket.Conn
	mu sync.Mutex // of writing
}

func (l *link) send(op int, data any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.ws.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	return l.ws.WriteJSON(map[string]any{"op": op, "d": data})
}

func (l *link) read() (f frame, err error) {
	_, raw, err := l.ws.ReadMessage()
	if err != nil {
		return f, err
	}
	return f, wire.Decode(raw, &f)
}

// connect makes a connection and reads it to its end. ready says that a session was begun or resumed.
func (s *shard) connect(ctx context.Context) (ready bool, err error) {
	address := s.plan.address
	if s.session != "" && s.resume != "" {
		address = s.resume
	}
	dialer := s.c.dialer()
	ws, res, err := dialer.DialContext(ctx, strings.TrimRight(address, "/")+"/?v="+apiVersion+"&encoding=json", nil)
	if res != nil && res.Body != nil {
		res.Body.Close()
	}
	if errors.Is(err, websocket.ErrBadHandshake) && res != nil {
		err = fmt.Errorf("%s answers %s and is no gateway", address, res.Status)
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	ws.SetReadLimit(maxFrame)
	l := &link{ws: ws}
	s.c.noteConn(ws, true)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { ws.Close() })
	var beat sync.WaitGroup
	defer func() {
		s.c.noteConn(ws, false)
		stop()
		cancel()
		ws.Close()
		beat.Wait()
	}()

	if err := ws.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return false, err
	}
	hello, err := l.read()
	if err != nil {
		return false, fmt.Errorf("read the gateway's hello: %w", err)
	}
	var every struct {
		Interval wire.Int `json:"heartbeat_interval"`
	}
	if hello.Op != opHello || wire.Decode(hello.Data, &every) != nil {
		return false, errNoHello
	}
	interval := time.Duration(every.Interval) * time.Millisecond
	if interval < time.Second || interval > 10*time.Minute {
		interval = 41250 * time.Millisecond
	}
	var acked atomic.Bool
	acked.Store(true)
	silent := make(chan struct{})
	beat.Add(1)
	s.c.opts.Go(func() {
		defer beat.Done()
		if !s.heartbeat(ctx, l, interval, &acked) && ctx.Err() == nil {
			close(silent)
			ws.Close()
		}
	})
	if err := s.begin(ctx, l); err != nil {
		return false, err
	}
	for {
		if err := ws.SetReadDeadline(time.Now().Add(2*interval + 30*time.Second)); err != nil {
			return ready, err
		}
		f, err := l.read()
		if err != nil {
			select {
			case <-silent:
				return ready, errSilent
			default:
				return ready, fmt.Errorf("read the gateway: %w", err)
			}
		}
		switch f.Op {
		case opDispatch:
			ready = s.dispatch(f) || ready
		case opHeartbeat:
			if err := l.send(opHeartbeat, s.last()); err != nil {
				return ready, fmt.Errorf("answer the gateway: %w", err)
			}
		case opAck:
			acked.Store(true)
		case opReconnect:
			return ready, errReconnect
		case opInvalid:
			if string(f.Data) != "true" {
				s.session = ""
			}
			// Discord: "wait a random amount of time, between 1 and 5 seconds".
			_ = sleep(ctx, time.Duration((1+4*rand.Float64())*float64(s.c.opts.BackoffMin)))
			return ready, errInvalid
		}
	}
}

// begin resumes the session, or begins one.
func (s *shard) begin(ctx context.Context, l *link) error {
	if s.session != "" {
		err := l.send(opResume, map[string]any{"token": s.c.opts.Token, "session_id": s.session, "seq": s.seen.upto})
		if err != nil {
			return fmt.Errorf("resume the session: %w", err)
		}
		return nil
	}
	s.seq.Store(0)
	s.seen.clear()
	if err := s.c.spend(ctx, s.plan); err != nil {
		return err
	}
	if s.plan.shards > 1 {
		select {
		case s.plan.turns <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		pause := min(identifyPause, 5*s.c.opts.BackoffMin)
		time.AfterFunc(pause, func() { <-s.plan.turns })
	}
	identify := map[string]any{
		"token": s.c.opts.Token, "intents": s.c.opts.Intents, "large_threshold": 250, "compress": false,
		"properties": map[string]string{"os": "linux", "browser": "landbridge", "device": "landbridge"},
	}
	if s.plan.shards > 1 {
		identify["shard"] = []int{s.number, s.plan.shards}
	}
	if err := l.send(opIdentify, identify); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	return nil
}

// last is the number of the newest event, null if there was none.
func (s *shard) last() any {
	if n := s.seq.Load(); n > 0 {
		return n
	}
	return nil
}

// dispatch hands an event on. It reports whether the session has begun with it.
func (s *shard) dispatch(f frame) (begun bool) {
	switch f.Type {
	case "READY":
		var ready struct {
			Session string `json:"session_id"`
			Resume  string `json:"resume_gateway_url"`
		}
		_ = wire.Decode(f.Data, &ready) // without them the session cannot be resumed
		s.session, s.resume, begun = ready.Session, "", true
		if s.c.opts.GatewayURL == "" && (strings.HasPrefix(ready.Resume, "ws://") || strings.HasPrefix(ready.Resume, "wss://")) {
			s.resume = ready.Resume
		}
	case "RESUMED":
		begun = true
	}
	if f.Type != "" && !s.seen.before(f) {
		s.handle(Event{Type: f.Type, Data: f.Data, Seq: int64(f.Seq)})
	}
	// After it was handed on: what was not is told again.
	s.seen.done(int64(f.Seq), f.Type == "READY")
	if n := int64(f.Seq); n > s.seq.Load() {
		s.seq.Store(n)
	}
	return begun
}

// heartbeat tells the gateway from time to time that the connection lives. It returns false when the gateway does not
// answer. Discord: the first after "heartbeat_interval * jitter".
func (s *shard) heartbeat(ctx context.Context, l *link, interval time.Duration, acked *atomic.Bool) bool {
	timer := time.NewTimer(time.Duration(rand.Float64() * float64(interval)))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return true
		}
		if !acked.Swap(false) {
			return false
		}
		if l.send(opHeartbeat, s.last()) != nil {
			return false
		}
		timer.Reset(interval)
	}
}
