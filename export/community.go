package export

import (
	"cmp"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Options say what is written.
type Options struct {
	// Rooms, if not empty, are the only rooms, by id or alias; a space stands for what is in it, too.
	Rooms []string
	// Public leaves out rooms that not everybody may join.
	Public bool
	// NoMedia leaves out the files.
	NoMedia bool
	Version string // of the program
	Now     time.Time
	// Progress, if not nil, is told now and then how far the export is.
	Progress func(Progress)
}

// Progress is how far an export is.
type Progress struct {
	Rooms, AllRooms int
	Events          int64
	Files           int
	Bytes           int64
}

// About is about.json, and what an export answers.
type About struct {
	Format  string    `json:"format"` // "landbridge-export"
	Version int       `json:"version"`
	What    string    `json:"what"` // "community" or "person"
	Server  string    `json:"server"`
	Person  string    `json:"person,omitempty"`
	Made    time.Time `json:"made"`
	Program string    `json:"program,omitempty"`
	Rooms   int       `json:"rooms"`
	People  int       `json:"people,omitempty"`
	Events  int64     `json:"events"`
	Files   int       `json:"files"`
	Missing int       `json:"files_missing,omitempty"`
	Bytes   int64     `json:"bytes"`
}

const (
	format        = "landbridge-export"
	formatVersion = 1
)

// writer is an export that is being written.
type writer struct {
	src    Source
	sink   Sink
	o      Options
	about  About
	people map[string]*Member
	files  *files
	rooms  []Room
}

func newWriter(ctx context.Context, src Source, sink Sink, o Options, what string) (*writer, error) {
	server, err := src.Server(ctx)
	if err != nil {
		return nil, err
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	return &writer{src: src, sink: sink, o: o, people: map[string]*Member{}, files: newFiles(),
		about: About{Format: format, Version: formatVersion, What: what, Server: server, Made: o.Now.UTC().Truncate(time.Second), Program: o.Version}}, nil
}

// Community writes the rooms of a server with what was said in them. The sink is closed when all went well.
func Community(ctx context.Context, src Source, sink Sink, o Options) (About, error) {
	w, err := newWriter(ctx, src, sink, o, "community")
	if err != nil {
		return About{}, err
	}
	if w.rooms, err = w.choose(ctx); err != nil {
		return w.about, err
	}
	w.about.Rooms = len(w.rooms)
	for i := range w.rooms {
		r := &w.rooms[i]
		if err := w.room(ctx, r); err != nil {
			return w.about, fmt.Errorf("room %s: %w", r.ID, err)
		}
		w.progress(i + 1)
	}
	if err := w.media(ctx); err != nil {
		return w.about, err
	}
	// The pages name the files, so they come after them.
	for i := range w.rooms {
		if err := w.pages(ctx, &w.rooms[i]); err != nil {
			return w.about, fmt.Errorf("pages of room %s: %w", w.rooms[i].ID, err)
		}
	}
	people := make([]*Member, 0, len(w.people))
	for _, m := range w.people {
		people = append(people, m)
	}
	slices.SortFunc(people, func(a, b *Member) int { return cmp.Compare(a.ID, b.ID) })
	w.about.People = len(people)
	return w.about, errors.Join(w.json("rooms.json", w.rooms), w.json("people.json", people), w.index(people), w.finish())
}

// finish writes what every export ends with.
func (w *writer) finish() error {
	if err := w.css(); err != nil {
		return err
	}
	if err := w.json("about.json", w.about); err != nil {
		return err
	}
	return w.sink.Close()
}

func (w *writer) progress(rooms int) {
	if w.o.Progress != nil {
		w.o.Progress(Progress{Rooms: rooms, AllRooms: w.about.Rooms, Events: w.about.Events, Files: w.about.Files, Bytes: w.about.Bytes})
	}
}

// choose lists the rooms that are to be written, spaces first.
func (w *writer) choose(ctx context.Context) ([]Room, error) {
	var all []Room
	for after := ""; ; {
		part, err := w.src.Rooms(ctx, after)
		if err != nil {
			return nil, fmt.Errorf("listing the rooms: %w", err)
		}
		all = append(all, part.Rooms...)
		if after = part.Next; after == "" {
			break
		}
	}
	wanted, err := w.wanted(all)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r Room) bool {
		return wanted != nil && !wanted[r.ID] || w.o.Public && r.JoinRule != "public"
	})
	slices.SortStableFunc(all, func(a, b Room) int {
		if a.Space() != b.Space() {
			if a.Space() {
				return -1
			}
			return 1
		}
		return cmp.Compare(cmp.Or(a.Name, a.Alias, a.ID), cmp.Or(b.Name, b.Alias, b.ID))
	})
	taken := map[string]bool{}
	for i := range all {
		all[i].Folder = "rooms/" + folderName(&all[i], taken)
	}
	return all, nil
}

