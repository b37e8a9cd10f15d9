package plan

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/migration/model"
)

// Report is what a migration will make.
type Report struct {
	Source  model.Source
	Mapping *Mapping
	// People and Channels count those that are made; Kinds counts channels by kind.
	People, Bots, Guests, Deactivated, Strangers int
	Channels                                     int
	Kinds                                        map[model.Kind]int
	Messages, Replies, Edited, Reactions         int
	// Moves are how often somebody came or went.
	Moves                                  int
	Files, FilesHere, FilesAway, FilesGone int
	// FilesLinked are those that are links to elsewhere.
	FilesLinked int
	FileBytes   int64
	Emoji       int
	First, Last time.Time
	Clashes     []string
	// Cannot are things that have no place here, with why.
	Cannot   []string
	Problems []model.Problem
	Rooms    []RoomCount
	// Took is how long reading has taken, Estimate how long the run will take.
	Took     time.Duration `json:",format:sec"`
	Estimate time.Duration `json:",format:sec"`
}

// RoomCount is what there is in a channel.
type RoomCount struct {
	Channel                       Channel
	Kind                          model.Kind
	Members, Messages, Files      int
	Bytes                         int64
	First, Last                   time.Time
	UnknownReactors, OrphansTotal int
}

// Rates of a run, for estimates: a modest machine's.
const (
	messagesPerSecond = 6000
	bytesPerSecond    = 10 << 20
)

// Make reads an export and reports what will become of it. progress, if not nil, is told of each channel.
func Make(ctx context.Context, x model.Export, m *Mapping, clashes []string, progress func(done, all int)) (*Report, error) {
	began := time.Now()
	r := &Report{Source: x.Source(), Mapping: m, Kinds: map[model.Kind]int{}, Clashes: clashes, Emoji: len(x.Emoji())}
	for _, p := range x.People() {
		r.People++
		for is, n := range map[*int]bool{&r.Bots: p.Bot, &r.Guests: p.Guest, &r.Deactivated: p.Deactivated, &r.Strangers: p.Stranger} {
			if n {
				*is++
			}
		}
	}
	conf := map[string]Channel{}
	for _, c := range m.Channels {
		conf[c.ID] = c
	}
	met := map[string]model.Person{}
	channels := x.Channels()
	for i := range channels {
		c := &channels[i]
		e := conf[c.ID]
		if e.Without {
			continue
		}
		rc, err := r.channel(ctx, x, c, met)
		if err != nil {
			return nil, err
		}
		rc.Channel = e
		r.Rooms = append(r.Rooms, rc)
		if progress != nil {
			progress(i+1, len(channels))
		}
	}
	r.strangers(x, met)
	r.Problems = x.Problems()
	r.cannot()
	r.Took = time.Since(began)
	members := 0
	for _, rc := range r.Rooms {
		members += 2 * rc.Members // who is in a room was invited and has joined
	}
	r.Estimate = time.Duration(float64(time.Second) * (float64(r.Messages+r.Moves+r.Reactions+members)/messagesPerSecond + float64(r.FileBytes)/bytesPerSecond))
	return r, nil
}

// meet notes somebody, and what they are called if that is told; alias is nil where it is not.
func meet(ghost string, alias *model.Person, people map[string]model.Person) {
	have, dup := people[ghost]
	switch {
	case alias != nil && (!dup || have.ID == ""):
		people[ghost] = *alias
	case !dup:
		people[ghost] = model.Person{Ghost: ghost}
	}
}

// strangers puts those into the mapping who are in no list of the export and whose names are known, and counts all.
func (r *Report) strangers(x model.Export, met map[string]model.Person) {
	for _, p := range x.People() {
		delete(met, p.Ghost)
	}
	have := map[string]bool{}
	for _, p := range r.Mapping.People {
		have[p.ID] = true
	}
	for _, ghost := range slices.Sorted(maps.Keys(met)) {
		p := met[ghost]
		r.People++
		r.Strangers++
		if p.ID != "" && !have[p.ID] {
			have[p.ID] = true
			r.Mapping.People = append(r.Mapping.People, Person{ID: p.ID, Username: p.Username, Name: p.Name, Note: note(p)})
		}
	}
}

