package session

import (
	"context"
	"errors"
	"slices"

	"gopkg.in/irc.v4"
)

// Question is a command whose answer is a number of lines.
type Question struct {
	Command string
	Params  []string
	// Lines are the numerics that belong to the answer, and Ends those that end it.
	Lines, Ends []string
}

// The questions that people ask.
var (
	whoisLines = []string{"276", "301", "307", "311", "312", "313", "317", "319", "320", "330", "335", "338", "378", "379", "671", "401", "402"}
	whoisEnds  = []string{"318", "431", "263", "421"}
)

// Whois asks who somebody is.
func Whois(nick string) Question {
	return Question{Command: "WHOIS", Params: []string{nick}, Lines: whoisLines, Ends: whoisEnds}
}

// NamesOf asks who is in a channel.
func NamesOf(channel string) Question {
	return Question{Command: "NAMES", Params: []string{channel}, Lines: []string{"353"}, Ends: []string{"366", "403", "401", "263"}}
}

// ListOf asks which channels there are.
func ListOf() Question {
	return Question{Command: "LIST", Lines: []string{"322"}, Ends: []string{"323", "263", "421"}}
}

// BansOf asks for the bans of a channel.
func BansOf(channel string) Question {
	return Question{Command: "MODE", Params: []string{channel, "b"}, Lines: []string{"367"}, Ends: []string{"368", "403", "442", "482"}}
}

// ModesOf asks for the modes of a channel; the last line of the answer has them, or says that there is no such channel or
// that they are for those who are in it.
func ModesOf(channel string) Question {
	return Question{Command: "MODE", Params: []string{channel}, Ends: []string{"324", "401", "403", "442", "437", "476", "479", "263"}}
}

// WhoOf asks for the hosts and accounts of a channel's people (WHOX where the server knows it).
func WhoOf(channel string, whox bool) Question {
	q := Question{Command: "WHO", Params: []string{channel}, Lines: []string{"352", "354"}, Ends: []string{"315", "403", "263"}}
	if whox {
		q.Params = append(q.Params, "%cuhna")
	}
	return q
}

// maxAnswer bounds the lines of an answer.
const maxAnswer = 20_000

// question is one that waits for its answer.
type question struct {
	Question
	lines []*irc.Message
	done  chan struct{}
}

// Ask asks the server something and returns the lines of its answer. One question is asked at a time.
func (s *Session) Ask(ctx context.Context, q Question) ([]*irc.Message, error) {
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c := s.current()
	if c == nil {
		return nil, ErrDisconnected
	}
	line := &Line{Command: q.Command, Params: q.Params}
	text, err := line.format()
	if err != nil {
		return nil, err
	}
	open := &question{Question: q, done: make(chan struct{})}
	c.sendMu.Lock()
	c.open = open
	c.sendMu.Unlock()
	defer func() {
		c.sendMu.Lock()
		c.open = nil
		c.sendMu.Unlock()
	}()
	c.control(text)
	select {
	case <-open.done:
		return open.lines, nil
	case <-c.closed:
		return nil, ErrDisconnected
	case <-ctx.Done():
		return nil, errors.Join(errors.New("the server has not answered"), ctx.Err())
	}
}

// answer takes a line of the answer to the open question. It returns true if it is one.
func (c *conn) answer(m *irc.Message) bool {
	c.sendMu.Lock()
	defer c.sendMu.Unlock()
	q := c.open
	if q == nil {
		return false
	}
	end := slices.Contains(q.Ends, m.Command)
	if !end && !slices.Contains(q.Lines, m.Command) {
		return false
	}
	if len(q.lines) < maxAnswer {
		q.lines = append(q.lines, m)
	}
	if end {
		close(q.done)
		c.open = nil
	}
	return true
}