// wanted are the rooms that Options.Rooms names, with all that is in spaces; nil for all.
func (w *writer) wanted(all []Room) (map[string]bool, error) {
	if len(w.o.Rooms) == 0 {
		return nil, nil
	}
	byID, byName := map[string]*Room{}, map[string]string{}
	for i := range all {
		r := &all[i]
		byID[r.ID] = r
		byName[r.ID] = r.ID
		for _, a := range append(r.Aliases, r.Alias) {
			byName[a] = r.ID
		}
	}
	wanted := map[string]bool{}
	var add func(id string)
	add = func(id string) {
		if r := byID[id]; r != nil && !wanted[id] {
			wanted[id] = true
			for _, c := range r.Children {
				add(c)
			}
		}
	}
	for _, name := range w.o.Rooms {
		id, ok := byName[name]
		if !ok || name == "" {
			return nil, fmt.Errorf("%s: %w", name, ErrNoRoom)
		}
		add(id)
	}
	return wanted, nil
}

// room writes what programs read of a room.
func (w *writer) room(ctx context.Context, r *Room) error {
	state, err := w.src.State(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("reading the state: %w", err)
	}
	for _, e := range state.Events {
		w.files.find(e)
	}
	if err := w.json(r.Folder+"/state.json", state.Events); err != nil {
		return err
	}
	if err := w.members(ctx, r); err != nil {
		return err
	}
	here := map[string]bool{}
	r.Events, err = w.lines(ctx, r.Folder+"/events.jsonl", r.ID, "", func(e *said) {
		m := w.person(e.Sender)
		if e.message() {
			r.Messages++
			m.Messages++
		}
		if e.Type == "m.room.member" && e.StateKey != nil {
			m := w.person(*e.StateKey)
			if !here[m.ID] {
				here[m.ID] = true
				m.Rooms++
			}
			if e.text("membership") == "join" {
				m.Name, m.Avatar = e.text("displayname"), e.text("avatar_url")
			}
		}
	})
	return err
}

func (w *writer) person(id string) *Member {
	m := w.people[id]
	if m == nil {
		m = &Member{ID: id}
		w.people[id] = m
	}
	return m
}

// lines writes a timeline, an event a line, and calls each for every event. It counts them.
func (w *writer) lines(ctx context.Context, name, room, person string, each func(*said)) (n int64, err error) {
	out, err := w.sink.Create(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return n, w.timeline(ctx, room, person, func(list []Happened) error {
		for _, h := range list {
			e, err := parse(h.Event)
			if err != nil {
				return err
			}
			w.files.find(h.Event)
			each(e)
			if _, err := out.Write(append(h.Event, '\n')); err != nil {
				return err
			}
		}
		n += int64(len(list))
		w.about.Events += int64(len(list))
		return nil
	})
}

// timeline reads a timeline part by part.
func (w *writer) timeline(ctx context.Context, room, person string, do func([]Happened) error) error {
	for after := ""; ; {
		part, err := w.src.Timeline(ctx, room, person, after)
		if err != nil {
			return fmt.Errorf("reading the timeline: %w", err)
		}
		if err := do(part.Events); err != nil {
			return err
		}
		if after = part.Next; after == "" {
			return nil
		}
	}
}

// members writes the list of members, part by part.
func (w *writer) members(ctx context.Context, r *Room) (err error) {
	out, err := w.sink.Create(r.Folder + "/members.json")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	enc := jsontext.NewEncoder(out, jsontext.WithIndent(" "))
	if err := enc.WriteToken(jsontext.BeginArray); err != nil {
		return err
	}
	for after := ""; ; {
		part, err := w.src.Members(ctx, r.ID, after)
		if err != nil {
			return fmt.Errorf("reading the members: %w", err)
		}
		for _, e := range part.Events {
			w.files.find(e)
			if err := enc.WriteValue(e); err != nil {
				return err
			}
		}
		if after = part.Next; after == "" {
			return enc.WriteToken(jsontext.EndArray)
		}
	}
}

// json writes a file of JSON.
func (w *writer) json(name string, v any) (err error) {
	raw, err := json.Marshal(v, jsontext.WithIndent(" "), json.Deterministic(true), json.FormatNilSliceAsNull(false))
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return w.write(name, append(raw, '\n'))
}

func (w *writer) write(name string, raw []byte) error {
	out, err := w.sink.Create(name)
	if err != nil {
		return err
	}
	_, err = out.Write(raw)
	return errors.Join(err, out.Close())
}

// copy writes a file that is read from elsewhere.
func (w *writer) copy(name string, in io.Reader) (n int64, err error) {
	out, err := w.sink.Create(name)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, in)
	return n, errors.Join(err, out.Close())
}
