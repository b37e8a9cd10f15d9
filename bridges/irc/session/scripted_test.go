package session_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
	"github.com/landbridge-im/landbridge/integration/ircd"
)

// scripted is a server whose every word is the test's.
type scripted struct {
	t     *testing.T
	conns chan net.Conn
	conn  net.Conn
	r     *bufio.Reader
}

// script returns a configuration whose connections go to the scripted server.
func script(t *testing.T) (*scripted, session.Config) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{t: t, conns: make(chan net.Conn, 10)}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.conns <- conn
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		if s.conn != nil {
			s.conn.Close()
		}
	})
	return s, session.Config{Addr: ln.Addr().String()}
}

func (s *scripted) accept() {
	s.t.Helper()
	select {
	case s.conn = <-s.conns:
		s.r = bufio.NewReader(s.conn)
	case <-time.After(10 * time.Second):
		s.t.Fatal("the session does not connect")
	}
}

// expect reads lines until one begins with the text.
func (s *scripted) expect(prefix string) string {
	s.t.Helper()
	_ = s.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	var seen []string
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			s.t.Fatalf("no line %q came but %q: %v", prefix, seen, err)
		}
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, prefix) {
			return line
		}
		seen = append(seen, line)
	}
}

func (s *scripted) send(lines ...string) {
	s.t.Helper()
	_ = s.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	for _, line := range lines {
		if _, err := s.conn.Write([]byte(line + "\r\n")); err != nil {
			s.t.Errorf("send %q: %v", line, err)
		}
	}
}

// welcome goes through a registration without capabilities.
func (s *scripted) welcome() {
	s.t.Helper()
	s.accept()
	s.expect("CAP LS 302")
	s.expect("USER ")
	s.send(":srv 421 * CAP :Unknown command", ":srv 001 bridge :Welcome", ":srv 422 bridge :No MOTD")
}

func TestSASLAndCapabilities(t *testing.T) {
	t.Parallel()
	s, cfg := script(t)
	long := strings.Repeat("p", 400)
	cfg.SASL = &session.Plain{User: "acc", Password: long, AllowCleartext: true}
	cfg.Password = "server pass"
	sess, r := start(t, cfg)
	s.accept()
	s.expect("CAP LS 302")
	s.expect("PASS :server pass")
	s.expect("NICK bridge")
	s.expect("USER bridge 0 * :bridge")
	s.send(":srv CAP * LS * :unknown/cap=x sasl=EXTERNAL,PLAIN echo-message")
	s.send(":srv CAP * LS :server-time message-tags")
	for range 4 {
		name := strings.TrimPrefix(s.expect("CAP REQ :"), "CAP REQ :")
		if name == "echo-message" {
			s.send(":srv CAP * NAK :" + name)
		} else {
			s.send(":srv CAP * ACK :" + name)
		}
	}
	s.expect("AUTHENTICATE PLAIN")
	s.send("AUTHENTICATE +")
	var encoded string
	for {
		chunk := strings.TrimPrefix(s.expect("AUTHENTICATE "), "AUTHENTICATE ")
		encoded += strings.TrimSuffix(chunk, "+")
		if len(chunk) < 400 {
			break
		}
	}
	if got, err := base64.StdEncoding.DecodeString(encoded); err != nil || string(got) != "\x00acc\x00"+long {
		t.Errorf("SASL response = %q, %v", got, err)
	}
	s.send(":srv 900 * * acc :You are now logged in", ":srv 903 * :SASL successful")
	s.expect("CAP END")
	s.send(":srv 001 bridge :Welcome", ":srv 376 bridge :End")
	await[session.Registered](t, r, nil)
	if !sess.HasCap("server-time") || sess.HasCap("echo-message") || sess.HasCap("unknown/cap") {
		t.Error("the capabilities are wrong")
	}
	s.send(":srv CAP bridge NEW :account-tag batch=x")
	for range 2 {
		name := strings.TrimPrefix(s.expect("CAP REQ :"), "CAP REQ :")
		s.send(":srv CAP bridge ACK :" + name)
	}
	s.send(":srv CAP bridge DEL :server-time", "PING :sync")
	s.expect("PONG :sync")
	if !sess.HasCap("account-tag") || !sess.HasCap("batch") || sess.HasCap("server-time") {
		t.Error("the capabilities are wrong after NEW and DEL")
	}
}

