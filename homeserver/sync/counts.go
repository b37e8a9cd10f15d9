package sync

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// countCache remembers how many are in a room, which takes long to count in large ones.
type countCache struct {
	rooms *lru.Cache[int64, memberCounts]
}

// memberCounts are counted at a position, or later.
type memberCounts struct {
	at              int64
	joined, invited int64
	// first are the first members, one more than there are heroes, since the reader is none; known
	// tells whether they were asked for.
	first []int64
	known bool
}

// countMax is how many rooms are remembered.
const countMax = 16384

func newCountCache() *countCache {
	c, _ := lru.New[int64, memberCounts](countMax)
	return &countCache{c}
}

func (s *Syncer) counts(ctx context.Context, st Standing) (memberCounts, error) {
	c, ok := s.peers.rooms.Get(st.Room)
	if ok && c.at >= st.members {
		return c, nil
	}
	c = memberCounts{at: s.o.Notifier.Position()}
	var err error
	if c.joined, c.invited, err = s.o.Store.MemberCounts(ctx, st.Room); err == nil {
		s.peers.rooms.Add(st.Room, c)
	}
	return c, err
}

// Members counts the joined and the invited members of a room.
func (s *Syncer) Members(ctx context.Context, st Standing) (joined, invited int64, err error) {
	c, err := s.counts(ctx, st)
	return c.joined, c.invited, err
}

// Heroes lists by whom a user calls a room that has no name; see store.FirstMembers.
func (s *Syncer) Heroes(ctx context.Context, st Standing, user int64) (heroes []int64, err error) {
	c, err := s.counts(ctx, st)
	if err != nil {
		return nil, err
	}
	if !c.known {
		if c.first, err = s.o.Store.FirstMembers(ctx, st.Room, store.HeroesMax+1); err != nil {
			return nil, err
		}
		c.known = true
		s.peers.rooms.Add(st.Room, c)
	}
	for _, h := range c.first {
		if h != user && len(heroes) < store.HeroesMax {
			heroes = append(heroes, h)
		}
	}
	if len(heroes) == 0 {
		return s.o.Store.FormerMembers(ctx, st.Room, user)
	}
	return heroes, nil
}
