package app

import (
	"context"
	"errors"
	"slices"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/claims"
)

// links are the ties of one bridge's people to accounts of the homeserver, which may be opened later.
type links struct {
	s      *serving
	bridge string
}

var _ appservice.Links = links{}

func (s *serving) links(bridge string) appservice.Links { return links{s, bridge} }

func (l links) person(p appservice.RemotePerson) claims.Person {
	return claims.Person{Service: l.bridge, ID: string(p.ID), Name: p.Name}
}

// linkError is an error of claims as modules know it.
func linkError(err error) error {
	switch {
	case errors.Is(err, claims.ErrLinked):
		return appservice.ErrLinked
	case errors.Is(err, claims.ErrBadCode):
		return appservice.ErrBadCode
	case errors.Is(err, claims.ErrNoBridge):
		return appservice.ErrUnknown
	}
	return err
}

// Offer implements appservice.Links.
func (l links) Offer(ctx context.Context, p appservice.RemotePerson) (appservice.Offer, error) {
	o, err := l.s.hs.Claims().Offer(ctx, l.person(p))
	return appservice.Offer(o), linkError(err)
}

// Confirm implements appservice.Links.
func (l links) Confirm(ctx context.Context, p appservice.RemotePerson, code string) (id.UserID, error) {
	account, err := l.s.hs.Claims().Confirm(ctx, l.person(p), code)
	return id.UserID(account), linkError(err)
}

// Ask implements appservice.Links.
func (l links) Ask(ctx context.Context, account id.UserID) (string, error) {
	code, err := l.s.hs.Claims().Ask(ctx, l.bridge, string(account))
	return code, linkError(err)
}

// Account implements appservice.Links.
func (l links) Account(ctx context.Context, person networkid.UserID) (id.UserID, error) {
	account, err := l.s.hs.Claims().Account(ctx, l.bridge, string(person))
	return id.UserID(account), err
}

// Person implements appservice.Links.
func (l links) Person(ctx context.Context, account id.UserID) (networkid.UserID, error) {
	person, err := l.s.hs.Claims().Person(ctx, l.bridge, string(account))
	return networkid.UserID(person), err
}

// Unlink implements appservice.Links.
func (l links) Unlink(ctx context.Context, person networkid.UserID) error {
	return l.s.hs.Claims().Unlink(ctx, l.bridge, string(person))
}

// claimBridges are the bridges of this process, as claims want them.
type claimBridges struct{ s *serving }

var _ claims.Bridges = claimBridges{}

// List implements claims.Bridges.
func (c claimBridges) List() (ids []string) {
	for _, st := range c.s.host.Status() {
		ids = append(ids, st.ID)
	}
	slices.Sort(ids)
	return ids
}

// Network implements claims.Bridges.
func (c claimBridges) Network(bridge string) (string, bool) {
	if br := c.s.host.Bridge(bridge); br != nil && br.Network != nil {
		return br.Network.GetName().DisplayName, true
	}
	for _, st := range c.s.host.Status() {
		if st.ID == bridge {
			return bridge, true
		}
	}
	return "", false
}

// Ghost implements claims.Bridges.
func (c claimBridges) Ghost(bridge, person string) (string, bool) {
	ghost, err := c.s.host.GhostID(bridge, networkid.UserID(person))
	return string(ghost), err == nil
}

// Person implements claims.Bridges.
func (c claimBridges) Person(bridge, user string) (string, bool) {
	person, ok := c.s.host.PersonOf(bridge, id.UserID(user))
	return string(person), ok
}

// Robot implements claims.Bridges.
func (c claimBridges) Robot(ctx context.Context, bridge, person string) bool {
	br := c.s.host.Bridge(bridge)
	if br == nil {
		return false
	}
	ghost, err := br.DB.Ghost.GetByID(ctx, networkid.UserID(person))
	return err == nil && ghost != nil && ghost.IsBot
}

// Message implements claims.Bridges.
func (c claimBridges) Message(ctx context.Context, bridge, person, key, text string) error {
	module := c.s.host.Module(bridge)
	if module == nil {
		return claims.ErrNotRunning
	}
	m, ok := module.(appservice.Messenger)
	if !ok {
		return claims.ErrNoMessages
	}
	err := m.Message(ctx, networkid.UserID(person), key, text)
	if errors.Is(err, appservice.ErrNotReachable) {
		return claims.ErrNotReachable
	}
	return err
}

// SignIns implements claims.Bridges.
func (c claimBridges) SignIns(bridge string) (list []claims.SignIn) {
	if m, ok := c.s.host.Module(bridge).(appservice.Prover); ok {
		for _, s := range m.SignIns() {
			list = append(list, claims.SignIn(s))
		}
	}
	return list
}

// SignInURL implements claims.Bridges.
func (c claimBridges) SignInURL(bridge, id, redirect, state string) (string, bool) {
	m, ok := c.s.host.Module(bridge).(appservice.Prover)
	if !ok {
		return "", false
	}
	return m.SignInURL(id, redirect, state)
}

// SignedIn implements claims.Bridges.
func (c claimBridges) SignedIn(ctx context.Context, bridge, id, redirect, code string) (claims.Person, error) {
	m, ok := c.s.host.Module(bridge).(appservice.Prover)
	if !ok {
		return claims.Person{}, claims.ErrNotRunning
	}
	p, err := m.SignedIn(ctx, id, redirect, code)
	switch {
	case errors.Is(err, appservice.ErrStranger):
		err = claims.ErrStranger
	case errors.Is(err, appservice.ErrBadCode):
		err = claims.ErrBadCode
	}
	return claims.Person{Service: bridge, ID: string(p.ID), Name: p.Name}, err
}

// Tied implements claims.Bridges.
func (c claimBridges) Tied(ctx context.Context, bridge, person, account string) {
	if err := c.s.host.Tied(ctx, bridge, networkid.UserID(person), id.UserID(account)); err != nil {
		c.s.log.ErrorContext(ctx, "telling a bridge of an account; edits of old messages are not shown until it is restarted", "bridge", bridge, "err", err)
	}
}

// claimSettings are the settings of claims in a configuration.
func claimSettings(c *config.Config) claims.Settings {
	return claims.Settings{OfferLife: c.Claims.OfferLifetime.Std(), PerMinute: c.Claims.MessagesPerMinute, Community: c.Claims.Community, Reminders: c.Claims.ReminderTimes()}
}
