package accounts

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Mailer sends a message of a kind to an e-mail address.
type Mailer interface {
	Send(ctx context.Context, kind MailKind, to string, data MailData) error
}

// MailKind says what a message is about.
type MailKind string

// The messages.
const (
	// MailRegister, MailPassword and MailAdd carry a link that shows whose the address is: to sign
	// up with it, to set a new password, or to add it to an account.
	MailRegister MailKind = "register"
	MailPassword MailKind = "password"
	MailAdd      MailKind = "add"
	// MailInUse tells somebody who asked to sign up with an address, or to add it, that it belongs
	// to an account already.
	MailInUse MailKind = "in-use"
	// MailUnknown tells somebody who asked for a new password that no account has the address.
	MailUnknown MailKind = "unknown"
)

// MailData is what goes into a message.
type MailData struct {
	Server string
	// Link leads to the page that confirms the address, and Token is what it carries, for clients
	// that want it typed in. Both are empty in messages that only tell something.
	Link, Token string
}

// Purpose is what an address is to be validated for.
type Purpose string

// The purposes.
const (
	ForRegister Purpose = "register"
	ForPassword Purpose = "password"
	ForAdd      Purpose = "add"
	// forNothing is what a stranger gets who must not find out whether an address has an account.
	forNothing = "-"
)

const (
	// threePIDLife is how long a link in a message is good for, and then for how long the address
	// may be used.
	threePIDLife = 24 * time.Hour
	// threePIDTries is how many wrong tokens are looked at.
	threePIDTries = 10
	opaqueChars   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.=_-"
)

// TokenRequest is the body of the requestToken endpoints.
type TokenRequest struct {
	Secret   string `json:"client_secret"`
	Email    string `json:"email"`
	Attempt  *int64 `json:"send_attempt"`
	NextLink string `json:"next_link"`
	// Country and Phone are those of msisdn/requestToken.
	Country string `json:"country"`
	Phone   string `json:"phone_number"`
}

// check applies the rules for the parameters. "The secret ... should be of the characters
// [0-9a-zA-Z.=_-]. Its length must not exceed 255 characters and it must not be empty."
func (r *TokenRequest) check() error {
	switch {
	case r.Secret == "":
		return mxerror.MissingParam("client_secret is missing.")
	case len(r.Secret) > 255 || strings.Trim(r.Secret, opaqueChars) != "":
		return mxerror.InvalidParam("client_secret is at most 255 characters out of 0-9, a-z, A-Z and . = _ -.")
	case r.Attempt == nil:
		return mxerror.MissingParam("send_attempt is missing.")
	}
	if r.NextLink != "" {
		u, err := url.Parse(r.NextLink)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(r.NextLink) > 2048 {
			return mxerror.InvalidParam("next_link must be an http or https address.")
		}
	}
	return nil
}

