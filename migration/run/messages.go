package run

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/model"
)

// batchSize is how many items a batch has at least, unless it is the last. Others wait for the
// server no longer than one takes.
const batchSize = 80

// unit is a message with the items that it makes.
type unit struct {
	m       *model.Message
	s       *somebody
	from    int // of its items in the batch, up to end
	end     int
	parts   []int
	bodies  []string
	names   []string
	ids     []string
	first   string // what the bridge calls the first part
	reacted []reacting
	whats   []string
	// more tells that the message itself was in the unit before.
	more bool
	// had tells that the message was there before.
	had bool
	// edit is where the edit is that brings a message that was there before to its newest version, -1 for nowhere.
	edit int
	body string
}

type reacting struct {
	at int
	Reacted
}

// finish notes problems, and what the recorder is told.
func (u *unit) finish(r *Runner, done []wire.Done, out []Recorded) []Recorded {
	for i, what := range u.whats {
		d := done[u.from+i]
		switch {
		case d.Problem != "":
			r.problem(u.m.Where, "%s: %s", what, d.Problem)
		case d.Unresolved:
			r.problem(u.m.Where, "%s belongs to a message that is not in the export", what)
		}
	}
	if !u.more {
		r.messages.Add(1)
	}
	rec := Recorded{Message: u.m, Sender: u.s.user, Name: u.s.Name, First: u.first}
	for i, at := range u.parts {
		if id := done[at].EventID; id != "" {
			rec.Parts = append(rec.Parts, Part{Name: u.names[i], ID: u.ids[i], EventID: id, Body: u.bodies[i]})
		}
	}
	for _, x := range u.reacted {
		if x.EventID = done[x.at].EventID; x.EventID != "" {
			rec.Reactions = append(rec.Reactions, x.Reacted)
		}
	}
	if u.edit >= 0 && done[u.edit].EventID != "" {
		rec.Edited, rec.Body = true, u.body
	}
	if len(rec.Parts)+len(rec.Reactions) == 0 && !rec.Edited {
		return out
	}
	return append(out, rec)
}

// writer makes the batches of one channel.
type writer struct {
	r     *Runner
	ctx   context.Context
	room  *made
	items []wire.Item
	units []*unit
	// spoke are the ghosts who have been in the room, and threads the newest reply of each thread.
	spoke   map[string]bool
	threads map[string]string
	pins    []string
	last    time.Time
	// known are items that were there before.
	known map[string]string
}

