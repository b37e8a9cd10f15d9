package bridgetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Latencies are the durations of a measurement.
type Latencies []time.Duration

// Percentile returns the duration that p percent do not exceed; 0 for none at
// all.
func (l Latencies) Percentile(p float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l))
	return sorted[min(int(float64(len(sorted))*p/100), len(sorted)-1)]
}

// String gives the numbers that matter.
func (l Latencies) String() string {
	return fmt.Sprintf("n=%d p50=%v p99=%v max=%v", len(l), l.Percentile(50).Round(time.Microsecond),
		l.Percentile(99).Round(time.Microsecond), l.Percentile(100).Round(time.Microsecond))
}

// latencyMax is how long a message of a measurement may take.
const latencyMax = 10 * time.Second

// MatrixToIRC measures, for n messages one after the other, the time from the
// beginning of a send over HTTP until the line is read by a person in the
// channel.
func MatrixToIRC(ctx context.Context, m *Matrix, room string, p *Person, n int) (Latencies, error) {
	var out Latencies
	mark := fmt.Sprintf("to-irc-%d", time.Now().UnixNano())
	for i := range n {
		text := fmt.Sprintf("%s-%d.", mark, i)
		from := p.Lines.Len()
		began := time.Now()
		if _, err := m.Say(ctx, room, text); err != nil {
			return out, err
		}
		one, cancel := context.WithTimeout(ctx, latencyMax)
		line, _, err := p.Await(one, from, "", "PRIVMSG", text)
		cancel()
		if err != nil {
			return out, err
		}
		out = append(out, line.At.Sub(began))
	}
	return out, nil
}

// IRCToMatrix measures, for n messages one after the other, the time from the
// writing of a line to the IRC server until the event has come over /sync. The
// client must be following.
func IRCToMatrix(ctx context.Context, p *Person, channel string, m *Matrix, room string, n int) (Latencies, error) {
	var out Latencies
	mark := fmt.Sprintf("to-matrix-%d", time.Now().UnixNano())
	for i := range n {
		text := fmt.Sprintf("%s-%d.", mark, i)
		from := m.Events.Len()
		began := time.Now()
		p.Say(channel, text)
		one, cancel := context.WithTimeout(ctx, latencyMax)
		e, _, err := m.Await(one, from, room, text, func(e Event) bool { return strings.HasSuffix(e.Body(), text) })
		cancel()
		if err != nil {
			return out, err
		}
		out = append(out, e.At.Sub(began))
	}
	return out, nil
}
