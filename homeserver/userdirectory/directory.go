package userdirectory

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/words"
)

// Options say what a Directory searches.
type Options struct {
	Store *store.Store
	// Server is this server's name.
	Server string
	// Log tells why older accounts could not be taken in.
	Log *slog.Logger
}

// Directory finds people. It is safe for concurrent use.
type Directory struct {
	o   Options
	all atomic.Bool
}

// New makes a Directory.
func New(o Options) *Directory { return &Directory{o: o} }

// ShowAll lets everybody find all who have an account here; otherwise they find those whom they
// meet in rooms.
func (d *Directory) ShowAll(on bool) { d.all.Store(on) }

// Person is somebody who was found.
type Person struct {
	User   int64
	UserID string
	Name   string // "" if there is none
	// Avatar is that of a user of another server, whose profile isn't here.
	Avatar string
	rank   int
}

// Bounds of a search: how many terms a question may have, how many members of the viewer's rooms
// are looked at one by one, how many people the index may offer, and how many visible ones are
// ranked.
const (
	termsMax   = 10
	membersMax = 3000
	offersMax  = 20000
	rankedMax  = 200
	scanBatch  = 256
)

// search is one search under way.
type search struct {
	*Directory
	ctx    context.Context
	viewer int64
	terms  []words.Token
	// server is how the server's part of the user id must begin, with its colon.
	server string
	phrase string
	mine   map[int64]bool // the viewer's joined rooms
	open   map[int64]bool // whether a room can be seen by anybody
	seen   map[int64]bool
	found  []Person
}

// Search finds people whom the viewer may see: best matches first, at most limit. limited tells
// that there are more.
//
// Specification, "User directory": "the homeserver MUST at a minimum consider users who are
// visible to the requester based on their membership in rooms known to the homeserver. This
// means: users that share a room with the requesting user; users who are joined to rooms known
// to the homeserver that have a public join rule; users who are joined to rooms known to the
// homeserver that have a world_readable history visibility."
func (d *Directory) Search(ctx context.Context, viewer int64, question string, limit int) (found []Person, limited bool, err error) {
	s := &search{Directory: d, ctx: ctx, viewer: viewer, mine: map[int64]bool{}, open: map[int64]bool{}, seen: map[int64]bool{}}
	question = strings.TrimSpace(question)
	if rest, ok := strings.CutPrefix(question, "@"); ok {
		if question, s.server, ok = strings.Cut(rest, ":"); ok {
			s.server = ":" + strings.ToLower(s.server)
		}
	}
	s.phrase = words.Fold(question)
	s.terms = words.Wanted(words.Split(question, termsMax))
	if len(s.terms) == 0 {
		return nil, false, nil
	}
	rooms, err := d.o.Store.RoomsOf(ctx, viewer)
	if err != nil {
		return nil, false, err
	}
	for _, m := range rooms {
		if m.Membership == "join" {
			s.mine[m.Room] = true
		}
	}
	if err := s.companions(); err != nil {
		return nil, false, err
	}
	complete, err := s.offers()
	if err != nil {
		return nil, false, err
	}
	slices.SortStableFunc(s.found, func(a, b Person) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.UserID, b.UserID))
	})
	limited = len(s.found) > limit || !complete
	return s.found[:min(limit, len(s.found))], limited, nil
}

