package run

import (
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/model"
)

// had looks whether a message was there before it could be brought in, and makes the items of what is new to it then: its newest
// version, and reactions.
func (w *writer) had(u *unit) (bool, error) {
	m := u.m
	if w.r.o.Recorder == nil {
		return false, nil
	}
	had, err := w.r.o.Recorder.Has(w.ctx, w.room.c.Key, m)
	if err != nil {
		return false, fmt.Errorf("asking the bridge for a message: %w", err)
	}
	if had == nil || had.Parts[m.Name] == "" {
		return false, nil
	}
	u.had = true
	for name, event := range had.Parts {
		w.known[name] = event
	}
	if m.Thread != "" {
		w.threads[m.Thread] = m.Name
	}
	if m.What == model.Gone {
		w.add(u, "a deletion", wire.Item{Remote: m.Name + "/gone", Kind: wire.KindRedact, Sender: u.s.user, TS: m.Time.UnixMilli(), Relates: &wire.Relation{To: m.Name}})
		w.close(u)
		return true, nil
	}
	if m.Edited.After(m.Time) {
		if p := w.text(m); p != nil {
			u.edit, u.body = w.add(u, "an edit", w.editOf(u, p)), p.body
		}
	}
	return true, w.reactions(u, m)
}

// editOf is the item that makes a message what it is now.
func (w *writer) editOf(u *unit, p *part) wire.Item {
	return wire.Item{Remote: fmt.Sprintf("%s/edit/%d", u.m.Name, u.m.Edited.UnixMicro()), Sender: u.s.user, Type: "m.room.message", TS: u.m.Edited.UnixMilli(),
		Content: p.edit(), Relates: &wire.Relation{Rel: wire.RelEdit, To: u.m.Name}}
}

// wasSet says what a topic or name became.
func (w *writer) wasSet(u *unit) error {
	m := u.m
	w.spoke[m.Sender] = true
	what := "topic"
	if m.What == model.Named {
		what = "name"
	}
	p := say("m.notice", fmt.Sprintf("(set the %s: %s)", what, clip(m.Value, 20_000)))
	w.add(u, "a change of the "+what, wire.Item{Remote: m.Name, Sender: u.s.user, Type: "m.room.message", TS: m.Time.UnixMilli(), Content: p.raw(), Within: within(m)})
	w.close(u)
	return nil
}

func within(m *model.Message) int64 { return m.Within.Milliseconds() }

// visits has those who said something in a room that was there before, and are not in it, be known there.
func (w *writer) visits() error {
	in := map[string]bool{}
	for _, ghost := range w.room.c.Members {
		in[ghost] = true
	}
	for _, ghost := range sorted(w.spoke) {
		if s := w.r.people.known[ghost]; s != nil && !in[ghost] && !s.account && !s.without {
			w.add(nil, "", wire.Item{Kind: wire.KindVisit, Sender: s.user, TS: max(w.last.UnixMilli(), 1)})
		}
	}
	return nil
}
