package discord

import (
	"context"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

var _ appservice.Prover = (*Bridge)(nil)

// SignIns implements appservice.Prover.
func (b *Bridge) SignIns() []appservice.SignIn {
	if b.cfg.ClientSecret == "" {
		return nil
	}
	return []appservice.SignIn{{Name: "Discord"}}
}

// signIn is how people sign in; false if they can't, or not before the bot is known.
func (b *Bridge) signIn(id, redirect string) (n *bot, s api.SignIn, ok bool) {
	n = b.client()
	if n == nil || id != "" || b.cfg.ClientSecret == "" || n.appID() == "" {
		return nil, s, false
	}
	return n, api.SignIn{App: string(n.appID()), Secret: b.cfg.ClientSecret, Redirect: redirect}, true
}

// SignInURL implements appservice.Prover.
func (b *Bridge) SignInURL(id, redirect, state string) (string, bool) {
	n, s, ok := b.signIn(id, redirect)
	if !ok {
		return "", false
	}
	return n.api.SignInURL(s, state), true
}

// SignedIn implements appservice.Prover.
func (b *Bridge) SignedIn(ctx context.Context, id, redirect, code string) (appservice.RemotePerson, error) {
	n, s, ok := b.signIn(id, redirect)
	if !ok {
		return appservice.RemotePerson{}, errNotRunning
	}
	u, err := n.api.SignedIn(ctx, s, code)
	if errors.Is(err, api.ErrBadGrant) {
		return appservice.RemotePerson{}, fmt.Errorf("%w: %w", appservice.ErrBadCode, err)
	} else if err != nil {
		return appservice.RemotePerson{}, err
	}
	p := appservice.RemotePerson{ID: userID(u.ID), Name: globalLook(u).name}
	in, err := n.among(ctx, u.ID)
	if err == nil && !in {
		err = appservice.ErrStranger
	}
	return p, err
}

// among tells whether somebody is in one of the guilds that are bridged.
func (n *bot) among(ctx context.Context, user wire.ID) (bool, error) {
	guilds := n.guilds.ids()
	for _, g := range guilds {
		if _, ok := n.guilds.member(g, user); ok {
			return true, nil
		}
	}
	for _, g := range guilds { // of large guilds not all members are known
		err := n.api.Do(ctx, "GET", "/guilds/"+string(g)+"/members/"+string(user), "/guilds/"+string(g)+"/members/id", nil, nil)
		if err == nil {
			return true, nil
		} else if !api.IsStatus(err, 404) {
			return false, err
		}
	}
	return false, nil
}
