// Package mailtest has a mail server for tests: it takes messages over real SMTP, with TLS and
// authentication, and keeps them.
package mailtest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say how the server behaves.
type Options struct {
	// TLS begins every connection with TLS; otherwise STARTTLS is offered, unless Plain.
	TLS, Plain bool
	// User and Password must be given, by one of the ways in Auth ("PLAIN LOGIN" if empty).
	User, Password, Auth string
	// Refuse is an answer such as "550 no such user" to every recipient.
	Refuse string
	// Silent takes connections and never says a word.
	Silent bool
}

// Server is a mail server that is listening.
type Server struct {
	o        Options
	t        testing.TB
	listener net.Listener
	conf     *tls.Config
	// Client trusts the server's certificate.
	Client   *tls.Config
	wg       sync.WaitGroup
	mu       sync.Mutex
	messages []Message
	conns    map[net.Conn]bool
	arrived  chan struct{}
}

// Message is one that was taken.
type Message struct {
	From, To string
	// Encrypted tells whether it came over TLS, and User who had logged in.
	Encrypted bool
	User      string
	Header    mail.Header
	Subject   string
	Text      string
	HTML      string
}

// Start starts a server that ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{o: o, t: t, listener: l, conns: map[net.Conn]bool{}, arrived: make(chan struct{}, 1000)}
	s.certify()
	s.wg.Go(s.accept)
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

// Address is host and port.
func (s *Server) Address() string { return s.listener.Addr().String() }

func (s *Server) certify() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	s.conf = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Client = &tls.Config{RootCAs: pool}
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			defer func() {
				c.Close()
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
			}()
			s.serve(c)
		})
	}
}

// Next waits for the message with number n, from 0.
func (s *Server) Next(n int) Message {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		if n < len(s.messages) {
			defer s.mu.Unlock()
			return s.messages[n]
		}
		s.mu.Unlock()
		select {
		case <-s.arrived:
		case <-deadline:
			s.t.Fatalf("message %d has not come", n)
		}
	}
}

// Count is how many messages were taken.
func (s *Server) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

// serve speaks SMTP.
func (s *Server) serve(c net.Conn) {
	if s.o.Silent {
		_, _ = io.Copy(io.Discard, c)
		return
	}
	m := Message{Encrypted: s.o.TLS}
	if s.o.TLS {
		c = tls.Server(c, s.conf)
	}
	r := bufio.NewReader(c)
	say := func(format string, args ...any) { fmt.Fprintf(c, format+"\r\n", args...) }
	line := func() (string, bool) {
		l, err := r.ReadString('\n')
		return strings.TrimRight(l, "\r\n"), err == nil
	}
	decoded := func(text string) string {
		raw, _ := base64.StdEncoding.DecodeString(text)
		return string(raw)
	}
	say("220 test mail")
	for {
		l, ok := line()
		if !ok {
			return
		}
		verb, rest, _ := strings.Cut(l, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			say("250-test")
			if !m.Encrypted && !s.o.Plain {
				say("250-STARTTLS")
			}
			if s.o.User != "" && (m.Encrypted || s.o.Plain) {
				ways := s.o.Auth
				if ways == "" {
					ways = "PLAIN LOGIN"
				}
				say("250-AUTH %s", ways)
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			c = tls.Server(c, s.conf)
			r = bufio.NewReader(c)
			m = Message{Encrypted: true}
		case "AUTH":
			way, initial, _ := strings.Cut(rest, " ")
			user, password := "", ""
			if way == "PLAIN" {
				parts := strings.Split(decoded(initial), "\x00")
				if len(parts) == 3 {
					user, password = parts[1], parts[2]
				}
			} else {
				say("334 %s", base64.StdEncoding.EncodeToString([]byte("Username:")))
				l, _ := line()
				user = decoded(l)
				say("334 %s", base64.StdEncoding.EncodeToString([]byte("Password:")))
				l, _ = line()
				password = decoded(l)
			}
			if user != s.o.User || password != s.o.Password {
				say("535 wrong")
				continue
			}
			m.User = user
			say("235 welcome")
		case "MAIL":
			if s.o.User != "" && m.User == "" {
				say("530 log in first")
				continue
			}
			m.From = rest
			say("250 ok")
		case "RCPT":
			if s.o.Refuse != "" {
				say("%s", s.o.Refuse)
				continue
			}
			m.To = strings.Trim(strings.TrimPrefix(rest, "TO:"), "<>")
			say("250 ok")
		case "DATA":
			say("354 go on")
			raw, err := textproto.NewReader(r).ReadDotBytes()
			if err != nil {
				return
			}
			if err := m.parse(raw); err != nil {
				say("554 %v", err)
				continue
			}
			s.mu.Lock()
			s.messages = append(s.messages, m)
			s.mu.Unlock()
			s.arrived <- struct{}{}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 what?")
		}
	}
}

// parse takes a message apart.
func (m *Message) parse(raw []byte) error {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	m.Header = msg.Header
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		return err
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return fmt.Errorf("content type %q: %w", kind, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		text, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			return err
		}
		switch kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); kind {
		case "text/plain":
			m.Text = string(text)
		case "text/html":
			m.HTML = string(text)
		default:
			return fmt.Errorf("a part of type %q", kind)
		}
	}
}
