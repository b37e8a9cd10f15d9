package stateres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// Resolver resolves forks. It is immutable, and as safe for concurrent use as its parts are.
type Resolver struct {
	Trees  Trees
	Source Source
	Limits Limits
}

// run is one resolution.
type run struct {
	Resolver
	fork  Fork
	roots []statetree.Ref // without repetitions; roots[0] is the base
	// fromEmpty and subgraph are the two changes of version 2.1.
	fromEmpty, subgraph bool

	// conflicted has for each conflicted key what the states say, 0 for nothing.
	conflicted map[int64][]int64
	links      map[int64]Link
	events     map[int64]*event.Event
	keys       map[stateKey]int64
	levels     map[int64]*levels
	powerKey   int64
	// resolved layers what was found so far over the unconflicted state.
	resolved map[int64]int64
	// forged answers rule 5.2 of the authorisation rules; see vouched.
	forged *voucher
	size   int // of the full conflicted set
}

type stateKey struct{ typ, key string }

// Resolve resolves a fork. The order of the roots has no influence on the state that results.
func (r Resolver) Resolve(ctx context.Context, fork Fork) (Result, error) {
	r.Limits = r.Limits.withDefaults()
	x := &run{Resolver: r, fork: fork, conflicted: map[int64][]int64{}, links: map[int64]Link{}, events: map[int64]*event.Event{},
		keys: map[stateKey]int64{}, levels: map[int64]*levels{}, resolved: map[int64]int64{}}
	x.fromEmpty = stateRes21(fork.Version)
	x.subgraph = x.fromEmpty
	for _, root := range fork.Roots {
		if !slices.Contains(x.roots, root) {
			x.roots = append(x.roots, root)
		}
	}
	switch {
	case len(x.roots) == 0:
		return Result{}, fmt.Errorf("resolving the state: no states given")
	case fork.Create == nil:
		return Result{}, fmt.Errorf("resolving the state: the create event is missing")
	case len(x.roots) == 1:
		return Result{Base: x.roots[0]}, nil
	case len(x.roots) > MaxStates:
		return Result{}, fmt.Errorf("resolving the state: %w: %d states", ErrTooCostly, len(x.roots))
	}
	if err := x.do(ctx); err != nil {
		return Result{}, fmt.Errorf("resolving the state: %w", err)
	}
	return x.result(ctx)
}

// stateRes21 tells whether a room version resolves by version 2.1 of the algorithm.
func stateRes21(v event.Version) bool { return v == id.RoomV12 }

func (x *run) do(ctx context.Context) error {
	if err := x.compare(ctx); err != nil || len(x.conflicted) == 0 {
		return err
	}
	var err error
	if x.powerKey, err = x.key(ctx, "m.room.power_levels", ""); err != nil {
		return err
	}
	full, err := x.fullConflictedSet(ctx)
	if err != nil {
		return err
	}
	x.size = len(full)
	if err := x.load(ctx, full); err != nil {
		return err
	}
	// "1. Select the set X of all power events that appear in the full conflicted set. For each
	// such power event P, enlarge X by adding the events in the auth chain of P which also belong
	// to the full conflicted set. Sort X into a list using the reverse topological power ordering."
	power, others := x.split(full)
	power, err = x.sortByPower(ctx, power)
	if err != nil {
		return err
	}
	// "2. Apply the iterative auth checks algorithm, starting from the unconflicted state map [2.1:
	// an empty state map], to the list of events from the previous step to get a partially
	// resolved state."
	if err := x.check(ctx, power); err != nil {
		return err
	}
	// "3. Take all remaining events that weren't picked in step 1 and order them by the mainline
	// ordering based on the power level in the partially resolved state obtained in step 2."
	others, err = x.sortByMainline(ctx, others)
	if err != nil {
		return err
	}
	// "4. Apply the iterative auth checks algorithm on the partial resolved state and the list of
	// events from the previous step."
	return x.check(ctx, others)
}

