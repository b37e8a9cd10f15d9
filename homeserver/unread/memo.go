package unread

import (
	"encoding/json/v2"
	"fmt"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// memo is what is known of a user's unread events in a room. Memos in use are immutable.
type memo struct {
	// Rules are the fingerprint of the rules, and Join where the user came in.
	Rules string `json:"r"`
	Join  int64  `json:"j"`
	// Upto is up to where events have been looked at.
	Upto int64 `json:"u"`
	// Floor and Threads are the marks that were in force; what these cover has been dropped.
	Floor   int64            `json:"f"`
	Threads map[string]int64 `json:"t,omitempty"`
	// Own is up to where the user has read threads by having said something there.
	Own map[string]int64 `json:"o,omitempty"`
	// Entries are the newest unread events, oldest first, and Piles sum up those before.
	Entries []entry         `json:"e,omitempty"`
	Piles   map[string]pile `json:"p,omitempty"`
	// Indirect tells that the thread of an event depended on another event.
	Indirect bool `json:"i,omitempty"`

	// work counts the events that were evaluated since the memo was last put to be stored.
	work int
}

// entry is one unread event.
type entry struct {
	NID       int64  `json:"n"`
	Pos       int64  `json:"p"`
	Thread    string `json:"t,omitempty"`
	Highlight bool   `json:"h,omitempty"`
}

// pile sums up unread events of a thread: those after Read and up to Newest.
type pile struct {
	Notifications int   `json:"n"`
	Highlights    int   `json:"h,omitempty"`
	Read          int64 `json:"r"`
	Newest        int64 `json:"p"`
}

// Bounds of a memo: how many events are kept one by one, and how many threads are kept apart;
// the events of further ones count for the main timeline.
const (
	maxEntries = 400
	maxThreads = 500
)

// read is up to where a thread has been read.
func (m *memo) read(thread string) int64 {
	return max(m.Floor, m.Threads[thread], m.Own[thread])
}

// adopt makes a copy to work on, with other marks, which must not be behind the ones before;
// false if what is needed for that is no longer known.
func (m *memo) adopt(marks *Marks) (*memo, bool) {
	if marks.join != m.Join || marks.floor < m.Floor {
		return nil, false
	}
	for thread, pos := range m.Threads {
		if marks.Read(thread) < pos {
			return nil, false
		}
	}
	c := *m
	c.Floor, c.Threads = marks.floor, marks.threads
	c.Own, c.Entries, c.Piles = maps.Clone(m.Own), slices.Clone(m.Entries), maps.Clone(m.Piles)
	for thread := range c.Own {
		if c.Own[thread] <= c.Floor {
			delete(c.Own, thread)
		}
	}
	return &c, c.drop()
}

// drop drops what has been read; false if the marks lie within a pile.
func (m *memo) drop() bool {
	m.Entries = slices.DeleteFunc(m.Entries, func(e entry) bool { return e.Pos <= m.read(e.Thread) })
	for thread, p := range m.Piles {
		read := m.read(thread)
		if read >= p.Newest {
			delete(m.Piles, thread)
		} else if read > p.Read {
			return false
		}
	}
	return true
}

// add adds an unread event behind the others, of which at most so many are kept.
func (m *memo) add(e entry, most int) {
	m.Entries = append(m.Entries, e)
	if len(m.Entries) <= most {
		return
	}
	// Half of them at once, so that this is rare.
	old := m.Entries[:most/2]
	for _, e := range old {
		p, ok := m.Piles[e.Thread]
		if !ok {
			if m.Piles == nil {
				m.Piles = map[string]pile{}
			}
			p.Read = m.read(e.Thread)
		}
		p.Notifications++
		if e.Highlight {
			p.Highlights++
		}
		p.Newest = e.Pos
		m.Piles[e.Thread] = p
	}
	m.Entries = slices.Clone(m.Entries[len(old):])
}

// own takes in that the user said something in a thread. Specification, "Marking notifications
// as read": "When the user updates their read receipt (either by using the API or by sending an
// event), notifications prior to and including that event MUST be marked as read."
func (m *memo) own(thread string, pos int64) {
	if pos <= m.read(thread) {
		return
	}
	if m.Own == nil {
		m.Own = map[string]int64{}
	}
	if _, ok := m.Own[thread]; !ok && len(m.Own) >= maxThreads {
		return
	}
	m.Own[thread] = pos
	m.Entries = slices.DeleteFunc(m.Entries, func(e entry) bool { return e.Thread == thread && e.Pos <= pos })
	delete(m.Piles, thread)
}

// counts adds up.
func (m *memo) counts() sync.Unread {
	var out sync.Unread
	add := func(thread string, notifications, highlights int) {
		u := out
		if thread != "" {
			if _, ok := out.Threads[thread]; ok || len(out.Threads) < maxThreads {
				u = out.Threads[thread]
			} else {
				thread = ""
			}
		}
		u.Notifications += notifications
		u.Highlights += highlights
		if thread == "" {
			out = u
			return
		}
		if out.Threads == nil {
			out.Threads = map[string]sync.Unread{}
		}
		out.Threads[thread] = u
	}
	for _, thread := range slices.Sorted(maps.Keys(m.Piles)) {
		p := m.Piles[thread]
		add(thread, p.Notifications, p.Highlights)
	}
	for _, e := range m.Entries {
		highlights := 0
		if e.Highlight {
			highlights = 1
		}
		add(e.Thread, 1, highlights)
	}
	return out
}

// weight is about how much room a memo takes.
func (m *memo) weight() int { return 4 + len(m.Entries) + 2*(len(m.Threads)+len(m.Own)+len(m.Piles)) }

func (m *memo) encode() ([]byte, error) {
	raw, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encoding an unread memo: %w", err)
	}
	return raw, nil
}

func decodeMemo(raw []byte) (*memo, error) {
	m := &memo{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("reading an unread memo: %w", err)
	}
	return m, nil
}
