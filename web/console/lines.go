package console

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Line is a line of the log.
type Line struct {
	N     int64
	At    time.Time
	Level slog.Level
	Text  string // message and attributes
}

// Matches tells whether the line is at least of a level and contains a text.
func (l Line) Matches(level slog.Level, text string) bool {
	return l.Level >= level && (text == "" || strings.Contains(strings.ToLower(l.Text), strings.ToLower(text)))
}

// Bounds of the lines that are kept, each of them, and what a reader may be behind.
const (
	LinesKept  = 2000
	lineMax    = 2000
	readerKept = 256
	readersMax = 50
)

// Lines keeps the newest lines of the log in memory, and passes fresh ones on.
type Lines struct {
	mu      sync.Mutex
	n       int64
	ring    []Line
	readers map[chan Line]struct{}
}

// NewLines makes an empty Lines.
func NewLines() *Lines { return &Lines{readers: map[chan Line]struct{}{}} }

// Handler is a handler of the log that keeps what it passes on to another one.
func (l *Lines) Handler(next slog.Handler) slog.Handler {
	keep := &keeping{lines: l, next: next}
	keep.text = slog.NewTextHandler(&keep.buf, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}})
	keep.mu = &sync.Mutex{}
	keep.out = &keep.buf
	return keep
}

// keeping is that handler. Handlers that are made of it share its buffer.
type keeping struct {
	lines *Lines
	next  slog.Handler
	text  slog.Handler
	mu    *sync.Mutex
	out   *bytes.Buffer
	buf   bytes.Buffer
}

var _ slog.Handler = (*keeping)(nil)

// Enabled implements slog.Handler.
func (k *keeping) Enabled(ctx context.Context, level slog.Level) bool {
	return k.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (k *keeping) Handle(ctx context.Context, r slog.Record) error {
	k.mu.Lock()
	k.out.Reset()
	if err := k.text.Handle(ctx, r); err == nil {
		text := strings.TrimSuffix(k.out.String(), "\n")
		k.lines.add(r.Time, r.Level, text[:min(len(text), lineMax)])
	}
	k.mu.Unlock()
	return k.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (k *keeping) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &keeping{lines: k.lines, next: k.next.WithAttrs(attrs), text: k.text.WithAttrs(attrs), mu: k.mu, out: k.out}
}

// WithGroup implements slog.Handler.
func (k *keeping) WithGroup(name string) slog.Handler {
	return &keeping{lines: k.lines, next: k.next.WithGroup(name), text: k.text.WithGroup(name), mu: k.mu, out: k.out}
}

func (l *Lines) add(at time.Time, level slog.Level, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	line := Line{l.n, at, level, text}
	if len(l.ring) < LinesKept {
		l.ring = append(l.ring, line)
	} else {
		l.ring[(l.n-1)%LinesKept] = line
	}
	for c := range l.readers {
		select {
		case c <- line:
		default: // who reads too slowly misses lines
		}
	}
}

// Newest gives the newest lines that match, oldest first.
func (l *Lines) Newest(level slog.Level, text string, limit int) []Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Line
	for i := l.n; i > l.n-int64(len(l.ring)) && len(out) < limit; i-- {
		if line := l.ring[(i-1)%LinesKept]; line.Matches(level, text) {
			out = append(out, line)
		}
	}
	slices.Reverse(out)
	return out
}

// Follow gives fresh lines, until stop is called; false if too many follow already.
func (l *Lines) Follow() (lines <-chan Line, stop func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.readers) >= readersMax {
		return nil, nil, false
	}
	c := make(chan Line, readerKept)
	l.readers[c] = struct{}{}
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.readers, c)
	}, true
}
