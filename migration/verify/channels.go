package verify

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
)

// Channel is what there is of one channel, there and here.
type Channel struct {
	ID, Name, RoomID string
	// Messages are those of the export that can be read.
	Messages int
	// Events are what should have become of them here: texts, files, edits and reactions. Same are as they should be, also those
	// that somebody has edited or deleted here since.
	Events, Same int
	// LeftOut is what has no place here.
	LeftOut []LeftOut
}

// LeftOut says what is not here, and why.
type LeftOut struct {
	Count int
	What  string
}

// tally is an export that counts what is read of it.
type tally struct {
	model.Export
	without map[string]bool // people, by their ids
	ghosts  map[string]bool // the same, by their ghosts

	mu   sync.Mutex
	seen map[string]*counts // by the channel's key
}

type counts struct{ messages, silenced, nobody, gone int }

func newTally(x model.Export, m *plan.Mapping) *tally {
	t := &tally{Export: x, without: map[string]bool{}, ghosts: map[string]bool{}, seen: map[string]*counts{}}
	for _, p := range m.People {
		if p.Without {
			t.without[p.ID] = true
		}
	}
	for _, p := range x.People() {
		if t.without[p.ID] {
			t.ghosts[p.Ghost] = true
		}
	}
	return t
}

// Messages implements model.Export.
func (t *tally) Messages(ctx context.Context, c *model.Channel) iter.Seq2[*model.Message, error] {
	return func(yield func(*model.Message, error) bool) {
		n := &counts{}
		defer func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.seen[c.Key] = n
		}()
		for m, err := range t.Export.Messages(ctx, c) {
			if err == nil {
				t.count(n, m)
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

func (t *tally) count(n *counts, m *model.Message) {
	if m.Counts() {
		n.messages++
	}
	if t.ghosts[m.Sender] || m.Alias != nil && t.without[m.Alias.ID] {
		if m.Counts() {
			n.silenced++
		}
		return
	}
	for _, r := range m.Reactions {
		n.nobody += max(0, r.Count-len(r.Users))
	}
	for _, f := range m.Files {
		switch f.State {
		case model.Deleted, model.Hidden, model.Forbidden:
			n.gone++
		}
	}
}

// channels are all channels of an export with what is here of them.
func (t *tally) channels(ctx context.Context, m *plan.Mapping, rooms map[string]*Channel) ([]Channel, error) {
	conf := map[string]plan.Channel{}
	for _, c := range m.Channels {
		conf[c.ID] = c
	}
	var out []Channel
	for _, c := range t.Channels() {
		if c.Kind == model.Section {
			continue
		}
		e := conf[c.ID]
		row := Channel{}
		if have := rooms[c.Key]; have != nil {
			row = *have
		}
		row.ID, row.Name = c.ID, e.Name
		if row.Name == "" {
			row.Name = c.Name
		}
		if e.Without { // nobody has read it
			for _, err := range t.Messages(ctx, &c) {
				if err != nil {
					return nil, fmt.Errorf("counting what was said in %s: %w", c.Name, err)
				}
			}
		}
		n := t.seen[c.Key]
		if n == nil {
			n = &counts{}
		}
		row.Messages = n.messages
		note := func(count int, what string) {
			if count > 0 {
				row.LeftOut = append(row.LeftOut, LeftOut{count, what})
			}
		}
		if e.Without {
			note(n.messages, "messages: the mapping leaves the channel out")
		} else {
			note(n.silenced, "messages of people whom the mapping leaves out")
			note(n.nobody, "reactions of people whom the export does not name")
			note(n.gone, "files that were deleted, or that the export has no way to")
		}
		out = append(out, row)
	}
	return out, nil
}
