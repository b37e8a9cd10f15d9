package session

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"
)

// Config describes a connection. Zero values of the optional fields are
// replaced by the defaults named beside them.
type Config struct {
	// Addr is host:port.
	Addr string
	// TLS, if set, is used for the connection; its ServerName must be set.
	TLS *tls.Config
	// Dial replaces net.Dialer (optional).
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Nick     string
	Username string // default: Nick
	Realname string // default: Nick
	Password string // server password, optional
	// SASL authenticates before registration (optional).
	SASL Mechanism
	// SASLOptional lets the connection be made where the server does not offer SASL, or not with that mechanism.
	SASLOptional bool
	// Gate, if set, is waited for before each attempt to connect; its error ends the attempt.
	Gate func(context.Context) error
	// Reader, if not nil, turns text that is not UTF-8 into it; otherwise it is taken for Windows-1252. Writer, if not nil,
	// turns what is sent into another encoding.
	Reader, Writer func(string) string

	// Burst and PerSecond bound how fast lines are sent (default 5 and 1).
	Burst     int
	PerSecond float64
	// Queue is how many lines may wait to be sent (default 64).
	Queue int

	// ConnectTimeout bounds dialling and registration (default 60 s).
	ConnectTimeout time.Duration
	// PingInterval is how long the server may be silent before it is asked for a
	// sign of life, PingTimeout how long it may take to answer (default 60 s, 30 s).
	PingInterval, PingTimeout time.Duration
	// Backoff is the wait between attempts (default 2 s to 5 min).
	Backoff Backoff
	// RejoinDelay is the wait before a channel is joined again after a kick or a
	// failure (default 30 s).
	RejoinDelay time.Duration

	// Since returns when something was heard in a channel last, or the zero time if never: what was said
	// later is asked for after a join, where the server can. It is optional, called by the reader, and must not block for long.
	Since func(channel string) time.Time

	// SelfOnly has the session remember itself alone of the members of channels, whose number, names and ranks
	// it then doesn't know: hundreds of sessions in one channel each remember one member instead of all.
	SelfOnly bool

	Handler Handler
	Log     *slog.Logger
	// Go starts the session's goroutines (optional): whoever gives it hears of a panic in one of them.
	Go func(f func())
}

func (c *Config) withDefaults() Config {
	d := *c
	set(&d.Username, d.Nick)
	set(&d.Realname, d.Nick)
	set(&d.Burst, 5)
	set(&d.PerSecond, 1)
	set(&d.Queue, 64)
	set(&d.ConnectTimeout, time.Minute)
	set(&d.PingInterval, time.Minute)
	set(&d.PingTimeout, 30*time.Second)
	set(&d.Backoff.Min, 2*time.Second)
	set(&d.Backoff.Max, 5*time.Minute)
	set(&d.RejoinDelay, 30*time.Second)
	if d.Dial == nil {
		dialer := &net.Dialer{KeepAlive: 30 * time.Second}
		d.Dial = dialer.DialContext
	}
	if d.Go == nil {
		d.Go = func(f func()) { go f() }
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return d
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
