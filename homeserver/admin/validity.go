package admin

import (
	"context"
	"errors"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// forever is the time that stands for never: the largest whole number that all clients can read.
const forever = 1<<53 - 1

// renew is POST v1/account_validity/validity: the account may be used until expiration_ts and is locked then. There is
// no usual time for which accounts are good, so without one the account is good for ever. One that was locked is open again.
func (a *Admin) renew(c client.AdminCall) (any, error) {
	var q struct {
		UserID string `json:"user_id"`
		Until  *int64 `json:"expiration_ts"`
		Emails bool   `json:"enable_renewal_emails"` // there are none
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if q.UserID == "" {
		return nil, mxerror.MissingParam("Missing property 'user_id' in the request body")
	}
	account, err := a.o.Accounts.LocalAccount(c.Context(), q.UserID)
	if err != nil {
		return nil, err
	}
	if account.User == c.Session().User {
		return nil, mxerror.Forbidden("You may not end your own account.")
	}
	until, now := int64(forever), a.nowMS()
	if q.Until != nil {
		until = min(*q.Until, forever)
	}
	at := until
	if until == forever || until <= now {
		at = 0 // never, or now
	}
	err = a.o.Store.Write(c.Context(), func(t *store.Tx) error { return t.SetAccountEnd(account.User, at) })
	if err == nil {
		err = a.o.Accounts.SetLocked(c.Context(), account.User, until <= now)
	}
	if err != nil {
		return nil, err
	}
	a.audit(c, "say until when the account is good", q.UserID, "until", until)
	select {
	case a.ends <- struct{}{}:
	default:
	}
	return object{"expiration_ts": until}, nil
}

// LockEnded locks accounts when their time has come, until ctx ends. It is called once.
func (a *Admin) LockEnded(ctx context.Context) error {
	for {
		wait, err := a.lockEnded(ctx)
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			a.o.Log.ErrorContext(ctx, "accounts whose time has come could not be locked", "err", err)
			wait = time.Minute
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-a.ends:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// lockEnded locks the accounts whose time has come, and returns after how long the next one's does.
func (a *Admin) lockEnded(ctx context.Context) (time.Duration, error) {
	for {
		e, err := a.o.Store.FirstAccountEnd(ctx)
		if errors.Is(err, store.ErrNotFound) {
			return time.Hour, nil
		} else if err != nil {
			return 0, err
		}
		if left := e.TS - a.nowMS(); left > 0 {
			return time.Duration(min(left, int64(time.Hour/time.Millisecond))) * time.Millisecond, nil
		}
		// Locking what is gone meanwhile is refused; all else is tried again.
		if err := a.o.Accounts.SetLocked(ctx, e.User, true); err != nil {
			if _, refused := mxerror.As(err); !refused {
				return 0, err
			}
		}
		if err := a.o.Store.Write(ctx, func(t *store.Tx) error { return t.SetAccountEnd(e.User, 0) }); err != nil {
			return 0, err
		}
	}
}
