package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
)

// Security says how the connection to the mail server is protected.
type Security string

// The kinds of protection.
const (
	// StartTLS begins in the clear and must become TLS before anything else.
	StartTLS Security = "starttls"
	// TLS is TLS from the beginning.
	TLS Security = "tls"
	// None is no protection: for a mail server on the same machine.
	None Security = "none"
)

// Server is the mail server that messages are handed to.
type Server struct {
	// Address is host:port.
	Address  string
	Security Security
	// User and Password log in; empty: no logging in.
	User, Password string
	// TLS, if not nil, is used instead of the system's settings.
	TLS *tls.Config
	// Hello is the name that this machine gives; "" for localhost.
	Hello string
}

const (
	// sendTime is how long handing over one message may take.
	sendTime = 30 * time.Second
	// sendAtOnce is how many are handed over at once.
	sendAtOnce = 4
)

// transport hands messages over.
type transport struct {
	server Server
	turns  *semaphore.Weighted
}

// send hands one message over. It returns once the mail server has taken it.
func (t *transport) send(ctx context.Context, from, to *mail.Address, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := t.turns.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("waiting for the mail server: %w", err)
	}
	defer t.turns.Release(1)
	host, _, err := net.SplitHostPort(t.server.Address)
	if err != nil {
		return fmt.Errorf("the mail server's address: %w", err)
	}
	conf := &tls.Config{}
	if t.server.TLS != nil {
		conf = t.server.TLS.Clone()
	}
	if conf.ServerName == "" {
		conf.ServerName = host
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", t.server.Address)
	if err != nil {
		return fmt.Errorf("connecting to the mail server: %w", err)
	}
	defer conn.Close()
	// The exchange below knows nothing of contexts: its end closes the connection.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if t.server.Security == TLS {
		secure := tls.Client(conn, conf)
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("TLS with the mail server: %w", err)
		}
		conn = secure
	}
	if err := t.exchange(conn, host, conf, from, to, message); err != nil {
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		return err
	}
	return nil
}

func (t *transport) exchange(conn net.Conn, host string, conf *tls.Config, from, to *mail.Address, message []byte) error {
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return fmt.Errorf("greeting the mail server: %w", err)
	}
	hello := t.server.Hello
	if hello == "" {
		hello = "localhost"
	}
	if err := c.Hello(hello); err != nil {
		return fmt.Errorf("greeting the mail server: %w", err)
	}
	if t.server.Security == StartTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("the mail server does not offer STARTTLS")
		}
		if err := c.StartTLS(conf); err != nil {
			return fmt.Errorf("TLS with the mail server: %w", err)
		}
	}
	if t.server.User != "" {
		if err := c.Auth(t.auth(c, host)); err != nil {
			return fmt.Errorf("logging in to the mail server: %w", err)
		}
	}
	if err := c.Mail(from.Address); err != nil {
		return fmt.Errorf("the mail server does not accept the sender: %w", err)
	}
	if err := c.Rcpt(to.Address); err != nil {
		return fmt.Errorf("the mail server does not accept the recipient: %w", err)
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("sending the message: %w", err)
	}
	if _, err := w.Write(message); err != nil {
		return fmt.Errorf("sending the message: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("the mail server does not accept the message: %w", err)
	}
	// The message is taken; how the conversation ends does not matter.
	_ = c.Quit()
	return nil
}

// auth chooses a way of logging in that the server offers.
func (t *transport) auth(c *smtp.Client, host string) smtp.Auth {
	_, offered := c.Extension("AUTH")
	ways := strings.Fields(strings.ToUpper(offered))
	for _, w := range ways {
		if w == "PLAIN" {
			return smtp.PlainAuth("", t.server.User, t.server.Password, host)
		}
	}
	for _, w := range ways {
		if w == "LOGIN" {
			return &loginAuth{user: t.server.User, password: t.server.Password}
		}
	}
	return smtp.PlainAuth("", t.server.User, t.server.Password, host)
}

// loginAuth is AUTH LOGIN, which some servers offer alone.
type loginAuth struct{ user, password string }

var _ smtp.Auth = (*loginAuth)(nil)

// Start implements smtp.Auth. As PlainAuth does, it shows no password in the clear.
func (a *loginAuth) Start(s *smtp.ServerInfo) (string, []byte, error) {
	if !s.TLS && s.Name != "localhost" && s.Name != "127.0.0.1" && s.Name != "::1" {
		return "", nil, errors.New("unencrypted connection")
	}
	return "LOGIN", nil, nil
}

// Next implements smtp.Auth.
func (a *loginAuth) Next(asked []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	switch {
	case bytes.HasPrefix(bytes.ToLower(asked), []byte("user")):
		return []byte(a.user), nil
	case bytes.HasPrefix(bytes.ToLower(asked), []byte("pass")):
		return []byte(a.password), nil
	}
	return nil, errors.New("the server asks for something else than name and password")
}
