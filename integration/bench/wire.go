package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// wire is one kept connection that speaks just enough HTTP to make requests at little cost.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	host string
	buf  []byte
	body []byte // of the last answer
}

// dial opens a connection that ends with ctx.
func dial(ctx context.Context, base string) (*wire, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return &wire{conn: conn, r: bufio.NewReaderSize(conn, 4<<10), host: u.Host}, nil
}

func (w *wire) close() { w.conn.Close() }

// do makes a request and reads the answer. The body stands in w.body until the next request.
func (w *wire) do(method, target, token, body string) (status int, err error) {
	b := w.buf[:0]
	b = append(append(append(b, method...), ' '), target...)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), w.host...)
	if token != "" {
		b = append(append(b, "\r\nAuthorization: Bearer "...), token...)
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(append(b, "\r\n\r\n"...), body...)
	w.buf = b
	if _, err := w.conn.Write(b); err != nil {
		return 0, err
	}
	return w.answer()
}

func (w *wire) answer() (status int, err error) {
	line, err := w.r.ReadSlice('\n')
	if err != nil {
		return 0, fmt.Errorf("reading the status: %w", err)
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("odd status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("odd status line %q", line)
	}
	length, chunked := -1, false
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return 0, fmt.Errorf("reading the header: %w", err)
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		if v, ok := header(line, "content-length:"); ok {
			if length, err = strconv.Atoi(v); err != nil {
				return 0, err
			}
		} else if v, ok := header(line, "transfer-encoding:"); ok {
			chunked = v == "chunked"
		}
	}
	w.body = w.body[:0]
	switch {
	case chunked:
		return status, w.chunks()
	case length < 0:
		return 0, errors.New("an answer without a length")
	}
	return status, w.read(length)
}

func header(line []byte, name string) (string, bool) {
	if len(line) < len(name) || !strings.EqualFold(string(line[:len(name)]), name) {
		return "", false
	}
	return string(bytes.TrimSpace(line[len(name):])), true
}

func (w *wire) read(n int) error {
	at := len(w.body)
	w.body = append(w.body, make([]byte, n)...)
	_, err := io.ReadFull(w.r, w.body[at:])
	return err
}

func (w *wire) chunks() error {
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := w.read(int(n)); err != nil {
				return err
			}
		}
		if _, err := w.r.Discard(2); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// must is do for requests that have to succeed.
func (w *wire) must(method, target, token, body string) error {
	status, err := w.do(method, target, token, body)
	if err == nil && status != 200 {
		err = fmt.Errorf("%s %s: %d %s", method, target, status, w.body[:min(len(w.body), 300)])
	}
	return err
}
