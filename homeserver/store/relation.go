package store

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// addRelation notes what an event relates to. Only events in a timeline count.
func (t *Tx) addRelation(e *event.Event) error {
	rel, ok := e.Relation()
	if !ok || e.Pos == 0 || e.Flags&(event.Rejected|event.SoftFailed|event.Redacted) != 0 {
		return nil
	}
	key := ""
	if rel.Type == event.RelAnnotation {
		key = rel.Key
	}
	err := t.exec("relation_insert", e.NID, e.Room, rel.Parent, rel.Type, e.Type, key, e.Author, bit(e.Edits()),
		e.Depth, e.Pos, e.OriginServerTS, e.ID)
	if err == nil && rel.Type == event.RelThread {
		err = t.exec("thread_put", e.Room, rel.Parent, e.Depth, e.Pos)
	}
	return err
}

// dropRelation forgets what a redacted event related to: "when a child event is redacted then the
// relationship is broken".
func (t *Tx) dropRelation(child int64) error {
	var room int64
	var parent, typ string
	err := t.row("relation_get", child).Scan(&room, &parent, &typ)
	if errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if err := t.exec("relation_delete", child); err != nil || typ != event.RelThread {
		return err
	}
	if err := t.exec("thread_delete", room, parent); err != nil {
		return err
	}
	return t.exec("thread_again", room, parent)
}

// RelationCount is how many children of one kind somebody gave a parent.
type RelationCount struct {
	Parent, Type        string
	Room, Author, Count int64
}

// parentBatch is how many parents one query is about.
const parentBatch = 64

// ofParents runs a query about many parents, whose last 64 parameters are their ids. fn is called
// for each row.
func (s *Store) ofParents(ctx context.Context, query string, parents []string, fn func(scanner) error, args ...any) error {
	for len(parents) > 0 {
		chunk := parents[:min(parentBatch, len(parents))]
		parents = parents[len(chunk):]
		all := make([]any, len(args)+parentBatch)
		copy(all, args)
		for i := range parentBatch {
			all[len(args)+i] = "" // no event's id
			if i < len(chunk) {
				all[len(args)+i] = chunk[i]
			}
		}
		if err := s.each(ctx, query, fn, all...); err != nil {
			return err
		}
	}
	return nil
}

// RelationCounts counts the children that can be aggregated (threads, edits, references), by parent,
// type and author, as of a log position.
func (s *Store) RelationCounts(ctx context.Context, parents []string, upto int64) (out []RelationCount, err error) {
	return out, s.ofParents(ctx, "relation_counts", parents, func(r scanner) error {
		var c RelationCount
		err := r.Scan(&c.Parent, &c.Room, &c.Type, &c.Author, &c.Count)
		out = append(out, c)
		return err
	}, upto)
}

// NewestEdits lists the newest edit of each type that each parent has by its own author.
func (s *Store) NewestEdits(ctx context.Context, parents []string, upto int64) (children []int64, err error) {
	found, err := s.numbersOf(ctx, parents)
	if err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(slices.Sorted(maps.Values(found)), parentBatch) {
		args := make([]any, 1+parentBatch)
		args[0] = upto
		for i := range parentBatch {
			args[1+i] = int64(0) // no event's number
			if i < len(chunk) {
				args[1+i] = chunk[i]
			}
		}
		list, err := collect(ctx, s, "relation_edits", scanInt, args...)
		if err != nil {
			return nil, err
		}
		children = append(children, list...)
	}
	return children, nil
}

// Child is an event that relates to another.
type Child struct {
	NID, Room, Author, Pos int64
	Parent, ID             string
}

// References lists the first events, at most limit each, that refer to the parents, in order.
func (s *Store) References(ctx context.Context, parents []string, upto int64, limit int) (out []Child, err error) {
	return out, s.ofParents(ctx, "relation_references", parents, func(r scanner) error {
		var c Child
		err := r.Scan(&c.NID, &c.Room, &c.Parent, &c.ID, &c.Author)
		out = append(out, c)
		return err
	}, upto, limit)
}

// NewestReplies lists the newest event of each thread, of whatever position.
func (s *Store) NewestReplies(ctx context.Context, roots []string) (out []Child, err error) {
	return out, s.ofParents(ctx, "relation_replies", roots, func(r scanner) error {
		var c Child
		err := r.Scan(&c.NID, &c.Room, &c.Author, &c.Parent, &c.Pos)
		out = append(out, c)
		return err
	})
}

// Replies lists the newest events of a thread, newest first.
func (s *Store) Replies(ctx context.Context, room int64, root string, upto int64, limit int) ([]*event.Event, error) {
	return s.timeline(ctx, "relation_thread_back", root, room, upto, limit)
}

// Annotations lists the annotations of one type and key that somebody has given an event.
func (s *Store) Annotations(ctx context.Context, room, author int64, parent, typ, key string) ([]int64, error) {
	return collect(ctx, s, "relation_annotations", scanInt, parent, author, typ, key, room)
}

// Related selects children of an event.
type Related struct {
	Room   int64
	Parent string
	// RelType and Type, when not empty, are the only ones wanted.
	RelType, Type string
	// Levels is how far children of children count: 1 for the event's own only.
	Levels int
	// From and To bound the places, To beyond From in the direction; Upto is the last position.
	From, To Place
	Upto     int64
	Back     bool
	Limit    int
}

// Related lists the children of an event, in order.
func (s *Store) Related(ctx context.Context, q Related) ([]*event.Event, error) {
	query, args := "relation_direct_", []any{q.Parent, q.Room, q.RelType, q.Type}
	if q.Levels > 1 {
		query, args = "relation_", append(args, q.Levels)
	}
	if q.Back {
		query += "back"
	} else {
		query += "forward"
	}
	return s.timeline(ctx, query, append(args, q.From.Depth, q.From.Pos, q.To.Depth, q.To.Pos, q.Upto, q.Limit)...)
}

// Thread is a thread with the place of its newest reply, and whose that is.
type Thread struct {
	Root int64
	Place
	Author int64
}

// Threads lists the threads of a room whose newest reply is before a place, newest first: all, or
// (participant not 0) those that somebody has begun or written in.
func (s *Store) Threads(ctx context.Context, room int64, before Place, participant int64, limit int) ([]Thread, error) {
	if err := s.imported.settle(ctx, room); err != nil {
		return nil, err
	}
	return collect(ctx, s, "thread_list", func(r scanner) (t Thread, err error) {
		return t, r.Scan(&t.Root, &t.Depth, &t.Pos, &t.Author)
	}, room, before.Depth, before.Pos, participant, limit)
}

// ThreadReplies lists the replies of a thread before a place, newest first, each as the thread would be if it were the newest.
func (s *Store) ThreadReplies(ctx context.Context, root int64, before Place, limit int) ([]Thread, error) {
	return collect(ctx, s, "thread_replies", func(r scanner) (t Thread, err error) {
		t.Root = root
		return t, r.Scan(&t.Depth, &t.Pos, &t.Author)
	}, root, before.Depth, before.Pos, limit)
}

// ReactionTo is what somebody has reacted with.
type ReactionTo struct {
	Parent, Key  string
	Room, Author int64
}

// Reactions lists the reactions to the parents, as of a log position: the oldest of each parent first.
func (s *Store) Reactions(ctx context.Context, parents []string, upto int64) (out []ReactionTo, err error) {
	return out, s.ofParents(ctx, "relation_reactions", parents, func(r scanner) error {
		var c ReactionTo
		err := r.Scan(&c.Parent, &c.Room, &c.Key, &c.Author)
		out = append(out, c)
		return err
	}, upto)
}