// compare finds the keys on which the states differ. "If a given key K is present in every S_i
// with the same value V in each state map, then the pair (K, V) belongs to the unconflicted state
// map. Otherwise, V belongs to the conflicted state set."
func (x *run) compare(ctx context.Context) error {
	n := len(x.roots)
	for i, root := range x.roots[1:] {
		tooMany := false
		err := x.Trees.Diff(ctx, x.roots[0], root, func(c statetree.Change) {
			vals := x.conflicted[c.Key]
			if vals == nil {
				if tooMany = tooMany || len(x.conflicted) >= x.Limits.Conflicted; tooMany {
					return
				}
				vals = make([]int64, n)
				for j := range vals {
					vals[j] = c.Old // unless a later difference says otherwise
				}
				x.conflicted[c.Key] = vals
			}
			vals[i+1] = c.New
		})
		if err != nil {
			return err
		}
		if tooMany {
			return fmt.Errorf("%w: more than %d keys differ", ErrTooCostly, x.Limits.Conflicted)
		}
	}
	return nil
}

// load reads events that aren't yet known.
func (x *run) load(ctx context.Context, nids []int64) error {
	missing := make([]int64, 0, len(nids))
	for _, nid := range nids {
		if _, ok := x.events[nid]; !ok {
			missing = append(missing, nid)
		}
	}
	for chunk := range slices.Chunk(missing, 256) {
		if err := ctx.Err(); err != nil {
			return err
		}
		events, err := x.Source.Events(ctx, chunk)
		if err != nil {
			return err
		}
		for i, e := range events {
			x.events[chunk[i]] = e
		}
	}
	return nil
}

func (x *run) event(ctx context.Context, nid int64) (*event.Event, error) {
	if e, ok := x.events[nid]; ok {
		return e, nil
	}
	if err := x.load(ctx, []int64{nid}); err != nil {
		return nil, err
	}
	return x.events[nid], nil
}

// loadLinks reads the links of events that aren't yet known, and checks their order.
func (x *run) loadLinks(ctx context.Context, nids []int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(x.links)+len(nids) > x.Limits.Visited {
		return fmt.Errorf("%w: more than %d events in the auth chains", ErrTooCostly, x.Limits.Visited)
	}
	links, err := x.Source.Links(ctx, nids)
	if err != nil {
		return err
	}
	for i, l := range links {
		for _, a := range l.Auth {
			if a >= nids[i] {
				return fmt.Errorf("event %d cites %d: %w", nids[i], a, ErrOrder)
			}
		}
		x.links[nids[i]] = l
	}
	return nil
}

func (x *run) link(ctx context.Context, nid int64) (Link, error) {
	l, ok := x.links[nid]
	if !ok {
		if err := x.loadLinks(ctx, []int64{nid}); err != nil {
			return l, err
		}
		l = x.links[nid]
	}
	return l, nil
}

func (x *run) key(ctx context.Context, typ, key string) (int64, error) {
	k := stateKey{typ, key}
	nid, ok := x.keys[k]
	if !ok {
		var err error
		if nid, err = x.Source.StateKey(ctx, typ, key); err != nil {
			return 0, err
		}
		x.keys[k] = nid
	}
	return nid, nil
}

// unconflicted looks a key up in the unconflicted state map; 0 if it has none.
func (x *run) unconflicted(ctx context.Context, key int64) (int64, error) {
	if _, ok := x.conflicted[key]; ok {
		return 0, nil
	}
	nid, _, err := x.Trees.Get(ctx, x.roots[0], key)
	return nid, err
}

// result is step 5: "Update the result by replacing any event with the event with the same key
// from the unconflicted state map, if such an event exists, to get the final resolved state."
// Keys that are resolved and that no state has come from the auth difference.
func (x *run) result(ctx context.Context) (Result, error) {
	r := Result{Base: x.roots[0], Conflicts: x.size, Visited: len(x.links)}
	for key, vals := range x.conflicted {
		if now := x.resolved[key]; now != vals[0] {
			r.Changes = append(r.Changes, Change{key, now})
		}
	}
	for key, now := range x.resolved {
		if _, ok := x.conflicted[key]; ok {
			continue
		}
		if was, err := x.unconflicted(ctx, key); err != nil {
			return Result{}, err
		} else if was == 0 {
			r.Changes = append(r.Changes, Change{key, now})
		}
	}
	slices.SortFunc(r.Changes, func(a, b Change) int { return cmp.Compare(a.Key, b.Key) })
	return r, nil
}
