package export

import (
	"cmp"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"slices"
)

// PersonalData writes what a server holds of one person: of somebody with an account here, or of somebody of elsewhere
// who spoke in a room. The sink is closed when all went well.
func PersonalData(ctx context.Context, src Source, sink Sink, user string, o Options) (About, error) {
	w, err := newWriter(ctx, src, sink, o, "person")
	if err != nil {
		return About{}, err
	}
	w.about.Person = user
	p, err := src.Person(ctx, user)
	if err != nil {
		return w.about, err
	}
	w.about.Rooms = len(p.Rooms)
	taken := map[string]bool{}
	for i := range p.Rooms {
		if err := w.theirs(ctx, user, &p.Rooms[i], taken); err != nil {
			return w.about, fmt.Errorf("room %s: %w", p.Rooms[i].RoomID, err)
		}
		w.progress(i + 1)
	}
	// Of the files that events speak of only the person's own are theirs.
	w.files = newFiles()
	for after := ""; ; {
		part, err := src.Uploads(ctx, user, after)
		if err != nil {
			return w.about, fmt.Errorf("listing the files: %w", err)
		}
		for _, f := range part.Files {
			w.files.add(f.URI)
		}
		if after = part.Next; after == "" {
			break
		}
	}
	if err := w.media(ctx); err != nil {
		return w.about, err
	}
	data, rooms := p.Data, p.Rooms
	p.Data, p.Rooms = nil, nil // they have files of their own
	account, err := json.Marshal(p, jsontext.WithIndent(" "), json.Deterministic(true))
	if err != nil {
		return w.about, fmt.Errorf("writing the account: %w", err)
	}
	files := make([]*File, 0, len(w.files.list))
	for _, f := range w.files.list {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b *File) int { return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.URI, b.URI)) })
	return w.about, errors.Join(
		w.write("account.json", append(account, '\n')),
		w.json("account_data.json", data),
		w.json("memberships.json", rooms),
		w.html("index.html", "person", map[string]any{"About": w.about, "Person": p, "Account": string(account), "Rooms": rooms, "Files": files}),
		w.finish())
}

// theirs writes what a person has sent to a room.
func (w *writer) theirs(ctx context.Context, user string, s *Standing, taken map[string]bool) error {
	// Whether there is anything is known at its end; an empty file is no harm.
	r := &Room{ID: s.RoomID, Name: s.Name}
	s.File = "events/" + folderName(r, taken) + ".jsonl"
	n, err := w.lines(ctx, s.File, s.RoomID, user, func(*said) {})
	s.Events = n
	return err
}
