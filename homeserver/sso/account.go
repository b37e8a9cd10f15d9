package sso

import (
	"context"
	"encoding/hex"
	"encoding/json/jsontext"
	"errors"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// nameTries is how many names are tried for somebody new whose own is taken.
const nameTries = 20

// account finds the account of somebody whom a provider vouches for, or makes it: "The homeserver
// MUST map the user details received from the authentication server to a valid Matrix user
// identifier. If the generated user identifier represents a new user, it should be registered".
func (s *SSO) account(ctx context.Context, p *provider, claims map[string]jsontext.Value, a *Arrival) error {
	subject := text(claims, "sub")
	user, err := s.o.Store.SSOUser(ctx, p.ID, subject)
	if err == nil {
		a.User = user
		return nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if a.Session != "" { // confirming something is not the time for a new account
		return mxerror.Forbidden("%s knows you as somebody who has no account here.", p.Name)
	}
	localpart := Localpart(text(claims, p.LocalpartClaim))
	if localpart == "" {
		return mxerror.Forbidden("%s did not say what your user name is to be.", p.Name)
	}
	link := &accounts.SSOLink{Provider: p.ID, Subject: subject}
	if p.Existing {
		user, err := s.o.Accounts.LinkExisting(ctx, localpart, link)
		if err == nil {
			a.User = user
			return nil
		}
		if !mxerror.Is(err, "M_NOT_FOUND") {
			return err
		}
	}
	if !p.Register {
		return mxerror.Forbidden("You have no account on this server, and it makes none by itself.")
	}
	r := accounts.Registration{DisplayName: text(claims, p.NameClaim), SSO: link}
	if p.EmailClaim != "" && string(claims["email_verified"]) == "true" {
		if address, err := accounts.CanonicalEmail(text(claims, p.EmailClaim)); err == nil {
			if _, err := s.o.Store.ThreePID(ctx, accounts.MediumEmail, address); errors.Is(err, store.ErrNotFound) {
				r.ThreePIDs = []store.ThreePID{{Medium: accounts.MediumEmail, Address: address, ValidatedTS: s.o.Now().UnixMilli()}}
			}
		}
	}
	for n := range nameTries {
		r.Localpart = localpart
		if n > 0 {
			r.Localpart += strconv.Itoa(n + 1)
		}
		l, err := s.o.Accounts.Register(ctx, r)
		switch {
		case err == nil:
			a.User, a.Fresh = l.UserNID, true
			return nil
		case !mxerror.Is(err, "M_USER_IN_USE"):
			return err
		}
		// Perhaps it was this very person, in another window.
		if user, err := s.o.Store.SSOUser(ctx, p.ID, subject); err == nil {
			a.User = user
			return nil
		}
	}
	return mxerror.Forbidden("The user name %s, and those like it, are taken.", localpart)
}

// Localpart maps a name to a localpart: specification, appendix "Mapping from other character sets":
// "Encode character strings as UTF-8. Convert the bytes A-Z to lower-case. ... Encode any remaining
// bytes outside the allowed character set, as well as =, as their hexadecimal value, prefixed with =.
// For example, # becomes =23". What follows an @ is left out.
func Localpart(name string) string {
	name, _, _ = strings.Cut(strings.TrimSpace(name), "@")
	var b strings.Builder
	for _, c := range []byte(name) {
		switch {
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("._-/+", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString("=" + hex.EncodeToString([]byte{c}))
		}
	}
	return b.String()
}
