package accounts

import (
	"context"
	"errors"
	"net/mail"
	"strings"

	"golang.org/x/text/cases"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Media of third-party identifiers.
const (
	MediumEmail = "email"
	MediumPhone = "msisdn"
)

// Identifier says whose account is meant: a localpart or a user id, or an address of another kind
// that belongs to the account.
type Identifier struct {
	User            string
	Medium, Address string
}

// WireIdentifier is an identifier as clients send it, also in the forms from before there were
// identifiers. Specification, "Identifier types".
type WireIdentifier struct {
	Identifier struct {
		Type    string `json:"type"`
		User    string `json:"user"`
		Medium  string `json:"medium"`
		Address string `json:"address"`
		Country string `json:"country"`
		Phone   string `json:"phone"`
		// Number is what m.id.phone had instead of phone in r0.
		Number string `json:"number"`
	} `json:"identifier"`
	// Deprecated forms.
	User    string `json:"user"`
	Medium  string `json:"medium"`
	Address string `json:"address"`
}

// Read finds out what was meant; the zero Identifier if nothing was said.
func (w *WireIdentifier) Read() (Identifier, error) {
	i := w.Identifier
	switch {
	case i.Type == "" && i.Medium != "": // the specification's own example has no type
		i.Type = "m.id.thirdparty"
	case i.Type == "" && i.User != "":
		i.Type = "m.id.user"
	case i.Type == "" && w.Medium != "":
		i.Type, i.Medium, i.Address = "m.id.thirdparty", w.Medium, w.Address
	case i.Type == "" && w.User != "":
		i.Type, i.User = "m.id.user", w.User
	}
	switch i.Type {
	case "":
		return Identifier{}, nil
	case "m.id.user":
		if i.User == "" {
			return Identifier{}, mxerror.MissingParam("identifier.user is missing.")
		}
		return Identifier{User: i.User}, nil
	case "m.id.thirdparty":
		if i.Medium == "" || i.Address == "" {
			return Identifier{}, mxerror.MissingParam("identifier.medium or identifier.address is missing.")
		}
		return Identifier{Medium: i.Medium, Address: i.Address}, nil
	case "m.id.phone":
		if i.Phone == "" {
			i.Phone = i.Number
		}
		if i.Country == "" || i.Phone == "" {
			return Identifier{}, mxerror.MissingParam("identifier.country or identifier.phone is missing.")
		}
		// No account here has a phone number, so none needs to be brought into canonical form.
		return Identifier{Medium: MediumPhone, Address: i.Phone}, nil
	}
	return Identifier{}, mxerror.New(400, "M_UNKNOWN", "This server does not know identifiers of the type %q.", i.Type[:min(len(i.Type), 100)])
}

// identify finds the account of an identifier; store.ErrNotFound if there is none.
func (a *Accounts) identify(ctx context.Context, i Identifier) (id string, account store.Account, err error) {
	if i.Medium == "" {
		return a.findAccount(ctx, i.User)
	}
	address := i.Address
	if i.Medium == MediumEmail {
		if address, err = CanonicalEmail(address); err != nil {
			return "", store.Account{}, store.ErrNotFound
		}
	}
	p, err := a.store.ThreePID(ctx, i.Medium, address)
	if err != nil {
		return "", store.Account{}, err
	}
	if account, err = a.store.Account(ctx, p.User); err != nil {
		return "", store.Account{}, err
	}
	id, err = a.store.UserID(ctx, p.User)
	return id, account, err
}

// maxEmail is the longest address that mail can be sent to (RFC 5321, with both brackets).
const maxEmail = 254

var errEmail = errors.New("no e-mail address")

// CanonicalEmail brings an e-mail address into the form in which addresses are compared.
// Specification, appendix "3PID types": "Before it is used ... the address must be ... translated to
// lower case by Unicode case folding".
func CanonicalEmail(address string) (string, error) {
	address = strings.TrimSpace(address)
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || parsed.Name != "" || len(address) > maxEmail || strings.ContainsAny(address, " \t\r\n<>\"") {
		return "", errEmail
	}
	folded := cases.Fold().String(address)
	if len(folded) > maxEmail {
		return "", errEmail
	}
	return folded, nil
}
