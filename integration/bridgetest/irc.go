package bridgetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Person is somebody on IRC with an ordinary client, which answers PINGs and
// remembers all other lines that it reads.
type Person struct {
	Nick  string
	Lines Log[Line]

	conn   net.Conn
	write  sync.Mutex
	closed chan struct{}
}

// Line is one line that a server sent, without its tags.
type Line struct {
	At      time.Time // when it was read
	Nick    string    // who from, or the server
	Command string
	Params  []string
}

// Text is the last parameter.
func (l Line) Text() string {
	if len(l.Params) == 0 {
		return ""
	}
	return l.Params[len(l.Params)-1]
}

// String is the line for people to read.
func (l Line) String() string {
	return fmt.Sprintf(":%s %s %q", l.Nick, l.Command, l.Params)
}

// DialIRC connects and registers a person, and joins the channels.
func DialIRC(ctx context.Context, addr, nick string, channels ...string) (*Person, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connecting %s: %w", nick, err)
	}
	p := &Person{Nick: nick, conn: conn, closed: make(chan struct{})}
	go p.read()
	p.Send("NICK " + nick)
	p.Send("USER " + nick + " 0 * :" + nick)
	if _, _, err := p.Lines.Wait(ctx, 0, func(l Line) bool { return l.Command == "001" }); err != nil {
		p.Close()
		return nil, fmt.Errorf("registering %s: %w; read %v", nick, err, p.Lines.All(0))
	}
	for _, ch := range channels {
		if err := p.Join(ctx, ch); err != nil {
			p.Close()
			return nil, err
		}
	}
	return p, nil
}

func (p *Person) read() {
	defer close(p.closed)
	r := bufio.NewReader(p.conn)
	for {
		raw, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line := parseLine(strings.TrimRight(raw, "\r\n"))
		if line.Command == "PING" {
			p.Send("PONG :" + line.Text())
			continue
		}
		p.Lines.Add(line)
	}
}

// parseLine reads a line of the form [@tags] [:nick!user@host] COMMAND params [:text].
func parseLine(s string) Line {
	l := Line{At: time.Now()}
	if strings.HasPrefix(s, "@") {
		_, s, _ = strings.Cut(s, " ")
	}
	if rest, ok := strings.CutPrefix(s, ":"); ok {
		var from string
		from, s, _ = strings.Cut(rest, " ")
		l.Nick, _, _ = strings.Cut(from, "!")
	}
	l.Command, s, _ = strings.Cut(s, " ")
	for s != "" {
		if text, ok := strings.CutPrefix(s, ":"); ok {
			l.Params = append(l.Params, text)
			break
		}
		var param string
		param, s, _ = strings.Cut(s, " ")
		l.Params = append(l.Params, param)
	}
	return l
}

// Send sends a raw line. That it cannot be sent shows in what does not come back.
func (p *Person) Send(line string) {
	p.write.Lock()
	defer p.write.Unlock()
	_, _ = io.WriteString(p.conn, line+"\r\n")
}

// Say says something in a channel.
func (p *Person) Say(channel, text string) { p.Send("PRIVMSG " + channel + " :" + text) }

// Join joins a channel and waits until it is in.
func (p *Person) Join(ctx context.Context, channel string) error {
	from := p.Lines.Len()
	p.Send("JOIN " + channel)
	if _, _, err := p.Lines.Wait(ctx, from, func(l Line) bool { return l.Command == "366" }); err != nil {
		return fmt.Errorf("%s joining %s: %w", p.Nick, channel, err)
	}
	return nil
}

// Names asks who is in a channel.
func (p *Person) Names(ctx context.Context, channel string) ([]string, error) {
	from := p.Lines.Len()
	p.Send("NAMES " + channel)
	_, next, err := p.Lines.Wait(ctx, from, func(l Line) bool { return l.Command == "366" })
	if err != nil {
		return nil, fmt.Errorf("names of %s: %w", channel, err)
	}
	var names []string
	for _, l := range p.Lines.All(from)[:next-from] {
		if l.Command == "353" {
			for _, n := range strings.Fields(l.Text()) {
				names = append(names, strings.TrimLeft(n, "~&@%+"))
			}
		}
	}
	return names, nil
}

// Await waits for a command by a nick with a text that contains text; empty
// means any.
func (p *Person) Await(ctx context.Context, from int, nick, command, text string) (Line, int, error) {
	l, next, err := p.Lines.Wait(ctx, from, func(l Line) bool {
		return l.Command == command && (nick == "" || l.Nick == nick) && strings.Contains(l.Text(), text)
	})
	if err != nil {
		err = fmt.Errorf("%s from %q with %q at %s: %w; the last lines: %v", command, nick, text, p.Nick, err, last(p.Lines.All(from), 15))
	}
	return l, next, err
}

// Closed is closed when the connection has ended.
func (p *Person) Closed() <-chan struct{} { return p.closed }

// Close ends the connection.
func (p *Person) Close() {
	_ = p.conn.Close()
	<-p.closed
}

func last[T any](list []T, n int) []T {
	if len(list) > n {
		return list[len(list)-n:]
	}
	return list
}

// Addr is the server's address.
func (p *Person) Addr() string { return p.conn.RemoteAddr().String() }
