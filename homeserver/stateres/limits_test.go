package stateres

import (
	"context"
	"errors"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// TestLimits has forks that are refused.
func TestLimits(t *testing.T) {
	t.Parallel()
	g := newGraph(t, newKit(t, "11"), 3, 40)
	roots := []statetree.Ref{g.after[5], g.after[len(g.after)-1]}
	try := func(ctx context.Context, l Limits, roots ...statetree.Ref) error {
		_, err := Resolver{Trees: g.forest, Source: g, Limits: l}.Resolve(ctx, Fork{Version: "11", Create: g.events[0], Roots: roots})
		return err
	}
	if err := try(t.Context(), Limits{}, roots...); err != nil {
		t.Fatal(err)
	}
	if err := try(t.Context(), Limits{Conflicted: 1}, roots...); !errors.Is(err, ErrTooCostly) {
		t.Errorf("one event may be in conflict: %v", err)
	}
	if err := try(t.Context(), Limits{Visited: 2}, roots...); !errors.Is(err, ErrTooCostly) {
		t.Errorf("two events may be visited: %v", err)
	}
	if err := try(t.Context(), Limits{}); err == nil {
		t.Error("no states at all have a result")
	}
	var many []statetree.Ref
	for key := range int64(MaxStates + 1) {
		many = append(many, g.root(t, state{key + 1: 1}))
	}
	if err := try(t.Context(), Limits{}, many...); !errors.Is(err, ErrTooCostly) {
		t.Errorf("%d states: %v", len(many), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := try(ctx, Limits{}, roots...); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// An auth event from the future, which could make a cycle.
	g.links[5].Auth = append(g.links[5].Auth, int64(len(g.links)))
	if err := try(t.Context(), Limits{}, roots...); !errors.Is(err, ErrOrder) {
		t.Errorf("a cycle: %v", err)
	}
}
