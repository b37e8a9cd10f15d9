package irc

import (
	"context"
	"fmt"
	"slices"
	"time"

	"maunium.net/go/mautrix/id"
)

// lookForIdle ends the connections of those who have been silent for too long, until ctx is done.
func (ps *puppets) lookForIdle(ctx context.Context) {
	idle := ps.n.cfg.Puppets.Idle
	if idle == 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(max(idle/10, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			ps.mu.Lock()
			var list []*puppet
			for _, p := range ps.list {
				if p.idleFor(now) > idle {
					list = append(list, p)
				}
			}
			ps.mu.Unlock()
			for _, p := range list {
				ps.rest(p)
			}
		}
	}
}

// rest ends a connection until its user speaks. They stay in their rooms and go on reading, which the bridge's own connection
// sees to; and they are told, since nobody on the network can write to them in private meanwhile.
func (ps *puppets) rest(p *puppet) {
	ps.mu.Lock()
	if ps.list[p.user] != p || p.idleFor(time.Now()) <= ps.n.cfg.Puppets.Idle {
		ps.mu.Unlock()
		return
	}
	delete(ps.list, p.user)
	ps.rests[p.user] = p.stored()
	ps.formerly(p.Nick(), p.user)
	ps.mu.Unlock()
	p.end()
	for _, name := range p.stored().channels {
		if ch := ps.n.channel(name); ch != nil {
			ps.n.ranksChanged(ch)
		}
	}
	ps.n.log.Info("a user's connection ends, as they have said nothing for long", "user", p.user)
	ps.n.tellSurely(p.user, fmt.Sprintf("You have said nothing on %s for %v, so your own connection there has ended. You stay in your rooms and go on reading; when you write, "+
		"it is made again. Until then nobody there can write to you in private.", ps.n.cfg.Name, ps.n.cfg.Puppets.Idle))
}

// leaveResting takes somebody out of a channel whose connection rests.
func (ps *puppets) leaveResting(user id.UserID, ch *channel) {
	ps.mu.Lock()
	s, ok := ps.rests[user]
	if !ok {
		ps.mu.Unlock()
		return
	}
	s.channels = slices.DeleteFunc(slices.Clone(s.channels), func(name string) bool { return name == ch.Name })
	if len(s.channels) == 0 {
		delete(ps.rests, user)
	} else {
		ps.rests[user] = s
	}
	ps.mu.Unlock()
	if len(s.channels) == 0 {
		ps.forget(user)
		return
	}
	ps.remember(s)
}

// touch notes that the user is there.
func (p *puppet) touch() {
	p.mu.Lock()
	p.active = time.Now()
	p.mu.Unlock()
}

// idleFor is how long the user has not been heard of. Nobody is idle whose words are still to be sent.
func (p *puppet) idleFor(now time.Time) time.Duration {
	if p.outbox.busy() {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return now.Sub(p.active)
}
