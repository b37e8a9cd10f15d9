package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// emailProof is what a browser carries while somebody shows that an e-mail address is theirs.
type emailProof struct {
	SID, Secret string
	// Address is shown.
	Address string
}

func (e emailProof) creds() accounts.ThreePIDCreds {
	return accounts.ThreePIDCreds{SID: e.SID, Secret: e.Secret}
}

func proofOf(r *http.Request) emailProof {
	return emailProof{SID: r.PostForm.Get("sid"), Secret: r.PostForm.Get("secret"), Address: clip(r.PostForm.Get("email"), 254)}
}

// signUpData is what the page for signing up shows.
type signUpData struct {
	signInData
	// Step is "email" (which address), "sent" (a link is on its way) or "account".
	Step      string
	Proof     emailProof
	Token     string
	NeedToken bool
	// Invited tells that an offer is in the place of a token, and of an e-mail address.
	Invited  bool
	Policies []accounts.Policy
	Server   string
}

func (p *Provider) signUpData(r *http.Request) signUpData {
	set := p.settings()
	d := signUpData{signInData: p.signInData(r), Step: "account", NeedToken: !set.OpenRegistration, Policies: policies(set.Policies), Server: p.o.ServerName}
	if set.RequireEmail && p.o.Accounts.CanMail() {
		d.Step = "email"
	}
	if d.NeedToken && p.o.Offers != nil && p.o.Offers().Invited(r.Context(), d.Next) {
		d.NeedToken, d.Step, d.Invited = false, "account", true
	}
	return d
}

// policies are those to show: of each the English text, or else the first.
func policies(all []accounts.Policy) (out []accounts.Policy) {
	at := map[string]int{}
	for _, one := range all {
		i, ok := at[one.ID]
		switch {
		case !ok:
			at[one.ID] = len(out)
			out = append(out, one)
		case one.Language == "en":
			out[i] = one
		}
	}
	return out
}

func (p *Provider) showSignUp(w http.ResponseWriter, r *http.Request, status int, d signUpData) {
	p.show(w, r, status, "signup", p.text.get("signup.title", p.o.ServerName), d)
}

func (p *Provider) signUpPage(w http.ResponseWriter, r *http.Request) error {
	p.showSignUp(w, r, http.StatusOK, p.signUpData(r))
	return nil
}

// signUp makes an account, by the rules of POST /register: a token where registration is not open, an
// e-mail address where one is asked for, and all policies.
func (p *Provider) signUp(w http.ResponseWriter, r *http.Request) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	if p.settings().NoPasswordLogin {
		return mxerror.Forbidden("This server has no passwords.")
	}
	d := p.signUpData(r)
	d.User, d.Token = clip(strings.ToLower(strings.TrimSpace(r.PostForm.Get("user"))), 255), clip(strings.TrimSpace(r.PostForm.Get("token")), 64)
	var err error
	if d.Step == "email" {
		d.Step, d.Proof, err = p.proveEmail(r, accounts.ForRegister)
		if err != nil || d.Step != "account" || r.PostForm.Get("step") != "account" {
			return p.signUpAgain(w, r, d, err)
		}
	}
	l, err := p.signUpWith(r, d)
	if err != nil {
		return p.signUpAgain(w, r, d, err)
	}
	return p.Arrived(w, r, l.UserNID, d.Next)
}

// signUpAgain shows the page once more.
func (p *Provider) signUpAgain(w http.ResponseWriter, r *http.Request, d signUpData, err error) error {
	status := http.StatusOK
	if err != nil {
		if d.Error, err = complaint(err); err != nil {
			return err
		}
		status = http.StatusBadRequest
	}
	p.showSignUp(w, r, status, d)
	return nil
}

// signUpWith makes the account, and uses up the offer on the strength of which it is made.
func (p *Provider) signUpWith(r *http.Request, d signUpData) (*accounts.Login, error) {
	if !d.Invited {
		return p.newAccount(r, d)
	}
	ok, err := p.o.Offers().Reserve(r.Context(), d.Next)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, mxerror.Forbidden("%s", p.text.get("signup.offerused"))
	}
	l, err := p.newAccount(r, d)
	user := int64(0)
	if err == nil {
		user = l.UserNID
	}
	// Also if the browser has gone meanwhile.
	return l, errors.Join(err, p.o.Offers().Settle(context.WithoutCancel(r.Context()), d.Next, user))
}

// newAccount checks the form and makes the account.
func (p *Provider) newAccount(r *http.Request, d signUpData) (*accounts.Login, error) {
	ctx := r.Context()
	if err := p.o.Client().Registration(r); err != nil {
		return nil, err
	}
	reg := accounts.Registration{Localpart: d.User, Password: r.PostForm.Get("password"), Token: d.Token, DisplayName: d.User}
	if reg.Localpart == "" {
		return nil, mxerror.MissingParam("%s", p.text.get("signup.noname"))
	}
	if err := p.o.Client().CheckName(ctx, reg.Localpart); err != nil {
		return nil, err
	}
	if err := p.o.Accounts.CheckNewPassword(reg.Password); err != nil {
		return nil, err
	}
	if d.NeedToken || reg.Token != "" {
		valid, err := p.o.Accounts.RegistrationTokenValid(ctx, reg.Token)
		if err != nil {
			return nil, err
		}
		if !valid {
			return nil, mxerror.Forbidden("%s", p.text.get("signup.badtoken"))
		}
	}
	for _, one := range d.Policies {
		if r.PostForm.Get("policy."+one.ID) != one.Version {
			return nil, mxerror.Forbidden("%s", p.text.get("signup.terms"))
		}
		reg.Policies = append(reg.Policies, one)
	}
	if d.Proof.SID != "" {
		address, err := p.o.Accounts.Validated(ctx, d.Proof.creds(), accounts.ForRegister)
		if err != nil {
			return nil, err
		}
		reg.ThreePIDs = []store.ThreePID{address}
	}
	return p.o.Accounts.Register(ctx, reg)
}

// proveEmail goes through the steps by which somebody shows that an address is theirs. step is "email",
// "sent", or "account" when it has been shown.
func (p *Provider) proveEmail(r *http.Request, purpose accounts.Purpose) (step string, proof emailProof, err error) {
	proof = proofOf(r)
	if r.PostForm.Get("step") != "email" && proof.SID != "" {
		_, err := p.o.Accounts.Validated(r.Context(), proof.creds(), purpose)
		if mxerror.Is(err, "M_THREEPID_AUTH_FAILED") {
			return "sent", proof, mxerror.Forbidden("%s", p.text.get("email.notyet"))
		}
		if err != nil {
			return "email", proof, err
		}
		return "account", proof, nil
	}
	if proof.Address == "" {
		return "email", proof, mxerror.MissingParam("%s", p.text.get("email.missing"))
	}
	if err := p.o.Client().Mail(r, proof.Address); err != nil {
		return "email", proof, err
	}
	proof.Secret = random()
	attempt := int64(1)
	proof.SID, err = p.o.Accounts.RequestEmailToken(r.Context(), purpose, accounts.TokenRequest{Secret: proof.Secret, Email: proof.Address, Attempt: &attempt}, p.o.Client().MailLink)
	if err != nil {
		return "email", proof, err
	}
	return "sent", proof, nil
}
