package irc

import (
	"slices"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// standbys are the second ears of a network. What is said in a channel is taken from one connection, the listener: that of the
// bridge itself. In each channel one of the puppets hears along, its standby. What it hears waits until the
// listener has heard it too, and is taken from the standby when the listener is lost, as is what it hears from
// then on: until it sees the listener join again. So nothing comes twice, and nothing is lost when a listener dies, not even
// what was said while nobody knew that its connection was dead.
//
// All that rests on the order in which a server tells one client things: what comes before the join of the listener the
// listener can't have heard, and what comes after it does.
type standbys struct {
	n *network

	mu       sync.Mutex
	channels map[string]*standby // by folded name
}

// standby is a puppet that hears along in a channel.
type standby struct {
	by *puppet // nil while there is none
	// alone says that the listener is not there.
	alone bool
	// held was heard by the standby and not by the listener, and waits. said was taken from the standby while the
	// listener was not there, as far as was known. ahead was heard by the listener and not by the standby.
	held, said, ahead pending
	// recent is what the listener has heard of late, and overlap what it had when by took another one's place: by may hear that still.
	recent, overlap pending
}

// pending are messages that one of the two has heard and the other may still hear, oldest first.
type pending []heard

// heard is a message and when it was heard here: what time the server has for it depends on the server's clock.
type heard struct {
	session.Message
	at time.Time
	// old says that the listener's connection has ended since.
	old bool
}

func (p *pending) add(e session.Message) {
	if len(*p) == maxPending {
		*p = slices.Delete(*p, 0, 1)
	}
	*p = append(*p, heard{Message: e, at: time.Now()})
}

// expire removes what was heard longer ago than that.
func (p *pending) expire(after time.Duration) {
	since := time.Now().Add(-after)
	i := 0
	for i < len(*p) && (*p)[i].at.Before(since) {
		i++
	}
	*p = slices.Delete(*p, 0, i)
}

// age says that the listener's connection has ended, and dropOld removes what was heard before it did.
func (p *pending) age() {
	for i := range *p {
		(*p)[i].old = true
	}
}

func (p *pending) dropOld() {
	*p = slices.DeleteFunc(*p, func(h heard) bool { return h.old })
}

// remove removes what is the same as e and was heard within a time, and reports whether it was there.
func (p *pending) remove(e session.Message, within time.Duration) bool {
	p.expire(within)
	i := slices.IndexFunc(*p, func(h heard) bool { return same(h.Message, e) })
	if i >= 0 {
		*p = slices.Delete(*p, i, i+1)
	}
	return i >= 0
}

const (
	// maxPending bounds what waits for the other of the two in a channel.
	maxPending = 500
	// heldTime is how old what the listener has not heard may be when it is taken from the standby: a connection is found
	// dead in less. Beyond it, it was something that the listener was not to hear.
	heldTime = 5 * time.Minute
	// pendingTime is how far one of the two may be behind the other.
	pendingTime = time.Minute
	// overlapTime is how far a puppet may be behind another one whose place it takes.
	overlapTime = 5 * time.Second
)

func newStandbys(n *network) *standbys { return &standbys{n: n, channels: make(map[string]*standby)} }

// present makes a puppet that has come into a channel its standby, if there is none.
func (ss *standbys) present(p *puppet, channel string) {
	ch := ss.n.channel(channel)
	if ch == nil {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.of(ch.Name, !ss.n.session.InChannel(ch.Name)); s.by == nil {
		s.by = p
	}
}

// of returns a channel's standby, which has just begun if there was none; ss.mu must be held.
func (ss *standbys) of(channel string, alone bool) *standby {
	key := ss.n.fold(channel)
	s := ss.channels[key]
	if s == nil {
		s = &standby{alone: alone}
		ss.channels[key] = s
	}
	return s
}

// sees is called when the listener sees somebody come into a channel. If that is who hears along, or will, it hears what is said from
// now on, also if it does so later than the listener, and nothing of before.
func (ss *standbys) sees(channel, nick string) {
	ch := ss.n.channel(channel)
	if ch == nil || !ss.n.puppets.has(nick) {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.of(ch.Name, false); s.by == nil || ss.n.fold(s.by.session.Nick()) == ss.n.fold(nick) {
		s.comes()
	}
}

// lost ends a puppet's being the standby of a channel, or with an empty name of all; another one that is there takes its place.
func (ss *standbys) lost(p *puppet, channel string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for key, s := range ss.channels {
		if s.by != p || channel != "" && ss.n.fold(channel) != key {
			continue
		}
		s.change(ss.n.puppets.inChannel(key, p))
		if s.by == nil && ss.n.channel(key) == nil {
			delete(ss.channels, key)
		}
	}
}

// inChannel returns a puppet that is in a channel, and is not the given one.
func (ps *puppets) inChannel(channel string, not *puppet) *puppet {
	ps.mu.Lock()
	list := make([]*puppet, 0, len(ps.list))
	for _, p := range ps.list {
		list = append(list, p)
	}
	ps.mu.Unlock()
	for _, p := range list {
		if p != not && p.session.InChannel(channel) {
			return p
		}
	}
	return nil
}

// hears is called with what a puppet hears in a channel.
func (ss *standbys) hears(p *puppet, e session.Message) {
	if e.Echo || e.Past || ss.n.isSelf(e.From.Nick) || e.From.Relay != "" && ss.n.isListener(e.From.Relay) {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.channels[ss.n.fold(e.Channel)]
	if s != nil && s.by == p && s.hears(e) {
		ss.take(e)
	}
}

// hears is called with what the standby hears, and reports whether it is to be taken from it now.
func (s *standby) hears(e session.Message) bool {
	ahead, both := s.ahead.remove(e, pendingTime), s.overlap.remove(e, overlapTime)
	switch {
	case ahead:
		return false
	case s.alone:
		s.said.add(e)
		return true
	case both:
		return false
	}
	s.held.add(e)
	return false
}

// comes says that who is or will be the standby has just come into the channel.
func (s *standby) comes() { s.ahead, s.recent, s.overlap = nil, nil, nil }

// change has another one be the standby, or nobody. What the listener has heard just now, and the one before too, it may hear still.
func (s *standby) change(by *puppet) {
	s.recent.expire(overlapTime)
	s.by, s.overlap = by, slices.Clone(s.recent)
}

// listenerHears is called with what the listener hears, and reports whether it was taken from the standby already.
func (ss *standbys) listenerHears(e session.Message) bool {
	if e.Channel == "" || e.Echo || e.Past || ss.n.isSelf(e.From.Nick) {
		return false
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.channels[ss.n.fold(e.Channel)]
	if s == nil {
		return false
	}
	return s.listenerHears(e)
}

// listenerHears is called with what the listener hears, and reports whether it was taken from the standby already.
func (s *standby) listenerHears(e session.Message) bool {
	if s.said.remove(e, pendingTime) {
		return true
	}
	s.recent.expire(overlapTime)
	s.recent.add(e)
	if !s.held.remove(e, heldTime) {
		if s.by == nil { // who comes next may hear it, if they come before what it says; see comes
			s.ahead.expire(pendingTime)
		}
		s.ahead.add(e)
	}
	return false
}

// listenerPresent is called when the listener is in a channel.
func (ss *standbys) listenerPresent(channel string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.channels[ss.n.fold(channel)]; s != nil {
		s.alone = false
	}
}

// listenerGone is called when the listener has heard all that it will hear in a channel, or with an empty name in all.
func (ss *standbys) listenerGone(channel string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for key, s := range ss.channels {
		if channel == "" || ss.n.fold(channel) == key {
			ss.takeAll(s.listenerGone())
		}
	}
}

// listenerJoined is called when a puppet sees the listener come into a channel: what it has heard so far the listener has
// not, and what comes the listener hears.
func (ss *standbys) listenerJoined(p *puppet, channel string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.channels[ss.n.fold(channel)]; s != nil && s.by == p {
		ss.takeAll(s.listenerJoined())
	}
}

// listenerGone begins the time in which the standby is alone, and returns what it has heard and the listener has not.
func (s *standby) listenerGone() pending {
	s.alone = true
	s.ahead.age()
	return s.flush()
}

// listenerJoined ends it, and returns what the standby has heard and the listener has not.
func (s *standby) listenerJoined() pending {
	s.alone, s.said = false, nil
	// What the listener has heard since its join the standby is about to hear.
	s.ahead.dropOld()
	return s.flush()
}

func (s *standby) flush() pending {
	s.held.expire(heldTime)
	list := s.held
	s.held = nil
	return list
}

// takeAll takes what is waiting from a standby; ss.mu must be held.
func (ss *standbys) takeAll(list pending) {
	for _, h := range list {
		ss.take(h.Message)
	}
}

// take takes something from a standby.
func (ss *standbys) take(e session.Message) {
	out := lineEntry(ss.n.messageLine(e))
	if out == nil {
		return
	}
	out.ties = ss.n.ids.changes()
	ss.n.inbox.put(out)
}

// same reports whether two connections have heard the same.
func same(a, b session.Message) bool {
	if a.MsgID != "" && b.MsgID != "" {
		return a.MsgID == b.MsgID
	}
	return a.From.Nick == b.From.Nick && a.Kind == b.Kind && a.Text == b.Text
}
