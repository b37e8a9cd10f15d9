package session

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
)

// maxMembers and maxChannels bound what is remembered of a network.
const (
	maxMembers  = 200_000
	maxChannels = 5_000
)

// state is what a connection knows of itself and its channels. The reader
// writes it; others read it.
type state struct {
	mu       sync.RWMutex
	nick     string
	user     string // as others see it, or empty while unknown
	host     string
	isup     *ISupport
	channels map[string]*channel // by folded name
	count    map[string]int      // number of channels each folded nick is in
	selfOnly bool                // of the members of channels none but itself is remembered
}

type channel struct {
	name    string
	topic   string
	members map[string]*Member // by folded nick
	joined  bool               // the first list of names is complete
	modes   *Modes             // nil while unknown
	bans    map[string]bool
}

func newState(nick string, selfOnly bool) *state {
	return &state{nick: nick, selfOnly: selfOnly, isup: newISupport(), channels: make(map[string]*channel), count: make(map[string]int)}
}

func (s *state) fold(name string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.isup.Casemapping.Fold(name)
}

func (s *state) same(a, b string) bool { return s.fold(a) == s.fold(b) }

// support returns what the server has said about itself. It is never changed: see addSupport.
func (s *state) support() *ISupport {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.isup
}

func (s *state) addSupport(tokens []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.isup.clone() // the others read what they were handed without a lock
	next.add(tokens)
	s.isup = next
}

func (s *state) nickName() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.nick
}

func (s *state) setNick(nick string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nick = nick
}

func (s *state) isSelf(nick string) bool { return s.same(nick, s.nickName()) }

// nickLimit is the server's limit for nicks, guessed from the nick that it
// complained about if it has not said.
func (s *state) nickLimit(complaint string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.isup.NickLen != 0 {
		return s.isup.NickLen
	}
	if complaint != "" && len(complaint) < len(s.nick) && strings.HasPrefix(s.nick, complaint) {
		return len(complaint)
	}
	return 9 // RFC 2812, section 1.2.1
}

func (s *state) setSelf(user, host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user != "" {
		s.user = user
	}
	if host != "" {
		s.host = host
	}
}

// prefixLen returns the length of the session's nick!user@host and of a line.
func (s *state) prefixLen() (prefix, line int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.user == "" || s.host == "" {
		return worstPrefix(len(s.nick)), s.isup.LineLen
	}
	return len(s.nick) + len("!") + len(s.user) + len("@") + len(s.host), s.isup.LineLen
}

func (s *state) present(nick string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.count[s.isup.Casemapping.Fold(nick)] > 0
}

func (s *state) inChannel(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	return ch != nil && ch.joined
}

// opened reports whether the session was told that it has joined a channel; inChannel, whether it knows who is there, too.
func (s *state) opened(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.channels[s.isup.Casemapping.Fold(name)] != nil
}

func (s *state) topic(name string) (string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	if ch == nil {
		return "", false
	}
	return ch.topic, true
}

func (s *state) setTopic(name, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.channels[s.isup.Casemapping.Fold(name)]; ch != nil {
		ch.topic = topic
	}
}

// setModes sets the modes of a channel; it returns false if there is none.
func (s *state) setModes(name string, modes Modes) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	if ch == nil {
		return false
	}
	ch.modes = &modes
	return true
}

// modes returns the modes of a channel, and whether they are known.
func (s *state) modes(name string) (modes Modes, known bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	if ch == nil || ch.modes == nil {
		return "", false
	}
	return *ch.modes, true
}

// isMember reports whether a nick is in a channel.
func (s *state) isMember(name, nick string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	return ch != nil && ch.members[s.isup.Casemapping.Fold(nick)] != nil
}

// countOf returns how many members a channel has.
func (s *state) countOf(name string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if ch := s.channels[s.isup.Casemapping.Fold(name)]; ch != nil {
		return len(ch.members)
	}
	return 0
}

// ranked returns the members of a channel that have a rank.
func (s *state) ranked(name string) []Member {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	if ch == nil {
		return nil
	}
	var list []Member
	for _, m := range ch.members {
		if m.Prefixes != "" {
			list = append(list, *m)
		}
	}
	return list
}

// open begins a channel that the session has joined.
func (s *state) open(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.isup.Casemapping.Fold(name)
	if s.channels[key] == nil && len(s.channels) < maxChannels {
		s.channels[key] = &channel{name: name, members: make(map[string]*Member)}
	}
}

// shut ends a channel that the session has left.
func (s *state) shut(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.isup.Casemapping.Fold(name)
	ch := s.channels[key]
	if ch == nil {
		return
	}
	for nick := range ch.members {
		s.uncount(nick)
	}
	delete(s.channels, key)
}

func (s *state) uncount(foldedNick string) {
	if s.count[foldedNick] <= 1 {
		delete(s.count, foldedNick)
	} else {
		s.count[foldedNick]--
	}
}

