package irc

import (
	"context"
	"errors"

	"maunium.net/go/mautrix/id"
)

// all returns the puppets there are now.
func (ps *puppets) all() (list []*puppet) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.list {
		list = append(list, p)
	}
	return list
}

// nickFor is the nick that a user has, or would have.
func (ps *puppets) nickFor(user id.UserID) string {
	if p := ps.get(user); p != nil {
		return p.Nick()
	}
	return puppetNick(ps.n.cfg.Puppets.Nick, "", user)
}

// wantNick gives a user another nick, now and later.
func (ps *puppets) wantNick(ctx context.Context, user id.UserID, nick string) error {
	if other, ok := ps.byNick(nick); ok && other != user {
		return errors.New("somebody else of Matrix has that nick")
	}
	a, err := ps.n.b.store.account(ctx, ps.n.cfg.ID, user)
	if err != nil {
		return err
	}
	a.nick = nick
	if err := ps.n.b.store.setAccount(ctx, ps.n.cfg.ID, user, a); err != nil {
		return err
	}
	if p := ps.get(user); p != nil {
		p.session.SetNick(nick)
	}
	return nil
}

// setSecret stores what proves a user's account, or forgets it, and has them connect with it.
func (ps *puppets) setSecret(ctx context.Context, user id.UserID, secret *accountSecret) error {
	a, err := ps.n.b.store.account(ctx, ps.n.cfg.ID, user)
	if err != nil && secret != nil {
		return err
	}
	if secret != nil && a.secret != nil { // a password and a certificate go together
		if secret.Cert == "" {
			secret.Cert = a.secret.Cert
		} else {
			secret.User, secret.Password = a.secret.User, a.secret.Password
		}
	}
	a.secret = secret
	if err := ps.n.b.store.setAccount(ctx, ps.n.cfg.ID, user, a); err != nil {
		return err
	}
	ps.renew(user)
	return nil
}

// renew connects a user anew, as they are to be connected now.
func (ps *puppets) renew(user id.UserID) {
	ps.mu.Lock()
	old := ps.list[user]
	if old == nil || ps.ctx == nil {
		ps.mu.Unlock()
		return
	}
	stored := old.stored()
	p := newPuppet(ps.n, user, stored.nick, stored.channels)
	ps.list[user] = p
	ps.mu.Unlock()
	old.end()
	ps.n.background(func() {
		old.mu.Lock()
		done := old.done
		old.mu.Unlock()
		if done != nil {
			<-done // what it has left to say is taken over
		}
		ps.startOne(p)
	})
}
