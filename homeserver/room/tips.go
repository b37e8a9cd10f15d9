package room

import (
	"context"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// throughMax bounds how many events are looked through.
const throughMax = 100

// through lists the previous events of an event, and those of the ones among them that take no part: they
// are followed by it as well.
func through(ctx context.Context, get func(context.Context, int64) (*event.Event, error), e *event.Event) ([]int64, error) {
	prev := e.Prev
	for i := 0; i < len(prev) && i < throughMax; i++ {
		p, err := get(ctx, prev[i])
		if err != nil {
			return nil, fmt.Errorf("a previous event: %w", err)
		}
		if p.Flags&(event.Rejected|event.SoftFailed) == 0 || p.Flags&event.Outlier != 0 {
			continue
		}
		for _, nid := range p.Prev {
			if !slices.Contains(prev, nid) {
				prev = append(slices.Clip(prev), nid)
			}
		}
	}
	return prev, nil
}

// follow lists the tips once an event is one of them that follows those in prev.
func (a *actor) follow(e *event.Event, prev []int64) []*event.Event {
	tips := make([]*event.Event, 0, len(a.tips)+1)
	for _, t := range a.tips {
		if !slices.Contains(prev, t.NID) {
			tips = append(tips, t)
		}
	}
	tips = append(tips, e)
	for len(tips) > tipsMax {
		// One with the same state as another changes nothing; else the one that is there longest.
		drop := 0
		for i, t := range tips[:len(tips)-1] {
			if slices.ContainsFunc(tips[i+1:], func(x *event.Event) bool { return x.Root == t.Root }) {
				drop = i
				break
			}
		}
		tips = slices.Delete(tips, drop, drop+1)
	}
	return tips
}
