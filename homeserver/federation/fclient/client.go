package fclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
	"github.com/landbridge-im/landbridge/homeserver/federation/xmatrix"
	"github.com/landbridge-im/landbridge/internal/tracing"
)

// Finder finds and dials servers; *discovery.Finder does.
type Finder interface {
	Find(ctx context.Context, server string) (discovery.Server, error)
	Dial(ctx context.Context, server string) (*tls.Conn, error)
}

var _ Finder = (*discovery.Finder)(nil)

// Options say what a Client needs.
type Options struct {
	Finder Finder
	Signer event.Signer
	// Backoff is shared by all who call other servers.
	Backoff *Backoff
	// Dial connects to where media may be redirected; see discovery.Options.
	Dial discovery.Dialer
	// RootCAs vouch for where media is redirected to; nil means the system's.
	RootCAs   *x509.CertPool
	UserAgent string
	Log       *slog.Logger
	// Tracer makes spans of calls; nil: none are made.
	Tracer trace.Tracer
	// Timeout bounds an ordinary call; 0 means 30 seconds. Those that answer with the state of a
	// room, and transactions, have more.
	Timeout time.Duration
}

// Client calls other servers. It is safe for concurrent use.
type Client struct {
	o     Options
	http  *http.Client
	plain *http.Client
}

// How many connections to one server there are, and to all when they have nothing to do.
const (
	connsPerServer = 8
	idleConns      = 1024
	idleTimeout    = 2 * time.Minute
)

// New makes a Client; Close ends its connections.
func New(o Options) *Client {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "Landbridge"
	}
	c := &Client{o: o}
	transport := &http.Transport{
		DialTLSContext:         c.dial,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        connsPerServer,
		MaxIdleConns:           idleConns,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
	// Requests are signed for one target, so a redirect can't be followed.
	c.http = &http.Client{Transport: tracing.Transport(transport, o.Tracer, "federation", serverOf), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c.plain = c.plainClient()
	return c
}

// Close closes idle connections. Calls under way go on.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.plain.CloseIdleConnections()
}

// A server name can't always be the host of a URL, and two of them may lead to one machine with
// different certificates. So URLs have it in base32, and connections are pooled by it.
var hostEncoding = base32.HexEncoding.WithPadding(base32.NoPadding)

// serverOf is the name of the server of a host; see hostEncoding.
func serverOf(host string) string {
	name, err := hostEncoding.DecodeString(strings.ToUpper(strings.ReplaceAll(host, ".", "")))
	if err != nil {
		return ""
	}
	return string(name)
}

func (c *Client) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	name, err := hostEncoding.DecodeString(strings.ToUpper(strings.ReplaceAll(host, ".", "")))
	if err != nil {
		return nil, fmt.Errorf("%q is not the host of a server", host)
	}
	conn, err := c.o.Finder.Dial(ctx, string(name))
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// hostOf writes a server name as a host; labels are at most 63 characters long.
func hostOf(server string) string {
	s := strings.ToLower(hostEncoding.EncodeToString([]byte(server)))
	var labels []string
	for len(s) > 60 {
		labels, s = append(labels, s[:60]), s[60:]
	}
	return strings.Join(append(labels, s), ".")
}

// call is one request.
type call struct {
	method string
	// path has parts that are escaped here.
	path  []string
	query url.Values
	body  any
	// timeout and limit, of the answer in bytes, are those of the client if 0.
	timeout time.Duration
	limit   int64
	// unsigned calls need no signature.
	unsigned bool
	// read, if set, reads the body of a good answer instead of its being decoded.
	read func(*http.Response, io.Reader) error
}

// defaultLimit is how long an ordinary answer may be, and stateLimit one with a room's state.
const (
	defaultLimit = 16 << 20
	stateLimit   = 512 << 20
)

// Error is what another server answered instead of success.
type Error struct {
	Server string
	Status int
	// Code and Message are errcode and error, "" where the answer had none.
	Code    string
	Message string
	// Body is the rest of the answer, at most 64 KiB.
	Body []byte
	// RetryAfter is what a server that wants to be left alone said.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s answered %d %s %.200s", e.Server, e.Status, e.Code, e.Message)
}