func TestSASLFails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, offer, answer string
		cleartext           bool
	}{
		{"wrong password", "sasl=PLAIN", ":srv 904 * :SASL authentication failed", true},
		{"not offered", "server-time", "", true},
		{"other mechanism", "sasl=EXTERNAL", "", true},
		{"no TLS", "sasl", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, cfg := script(t)
			cfg.SASL = &session.Plain{User: "a", Password: "b", AllowCleartext: tc.cleartext}
			_, r := start(t, cfg)
			s.accept()
			s.expect("USER ")
			s.send(":srv CAP * LS :" + tc.offer)
			if tc.answer != "" || !tc.cleartext {
				s.expect("CAP REQ :sasl")
				s.send(":srv CAP * ACK :sasl")
			}
			if tc.answer != "" {
				s.expect("AUTHENTICATE PLAIN")
				s.send("AUTHENTICATE +")
				s.expect("AUTHENTICATE ")
				s.send(tc.answer)
			}
			if d := await[session.Disconnected](t, r, nil); !d.BadCredentials || strings.Contains(d.Err.Error(), "AGIAYg") {
				t.Errorf("disconnected = %+v", d)
			}
		})
	}
}

func TestHalfOpenConnection(t *testing.T) {
	t.Parallel()
	s, cfg := script(t)
	cfg.PingInterval, cfg.PingTimeout = 50*time.Millisecond, 50*time.Millisecond
	_, r := start(t, cfg)
	s.welcome()
	await[session.Registered](t, r, nil)
	s.expect("PING ")
	s.send(":srv PONG srv :whatever")
	s.expect("PING ") // it was alive; now it goes silent
	if d := await[session.Disconnected](t, r, nil); !d.WasRegistered || !strings.Contains(d.Err.Error(), "PING") {
		t.Errorf("disconnected = %+v", d)
	}
	s.welcome()
	await[session.Registered](t, r, nil)
}

