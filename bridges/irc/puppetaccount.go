package irc

import (
	"context"
	"errors"
	"slices"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/format"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
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

// setSecret stores a password or a certificate that proves a user's account, beside the other one, and has them
// connect with it.
func (ps *puppets) setSecret(ctx context.Context, user id.UserID, secret *accountSecret) error {
	return ps.changeSecret(ctx, user, func(old *accountSecret) *accountSecret {
		if old == nil {
			return secret
		}
		if secret.Cert == "" {
			secret.Cert = old.Cert
		} else {
			secret.User, secret.Password = old.User, old.Password
		}
		return secret
	})
}

// forgetSecret forgets a user's password and certificate.
func (ps *puppets) forgetSecret(ctx context.Context, user id.UserID) error {
	return ps.changeSecret(ctx, user, func(*accountSecret) *accountSecret { return nil })
}

// forgetPassword forgets a user's password, and keeps the certificate.
func (ps *puppets) forgetPassword(ctx context.Context, user id.UserID) error {
	return ps.changeSecret(ctx, user, func(old *accountSecret) *accountSecret {
		if old == nil || old.Cert == "" {
			return nil
		}
		return &accountSecret{Cert: old.Cert}
	})
}

// changeSecret changes what proves a user's account, and has them connect anew. One that cannot be read can be
// forgotten.
func (ps *puppets) changeSecret(ctx context.Context, user id.UserID, change func(old *accountSecret) *accountSecret) error {
	a, err := ps.n.b.store.account(ctx, ps.n.cfg.ID, user)
	secret := change(a.secret)
	if err != nil && secret != nil {
		return err
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
	p.asked = true
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

// loggedIn notes that a puppet is logged in, and tells its user, if they have asked for it.
func (p *puppet) loggedIn(e session.LoggedIn) {
	p.mu.Lock()
	asked := p.asked
	p.asked, p.told, p.account = false, false, e.Account
	p.mu.Unlock()
	if asked {
		p.n.tell(p.user, "You are logged in to "+p.n.cfg.Name+" as "+code(e.Account)+".")
	}
}

// mayYet reports whether a channel that is for those with an account may let a puppet in later: where there is no
// SASL, services are told the password after the welcome, and the session tries again when they have answered.
func (p *puppet) mayYet(channel string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.identify == "" || p.account != "" || slices.Contains(p.turnedAway, channel) {
		return false
	}
	p.turnedAway = append(p.turnedAway, channel)
	return true
}

// tell says something to a user in their chat with the bot, if they have one.
func (n *network) tell(user id.UserID, text string) {
	n.background(func() {
		ctx := n.ctx
		u, err := n.b.br.GetExistingUserByMXID(ctx, user)
		if err != nil || u == nil || u.ManagementRoom == "" {
			return
		}
		n.tellIn(ctx, u.ManagementRoom, user, text)
	})
}

// tellSurely says something to a user in their chat with the bot, to which they are invited if they have none.
func (n *network) tellSurely(user id.UserID, text string) {
	n.background(func() {
		ctx := n.ctx
		u, err := n.b.br.GetUserByMXID(ctx, user)
		room := id.RoomID("")
		if err == nil {
			room, err = u.GetManagementRoom(ctx)
		}
		if err != nil {
			n.log.Warn("a user is not told something", "user", user, "error", err)
			return
		}
		n.tellIn(ctx, room, user, text)
	})
}

func (n *network) tellIn(ctx context.Context, room id.RoomID, user id.UserID, text string) {
	content := format.RenderMarkdown(text, true, false)
	content.MsgType = event.MsgNotice
	if _, err := n.b.br.Bot.SendMessage(ctx, room, event.EventMessage, &event.Content{Parsed: &content}, &bridgev2.MatrixSendExtra{}); err != nil {
		n.log.Warn("a user is not told something", "user", user, "error", err)
	}
}
