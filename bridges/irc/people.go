package irc

import (
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// people remembers which ghosts exist in Matrix in this run, and under which
// names.
//
// The framework guards nothing in a ghost, and each room's goroutine reads it. So
// a ghost is written only where nobody else has it in hands: by the pump, before
// the first event of a ghost is queued, or, for a rename, when all rooms have
// handled what came before it (which is also the right order for those who read
// along); and by the arrival of many people at once (arrival.go), for ghosts that
// the framework does not know yet. Who writes one claims it first.
type people struct {
	mu    sync.Mutex
	names map[networkid.UserID]string
	busy  map[networkid.UserID]chan struct{} // claimed; closed when released
}

func newPeople() *people {
	return &people{names: make(map[networkid.UserID]string), busy: make(map[networkid.UserID]chan struct{})}
}

// claim reserves a ghost that has to be introduced under a name. known says that
// it has another name now; ok is false if there is nothing to do. It waits for
// who has claimed the ghost before.
func (p *people) claim(id networkid.UserID, name string) (known, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.busy[id] != nil {
		busy := p.busy[id]
		p.mu.Unlock()
		<-busy
		p.mu.Lock()
	}
	before, known := p.names[id]
	if known && before == name {
		return true, false
	}
	p.busy[id] = make(chan struct{})
	return known, true
}

// claimNew reserves those of some ghosts that were not introduced in this run and
// are not claimed, and returns them.
func (p *people) claimNew(list []member) []member {
	p.mu.Lock()
	defer p.mu.Unlock()
	var mine []member
	for _, m := range list {
		if _, known := p.names[m.ghost]; !known && p.busy[m.ghost] == nil {
			p.busy[m.ghost] = make(chan struct{})
			mine = append(mine, m)
		}
	}
	return mine
}

// await returns when a ghost that was never introduced before in this run is not being introduced any
// more. It does not wait for renames: those wait for the rooms.
func (p *people) await(id networkid.UserID) {
	p.mu.Lock()
	busy := p.busy[id]
	if _, known := p.names[id]; known {
		busy = nil
	}
	p.mu.Unlock()
	if busy != nil {
		<-busy
	}
}

// name returns the name under which a ghost was introduced in this run.
func (p *people) name(id networkid.UserID) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name, ok := p.names[id]
	return name, ok
}

// release ends a claim; with a name, the ghost is introduced under it.
func (p *people) release(id networkid.UserID, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name != "" {
		p.names[id] = name
	}
	close(p.busy[id])
	delete(p.busy, id)
}

// met reports whether a ghost exists in Matrix, as far as is known.
func (n *network) met(ctx context.Context, id networkid.UserID) bool {
	if _, ok := n.people.name(id); ok {
		return true
	}
	row, err := n.b.br.DB.Ghost.GetByID(ctx, id)
	return err != nil || row != nil
}

// introduce makes sure that a ghost exists in Matrix and has a nick for its name.
// It is called by the pump alone.
func (n *network) introduce(ctx context.Context, id networkid.UserID, nick string) {
	known, ok := n.people.claim(id, nick)
	if !ok {
		return
	}
	done := ""
	defer func() { n.people.release(id, done) }()
	if known {
		n.settleRooms(ctx)
	}
	if n.updateGhost(ctx, id, nick) {
		done = nick
	}
}

// updateGhost registers a ghost and gives it a name.
func (n *network) updateGhost(ctx context.Context, id networkid.UserID, nick string) bool {
	ghost, err := n.b.br.GetGhostByID(ctx, id)
	if err != nil {
		n.log.Error("a person is not shown as they should be", "error", err)
		return false
	}
	if client := clientOf(ghost.Intent); client != nil {
		if err := client.EnsureRegistered(ctx); err != nil {
			n.log.Error("a ghost is not registered", "error", err)
			return false
		}
	}
	if ghost.Name != nick || !ghost.NameSet || !ghost.AvatarSet {
		ghost.UpdateInfo(ctx, userInfo(nick))
	}
	return true
}

// settleWait bounds how long a rename waits for the rooms.
const settleWait = time.Minute

// settleRooms waits until the network's rooms have handled all that was queued.
func (n *network) settleRooms(ctx context.Context) {
	deadline := time.NewTimer(settleWait)
	defer deadline.Stop()
	var waiting []chan struct{}
	for _, ch := range n.channels.all() {
		portal, err := n.b.br.GetExistingPortalByKey(ctx, channelKey(n.cfg.ID, ch.Name))
		if err != nil || portal == nil || portal.MXID == "" {
			continue // handles nothing
		}
		done := make(chan struct{})
		n.queueTurn(ch, func(context.Context, *bridgev2.Portal) { close(done) })
		waiting = append(waiting, done)
	}
	for _, done := range waiting {
		select {
		case <-done:
		case <-deadline.C:
			n.log.Warn("a room is slow; a rename does not wait for it longer")
			return
		case <-n.ctx.Done():
			return
		}
	}
}