// add puts a nick into a channel; prefixes of a nick that is there are replaced.
func (s *state) add(name, nick, prefixes string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	key := s.isup.Casemapping.Fold(nick)
	if ch == nil || key == "" || s.selfOnly && key != s.isup.Casemapping.Fold(s.nick) {
		return
	}
	if m := ch.members[key]; m != nil {
		m.Nick, m.Prefixes = strings.Clone(nick), strings.Clone(prefixes)
		return
	}
	if len(ch.members) >= maxMembers {
		return
	}
	// Parts of a line would keep all of it.
	nick, prefixes = strings.Clone(nick), strings.Clone(prefixes)
	key = s.isup.Casemapping.Fold(nick)
	ch.members[key] = &Member{Nick: nick, Prefixes: prefixes}
	s.count[key]++
}

// maxBans bounds the bans of a channel that are remembered.
const maxBans = 2000

// setBan takes note of a ban; it returns false if nothing has changed.
func (s *state) setBan(name, mask string, on bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	if ch == nil || ch.bans[mask] == on {
		return false
	}
	switch {
	case !on:
		delete(ch.bans, mask)
	case len(ch.bans) < maxBans:
		if ch.bans == nil {
			ch.bans = make(map[string]bool)
		}
		ch.bans[mask] = true
	}
	return true
}

// bans returns the bans of a channel.
func (s *state) bans(name string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	if ch == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(ch.bans))
}

// know takes note of where somebody comes from; what is empty is not known.
func (s *state) know(nick, username, host, account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.isup.Casemapping.Fold(nick)
	if s.count[key] == 0 {
		return
	}
	for _, ch := range s.channels {
		m := ch.members[key]
		if m == nil {
			continue
		}
		if host != "" {
			m.Username, m.Host = username, host
		}
		switch account {
		case "":
		case "*", "0":
			m.Account = ""
		default:
			m.Account = account
		}
	}
}

// hostCount returns how many of a channel have a host.
func (s *state) hostCount(name, host string) (count int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if ch := s.channels[s.isup.Casemapping.Fold(name)]; ch != nil {
		for _, m := range ch.members {
			if m.Host == host {
				count++
			}
		}
	}
	return count
}

// member returns somebody of a channel.
func (s *state) member(name, nick string) (Member, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	if ch == nil || ch.members[s.isup.Casemapping.Fold(nick)] == nil {
		return Member{}, false
	}
	return *ch.members[s.isup.Casemapping.Fold(nick)], true
}

func (s *state) remove(name, nick string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	key := s.isup.Casemapping.Fold(nick)
	if ch == nil || ch.members[key] == nil {
		return
	}
	delete(ch.members, key)
	s.uncount(key)
}

// quit removes a nick from all channels and returns their names.
func (s *state) quit(nick string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.isup.Casemapping.Fold(nick)
	var names []string
	for _, ch := range s.channels {
		if ch.members[key] != nil {
			delete(ch.members, key)
			s.uncount(key)
			names = append(names, ch.name)
		}
	}
	sort.Strings(names)
	return names
}

// rename changes a nick in all channels and returns their names.
func (s *state) rename(from, to string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, key := s.isup.Casemapping.Fold(from), s.isup.Casemapping.Fold(to)
	if old == s.isup.Casemapping.Fold(s.nick) {
		s.nick = to
	}
	var names []string
	for _, ch := range s.channels {
		m := ch.members[old]
		if m == nil {
			continue
		}
		delete(ch.members, old)
		s.uncount(old)
		m.Nick = to
		if ch.members[key] == nil {
			s.count[key]++
		}
		ch.members[key] = m
		names = append(names, ch.name)
	}
	sort.Strings(names)
	return names
}

// complete marks the first list of names of a channel as complete and returns
// it; ok is false if it was complete before.
func (s *state) complete(name string) (ev Names, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	if ch == nil || ch.joined {
		return Names{}, false
	}
	ch.joined = true
	ev = Names{Channel: ch.name, Topic: ch.topic, Members: make([]Member, 0, len(ch.members))}
	for _, m := range ch.members {
		ev.Members = append(ev.Members, *m)
	}
	sort.Slice(ev.Members, func(i, j int) bool { return ev.Members[i].Nick < ev.Members[j].Nick })
	return ev, true
}

// splitPrefixes takes the membership symbols off a name of a NAMES list; with userhost-in-names it is a nick!user@host.
func (s *state) splitPrefixes(name string) (prefixes, nick string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := 0
	for i < len(name) && strings.IndexByte(s.isup.PrefixSymbols, name[i]) >= 0 {
		i++
	}
	return name[:i], name[i:]
}

// setMode applies a membership mode to a member.
func (s *state) setMode(name, nick string, mode byte, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := strings.IndexByte(s.isup.PrefixModes, mode)
	ch := s.channels[s.isup.Casemapping.Fold(name)]
	if i < 0 || i >= len(s.isup.PrefixSymbols) || ch == nil {
		return
	}
	m := ch.members[s.isup.Casemapping.Fold(nick)]
	if m == nil {
		return
	}
	symbol := s.isup.PrefixSymbols[i]
	var b strings.Builder
	for j := range len(s.isup.PrefixSymbols) {
		sym := s.isup.PrefixSymbols[j]
		has := strings.IndexByte(m.Prefixes, sym) >= 0
		if sym == symbol {
			has = on
		}
		if has {
			b.WriteByte(sym)
		}
	}
	m.Prefixes = b.String()
}