// batches are the batches of a channel, in order.
func (r *Runner) batches(ctx context.Context, room *made) iter.Seq2[*job, error] {
	return func(yield func(*job, error) bool) {
		w := &writer{r: r, ctx: ctx, room: room, spoke: map[string]bool{}, threads: map[string]string{}, known: map[string]string{}}
		name := room.conf.Name
		r.current.Store(&name)
		n := 0
		for m, err := range r.ahead(ctx, r.o.Export.Messages(ctx, &room.c)) {
			if err == nil {
				err = w.message(m)
			}
			if err == nil {
				err = cmp.Or(ctx.Err(), r.media.lost)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			n++
			for len(w.items) >= batchSize || len(w.known) >= batchSize {
				if !yield(w.take(), nil) {
					return
				}
			}
		}
		if err := w.end(); err != nil {
			yield(nil, err)
			return
		}
		for {
			j := w.take()
			rest := len(w.items) > 0
			if !rest {
				j.done = func(ctx context.Context) error {
					r.channels.Add(1)
					r.bytes.Add(room.c.Bytes)
					if r.o.Recorder == nil || room.adopted {
						return nil
					}
					return r.o.Recorder.Done(ctx, &room.c, w.last)
				}
			}
			if !yield(j, nil) || !rest {
				return
			}
		}
	}
}

// take takes a batch of what has gathered.
func (w *writer) take() *job {
	n := len(w.items)
	units := w.units
	if n > wire.MaxItems {
		n = wire.MaxItems
		for i, u := range w.units {
			if u.end > n {
				n, units = min(n, u.from), w.units[:i]
				break
			}
		}
	}
	j := &job{room: w.room, units: units, batch: wire.Batch{Source: w.r.source.Key(), RoomID: w.room.id, Creator: w.r.bot, Items: w.items[:n:n], Lived: w.room.lived, Known: w.known}}
	w.known = map[string]string{}
	rest := w.units[len(units):]
	w.items = append([]wire.Item(nil), w.items[n:]...)
	w.units = nil
	for _, u := range rest {
		u.shift(n)
		w.units = append(w.units, u)
	}
	return j
}

// close ends a unit with what has been added so far.
func (w *writer) close(u *unit) {
	u.end = len(w.items)
	w.units = append(w.units, u)
}

func (u *unit) shift(n int) {
	u.from -= n
	u.end -= n
	if u.edit >= 0 {
		u.edit -= n
	}
	for i := range u.parts {
		u.parts[i] -= n
	}
	for i := range u.reacted {
		u.reacted[i].at -= n
	}
}

// add adds an item of a unit.
func (w *writer) add(u *unit, what string, it wire.Item) int {
	w.items = append(w.items, it)
	if u != nil {
		u.whats = append(u.whats, what)
	}
	return len(w.items) - 1
}

// message makes the items of a message.
func (w *writer) message(m *model.Message) error {
	ts := m.Time.UnixMilli()
	if m.What == model.Gone && m.Sender == "" {
		w.add(nil, "", wire.Item{Remote: m.Name + "/gone", Kind: wire.KindRedact, Sender: w.r.bot, TS: ts, Relates: &wire.Relation{To: m.Name}})
		return nil
	}
	s, err := w.r.people.who(w.ctx, m.Sender, m.Alias)
	if err != nil {
		return fmt.Errorf("making an account: %w", err)
	}
	if s.without {
		return nil
	}
	if m.Time.After(w.last) {
		w.last = m.Time
	}
	u := &unit{m: m, s: s, from: len(w.items), edit: -1}
	if w.room.lived {
		if known, err := w.had(u); known || err != nil {
			return err
		}
	}
	none := ""
	switch {
	case w.room.adopted && m.What == model.Joined, w.room.adopted && m.What == model.Left:
		return nil // who is in it is known better there
	case w.room.adopted && m.What == model.Named, w.room.adopted && m.What == model.Topic:
		return w.wasSet(u) // state has no place in the past
	}
	switch m.What {
	case model.Joined, model.Left:
		kind := wire.KindJoin
		if m.What == model.Left {
			kind = wire.KindLeave
		}
		if s.account {
			return nil // where a real account is, it decides itself
		}
		w.spoke[m.Sender] = m.What == model.Joined
		w.add(nil, "", wire.Item{Kind: kind, Sender: s.user, TS: ts})
		return nil
	case model.Named, model.Topic:
		typ, key := "m.room.topic", "topic"
		if m.What == model.Named {
			typ, key = "m.room.name", "name"
		}
		w.spoke[m.Sender] = true
		w.add(u, "a change of the "+key, wire.Item{Remote: m.Name, Sender: s.user, Type: typ, StateKey: &none, TS: ts, Content: object(fields{key: clip(m.Value, 20_000)})})
		w.close(u)
		return nil
	}
	w.spoke[m.Sender] = true
	relates := w.relation(m)
	for i, p := range w.parts(m, s) {
		name := m.Name
		if i > 0 {
			name = fmt.Sprintf("%s~%d", m.Name, i)
		} else {
			u.first = p.id
		}
		u.ids = append(u.ids, p.id)
		at := w.add(u, "a message", wire.Item{Remote: name, Sender: s.user, Type: "m.room.message", TS: ts, Content: p.raw(), Relates: relates, Within: within(m)})
		u.parts, u.names, u.bodies = append(u.parts, at), append(u.names, name), append(u.bodies, p.body)
		if i == 0 && m.What != model.Gone && m.Edited.After(m.Time) {
			w.add(u, "an edit", w.editOf(u, p))
		}
		w.found(u, name, p)
	}
	if m.Pinned {
		w.pins = append(w.pins, m.Name)
	}
	if m.Thread != "" {
		w.threads[m.Thread] = m.Name
	}
	if m.What == model.Gone {
		w.add(u, "a deletion", wire.Item{Remote: m.Name + "/gone", Kind: wire.KindRedact, Sender: s.user, TS: ts, Relates: &wire.Relation{To: m.Name}})
		w.close(u)
		return nil
	}
	return w.reactions(u, m)
}

// found makes a file out of what an earlier run has put in its place. That was an event of its own also where the file would have
// had the text as its caption.
func (w *writer) found(u *unit, name string, p *part) {
	if p.content["url"] == nil {
		return
	}
	if p.alone != nil {
		name, p = u.m.Name+"~1", p.alone
	}
	ts := u.m.Time.UnixMilli()
	if u.m.Edited.After(u.m.Time) {
		ts = u.m.Edited.UnixMilli()
	}
	// A millisecond later: of two edits the newer one is shown.
	w.add(u, "a file", wire.Item{Remote: name + Found, Sender: u.s.user, Type: "m.room.message", TS: ts + 1, Content: p.edit(),
		Relates: &wire.Relation{Rel: wire.RelEdit, To: name}, If: LostFile})
}

// Found ends the name of the item that edits what stands for a file into the file.
const Found = "/file"

// relation is what a message answers.
func (w *writer) relation(m *model.Message) *wire.Relation {
	switch {
	case m.Thread != "":
		return &wire.Relation{Rel: wire.RelThread, To: m.Thread, Last: w.threads[m.Thread], Reply: m.Reply}
	case m.Reply != "":
		return &wire.Relation{Rel: wire.RelReply, To: m.Reply}
	}
	return nil
}

// maxReactions bounds the reactions to one message, and unitSize the items of a unit, which is never
// split between batches.
const maxReactions, unitSize = 5000, 300

// reactions makes the items of the reactions to a message, and ends its unit.
func (w *writer) reactions(u *unit, m *model.Message) error {
	n := 0
	for _, x := range m.Reactions {
		key, extra := x.Key, ""
		if key == "" {
			extra = ":" + x.Custom + ":"
			if key = w.r.media.emojis[x.Custom]; key == "" && x.Picture != nil {
				key = w.r.media.bring(w.ctx, x.Picture, m.Where)
			}
			if key == "" {
				key, extra = extra, ""
			}
		}
		if x.Count > len(x.Users) {
			w.r.problem(m.Where, "%d of the reactions with %s are of people whom the export does not name", x.Count-len(x.Users), x.Name)
		}
		for i, ghost := range x.Users {
			var alias *model.Person
			if i < len(x.People) {
				alias = &x.People[i]
			}
			s, err := w.r.people.who(w.ctx, ghost, alias)
			if err != nil {
				return fmt.Errorf("making an account: %w", err)
			}
			// What a bot has under a message that its bridge knows is mostly somebody's of here.
			if n++; s.without || n > maxReactions || u.had && s.Bot {
				continue
			}
			if len(w.items)-u.from >= unitSize {
				w.close(u)
				u = &unit{m: m, s: u.s, from: len(w.items), more: true, first: u.first, edit: -1, had: u.had}
			}
			content := fields{}
			if extra != "" {
				content["com.beeper.reaction.shortcode"] = extra
			}
			w.spoke[ghost] = true
			at := w.add(u, "a reaction", wire.Item{Remote: m.Name + "/r/" + x.Name + "/" + ghost, Sender: s.user, Type: "m.reaction", TS: m.Time.UnixMilli(), Content: object(content),
				Relates: &wire.Relation{Rel: wire.RelReaction, To: m.Name, Key: clip(key, 4000)}})
			u.reacted = append(u.reacted, reacting{at, Reacted{Ghost: ghost, UserID: s.user, Emoji: x.Name, Key: key}})
		}
	}
	w.close(u)
	return nil
}

// end makes what comes after a channel's last message: who is in it now, and the state of now.
func (w *writer) end() error {
	if w.room.adopted {
		return w.visits()
	}
	c := &w.room.c
	at := w.last
	if at.IsZero() {
		if at = c.Created; at.IsZero() {
			at = time.Unix(1, 0).UTC()
		}
	}
	ts := at.UnixMilli()
	in := map[string]bool{}
	for _, ghost := range c.Members {
		in[ghost] = true
		s, err := w.r.people.who(w.ctx, ghost, nil)
		if err != nil {
			return fmt.Errorf("making an account: %w", err)
		}
		if !s.without {
			w.add(nil, "", wire.Item{Kind: wire.KindJoin, Sender: s.user, TS: ts})
		}
	}
	w.accounts(in, ts)
	if c.MembersKnown {
		for _, ghost := range sorted(w.spoke) {
			if s := w.r.people.known[ghost]; w.spoke[ghost] && !in[ghost] && s != nil && !s.account && !s.without {
				w.add(nil, "", wire.Item{Kind: wire.KindLeave, Sender: s.user, TS: ts})
			}
		}
	}
	key := c.Key + "/"
	if c.Topic != "" {
		w.items = append(w.items, w.r.once("m.room.topic", "", key+"topic", fields{"topic": c.Topic}, at))
	}
	w.items = append(w.items, w.r.once("m.room.name", "", key+"name", fields{"name": w.room.name}, at))
	if pins := append(slices.Clone(c.Pins), w.pins...); len(pins) > 0 {
		pins = pins[max(0, len(pins)-wire.MaxPins):]
		it := w.r.once("", "", key+"pins", fields{"pins": pins}, at)
		w.items = append(w.items, wire.Item{Remote: it.Remote, Kind: wire.KindPins, Sender: w.r.bot, TS: ts, Pins: pins})
	}
	speak := 0
	if c.Archived {
		speak = 100
	}
	w.items = append(w.items, w.r.once("m.room.power_levels", "", key+"power", w.r.power(speak, 50, c), at))
	return nil
}

// accounts asks those in who have an account that can't be spoken for, and whose ghost is in the room.
func (w *writer) accounts(members map[string]bool, ts int64) {
	in := members
	if !w.room.c.MembersKnown {
		in = maps.Clone(members)
		maps.Copy(in, w.spoke)
	}
	for _, ghost := range sorted(in) {
		if s := w.r.people.known[ghost]; in[ghost] && s != nil && s.invited != "" && !s.without {
			w.add(nil, "", wire.Item{Kind: wire.KindJoin, Sender: s.invited, TS: ts})
		}
	}
}

// resolver is a runner as messages see it.
type resolver struct{ r *Runner }

var _ model.Resolver = resolver{}

// User implements model.Resolver.
func (x resolver) User(id string) (name, userID string) {
	s := x.r.people.byID[id]
	if s == nil { // they have not said anything yet, or never do
		return x.r.people.conf[id].Name, ""
	}
	return s.Name, s.self()
}

// Channel implements model.Resolver.
func (x resolver) Channel(id string) (name, link string) {
	m := x.r.byID[id]
	if m == nil {
		return "", ""
	}
	return m.name, "https://matrix.to/#/" + url.PathEscape(m.id) + "?via=" + x.r.server
}

// Emoji implements model.Resolver.
func (x resolver) Emoji(name string) string { return x.r.media.emojis[strings.Trim(name, ":")] }