// companions looks at those who share a room with the viewer, if they are not too many: they must
// not be missed because a crowd of strangers has similar names.
func (s *search) companions() error {
	left := int64(membersMax)
	for room := range s.mine {
		n, err := s.o.Store.JoinedCount(s.ctx, room)
		if err != nil {
			return err
		}
		if left -= n; left < 0 {
			return nil
		}
	}
	for room := range s.mine {
		members, err := s.o.Store.MembersOf(s.ctx, room)
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.Membership != "join" || m.User == s.viewer || len(s.found) >= rankedMax {
				continue
			}
			if err := s.consider(m.User, m.Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// offers looks at those whom the index offers for the most telling term.
func (s *search) offers() (complete bool, err error) {
	best := slices.MaxFunc(s.terms, func(a, b words.Token) int { return cmp.Compare(len(a.Text), len(b.Text)) })
	var at store.DirectoryPlace
	for n := 0; n < offersMax && len(s.found) < rankedMax; n += scanBatch {
		l, err := s.o.Store.DirectoryScan(s.ctx, best.Text, at, scanBatch)
		if err != nil {
			return false, err
		}
		for _, p := range l {
			if err := s.consider(p.User, 0); err != nil {
				return false, err
			}
		}
		if len(l) < scanBatch {
			return true, nil
		}
		at = l[len(l)-1]
	}
	return false, nil
}

// consider takes somebody in who matches and may be seen. member is their membership of a room that they
// share with the viewer, or 0; of users of other servers it has what they are called.
func (s *search) consider(user, member int64) error {
	if s.seen[user] {
		return nil
	}
	s.seen[user] = true
	id, name, err := s.o.Store.Person(s.ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	shared, local, avatar := member != 0, strings.HasSuffix(id, ":"+s.o.Server), ""
	if shared && !local {
		e, err := s.o.Store.Event(s.ctx, member)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		} else if err == nil {
			name, avatar = e.ContentString("displayname"), e.ContentString("avatar_url")
		}
	}
	rank, ok := s.match(id, name)
	if !ok {
		return nil
	}
	if local {
		a, err := s.o.Store.Account(s.ctx, user)
		if errors.Is(err, store.ErrNotFound) || err == nil && a.DeactivatedTS != 0 {
			return nil
		} else if err != nil {
			return err
		}
	}
	if !shared {
		if shared, ok, err = s.visible(user); err != nil || !ok {
			return err
		}
	}
	if shared {
		rank-- // somebody whom one knows comes before strangers that match alike
	}
	s.found = append(s.found, Person{User: user, UserID: id, Name: name, Avatar: avatar, rank: rank})
	return nil
}

// match tells whether all terms are found in a person's names, and how well: less is better.
func (s *search) match(id, name string) (rank int, ok bool) {
	if _, server, _ := strings.Cut(id, ":"); !strings.HasPrefix(strings.ToLower(":"+server), s.server) {
		return 0, false
	}
	have := store.DirectoryTerms(id, name)
	whole := true
	for _, want := range s.terms {
		if !slices.ContainsFunc(have, func(k words.Token) bool { return strings.HasPrefix(k.Text, want.Text) }) {
			return 0, false
		}
		whole = whole && slices.ContainsFunc(have, func(k words.Token) bool { return k.Text == want.Text })
	}
	localpart, _, _ := strings.Cut(strings.TrimPrefix(id, "@"), ":")
	localpart, folded := words.Fold(localpart), words.Fold(name)
	switch {
	case localpart == s.phrase || folded == s.phrase:
		rank = 0
	case strings.HasPrefix(localpart, s.phrase) || strings.HasPrefix(folded, s.phrase):
		rank = 2
	case whole:
		rank = 4
	default:
		rank = 6
	}
	// "Ordered by rank and then whether or not profile info is available."
	rank *= 2
	if name == "" {
		rank += 2
	}
	return rank, true
}

// visible tells whether the viewer may know of somebody, and whether they share a room.
func (s *search) visible(user int64) (shared, ok bool, err error) {
	rooms, err := s.o.Store.RoomsOf(s.ctx, user)
	if err != nil {
		return false, false, err
	}
	ok = s.all.Load()
	for _, m := range rooms {
		if m.Membership != "join" {
			continue
		}
		if user != s.viewer && s.mine[m.Room] {
			return true, true, nil
		}
		if !ok {
			if ok, err = s.isOpen(m.Room); err != nil {
				return false, false, err
			}
		}
	}
	return false, ok, nil
}

// isOpen tells whether anybody may join or read a room.
func (s *search) isOpen(room int64) (bool, error) {
	if open, known := s.open[room]; known {
		return open, nil
	}
	r, err := s.o.Store.LoadRoom(s.ctx, room)
	if err != nil {
		return false, err
	}
	open := false
	for _, w := range []struct{ typ, field, value string }{
		{"m.room.join_rules", "join_rule", "public"}, {"m.room.history_visibility", "history_visibility", "world_readable"},
	} {
		e, err := s.o.Store.StateEvent(s.ctx, r.Root, w.typ, "")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		open = open || e != nil && e.ContentString(w.field) == w.value
	}
	s.open[room] = open
	return open, nil
}