// MediumNotSupported is 400 M_THREEPID_MEDIUM_NOT_SUPPORTED.
func MediumNotSupported(medium string) error {
	return mxerror.New(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED", "This server can't send messages to %s.", medium)
}

func threePIDInUse() error {
	return mxerror.New(400, "M_THREEPID_IN_USE", "The address belongs to an account of this server already.")
}

func threePIDNotFound() error {
	return mxerror.New(400, "M_THREEPID_NOT_FOUND", "No account of this server has this address.")
}

// CanMail tells whether the server can send mail.
func (a *Accounts) CanMail() bool { return a.mailer != nil }

// RequestPhoneToken refuses to validate a phone number: the server can't send messages to phones.
func (a *Accounts) RequestPhoneToken(r TokenRequest) error {
	if err := r.check(); err != nil {
		return err
	}
	if r.Country == "" || r.Phone == "" {
		return mxerror.MissingParam("country or phone_number is missing.")
	}
	return MediumNotSupported("phone numbers")
}

// RequestEmailToken begins the validation of an e-mail address, by sending a link to it. link makes
// the address of the page that the link leads to.
func (a *Accounts) RequestEmailToken(ctx context.Context, purpose Purpose, r TokenRequest, link func(url.Values) string) (sid string, err error) {
	if err := r.check(); err != nil {
		return "", err
	}
	if r.Email == "" {
		return "", mxerror.MissingParam("email is missing.")
	}
	address, err := CanonicalEmail(r.Email)
	if err != nil {
		return "", mxerror.InvalidParam("This is no e-mail address.")
	}
	if a.mailer == nil {
		return "", MediumNotSupported("e-mail addresses")
	}
	kind, good := MailKind(purpose), string(purpose)
	_, err = a.store.ThreePID(ctx, MediumEmail, address)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", public(err)
	}
	// "it is recommended that the server instead send an email to the user ... This prevents
	// malicious parties from being able to determine if a given email address has an account".
	switch {
	case known && purpose != ForPassword:
		if a.tellKnown {
			return "", threePIDInUse()
		}
		kind, good = MailInUse, forNothing+good
	case !known && purpose == ForPassword:
		if a.tellKnown {
			return "", threePIDNotFound()
		}
		kind, good = MailUnknown, forNothing+good
	}
	secret, token := sha256.Sum256([]byte(r.Secret)), randomText(32, lower32)
	hash := sha256.Sum256([]byte(token))
	s := store.ThreePIDSession{ID: randomText(32, lower32), Medium: MediumEmail, Address: address, Purpose: good, Secret: secret[:], Token: hash[:],
		Attempt: *r.Attempt, NextLink: r.NextLink, ExpiresTS: a.now().Add(threePIDLife).UnixMilli()}
	var send bool
	var have store.ThreePIDSession
	err = a.store.Write(ctx, func(tx *store.Tx) (err error) {
		have, send, err = tx.EnsureThreePIDSession(s, a.nowMS())
		return err
	})
	if err != nil || !send {
		return have.ID, public(err)
	}
	data := MailData{Server: a.server}
	if good == string(purpose) {
		data.Token = token
		data.Link = link(url.Values{"sid": {have.ID}, "client_secret": {r.Secret}, "token": {token}})
	}
	if err := a.mailer.Send(ctx, kind, address, data); err != nil {
		// So that the client may ask again with the same attempt.
		if drop := a.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteThreePIDSession(have.ID) }); drop != nil {
			err = errors.Join(err, drop)
		}
		return "", mxerror.New(500, "M_UNKNOWN", "The message could not be sent. Please try again later.").Because(fmt.Errorf("sending mail: %w", err))
	}
	return have.ID, nil
}

// ThreePIDCreds are what a client shows of an address that it has validated.
type ThreePIDCreds struct {
	SID    string `json:"sid"`
	Secret string `json:"client_secret"`
}

func authFailed(format string, args ...any) error {
	return mxerror.New(403, "M_THREEPID_AUTH_FAILED", format, args...)
}

// threePIDSession finds the session of some credentials.
func (a *Accounts) threePIDSession(ctx context.Context, c ThreePIDCreds) (store.ThreePIDSession, error) {
	if c.SID == "" || c.Secret == "" {
		return store.ThreePIDSession{}, mxerror.MissingParam("sid or client_secret is missing.")
	}
	s, err := a.store.ThreePIDSession(ctx, c.SID)
	secret := sha256.Sum256([]byte(c.Secret))
	if errors.Is(err, store.ErrNotFound) || err == nil && (subtle.ConstantTimeCompare(secret[:], s.Secret) != 1 || a.nowMS() >= s.ExpiresTS) {
		return s, authFailed("There is no such validation session, or it has expired.")
	}
	return s, public(err)
}

// ErrBadToken answers a wrong token.
var ErrBadToken = mxerror.New(400, "M_INVALID_PARAM", "The link is not valid, or has expired. Ask for a new message.")