func TestSilentRegistration(t *testing.T) {
	t.Parallel()
	s, cfg := script(t)
	cfg.ConnectTimeout = 100 * time.Millisecond
	_, r := start(t, cfg)
	s.accept()
	s.expect("USER ")
	if d := await[session.Disconnected](t, r, nil); d.WasRegistered {
		t.Errorf("disconnected = %+v", d)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	s, cfg := script(t)
	cfg.Burst, cfg.PerSecond, cfg.Queue = 2, 1, 8
	sess, r := start(t, cfg)
	s.welcome()
	await[session.Registered](t, r, nil)
	outcomes := make([]chan session.Outcome, 4)
	for i := range outcomes {
		outcomes[i] = make(chan session.Outcome, 1)
		line := &session.Line{Command: "PRIVMSG", Params: []string{"#a", fmt.Sprint(i)}, Done: func(o session.Outcome) { outcomes[i] <- o }}
		if i == 1 {
			line.Before = func() error { return errors.New("not this one") }
		}
		if err := sess.Send(context.Background(), line); err != nil {
			t.Fatal(err)
		}
	}
	s.expect("PRIVMSG #a :0")
	ping := s.expect("PING :")
	s.send(":srv PONG srv " + strings.TrimPrefix(ping, "PING "))
	if o := <-outcomes[0]; o.State != session.Delivered {
		t.Errorf("outcome of a confirmed line = %+v", o)
	}
	if o := <-outcomes[1]; o.State != session.NotSent || o.Err.Error() != "not this one" {
		t.Errorf("outcome of a line that was not wanted = %+v", o)
	}
	s.expect("PRIVMSG #a :2")
	s.conn.Close()
	if o := <-outcomes[2]; o.State != session.Unknown {
		t.Errorf("outcome of an unconfirmed line = %+v", o)
	}
	if o := <-outcomes[3]; o.State != session.NotSent || !errors.Is(o.Err, session.ErrDisconnected) {
		t.Errorf("outcome of a line in the queue = %+v", o)
	}
	await[session.Disconnected](t, r, nil)
	if err := sess.Send(context.Background(), &session.Line{Command: "PRIVMSG", Params: []string{"#a", "x"}}); !errors.Is(err, session.ErrDisconnected) {
		t.Errorf("Send without a connection = %v", err)
	}
}

// TestForeignInput sends what no server should.
func TestForeignInput(t *testing.T) {
	t.Parallel()
	s, cfg := script(t)
	_, r := start(t, cfg)
	s.welcome()
	s.send("@", "@a", "@a ", ":", ":x", ":x ", " ", "@a :b ", "@a=\\ :b c", ":srv", "\x00", "CAP", "CAP x ACK", "005", ":srv 005 x",
		":srv 005 bridge PREFIX=(ov PREFIX=ov)@ NICKLEN=x LINELEN=1 CHANMODES= CASEMAPPING=\\x41 = -X :ok",
		"PRIVMSG", "PRIVMSG #a", ":a!b@c PRIVMSG", "KICK", "MODE", "MODE #a", "MODE #a +o", "NICK", ":x NICK", "JOIN", ":x JOIN :",
		"TOPIC", "353 a b c :@@@@", "366", "QUIT", "FAIL", "BATCH", "BATCH +", "AUTHENTICATE", "PONG", "PONG :landbridge-x", ":srv 404", "404",
		"PING :still here")
	s.expect("PONG :still here")
	_, _ = s.conn.Write([]byte(strings.Repeat("x", 40<<10) + "\r\n"))
	if d := await[session.Disconnected](t, r, nil); !strings.Contains(d.Err.Error(), "16 KiB") {
		t.Errorf("disconnected = %+v", d)
	}
}

func TestServerTimeAndBatch(t *testing.T) {
	t.Parallel()
	s, cfg := script(t)
	_, r := start(t, cfg)
	s.welcome()
	s.send(":srv BATCH +7 netsplit a b", "@batch=7;time=2020-01-02T03:04:05.678Z;msgid=M1;account=acc;+reply=M0 :a!b@c PRIVMSG #x :hi")
	m := await[session.Message](t, r, nil)
	if m.Batch != "netsplit" || !m.Time.Equal(time.Date(2020, 1, 2, 3, 4, 5, 678e6, time.UTC)) || m.MsgID != "M1" || m.From.Account != "acc" || m.ReplyTo != "M0" {
		t.Errorf("message = %+v", m)
	}
	s.send("@time=2999-01-01T00:00:00Z :a!b@c PRIVMSG #x :from the future")
	if m := await[session.Message](t, r, nil); time.Since(m.Time).Abs() > time.Minute {
		t.Errorf("time = %v", m.Time)
	}
	s.send(":a!b@c PRIVMSG bridge :\x01VERSION\x01")
	s.expect("NOTICE a :\x01VERSION Landbridge\x01")
}

// What TLS has to say of a server without it, and the other way round, is told in words.
func TestWrongTLS(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, answer string }{
		{"hangs up", ""},
		{"answers in plain text", "ERROR :Closing link\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, cfg := script(t)
			cfg.TLS = &tls.Config{ServerName: "irc.test.example"}
			_, r := start(t, cfg)
			s.accept()
			_, _ = s.conn.Read(make([]byte, 4096))
			_, _ = s.conn.Write([]byte(tc.answer))
			s.conn.Close()
			if d := await[session.Disconnected](t, r, nil); !strings.Contains(d.Err.Error(), "does this port speak TLS? (tls: false") {
				t.Errorf("disconnected = %v", d.Err)
			}
		})
	}
	t.Run("a server that wants TLS", func(t *testing.T) {
		t.Parallel()
		_, r := start(t, session.Config{Addr: ircd.InspIRCd(t).TLSAddr})
		if d := await[session.Disconnected](t, r, nil); !strings.Contains(d.Err.Error(), "does this port want TLS? (tls: true)") {
			t.Errorf("disconnected = %v", d.Err)
		}
	})
}

