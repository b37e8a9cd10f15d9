package irc

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"maunium.net/go/mautrix/bridgev2/networkid"
)

// identities ties nicks to ghosts; see "Nick changes" in the package's
// documentation. Nicks are folded by the caller.
type identities struct {
	network string
	store   *store
	log     *slog.Logger
	// present reports whether a folded nick is in a channel.
	present func(nick string) bool

	mu     sync.Mutex
	ghosts map[string]networkid.UserID // by folded nick
	nicks  map[networkid.UserID]string // the reverse
	names  map[networkid.UserID]string // nicks as people write them
}

func loadIdentities(ctx context.Context, network string, st *store, log *slog.Logger, present func(string) bool) (*identities, error) {
	ties, err := st.identities(ctx, network)
	if err != nil {
		return nil, err
	}
	ids := &identities{
		network: network, store: st, log: log, present: present,
		ghosts: make(map[string]networkid.UserID), nicks: make(map[networkid.UserID]string), names: make(map[networkid.UserID]string),
	}
	for nick, ghost := range ties {
		ids.ghosts[nick], ids.nicks[ghost] = ghost, nick
	}
	return ids, nil
}

// ghost returns the ghost of a nick, as written and folded.
func (ids *identities) ghost(ctx context.Context, nick, folded string) networkid.UserID {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ghost, ok := ids.ghosts[folded]
	if !ok {
		ghost = ids.free(ctx, folded)
		ids.set(ctx, folded, ghost)
	}
	ids.names[ghost] = nick
	return ghost
}

// free finds a ghost for a nick that has none.
func (ids *identities) free(ctx context.Context, folded string) networkid.UserID {
	ghost := ghostID(ids.network, folded)
	for i := 2; ; i++ {
		holder, taken := ids.nicks[ghost]
		if !taken {
			return ghost
		}
		if !ids.present(holder) {
			ids.unset(ctx, holder)
			return ghost
		}
		ghost = ghostID(ids.network, fmt.Sprintf("%s~%d", folded, i))
	}
}

// set ties a nick to a ghost; ids.mu must be held. Only what does not follow
// from the ghost's id is stored.
func (ids *identities) set(ctx context.Context, folded string, ghost networkid.UserID) {
	ids.ghosts[folded], ids.nicks[ghost] = ghost, folded
	if ghost == ghostID(ids.network, folded) {
		return
	}
	if err := ids.store.tie(ctx, ids.network, folded, ghost); err != nil {
		ids.log.Error("a nick change will not be known after a restart", "error", err)
	}
}

func (ids *identities) unset(ctx context.Context, folded string) {
	ghost, ok := ids.ghosts[folded]
	if !ok {
		return
	}
	delete(ids.ghosts, folded)
	delete(ids.nicks, ghost)
	delete(ids.names, ghost)
	if ghost == ghostID(ids.network, folded) {
		return
	}
	if err := ids.store.untie(ctx, ids.network, folded); err != nil {
		ids.log.Error("a ghost stays tied to a nick", "error", err)
	}
}

// rename moves a ghost from one nick to another and returns it.
func (ids *identities) rename(ctx context.Context, from, nick, folded string) networkid.UserID {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ghost, ok := ids.ghosts[from]
	if !ok {
		ghost = ids.free(ctx, from)
	}
	ids.unset(ctx, from)
	ids.unset(ctx, folded) // a tie left over from someone who is gone
	ids.set(ctx, folded, ghost)
	ids.names[ghost] = nick
	return ghost
}

// gone ends the tie of a nick that is in no channel any more.
func (ids *identities) gone(ctx context.Context, folded string) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if !ids.present(folded) {
		ids.unset(ctx, folded)
	}
}

// quit ends the tie of a nick that has left the network; who is present under it
// now is somebody else.
func (ids *identities) quit(ctx context.Context, folded string) {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	ids.unset(ctx, folded)
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
