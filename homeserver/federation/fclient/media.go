package fclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
)

// Media is what is said of a file of another server.
type Media struct {
	ContentType        string
	ContentDisposition string
}

// mediaTimeout is for a file as a whole.
const mediaTimeout = 10 * time.Minute

// Sink takes a file that arrives: what it is, then its bytes.
type Sink func(Media, io.Reader) error

// Download reads a file of at most limit bytes. timeout is how long the server may wait for it to be
// uploaded.
func (c *Client) Download(ctx context.Context, server, id string, timeout time.Duration, limit int64, sink Sink) error {
	q := url.Values{"timeout_ms": {strconv.FormatInt(timeout.Milliseconds(), 10)}}
	return c.media(ctx, server, v1("media", "download", id), q, limit, sink)
}

// OldDownload is Download as servers knew it before version 1.11 of the specification: "Servers SHOULD
// fall back to the deprecated /_matrix/media/v3/download endpoint if the remote server does not
// support the authenticated one", without a loop through other servers.
func (c *Client) OldDownload(ctx context.Context, server, id string, timeout time.Duration, limit int64, sink Sink) error {
	q := url.Values{"timeout_ms": {strconv.FormatInt(timeout.Milliseconds(), 10)}, "allow_remote": {"false"}}
	read := func(resp *http.Response, body io.Reader) error {
		return sink(Media{resp.Header.Get("Content-Type"), resp.Header.Get("Content-Disposition")}, body)
	}
	path := []string{"_matrix", "media", "v3", "download", server, id}
	return c.do(ctx, server, call{method: http.MethodGet, path: path, query: q, timeout: mediaTimeout, limit: limit, read: read, unsigned: true}, nil)
}

// Thumbnail reads a smaller form of a picture. method is crop or scale.
func (c *Client) Thumbnail(ctx context.Context, server, id string, width, height int, method string, animated bool, limit int64, sink Sink) error {
	q := url.Values{"width": {strconv.Itoa(width)}, "height": {strconv.Itoa(height)}, "method": {method}, "animated": {strconv.FormatBool(animated)}}
	return c.media(ctx, server, v1("media", "thumbnail", id), q, limit, sink)
}

// ErrNotMultipart: a server answered a request for media with something else than two parts.
var ErrNotMultipart = errors.New("the answer is not multipart/mixed")

// media reads an answer of two parts: "The first part of the content is JSON metadata and has
// Content-Type application/json; the second is either the bytes of the media itself, or a Location
// header directing the caller to where the media can be retrieved."
func (c *Client) media(ctx context.Context, server string, path []string, q url.Values, limit int64, sink Sink) error {
	const overhead = 64 << 10
	read := func(resp *http.Response, body io.Reader) error {
		kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if err != nil || kind != "multipart/mixed" {
			return fmt.Errorf("%w but %.64q", ErrNotMultipart, resp.Header.Get("Content-Type"))
		}
		parts := multipart.NewReader(body, params["boundary"])
		first, err := parts.NextRawPart()
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, &limited{first, overhead}); err != nil {
			return err
		}
		second, err := parts.NextRawPart()
		if err != nil {
			return err
		}
		if to := second.Header.Get("Location"); to != "" {
			return c.follow(ctx, to, limit, sink)
		}
		return sink(Media{second.Header.Get("Content-Type"), second.Header.Get("Content-Disposition")}, &limited{second, limit})
	}
	return c.do(ctx, server, call{method: http.MethodGet, path: path, query: q, timeout: mediaTimeout, limit: limit + overhead, read: read}, nil)
}

// follow reads a file from where a server keeps it. "The request must not have an Authorization
// header": it is anybody's.
func (c *Client) follow(ctx context.Context, to string, limit int64, sink Sink) error {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return errors.New("the file is said to be where there is no https")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", c.o.UserAgent)
	resp, err := c.plain.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the place where the file is said to be answered %d", resp.StatusCode)
	}
	return sink(Media{resp.Header.Get("Content-Type"), resp.Header.Get("Content-Disposition")}, &limited{resp.Body, limit})
}

func (c *Client) plainClient() *http.Client {
	dial := c.o.Dial
	if dial == nil {
		dial = discovery.Dialer(func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("redirects of media aren't followed")
		})
	}
	return &http.Client{
		Timeout:   mediaTimeout,
		Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: c.o.RootCAs, MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: c.o.Timeout, ResponseHeaderTimeout: c.o.Timeout, MaxIdleConns: 16, IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 5 || r.URL.Scheme != "https" {
				return errors.New("too many redirects, or one away from https")
			}
			return nil
		},
	}
}
