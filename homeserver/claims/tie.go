package claims

import (
	"context"
	"crypto/rand"
	"encoding/json/v2"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// ProfileField is the field of a ghost's profile that says whose account the person has: a user id.
// It follows MSC4133, which the specification has as profile fields of any name.
const ProfileField = "im.landbridge.account"

// Account is the account of a person; "" if there is none.
func (c *Claims) Account(ctx context.Context, service, person string) (string, error) {
	tie, err := c.o.Store.Tie(ctx, service, person)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return c.o.Store.UserID(ctx, tie.User)
}

// Person is who an account is on a network, the first if there are several; "" if nobody.
func (c *Claims) Person(ctx context.Context, service, account string) (string, error) {
	user, err := c.o.Store.UserNID(ctx, account)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	ties, err := c.o.Store.TiesOf(ctx, user)
	for _, t := range ties {
		if t.Service == service {
			return t.Person, err
		}
	}
	return "", err
}

// Tied tells whether an account is somebody of a bridge's network.
func (c *Claims) Tied(ctx context.Context, service, account string) (bool, error) {
	person, err := c.Person(ctx, service, account)
	return person != "", err
}

// askLife is how long a code for the bot is good.
const askLife = 30 * 60 * 1000

// Ask gives an account a code that is to be said to the bridge's bot on the network.
func (c *Claims) Ask(ctx context.Context, service, account string) (code string, err error) {
	if _, _, err := c.configured(service); err != nil {
		return "", err // nobody would hear it
	}
	user, err := c.o.Store.UserNID(ctx, account)
	if err != nil {
		return "", err
	}
	var b [8]byte
	rand.Read(b[:]) // never fails
	code = codeOf(b[:])
	return code, c.o.Store.Write(ctx, func(t *store.Tx) error {
		if err := claimant(t, user); err != nil {
			return err
		}
		now := c.nowMS()
		return t.AddClaimAsk(hash(code), store.ClaimAsk{Service: service, User: user, ExpiresTS: now + askLife}, now)
	})
}

// claimant tells as an error why an account can't be tied to somebody.
func claimant(t *store.Tx, user int64) error {
	a, err := t.Account(user)
	if err != nil {
		return err
	}
	if a.Kind != "user" || a.Service != "" || a.DeactivatedTS != 0 || a.Locked || a.Suspended {
		return store.Refuse(mxerror.Forbidden("This account can't be linked."))
	}
	return nil
}

// Confirm ties a person to the account that was given the code.
func (c *Claims) Confirm(ctx context.Context, p Person, code string) (account string, err error) {
	if err := p.check(); err != nil {
		return "", err
	}
	if err := c.guesses.Allow(p.Service + "\x00" + p.ID); err != nil {
		return "", err
	}
	h := hash(plainCode(code))
	var user int64
	err = c.o.Store.Write(ctx, func(t *store.Tx) error {
		a, err := t.ClaimAsk(h)
		if errors.Is(err, store.ErrNotFound) || err == nil && (a.Service != p.Service || a.ExpiresTS < c.nowMS()) {
			return store.Refuse(ErrBadCode)
		} else if err != nil {
			return err
		}
		user = a.User
		if err := c.tie(t, p, user); err != nil {
			return err
		}
		return t.DeleteClaimAsk(h)
	})
	if err != nil {
		return "", err
	}
	return c.tied(ctx, p, user)
}

// Claim ties the person whose offer has this token to an account.
func (c *Claims) Claim(ctx context.Context, token string, user int64) (Person, error) {
	offer, err := c.offered(ctx, token)
	p := Person{Service: offer.Service, ID: offer.Person, Name: offer.Name}
	if err != nil {
		return p, err
	}
	err = c.o.Store.Write(ctx, func(t *store.Tx) error {
		_, err := t.ClaimPersonByURL(hash(token)) // may have been used this moment
		if errors.Is(err, store.ErrNotFound) {
			return store.Refuse(ErrBadCode)
		} else if err != nil {
			return err
		}
		return c.tie(t, p, user)
	})
	if err != nil {
		return p, err
	}
	_, err = c.tied(ctx, p, user)
	return p, err
}

// tie writes a tie, and uses up the person's offer.
func (c *Claims) tie(t *store.Tx, p Person, user int64) error {
	if err := claimant(t, user); err != nil {
		return err
	}
	ok, err := t.AddTie(store.Tie{Service: p.Service, Person: p.ID, User: user, SinceTS: c.nowMS()})
	if err != nil {
		return err
	}
	if !ok {
		return store.Refuse(ErrLinked)
	}
	// The ghost's profile says so when the account is in the rooms; see moveOne.
	note, err := t.ClaimPerson(p.Service, p.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	note.Nonce, note.URLHash, note.CodeHash, note.ExpiresTS, note.NextTS = nil, nil, nil, 0, 0
	return t.SetClaimPerson(note)
}

// ghost is the store's number of a person's ghost; 0 if it has no account, or its bridge is not there to name it.
func (c *Claims) ghost(ctx context.Context, service, person string) (int64, error) {
	b, _, err := c.bridge(ctx, service)
	if err != nil {
		return 0, nil
	}
	id, ok := b.Ghost(service, person)
	if !ok {
		return 0, nil
	}
	nid, err := c.o.Store.UserNID(ctx, id)
	if err == nil {
		_, err = c.o.Store.Account(ctx, nid)
	}
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return nid, err
}

// showTie has the profile of a ghost say which account the person has; "" for none.
func showTie(t *store.Tx, ghost int64, account string) error {
	if ghost == 0 {
		return nil
	}
	value := ""
	if account != "" {
		raw, err := json.Marshal(account)
		if err != nil {
			return err
		}
		value = string(raw)
	}
	return t.SetProfile(ghost, store.Field{Name: ProfileField, Value: value})
}

// tied tells everybody who has to know of a new tie.
func (c *Claims) tied(ctx context.Context, p Person, user int64) (account string, err error) {
	if account, err = c.o.Store.UserID(ctx, user); err != nil {
		return "", err
	}
	if b, _, err := c.bridge(ctx, p.Service); err == nil {
		b.Tied(ctx, p.Service, p.ID, account)
	}
	c.forgetFigures()
	c.o.Log.InfoContext(ctx, "a person of a bridged network has an account now", "bridge", p.Service, "account", account)
	poke(c.move)
	return account, nil
}

// Unlink takes a tie away. The account stays in the rooms, and what was said stays as it is; what the person
// says from now on is said by their ghost again.
func (c *Claims) Unlink(ctx context.Context, service, person string) error {
	ghost, err := c.ghost(ctx, service, person)
	if err != nil {
		return fmt.Errorf("unlinking: %w", err)
	}
	had := false
	err = c.o.Store.Write(ctx, func(t *store.Tx) error {
		_, err := t.Tie(service, person)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		had = true
		if err := showTie(t, ghost, ""); err != nil {
			return err
		}
		return t.DeleteTie(service, person)
	})
	if err != nil {
		return fmt.Errorf("unlinking: %w", err)
	}
	c.forgetFigures()
	if b, _, err := c.bridge(ctx, service); err == nil && had {
		b.Tied(ctx, service, person, "")
	}
	return nil
}
