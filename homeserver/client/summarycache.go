package client

import (
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// summariesKept is how many rooms' summaries are kept: those of the public ones of a large server.
const summariesKept = 8192

// summaries are those of rooms by their number, for as long as nothing happens there. Pages of the directory
// of public rooms and of spaces ask for hundreds, which mostly are as they were.
type summaries struct {
	byNID *lru.Cache[int64, keptSummary]
}

// keptSummary is a summary of a room and the place in its history that it is of. The state alone does not do:
// a redaction changes what its events say.
type keptSummary struct {
	root        statetree.Ref
	extremities []int64
	summary     summary
}

func newSummaries() summaries {
	c, _ := lru.New[int64, keptSummary](summariesKept) // fails for sizes below one only
	return summaries{c}
}

// get gives a copy of a room's summary, but for the number of members, or nil if it has to be read.
func (s summaries) get(r store.Room) *summary {
	have, ok := s.byNID.Get(r.NID)
	if !ok || have.root != r.Root || !slices.Equal(have.extremities, r.Extremities) {
		return nil
	}
	return &have.summary
}

// put keeps a copy.
func (s summaries) put(r store.Room, sum *summary) {
	s.byNID.Add(r.NID, keptSummary{r.Root, slices.Clone(r.Extremities), *sum})
}
