package irc

import (
	"context"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// splits are the people whom a split of the network has cut off. They stay in their
// rooms for a while: most of them come back within minutes, and hundreds of leaves
// and joins would say nothing. Who does not come back leaves later.
//
// They need not be stored. After a crash the list of names says who is there.
type splits struct {
	wait time.Duration

	mu   sync.Mutex
	held map[string]*heldPerson // by folded nick
	news map[string]*splitNews  // by channel
}

// maxHeld bounds those who are remembered; who is more leaves at once.
const maxHeld = 50_000

type heldPerson struct {
	nick     string
	ghost    networkid.UserID
	channels []string // as configured
	reason   string
	since    time.Time
}

func newSplits(wait time.Duration) *splits {
	return &splits{wait: wait, held: make(map[string]*heldPerson), news: make(map[string]*splitNews)}
}

// hold takes over somebody who was cut off. It returns false if they are to leave.
func (s *splits) hold(folded string, p *heldPerson) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait <= 0 || len(p.channels) == 0 || len(s.held) >= maxHeld {
		return false
	}
	s.held[folded] = p
	return true
}

// has reports whether somebody is cut off.
func (s *splits) has(folded string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[folded] != nil
}

// back takes note of somebody who comes to a channel, and reports whether they are in
// its room still.
func (s *splits) back(folded, channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.held[folded]
	if p == nil {
		return false
	}
	at := slices.Index(p.channels, channel)
	if at < 0 {
		return false
	}
	if p.channels = slices.Delete(p.channels, at, at+1); len(p.channels) == 0 {
		delete(s.held, folded)
	}
	return true
}

// listed takes note of a new list of the names of a channel, which settles who is in
// its room.
func (s *splits) listed(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for folded, p := range s.held {
		p.channels = slices.DeleteFunc(p.channels, func(c string) bool { return c == channel })
		if len(p.channels) == 0 {
			delete(s.held, folded)
		}
	}
}

// expired removes and returns those for whom nobody waits any longer.
func (s *splits) expired(now time.Time) map[string]*heldPerson {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out map[string]*heldPerson
	for folded, p := range s.held {
		if now.Sub(p.since) >= s.wait {
			if out == nil {
				out = make(map[string]*heldPerson)
			}
			out[folded] = p
			delete(s.held, folded)
		}
	}
	return out
}

// quitEntry makes an entry of a QUIT: nothing, if it was the network that was split.
func (n *network) quitEntry(e session.Quit) *entry {
	folded := n.fold(e.User.Nick)
	if channels := n.configured(e.Channels); e.Split && len(channels) > 0 {
		p := &heldPerson{nick: e.User.Nick, ghost: n.ghostOf(e.User.Nick), channels: channels, reason: e.Reason, since: time.Now()}
		if n.splits.hold(folded, p) {
			n.splits.cut(channels, e.Reason)
			return nil
		}
	}
	reason := e.Reason
	if reason == "" {
		reason = "Quit"
	}
	out := n.leaveEntry(e.Meta, e.User, e.Channels, reason, session.User{})
	// Who comes under this nick later is somebody else.
	n.ids.end(folded)
	return out
}

// joinEntry makes an entry of a JOIN: nothing, if the person never left the room, or
// comes when they say something.
func (n *network) joinEntry(e session.Join) *entry {
	l := n.memberLine(lineJoin, e.Meta, e.User.Nick, []string{e.Channel})
	if l == nil {
		return nil
	}
	if n.splits.back(n.fold(e.User.Nick), l.Channels[0]) {
		n.splits.returned(l.Channels[0])
		return nil
	}
	if !n.all(n.channel(e.Channel)) {
		return nil
	}
	return lineEntry(l)
}

// runSplits lets those leave who have not come back, until ctx is done.
func (n *network) runSplits(ctx context.Context) {
	if n.splits.wait <= 0 {
		return
	}
	tick := time.NewTicker(min(n.splits.wait/4+1, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			n.splits.tell(now, func(channel, text string) {
				if ch := n.channel(channel); ch != nil {
					n.outage.say(ch, text)
				}
			})
			for folded, p := range n.splits.expired(now) {
				id := "split-" + folded + "-" + p.since.UTC().Format(time.RFC3339Nano)
				n.inbox.put(&entry{line: &line{
					Kind: lineLeave, Time: now, ID: id, Channels: p.channels, Nick: p.nick, Ghost: p.ghost, Text: p.reason,
				}})
				if !n.session.Present(p.nick) {
					n.ids.end(folded)
				}
			}
		}
	}
}
