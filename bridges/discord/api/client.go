package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"
	"github.com/gorilla/websocket"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Options are what a client needs.
type Options struct {
	Token string
	// APIURL, GatewayURL and CDNURL are bases without a slash at their end; an empty
	// GatewayURL asks the API.
	APIURL, GatewayURL, CDNURL string
	// Intents are what the gateway is asked to tell.
	Intents int
	// HTTP makes the requests; nil for a client of its own.
	HTTP *http.Client
	Log  *slog.Logger
	// Backoff is the least and the most time between attempts to connect; zero for
	// 1 s and 2 min.
	BackoffMin, BackoffMax time.Duration
	// Go starts the client's goroutines (optional): whoever gives it hears of a panic in one of them.
	Go func(f func())
}

// Client is one bot. Its methods are safe for concurrent use.
type Client struct {
	opts Options
	s    *discordgo.Session
	http *http.Client
	log  *slog.Logger

	mu    sync.Mutex
	conns map[*websocket.Conn]bool // of the gateway
}

// New makes a client, without connecting.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.APIURL)
	if err != nil {
		return nil, fmt.Errorf("address of the API: %w", err)
	}
	s, err := discordgo.New("Bot " + o.Token)
	if err != nil {
		return nil, fmt.Errorf("make a session: %w", err)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	if o.Go == nil {
		o.Go = func(f func()) { go f() }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.BackoffMin == 0 {
		o.BackoffMin, o.BackoffMax = time.Second, 2*time.Minute
	}
	next := o.HTTP.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	c := &Client{opts: o, s: s, log: o.Log, conns: make(map[*websocket.Conn]bool)}
	c.http = &http.Client{Timeout: 2 * time.Minute, Transport: next}
	s.Client = &http.Client{Timeout: time.Minute, Transport: &transport{base: base, next: next}}
	s.StateEnabled = false
	s.ShouldRetryOnRateLimit = false
	s.MaxRestRetries = 0
	s.LogLevel = -1 // it logs through a global variable
	return c, nil
}

// noteConn notes a connection of the gateway, or that it has ended.
func (c *Client) noteConn(ws *websocket.Conn, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if open {
		c.conns[ws] = true
	} else {
		delete(c.conns, ws)
	}
}

// Error is an answer of the API that is no success.
type Error struct {
	Status  int
	Code    int
	Message string
	What    string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: Discord answers %d (code %d): %s", e.What, e.Status, e.Code, e.Message)
}

// IsCode reports whether an error is an answer with one of some codes of Discord's.
func IsCode(err error, codes ...int) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

// IsStatus reports whether an error is an answer with an HTTP status.
func IsStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// Refused reports whether Discord has said that it will never do what was asked. If
// it has not, it may have done it.
func Refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500 && e.Status != http.StatusRequestTimeout && e.Status != http.StatusTooManyRequests
}

// maxRateWait bounds how long a request waits, all in all, for a limit of rates.
const maxRateWait = 30 * time.Minute

// Do makes a request with a body in JSON, if in is not nil, and reads the answer into
// out, if that is not nil. path begins with a slash. Requests with the same bucket
// share a limit of rates; Do waits for it, and repeats what came too early.
func (c *Client) Do(ctx context.Context, method, path, bucket string, in, out any) error {
	var body []byte
	contentType := ""
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
		contentType = "application/json"
	}
	return c.do(ctx, method, path, bucket, contentType, body, out)
}

type reasonKey struct{}

// maxReason is the longest reason, in bytes, before it is encoded.
const maxReason = 300

// WithReason has requests say why they are made, for the guild's audit log.
func WithReason(ctx context.Context, reason string) context.Context {
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	return context.WithValue(ctx, reasonKey{}, reason)
}

// File is a file of a request.
type File struct {
	Name, ContentType string
	Data              []byte
}