// Asks tells whether the link of a session has to ask before it does anything, since programs that look
// through mail open links too: one that lets somebody set a new password does. That others show whose an
// address is as soon as they are opened is what clients and the Identity Service API's GET
// /validate/email/submitToken lead to expect.
func (a *Accounts) Asks(ctx context.Context, c ThreePIDCreds) (bool, error) {
	s, err := a.threePIDSession(ctx, c)
	return err == nil && s.Purpose != string(ForRegister) && s.Purpose != string(ForAdd), err
}

// SubmitToken notes that the address of a session is its client's, who knows the token that was
// sent there. next is where the browser goes from here, or "".
func (a *Accounts) SubmitToken(ctx context.Context, c ThreePIDCreds, token string) (next string, err error) {
	s, err := a.threePIDSession(ctx, c)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(token))
	err = a.store.Write(ctx, func(tx *store.Tx) error {
		now, err := tx.ThreePIDSession(s.ID)
		if errors.Is(err, store.ErrNotFound) {
			return store.Refuse(ErrBadToken)
		}
		if err != nil {
			return err
		}
		if now.Tries >= threePIDTries || strings.HasPrefix(now.Purpose, forNothing) {
			return store.Refuse(ErrBadToken)
		}
		if subtle.ConstantTimeCompare(hash[:], now.Token) != 1 {
			next = ""
			return tx.CountThreePIDTry(s.ID)
		}
		next = "ok"
		if now.ValidatedTS != 0 {
			return nil
		}
		return tx.ValidateThreePID(s.ID, a.nowMS())
	})
	if err != nil {
		return "", public(err)
	}
	if next == "" {
		return "", ErrBadToken
	}
	return s.NextLink, nil
}

// validated gives the address of a session that has been validated for a purpose.
func (a *Accounts) validated(ctx context.Context, c ThreePIDCreds, purpose Purpose) (store.ThreePID, error) {
	s, err := a.threePIDSession(ctx, c)
	if err != nil {
		return store.ThreePID{}, err
	}
	if s.Purpose != string(purpose) || s.ValidatedTS == 0 {
		return store.ThreePID{}, authFailed("The address has not been validated yet: follow the link in the message that was sent to it.")
	}
	return store.ThreePID{Medium: s.Medium, Address: s.Address, ValidatedTS: s.ValidatedTS}, nil
}

// CheckValidated tells, as an error, why an address can't be added.
func (a *Accounts) CheckValidated(ctx context.Context, c ThreePIDCreds) error {
	_, err := a.validated(ctx, c, ForAdd)
	return err
}

// AddThreePID adds a validated address to an account.
func (a *Accounts) AddThreePID(ctx context.Context, user int64, c ThreePIDCreds) error {
	p, err := a.validated(ctx, c, ForAdd)
	if err != nil {
		return err
	}
	p.User, p.AddedTS = user, a.nowMS()
	return public(a.store.Write(ctx, func(tx *store.Tx) error {
		if err := active(tx, user); err != nil {
			return err
		}
		ok, err := tx.AddThreePID(p)
		if err != nil {
			return err
		}
		if !ok {
			return store.Refuse(threePIDInUse())
		}
		return tx.DeleteThreePIDSession(c.SID)
	}))
}

// DeleteThreePID takes an address from an account; that it has none such is no error.
func (a *Accounts) DeleteThreePID(ctx context.Context, user int64, medium, address string) error {
	if medium == MediumEmail {
		if folded, err := CanonicalEmail(address); err == nil {
			address = folded
		}
	}
	return public(a.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.DeleteThreePID(user, medium, address); err != nil || medium != MediumEmail {
			return err
		}
		// Nothing that is unread is told there any more.
		pushers, err := tx.PushersOf(user)
		if err != nil {
			return err
		}
		for _, p := range pushers {
			if to, err := CanonicalEmail(p.Pushkey); p.Kind != "email" || err != nil || to != address {
				continue
			}
			if err := tx.DeletePusher(user, p.AppID, p.Pushkey); err != nil {
				return err
			}
		}
		return nil
	}))
}
