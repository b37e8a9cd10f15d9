package demonet

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// people are the scripted inhabitants. They talk when someone is there to read
// it, a line now and then, and answer who addresses them.
type people struct {
	s     *Server
	all   map[string]*client
	heard chan answer
	done  chan struct{}
	once  sync.Once
}

// answer is something to say shortly after it was asked for.
type answer struct {
	nick, target, text string
}

// line is one line of a scripted talk.
type line struct{ nick, text string }

const action = "\x01ACTION "

// talks are the scripted conversations by channel.
var talks = map[string][][]line{
	"#lobby": {
		{{"ada", "morning all"}, {"brian", "hi ada, slept well?"}, {"ada", action + "yawns and looks for coffee\x01"}},
		{{"carla", "has anyone tried the \x02new\x02 build yet?"}, {"brian", "yes, \x1dmuch\x1d faster here"}, {"carla", "\x0303good\x03 to hear"}},
		{{"brian", "reminder: the meeting is at \x02\x1f17:00\x0f"}, {"ada", "which room?"}, {"brian", "this one. bring ideas"}},
		{{"ada", "what is the command for that again?"}, {"carla", "\x11git bisect start\x11, then good and bad"}, {"ada", action + "takes a note\x01"}},
		{{"carla", "is someone here from Matrix today?"}, {"brian", "wave if you are :)"}},
	},
	"#garden": {
		{{"dmitri", "the tomatoes are finally \x0304red\x03"}, {"carla", "ours are still \x0303green\x03"}, {"dmitri", action + "shows off a basket\x01"}},
		{{"carla", "rain again tomorrow, they say"}, {"dmitri", "\x1efinally\x1e of course"}},
		{{"dmitri", "which beans grow up a fence?"}, {"ada", "runner beans. \x1dall\x1d of them"}},
	},
}

var homes = map[string][]string{
	"ada":    {"#lobby", "#garden"},
	"brian":  {"#lobby"},
	"carla":  {"#lobby", "#garden"},
	"dmitri": {"#garden"},
}

var answers = []string{
	"hello %s, nice to hear from you",
	"%s: good question. what do the others think?",
	"%s: \x02absolutely\x02",
	"%s: I'd say yes, but ask me again after lunch",
	"%s: \x1dhm\x1d, let me think about that",
}

func newPeople(s *Server) *people {
	p := &people{s: s, all: make(map[string]*client), heard: make(chan answer, 32), done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range channelTopics {
		ch := &channel{
			name: t.name, topic: t.topic, topicBy: s.opts.Name, topicAt: time.Now(), created: time.Now(),
			noExternal: true, permanent: true,
			members: make(map[*client]*membership), invited: make(map[*client]bool),
		}
		s.channels[fold(t.name)] = ch
	}
	for nick, channels := range homes {
		c := newClient(s, nil)
		c.nick, c.user, c.real, c.registered = nick, "~demo", "Scripted person", true
		s.nicks[nick] = c
		s.clients[c] = true
		p.all[nick] = c
		for _, name := range channels {
			s.join(c, name)
		}
	}
	return p
}

func (p *people) stop() { p.once.Do(func() { close(p.done) }) }

// run talks until stop.
func (p *people) run() {
	turn := 0
	for {
		// Between half and one and a half of the pace.
		wait := p.s.opts.Pace/2 + time.Duration(rand.Int64N(int64(p.s.opts.Pace)+1))
		timer := time.NewTimer(wait)
		select {
		case <-p.done:
			timer.Stop()
			return
		case a := <-p.heard:
			timer.Stop()
			if !p.pause(300*time.Millisecond + time.Duration(rand.Int64N(int64(time.Second)))) {
				return
			}
			p.say(a.nick, a.target, a.text)
		case <-timer.C:
			t := channelTopics[turn%len(channelTopics)].name
			talk := talks[t][turn/len(channelTopics)%len(talks[t])]
			turn++
			if !p.talk(t, talk) {
				return
			}
		}
	}
}

func (p *people) talk(channel string, lines []line) bool {
	for _, l := range lines {
		if !p.audience(channel) {
			return true
		}
		p.say(l.nick, channel, l.text)
		if !p.pause(p.s.opts.Pace / 10) {
			return false
		}
	}
	return true
}

func (p *people) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.done:
		return false
	case <-timer.C:
		return true
	}
}

// audience reports whether anyone real is in a channel.
func (p *people) audience(channel string) bool {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	ch := p.s.channelOf(channel)
	if ch == nil {
		return false
	}
	for c := range ch.members {
		if !c.virtual() {
			return true
		}
	}
	return false
}

func (p *people) say(nick, target, text string) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	c := p.all[nick]
	if c == nil {
		return
	}
	if strings.HasPrefix(target, "#") {
		if ch := p.s.channelOf(target); ch != nil && ch.members[c] == nil && !ch.banned(c) {
			p.s.join(c, target) // was kicked
		}
	}
	m := messageOf(target, text)
	c.cmdMessage(m)
}

// hear lets the people notice a message in a channel; the server's mutex is held.
func (p *people) hear(from *client, channel, text string) {
	if from.virtual() {
		return
	}
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && r < 0x80
	})
	for _, word := range words {
		c := p.all[word]
		if c == nil {
			continue
		}
		if ch := p.s.channelOf(channel); ch == nil || ch.members[c] == nil {
			continue
		}
		p.answer(c.nick, channel, speaker(from.nick, text))
		return
	}
}

// speaker is who to answer: behind a relay the name that stands in <> before
// the text.
func speaker(nick, text string) string {
	if rest, ok := strings.CutPrefix(text, "<"); ok {
		if name, _, ok := strings.Cut(rest, ">"); ok && name != "" && len(name) < 60 {
			return name
		}
	}
	return nick
}

func (p *people) hearPrivate(from, to *client, _ string) {
	if from.virtual() || p.all[to.nick] != to {
		return
	}
	p.answer(to.nick, from.nick, from.nick)
}

// answer queues an answer; when there are too many the people do not bother.
func (p *people) answer(nick, target, to string) {
	text := strings.Replace(answers[rand.IntN(len(answers))], "%s", to, 1)
	select {
	case p.heard <- answer{nick, target, text}:
	default:
	}
}
