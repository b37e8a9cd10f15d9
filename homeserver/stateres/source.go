package stateres

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// Link is what connects an event to others, known without reading the event.
type Link struct {
	// Key is the number of the (type, state key) pair; 0 for events that aren't state.
	Key int64
	// Rejected events aren't used to authorise others.
	Rejected bool
	// Auth are the numbers of the auth events, all smaller than the event's own.
	Auth []int64
}

// Source knows events. Whatever is asked for must be there: resolution starts when all auth
// chains are complete. It is called from one goroutine at a time.
type Source interface {
	// Links reads the links of events, in the order given.
	Links(ctx context.Context, nids []int64) ([]Link, error)
	// Events reads events, in the order given.
	Events(ctx context.Context, nids []int64) ([]*event.Event, error)
	// StateKey finds the number of a (type, state key) pair; 0 if no event has it.
	StateKey(ctx context.Context, typ, key string) (int64, error)
}

// Trees reads states; statetree.Forest does.
type Trees interface {
	Get(ctx context.Context, root statetree.Ref, key int64) (value int64, ok bool, err error)
	Walk(ctx context.Context, root statetree.Ref, fn func(key, value int64) bool) error
	Diff(ctx context.Context, from, to statetree.Ref, fn func(statetree.Change)) error
}

var _ Trees = (*statetree.Forest)(nil)

// Errors that say that a fork can't be resolved. What to do then, e.g. to put the event aside, is
// the caller's to decide.
var (
	// ErrOrder: an event's number is not greater than those of its auth events.
	ErrOrder = errors.New("an auth event has a greater number than the event that cites it")
	// ErrTooCostly: the fork is beyond the limits.
	ErrTooCostly = errors.New("resolving the state would take too much work")
)

// MaxStates is how many different states can be resolved at once. An event has at most 20
// previous events; the current state may follow more.
const MaxStates = 64

// Limits bound the work of one resolution. Zero values mean the defaults.
type Limits struct {
	// Conflicted is how many events may take part: the full conflicted set. Default 200,000.
	Conflicted int
	// Visited is how many events of the auth chains may be looked at. Default 2,000,000.
	Visited int
}

func (l Limits) withDefaults() Limits {
	if l.Conflicted == 0 {
		l.Conflicted = 200_000
	}
	if l.Visited == 0 {
		l.Visited = 2_000_000
	}
	return l
}

// Fork is what is to be resolved.
type Fork struct {
	Version event.Version
	// Create is the room's create event.
	Create *event.Event
	// Roots are the states, in any order; the same one may be there more than once.
	Roots []statetree.Ref
}

// Change is one key that the resolved state has otherwise than the base. Event 0 means that it
// has none.
type Change struct{ Key, Event int64 }

// Result is a resolved state: that of Base, with the changes.
type Result struct {
	// Base is the first of the fork's roots.
	Base statetree.Ref
	// Changes are sorted by key.
	Changes []Change
	// Conflicts is the size of the full conflicted set, and Visited how many events of the auth
	// chains were looked at, for metrics.
	Conflicts, Visited int
}

// Apply makes the tree of the result. The packs are to be stored; see statetree.Edit.Finish.
func (r Result) Apply(ctx context.Context, f *statetree.Forest) (statetree.Ref, []statetree.Pack, error) {
	if len(r.Changes) == 0 {
		return r.Base, nil, nil
	}
	edit := f.Edit(r.Base)
	for _, c := range r.Changes {
		var err error
		if c.Event == 0 {
			err = edit.Delete(ctx, c.Key)
		} else {
			err = edit.Put(ctx, c.Key, c.Event)
		}
		if err != nil {
			return 0, nil, err
		}
	}
	root, packs := edit.Finish()
	return root, packs, nil
}
