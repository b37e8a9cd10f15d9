package irc

import (
	"context"
	"fmt"
	"sync"

	"maunium.net/go/mautrix/bridgev2/networkid"
)

// identities ties nicks to ghosts; see "Nick changes" in the package's
// documentation. Nicks are folded by the caller.
//
// They are changed as lines are read. The changes are stored with the line that
// they come from (changes), so what is stored is always as of the last stored
// line.
type identities struct {
	network string
	// present reports whether a folded nick is in a channel.
	present func(nick string) bool

	mu     sync.Mutex
	ghosts map[string]networkid.UserID // by folded nick
	nicks  map[networkid.UserID]string // the reverse
	names  map[networkid.UserID]string // nicks as people write them
	news   []tie
}

// tie is a nick whose ghost is not the one that is named after it, or, without a
// ghost, one of which that is no longer true.
type tie struct {
	nick  string
	ghost networkid.UserID
}

func loadIdentities(ctx context.Context, network string, st *store, present func(string) bool) (*identities, error) {
	ties, err := st.identities(ctx, network)
	if err != nil {
		return nil, err
	}
	ids := &identities{
		network: network, present: present,
		ghosts: make(map[string]networkid.UserID), nicks: make(map[networkid.UserID]string), names: make(map[networkid.UserID]string),
	}
	for nick, ghost := range ties {
		ids.ghosts[nick], ids.nicks[ghost] = ghost, nick
	}
	return ids, nil
}

// changes returns what has to be stored since the last call.
func (ids *identities) changes() []tie {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	news := ids.news
	ids.news = nil
	return news
}

// ghost returns the ghost of a nick, as written and folded.
func (ids *identities) ghost(nick, folded string) networkid.UserID {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ghost, ok := ids.ghosts[folded]
	if !ok {
		ghost = ids.free(folded)
		ids.set(folded, ghost)
	}
	ids.names[ghost] = nick
	return ghost
}

// free finds a ghost for a nick that has none.
func (ids *identities) free(folded string) networkid.UserID {
	ghost := ghostID(ids.network, folded)
	for i := 2; ; i++ {
		holder, taken := ids.nicks[ghost]
		if !taken {
			return ghost
		}
		if !ids.present(holder) {
			ids.unset(holder)
			return ghost
		}
		ghost = ghostID(ids.network, fmt.Sprintf("%s~%d", folded, i))
	}
}

// set ties a nick to a ghost; ids.mu must be held. Only what does not follow
// from the ghost's id is stored.
func (ids *identities) set(folded string, ghost networkid.UserID) {
	ids.ghosts[folded], ids.nicks[ghost] = ghost, folded
	if ghost != ghostID(ids.network, folded) {
		ids.news = append(ids.news, tie{folded, ghost})
	}
}

// unset ends a tie; ids.mu must be held.
func (ids *identities) unset(folded string) {
	ghost, ok := ids.ghosts[folded]
	if !ok {
		return
	}
	delete(ids.ghosts, folded)
	delete(ids.nicks, ghost)
	delete(ids.names, ghost)
	if ghost != ghostID(ids.network, folded) {
		ids.news = append(ids.news, tie{nick: folded})
	}
}

// rename moves a ghost from one nick to another and returns it.
func (ids *identities) rename(from, nick, folded string) networkid.UserID {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ghost, ok := ids.ghosts[from]
	if !ok {
		ghost = ids.free(from)
	}
	ids.unset(from)
	ids.unset(folded) // a tie left over from someone who is gone
	ids.set(folded, ghost)
	ids.names[ghost] = nick
	return ghost
}

// end ends the tie of a nick that is in no channel any more.
func (ids *identities) end(folded string) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ids.unset(folded)
}

// nick returns how a ghost is called at present, if that is known.
func (ids *identities) nick(ghost networkid.UserID) (string, bool) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if name, ok := ids.names[ghost]; ok {
		return name, true
	}
	name, ok := ids.nicks[ghost]
	return name, ok
}
