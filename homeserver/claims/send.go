package claims

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

const (
	// sendLook is how often is looked for what is due, at least.
	sendLook = time.Minute
	// sendAgain is when a message is tried again that could not be sent.
	sendAgain = 5 * time.Minute
	// sendSoon is when a bridge is looked for again that does not run: at the start of the server it is about to.
	sendSoon = 15 * time.Second
	// sendTime bounds the sending of one.
	sendTime = time.Minute
	// sendSome is how many are looked up at once.
	sendSome = 20
)

// sendAll sends what is due until ctx ends, not faster than the settings say.
func (c *Claims) sendAll(ctx context.Context) {
	pace := rate.NewLimiter(rate.Inf, 1)
	for {
		pace.SetLimit(rate.Limit(float64(c.settings.Load().PerMinute) / 60))
		wait := sendLook
		more, err := c.sendSome(ctx, pace)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.o.Log.ErrorContext(ctx, "sending invitations", "err", err)
		case more:
			wait = 0
		default:
			if next, err := c.o.Store.ClaimPeopleNext(ctx); err == nil && next > 0 {
				wait = min(wait, max(0, time.UnixMilli(next).Sub(c.o.Now())))
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-c.send:
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// sendSome sends some of what is due; more tells that there may be more.
func (c *Claims) sendSome(ctx context.Context, pace *rate.Limiter) (more bool, err error) {
	if c.bridges.Load() == nil {
		return false, nil
	}
	due, err := c.o.Store.ClaimPeopleDue(ctx, c.nowMS(), sendSome)
	if err != nil {
		return false, err
	}
	for _, p := range due {
		if err := pace.Wait(ctx); err != nil {
			return false, err
		}
		if err := c.sendOne(ctx, p.Service, p.Person); err != nil {
			return false, fmt.Errorf("bridge %s: %w", p.Service, err)
		}
	}
	return len(due) == sendSome, nil
}

// change changes what is noted of a person, unless fn says that it is to stay; it gives what is noted then.
func (c *Claims) change(ctx context.Context, service, person string, fn func(t *store.Tx, p *store.ClaimPerson) (bool, error)) (out store.ClaimPerson, err error) {
	err = c.o.Store.Write(ctx, func(t *store.Tx) error {
		p, err := t.ClaimPerson(service, person)
		if err != nil {
			return err
		}
		ok, err := fn(t, &p)
		if err == nil && ok {
			err = t.SetClaimPerson(p)
		}
		out = p
		return err
	})
	return out, err
}

// sendOne sends to one person what is due. The offer is stored before it goes out, and that it went out is stored
// after it: a crash between has it sent again, with the same key, by which a bridge's bot sends it once. E-mail knows
// no such key; it is noted before it is sent, so that it comes once or never.
func (c *Claims) sendOne(ctx context.Context, service, person string) error {
	mail := false
	p, err := c.change(ctx, service, person, func(t *store.Tx, p *store.ClaimPerson) (bool, error) {
		if p.NextTS == 0 || p.NextTS > c.nowMS() {
			return false, nil // meanwhile
		}
		_, err := t.Tie(service, person)
		switch {
		case err == nil, p.StoppedTS != 0, p.Via == "":
			p.NextTS = 0
			return true, nil
		case !errors.Is(err, store.ErrNotFound):
			return false, err
		}
		c.renew(p)
		if mail = p.Via == viaMail; mail {
			c.sent(p)
		}
		return true, nil
	})
	if err != nil || p.NextTS == 0 && !mail || p.NextTS > c.nowMS() && !mail {
		return err
	}
	b, network, err := c.bridge(ctx, service)
	if err != nil {
		return c.later(ctx, p, sendAgain) // it may come back
	}
	number := p.Sent
	if mail {
		number--
	}
	text := c.message(p, network, number > 0)
	ctx2, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if mail {
		err = errors.New("this server sends no e-mail")
		if c.o.Mail != nil {
			err = c.o.Mail(ctx2, p.Email, c.subject(number > 0), text)
		}
	} else {
		err = b.Message(ctx2, service, person, fmt.Sprintf("claim-%x-%d", p.Nonce, p.Sent), text)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failed := ""
	switch {
	case errors.Is(err, ErrNotReachable):
		failed = "takes no direct messages"
	case errors.Is(err, ErrNotRunning):
		return c.later(ctx, p, sendSoon)
	case errors.Is(err, ErrNoMessages):
		failed = "the bridge can't send direct messages"
	case err != nil && mail:
		failed = "the e-mail could not be sent"
		c.o.Log.WarnContext(ctx, "an invitation could not be sent", "bridge", service, "err", err)
	case err != nil:
		c.o.Log.WarnContext(ctx, "an invitation could not be sent; it is tried again", "bridge", service, "err", err)
		return c.later(ctx, p, sendAgain)
	}
	_, err = c.change(ctx, service, person, func(_ *store.Tx, p *store.ClaimPerson) (bool, error) {
		if p.Failed = failed; failed != "" {
			p.NextTS = 0
		} else if !mail {
			c.sent(p)
		}
		return true, nil
	})
	return err
}

// later tries again after a while.
func (c *Claims) later(ctx context.Context, p store.ClaimPerson, after time.Duration) error {
	_, err := c.change(ctx, p.Service, p.Person, func(_ *store.Tx, p *store.ClaimPerson) (bool, error) {
		if p.NextTS == 0 {
			return false, nil // they have asked for no more meanwhile, or have come
		}
		p.NextTS = c.nowMS() + after.Milliseconds()
		return true, nil
	})
	return err
}

// sent counts a message, and says when the next one is due.
func (c *Claims) sent(p *store.ClaimPerson) {
	now := c.nowMS()
	p.Sent++
	p.SentTS, p.NextTS = now, 0
	if n := int(p.Sent) - 1; p.StoppedTS == 0 && len(p.URLHash) > 0 && n < len(c.settings.Load().Reminders) {
		p.NextTS = now + c.settings.Load().Reminders[n].Milliseconds()
	}
}

func (c *Claims) subject(again bool) string {
	if again {
		return "Your place at " + c.settings.Load().Community + " is waiting for you"
	}
	return "Your account at " + c.settings.Load().Community
}

// message is what is written to a person.
func (c *Claims) message(p store.ClaimPerson, network string, again bool) string {
	name := p.Name
	if name == "" {
		name = p.Person
	}
	url := c.o.Pages.URL(PathClaim + "/" + c.token(p))
	begin := fmt.Sprintf("Hello %s, %s has a home of its own now, and you have a place there: the rooms and direct messages that you are in on %s, with all that was said.",
		name, c.settings.Load().Community, network)
	if again {
		begin = fmt.Sprintf("Hello %s, your place at %s is still waiting for you: your rooms and direct messages of %s are there.", name, c.settings.Load().Community, network)
	}
	return fmt.Sprintf("%s\n\nMake an account, or use one that you have:\n%s\n\nOr type the code %s at %s\n\nThis is for you alone: it says who you are. No more messages about it: %s/stop",
		begin, url, c.code(p), c.o.Pages.URL(PathClaim), url)
}