// Is tells whether the chain holds an answer with this errcode.
func Is(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// do makes a call and decodes the answer into out, which may be nil.
func (c *Client) do(ctx context.Context, server string, k call, out any) error {
	path := strings.Builder{}
	for _, p := range k.path {
		path.WriteString("/" + url.PathEscape(p))
	}
	what := k.method + " " + strings.Join(k.path[:min(len(k.path), 4)], "/")
	if err := c.try(ctx, server, k, path.String(), out); err != nil {
		if ctx.Err() == nil {
			c.o.Backoff.Because(server, err)
		}
		return fmt.Errorf("%s at %s: %w", what, server, err)
	}
	return nil
}

func (c *Client) try(ctx context.Context, server string, k call, path string, out any) error {
	if server == c.o.Signer.Server {
		return errors.New("a server doesn't call itself")
	}
	if err := c.o.Backoff.Check(ctx, server); err != nil {
		return err
	}
	timeout := k.timeout
	if timeout == 0 {
		timeout = c.o.Timeout
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := c.request(ctx, server, k, path)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		// Where the caller gave up, the server isn't to blame.
		if outer.Err() == nil {
			c.o.Backoff.Failed(server, 0)
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		e := readError(server, resp)
		c.judge(e)
		return e
	}
	limit := k.limit
	if limit == 0 {
		limit = defaultLimit
	}
	body := &limited{r: resp.Body, left: limit}
	switch {
	case k.read != nil:
		err = k.read(resp, body)
	case out != nil:
		err = json.UnmarshalRead(body, out)
	default:
		_, err = io.Copy(io.Discard, body)
	}
	if err != nil {
		if outer.Err() == nil && ctx.Err() != nil {
			c.o.Backoff.Failed(server, 0)
		}
		return fmt.Errorf("reading the answer: %w", err)
	}
	c.o.Backoff.Reached(server)
	return nil
}

func (c *Client) request(ctx context.Context, server string, k call, path string) (*http.Request, error) {
	where, err := c.o.Finder.Find(ctx, server)
	if err != nil {
		return nil, err
	}
	var body []byte
	var reader io.Reader
	if k.body != nil {
		if body, err = canonicaljson.Marshal(k.body); err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		reader = bytes.NewReader(body)
	}
	target := "https://" + hostOf(server) + path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, reader)
	if err != nil {
		return nil, err
	}
	req.Host = where.Host
	req.Header.Set("User-Agent", c.o.UserAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !k.unsigned {
		if err := xmatrix.Sign(req, body, c.o.Signer, server); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// judge decides whether an error is a sign that the server isn't well.
func (c *Client) judge(e *Error) {
	switch {
	case e.Status == http.StatusTooManyRequests:
		c.o.Backoff.Failed(e.Server, max(e.RetryAfter, time.Second))
	case e.Status >= 500 && e.Code == "":
		// A proxy before a server that isn't there. One that can say what is wrong is there.
		c.o.Backoff.Failed(e.Server, e.RetryAfter)
	default:
		c.o.Backoff.Reached(e.Server)
	}
}

func readError(server string, resp *http.Response) *Error {
	e := &Error{Server: server, Status: resp.StatusCode}
	e.Body, _ = io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var m struct {
		Code    string `json:"errcode"`
		Message string `json:"error"`
		Retry   int64  `json:"retry_after_ms"`
	}
	if json.Unmarshal(e.Body, &m) == nil {
		e.Code, e.Message = m.Code, m.Message
		e.RetryAfter = time.Duration(min(max(m.Retry, 0), 86_400_000)) * time.Millisecond
	}
	if s := resp.Header.Get("Retry-After"); s != "" {
		if d, err := time.ParseDuration(s + "s"); err == nil && d > 0 {
			e.RetryAfter = min(d, 24*time.Hour)
		}
	}
	return e
}

// errTooLong: an answer is longer than it may be.
var errTooLong = errors.New("the answer is too long")

// limited reads up to a limit, and fails beyond it.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		var one [1]byte
		if n, err := l.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLong
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