// TestScramOnTheWire plays the server's side of SCRAM.
func TestScramOnTheWire(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, password string
		honest         bool
	}{{"right", "pencil", true}, {"wrong password", "crayon", true}, {"a server that knows nothing", "pencil", false}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, cfg := script(t)
			cfg.SASL = &session.Scram{User: "user", Password: tc.password}
			_, r := start(t, cfg)
			s.accept()
			s.expect("USER ")
			s.send(":srv CAP * LS :sasl=PLAIN,SCRAM-SHA-256")
			s.expect("CAP REQ :sasl")
			s.send(":srv CAP * ACK :sasl")
			s.expect("AUTHENTICATE SCRAM-SHA-256")
			s.send("AUTHENTICATE +")
			answer := func() string {
				raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.expect("AUTHENTICATE "), "AUTHENTICATE "))
				if err != nil {
					t.Fatal(err)
				}
				return string(raw)
			}
			ask := func(text string) { s.send("AUTHENTICATE " + base64.StdEncoding.EncodeToString([]byte(text))) }
			first := strings.TrimPrefix(answer(), "n,,")
			challenge := first[strings.Index(first, "r="):] + "more,s=c2FsdA==,i=4096"
			ask(challenge)
			final, proof, _ := strings.Cut(answer(), ",p=")
			salted, err := pbkdf2.Key(sha256.New, "pencil", []byte("salt"), 4096, sha256.Size)
			if err != nil {
				t.Fatal(err)
			}
			mac := func(key []byte, text string) []byte {
				m := hmac.New(sha256.New, key)
				m.Write([]byte(text))
				return m.Sum(nil)
			}
			auth := first + "," + challenge + "," + final
			clientKey := mac(salted, "Client Key")
			stored := sha256.Sum256(clientKey)
			signature := mac(stored[:], auth)
			for i := range signature {
				signature[i] ^= clientKey[i]
			}
			if right := proof == base64.StdEncoding.EncodeToString(signature); right != (tc.password == "pencil") {
				t.Errorf("the proof is right: %v", right)
			}
			switch {
			case tc.password != "pencil":
				s.send(":srv 904 * :SASL authentication failed")
			case !tc.honest:
				s.send(":srv 903 * :SASL successful") // without a proof
			default:
				ask("v=" + base64.StdEncoding.EncodeToString(mac(mac(salted, "Server Key"), auth)))
				s.expect("AUTHENTICATE +")
				s.send(":srv 903 * :SASL successful")
				s.expect("CAP END")
				s.send(":srv 001 bridge :Welcome", ":srv 422 bridge :No MOTD")
				await[session.Registered](t, r, nil)
				return
			}
			if d := await[session.Disconnected](t, r, nil); !d.BadCredentials {
				t.Errorf("disconnected = %+v", d)
			}
		})
	}
}

// A message that a server takes and does not echo is confirmed all the same, also if
// nothing else is sent.
func TestNoEcho(t *testing.T) {
	t.Parallel()
	s, cfg := script(t)
	cfg.PingInterval, cfg.PingTimeout = 2*time.Second, 2*time.Second
	sess, r := start(t, cfg)
	s.accept()
	s.expect("USER ")
	s.send(":srv CAP * LS :echo-message")
	s.expect("CAP REQ :echo-message")
	s.send(":srv CAP * ACK :echo-message")
	s.expect("CAP END")
	s.send(":srv 001 bridge :Welcome", ":srv 422 bridge :No MOTD")
	await[session.Registered](t, r, nil)
	done := make(chan session.Outcome, 1)
	line := &session.Line{Command: "PRIVMSG", Params: []string{"#room", "x"}, Done: func(o session.Outcome) { done <- o }}
	if err := sess.Send(t.Context(), line); err != nil {
		t.Fatal(err)
	}
	s.expect("PRIVMSG #room :x")
	for {
		ping := s.expect("PING :")
		s.send(":srv PONG srv " + strings.TrimPrefix(ping, "PING "))
		if !strings.HasSuffix(ping, "alive") {
			break
		}
	}
	if o := <-done; o.State != session.Delivered {
		t.Errorf("outcome = %+v", o)
	}
}
