package irc

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/irc.v4"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// Found is what Probe has learned of a network.
type Found struct {
	// Network is what the network calls itself; perhaps "".
	Network string
	// Nick is the one that was taken; another one than was asked for if that was in use.
	Nick string
	// Encrypted tells whether the connection had TLS.
	Encrypted bool
	// Channels are the largest channels that anybody may know of.
	Channels []FoundChannel
	// More tells that there are more channels than are listed.
	More bool
}

// FoundChannel is a channel of a network.
type FoundChannel struct {
	Name, Topic string
	People      int
}

// Bounds of a probe.
const (
	probeTime     = 20 * time.Second
	probeBytes    = 8 << 20
	probeRead     = 20_000 // channels
	probeChannels = 200
)

// Probe connects to an IRC network as the bridge would, asks for its channels and leaves again. An
// error is for people to read.
func Probe(ctx context.Context, address string, encrypted bool, nick string) (found Found, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return found, sentence.Errorf("%q is no host and port, such as irc.libera.chat:6697", address)
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return found, sentence.Errorf("nobody answers at %s: %s", address, err)
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // ends what waits
	defer stop()
	conn := raw
	if encrypted {
		secure := tls.Client(raw, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			return found, sentence.Errorf("there is no TLS at %s, or its certificate is wrong: %s", address, err)
		}
		conn = secure
	}
	p := probe{conn: irc.NewConn(struct {
		io.Reader
		io.Writer
	}{io.LimitReader(conn, probeBytes), conn}), found: Found{Nick: nick, Encrypted: encrypted}}
	if err := p.talk(); err != nil {
		return found, sentence.Errorf("talking to %s: %s", address, err)
	}
	slices.SortFunc(p.found.Channels, func(a, b FoundChannel) int {
		if a.People != b.People {
			return b.People - a.People
		}
		return strings.Compare(a.Name, b.Name)
	})
	if len(p.found.Channels) > probeChannels {
		p.found.Channels, p.found.More = p.found.Channels[:probeChannels], true
	}
	return p.found, nil
}

type probe struct {
	conn  *irc.Conn
	found Found
	tries int
}

// talk registers, lists the channels and leaves.
func (p *probe) talk() error {
	for _, line := range []string{"NICK " + p.found.Nick, "USER landbridge 0 * :Landbridge looks around"} {
		if err := p.conn.Write(line); err != nil {
			return err
		}
	}
	for {
		m, err := p.conn.ReadMessage()
		if err != nil {
			return err
		}
		done, err := p.handle(m)
		if err != nil || done {
			return err
		}
	}
}

// handle answers a line; true means that all is known.
func (p *probe) handle(m *irc.Message) (done bool, err error) {
	switch m.Command {
	case "PING":
		return false, p.conn.WriteMessage(&irc.Message{Command: "PONG", Params: m.Params})
	case "ERROR":
		return false, sentence.Errorf("the server says: %s", m.Trailing())
	case "432":
		return false, sentence.Errorf("the nick %q is not allowed there", p.found.Nick)
	case "433", "437":
		if p.tries++; p.tries > 3 {
			return false, sentence.Errorf("the nick %q is in use", p.found.Nick)
		}
		p.found.Nick += "_"
		return false, p.conn.Write("NICK " + p.found.Nick)
	case "464", "465":
		return false, sentence.Errorf("the server lets nobody in without a password, or not from here: %s", m.Trailing())
	case "005":
		for _, param := range m.Params {
			if name, ok := strings.CutPrefix(param, "NETWORK="); ok {
				p.found.Network = name
			}
		}
	case "376", "422": // the end of the greeting
		return false, p.conn.Write("LIST")
	case "322":
		if len(m.Params) >= 3 && len(p.found.Channels) < probeRead {
			people, _ := strconv.Atoi(m.Params[2])
			c := FoundChannel{Name: m.Params[1], People: people}
			if len(m.Params) > 3 {
				c.Topic = m.Params[3]
			}
			p.found.Channels = append(p.found.Channels, c)
		}
	case "323", "421", "263": // the end of the list; no such command; come again later
		return true, p.conn.Write("QUIT :thank you")
	}
	return false, nil
}