// channel counts what there is in a channel.
func (r *Report) channel(ctx context.Context, x model.Export, c *model.Channel, met map[string]model.Person) (RoomCount, error) {
	rc := RoomCount{Kind: c.Kind, Members: len(c.Members)}
	r.Channels++
	r.Kinds[c.Kind]++
	roots := map[string]bool{}
	for _, ghost := range c.Members {
		meet(ghost, nil, met)
	}
	for msg, err := range x.Messages(ctx, c) {
		if err != nil {
			return rc, err
		}
		if msg.Sender != "" {
			meet(msg.Sender, msg.Alias, met)
		}
		if msg.Counts() {
			rc.Messages++
		} else if msg.What != model.Gone {
			r.Moves++
		}
		if rc.First.IsZero() || msg.Time.Before(rc.First) {
			rc.First = msg.Time
		}
		if msg.Time.After(rc.Last) {
			rc.Last = msg.Time
		}
		roots[msg.Name] = true
		if to := first(msg.Thread, msg.Reply); to != "" {
			r.Replies++
			if !roots[to] {
				rc.OrphansTotal++
			}
		}
		if !msg.Edited.IsZero() {
			r.Edited++
		}
		for _, re := range msg.Reactions {
			r.Reactions += len(re.Users)
			rc.UnknownReactors += max(0, re.Count-len(re.Users))
			for i, ghost := range re.Users {
				var alias *model.Person
				if i < len(re.People) {
					alias = &re.People[i]
				}
				meet(ghost, alias, met)
			}
		}
		for _, f := range msg.Files {
			rc.Files++
			r.Files++
			switch {
			case f.State == model.Deleted || f.State == model.Hidden || f.State == model.Forbidden:
				r.FilesGone++
			case f.State == model.External:
				r.FilesLinked++
			case f.Open != nil:
				r.FilesHere++
				rc.Bytes += f.Size
			case f.URL != "":
				r.FilesAway++
				rc.Bytes += f.Size
			}
		}
	}
	r.Messages += rc.Messages
	r.FileBytes += rc.Bytes
	if !rc.First.IsZero() && (r.First.IsZero() || rc.First.Before(r.First)) {
		r.First = rc.First
	}
	if rc.Last.After(r.Last) {
		r.Last = rc.Last
	}
	return rc, nil
}

// away says of files that are not in an export how long they can be fetched.
var away = map[string]string{
	"slack":   "after the token in the export has expired only their names are shown",
	"discord": "their addresses there expire within a day, and only their names are shown then",
}

// cannot says what has no place here.
func (r *Report) cannot() {
	say := func(n int, format string, args ...any) {
		if n > 0 {
			r.Cannot = append(r.Cannot, fmt.Sprintf(format, args...))
		}
	}
	unknown, orphans := 0, 0
	for _, rc := range r.Rooms {
		unknown += rc.UnknownReactors
		orphans += rc.OrphansTotal
	}
	say(r.FilesGone, "%d files: they were deleted, or are not in the export and have no address", r.FilesGone)
	say(r.FilesAway, "%d files have to be fetched from %s; %s", r.FilesAway, r.Source.Network, away[r.Source.Network])
	say(unknown, "%d reactions: the export does not say whose they are", unknown)
	say(orphans, "%d replies answer messages that are not in the export; they become ordinary messages", orphans)
	say(r.Edited, "what %d edited messages said before: the export has the last version only", r.Edited)
	lost := 0
	for _, p := range r.Problems {
		if p.Lost {
			lost++
		}
	}
	say(lost, "%d places of the export that can't be read; see below", lost)
}

// Text writes the report for a terminal.
func (r *Report) Text(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s (%s)\n\n", clean(r.Source.Name), r.Source.Key())
	fmt.Fprintf(b, "  people    %d (%d bots, %d guests, %d deactivated, %d of elsewhere or in no list)\n", r.People, r.Bots, r.Guests, r.Deactivated, r.Strangers)
	fmt.Fprintf(b, "  rooms     %d in one space:", r.Channels)
	for _, k := range []model.Kind{model.Public, model.Private, model.Group, model.Direct, model.Section, model.Thread} {
		if n := r.Kinds[k]; n > 0 {
			fmt.Fprintf(b, " %d %s", n, k)
		}
	}
	fmt.Fprintf(b, "\n  messages  %d (%d replies, %d edited), %d reactions; %d times somebody came or went\n", r.Messages, r.Replies, r.Edited, r.Reactions, r.Moves)
	if !r.First.IsZero() {
		fmt.Fprintf(b, "  time      %s to %s\n", r.First.UTC().Format(time.DateOnly), r.Last.UTC().Format(time.DateOnly))
	}
	fmt.Fprintf(b, "  files     %d: %d in the export, %d to be fetched, %d links to elsewhere, %d gone; %s\n", r.Files, r.FilesHere, r.FilesAway, r.FilesLinked, r.FilesGone, size(r.FileBytes))
	fmt.Fprintf(b, "  emoji     %d\n", r.Emoji)
	fmt.Fprintf(b, "  estimate  %s\n", r.Estimate.Round(time.Second))
	section := func(title string, list []string) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(b, "\n%s\n", title)
		for i, l := range list {
			if i == 40 {
				fmt.Fprintf(b, "  ... and %d more\n", len(list)-i)
				break
			}
			fmt.Fprintf(b, "  - %s\n", clean(l))
		}
	}
	section("What can't be carried over:", r.Cannot)
	section("Names that clash:", r.Clashes)
	section("What is not as it should be in the export:", r.problems())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) problems() []string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, p.Where+": "+p.What)
	}
	return out
}

// clean keeps what strangers have written from playing tricks with a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}

// Largest are the rooms with the most messages.
func (r *Report) Largest(n int) []RoomCount {
	out := slices.Clone(r.Rooms)
	slices.SortStableFunc(out, func(a, b RoomCount) int { return b.Messages - a.Messages })
	return out[:min(n, len(out))]
}
