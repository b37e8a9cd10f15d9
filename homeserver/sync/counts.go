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

type memberCounts struct {
	at              int64 // counted at this position, or later
	joined, invited int64
	heroes          []int64 // two more than are shown, since the reader is none
}

// countMax is how many rooms are remembered.
const countMax = 16384

func newCountCache() *countCache {
	c, _ := lru.New[int64, memberCounts](countMax)
	return &countCache{c}
}

// Members counts the joined and the invited members of a room, and lists the heroes for one user:
// see store.Heroes.
func (s *Syncer) Members(ctx context.Context, st Standing, user int64) (joined, invited int64, heroes []int64, err error) {
	c, ok := s.peers.rooms.Get(st.Room)
	if !ok || c.at < st.members {
		c = memberCounts{at: s.o.Notifier.Position()}
		if c.joined, c.invited, err = s.o.Store.MemberCounts(ctx, st.Room); err != nil {
			return 0, 0, nil, err
		}
		if c.heroes, err = s.o.Store.FirstMembers(ctx, st.Room, store.HeroesMax+1); err != nil {
			return 0, 0, nil, err
		}
		s.peers.rooms.Add(st.Room, c)
	}
	for _, h := range c.heroes {
		if h != user && len(heroes) < store.HeroesMax {
			heroes = append(heroes, h)
		}
	}
	if len(heroes) == 0 {
		heroes, err = s.o.Store.FormerMembers(ctx, st.Room, user)
	}
	return c.joined, c.invited, heroes, err
}