// Upload makes a request with files beside a body in JSON. Discord: "payload_json" and
// "files[n]" of multipart/form-data.
func (c *Client) Upload(ctx context.Context, method, path, bucket string, in any, files []File, out any) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="payload_json"`}, "Content-Type": {"application/json"},
	})
	if err == nil {
		_, err = part.Write(payload)
	}
	quote := strings.NewReplacer(`\`, "_", `"`, "_", "\r", "_", "\n", "_")
	for i, f := range files {
		if err != nil {
			break
		}
		contentType := f.ContentType
		if contentType == "" || strings.ContainsAny(contentType, "\r\n") {
			contentType = "application/octet-stream"
		}
		part, err = w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="files[%d]"; filename="%s"`, i, quote.Replace(f.Name))},
			"Content-Type":        {contentType},
		})
		if err == nil {
			_, err = part.Write(f.Data)
		}
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("encode files: %w", err)
	}
	return c.do(ctx, method, path, bucket, w.FormDataContentType(), body.Bytes(), out)
}

func (c *Client) do(ctx context.Context, method, path, bucket, contentType string, body []byte, out any) error {
	what := method + " " + redact(path)
	if bucket == "" {
		bucket, _, _ = strings.Cut(path, "?")
	}
	bucket = method + " " + bucket
	begin := time.Now()
	for {
		if err := c.waitBucket(ctx, bucket); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		options := []discordgo.RequestOption{discordgo.WithContext(ctx)}
		if reason, ok := ctx.Value(reasonKey{}).(string); ok {
			options = append(options, discordgo.WithAuditLogReason(reason))
		}
		raw, err := c.s.RequestRaw(method, "https://discord.com"+prefix+path, contentType, body, bucket, 0, options...)
		if err == nil {
			if out == nil || len(raw) == 0 {
				return nil
			}
			if err := wire.Decode(raw, out); err != nil {
				return fmt.Errorf("%s: read the answer: %w", what, err)
			}
			return nil
		}
		var limited *discordgo.RateLimitError
		if errors.As(err, &limited) && limited.TooManyRequests != nil && time.Since(begin) < maxRateWait {
			wait := max(limited.RetryAfter, 50*time.Millisecond)
			c.log.Debug("a limit of rates is reached", "request", what, "wait", wait)
			if err := sleep(ctx, wait); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			continue
		}
		var rest *discordgo.RESTError
		if errors.As(err, &rest) && rest.Response != nil {
			e := &Error{Status: rest.Response.StatusCode, What: what, Message: http.StatusText(rest.Response.StatusCode)}
			if rest.Message != nil {
				e.Code, e.Message = rest.Message.Code, rest.Message.Message
			}
			if details := mistakes(rest.ResponseBody); details != "" {
				e.Message += ": " + details
			}
			return e
		}
		// The address, which is in errors of net/http, may hold a webhook's token.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("%s: %w", what, err)
	}
}

// maxMistakes bounds how many mistakes of a request an error names.
const maxMistakes = 5

// mistakes are what an answer says is wrong with the fields of a request. Discord, "Error Messages": "errors" has an object
// for each field, within each other, and a list "_errors" in that of a wrong one.
func mistakes(raw []byte) string {
	var answer struct {
		Errors any `json:"errors"`
	}
	if wire.Decode(raw, &answer) != nil {
		return ""
	}
	var list []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		m, _ := v.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if key != "_errors" {
				walk(strings.TrimPrefix(path+"."+key, "."), m[key])
				continue
			}
			wrong, _ := m[key].([]any)
			for _, w := range wrong {
				if w, ok := w.(map[string]any); ok {
					list = append(list, fmt.Sprintf("%s: %v", path, w["message"]))
				}
			}
		}
	}
	walk("", answer.Errors)
	return strings.Join(list[:min(len(list), maxMistakes)], "; ")
}

// waitBucket waits for the limit of a bucket; discordgo would, too, but for good.
func (c *Client) waitBucket(ctx context.Context, bucket string) error {
	b := c.s.Ratelimiter.GetBucket(bucket)
	for {
		b.Lock()
		wait := c.s.Ratelimiter.GetWaitTime(b, 1)
		b.Unlock()
		if wait <= 0 {
			return ctx.Err()
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// redact takes the token out of a webhook's path.
func redact(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	if len(parts) > 3 && (parts[1] == "webhooks" || parts[1] == "interactions") {
		parts[3] = "***"
	}
	return strings.Join(parts, "/")
}

// Download gets a file of at most limit bytes. Addresses of Discord's own file
// servers are taken from the configured one.
func (c *Client) Download(ctx context.Context, address string, limit int64) ([]byte, string, error) {
	if rest, ok := strings.CutPrefix(address, "https://cdn.discordapp.com"); ok {
		address = c.opts.CDNURL + rest
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", fmt.Errorf("download a file: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("download a file: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, "", &Error{Status: res.StatusCode, What: "download a file", Message: http.StatusText(res.StatusCode)}
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, "", fmt.Errorf("download a file: %w", err)
	}
	if int64(len(raw)) > limit {
		return nil, "", ErrTooLarge
	}
	return raw, res.Header.Get("Content-Type"), nil
}

// ErrTooLarge says that a file is larger than the limit.
var ErrTooLarge = errors.New("the file is too large")

// CDN is the address of a file on Discord's file server.
func (c *Client) CDN(path string) string { return c.opts.CDNURL + path }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
