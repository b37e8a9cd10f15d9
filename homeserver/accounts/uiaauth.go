package accounts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// The stages of interactive authentication that this server knows.
const (
	StageDummy             = "m.login.dummy"
	StageRegistrationToken = "m.login.registration_token"
	StagePassword          = "m.login.password"
	StageTerms             = "m.login.terms"
	StageEmail             = "m.login.email.identity"
	StageSSO               = "m.login.sso"
	// StageToken takes a login token, and StageJWT a JSON web token, of users without a password.
	StageToken = "m.login.token"
	StageJWT   = "org.matrix.login.jwt"
	// StageOAuth is passed on the account page, for devices that came by the OAuth 2.0 API, and
	// StageOAuthOld is what clients from before version 1.17 call it.
	StageOAuth    = "m.oauth"
	StageOAuthOld = "org.matrix.cross_signing_reset"
)

// Policy is a document that new users accept.
type Policy struct {
	ID, Version string
	// Language is a code such as "en", Name the title in it, and URL where the text is.
	Language, Name, URL string
}

// Credentials are what somebody shows to pass a stage.
type Credentials struct {
	Type     string `json:"type"`
	Token    string `json:"token"`
	Password string `json:"password"`
	// Subject is who an identity provider says that somebody is; it never comes from a client.
	Subject int64 `json:"-"`
	WireIdentifier
	ThreePID ThreePIDCreds `json:"threepid_creds"`
	// ThreePIDOld is how older clients write it.
	ThreePIDOld ThreePIDCreds `json:"threepidCreds"`
}

// auth is the auth object of a request.
type auth struct {
	Session string `json:"session"`
	Credentials
	raw jsontext.Value
}

// errSomebodyElse answers a right password of the wrong user: trying again will not help.
var errSomebodyElse = mxerror.Forbidden("This needs the confirmation of the user who is logged in, not of somebody else.")

// stage checks one stage, and notes that it has been passed.
func (a *Accounts) stage(ctx context.Context, s *uiaSession, given auth) error {
	r := &s.request
	if !r.asks(given.Type) {
		return mxerror.New(http.StatusUnauthorized, "M_UNRECOGNIZED", "The stage %q is not asked for here.", given.Type[:min(len(given.Type), 100)])
	}
	if err := a.checkStage(ctx, s, given); err != nil {
		return err
	}
	s.completed = append(s.completed, given.Type)
	return nil
}

func (a *Accounts) checkStage(ctx context.Context, s *uiaSession, given auth) error {
	r := &s.request
	switch given.Type {
	case StageDummy:
		return nil
	case StageTerms:
		s.passed.Policies = r.Policies
		return nil
	case StageRegistrationToken:
		valid, err := a.RegistrationTokenValid(ctx, given.Token)
		if err != nil {
			return err
		}
		if !valid {
			return mxerror.New(http.StatusUnauthorized, "M_UNAUTHORIZED", "The registration token is not valid, or has been used up.")
		}
		s.passed.RegistrationToken = given.Token
		return nil
	case StagePassword:
		who, err := given.Read()
		if err != nil {
			return err
		}
		if who == (Identifier{}) && r.Session != nil {
			who.User = r.Session.UserID
		}
		_, nid, err := a.checkPassword(ctx, who, given.Password)
		if err != nil {
			return err
		}
		return s.shows(nid)
	case StageEmail:
		creds := given.ThreePID
		if creds == (ThreePIDCreds{}) {
			creds = given.ThreePIDOld
		}
		p, err := a.validated(ctx, creds, r.Purpose)
		if err != nil {
			return err
		}
		if r.Purpose == ForPassword {
			owner, err := a.store.ThreePID(ctx, p.Medium, p.Address)
			if errors.Is(err, store.ErrNotFound) {
				return threePIDNotFound()
			}
			if err != nil {
				return public(err)
			}
			if err := s.shows(owner.User); err != nil {
				return err
			}
		}
		s.passed.ThreePIDs = append(s.passed.ThreePIDs, p)
		return nil
	case StageSSO:
		if given.Subject == 0 {
			return mxerror.New(http.StatusUnauthorized, "M_UNAUTHORIZED", "Open the page of this stage in a browser, and log in there.")
		}
		return s.shows(given.Subject)
	case StageOAuth:
		return s.shows(given.Subject) // who has no subject was never asked, see Interact
	case StageToken:
		var user int64
		err := a.store.Write(ctx, func(tx *store.Tx) (err error) {
			user, err = a.spendLoginToken(tx, given.Token)
			return err
		})
		if err != nil {
			return public(err)
		}
		return s.shows(user)
	case StageJWT:
		localpart, _, err := a.checkJWT(given.Token)
		if err != nil {
			return err
		}
		_, account, err := a.findAccount(ctx, localpart)
		if errors.Is(err, store.ErrNotFound) {
			return errSomebodyElse
		}
		if err != nil {
			return public(err)
		}
		return s.shows(account.User)
	}
	return mxerror.New(http.StatusUnauthorized, "M_UNRECOGNIZED", "The stage %q is not known to this server.", given.Type[:min(len(given.Type), 100)])
}

// shows notes whom a stage has shown to be there. It must be the user who is logged in, or the one
// of the stages before.
func (s *uiaSession) shows(user int64) error {
	if who := s.request.Session; who != nil && who.User != user || s.passed.User != 0 && s.passed.User != user {
		return errSomebodyElse
	}
	s.passed.User = user
	return nil
}

// splitAuth reads the auth object of a body, and gives the other members.
func splitAuth(body []byte) (given auth, rest map[string]jsontext.Value, err error) {
	rest = map[string]jsontext.Value{}
	if len(bytes.TrimSpace(body)) == 0 {
		return given, rest, nil
	}
	if err := json.Unmarshal(body, &rest); err != nil {
		return given, rest, mxerror.BadJSON("The request's body must be a JSON object.").Because(err)
	}
	if raw, ok := rest["auth"]; ok {
		if err := json.Unmarshal(raw, &given); err != nil {
			return given, rest, mxerror.BadJSON("auth must be an object with a type and a session, all of text.").Because(err)
		}
		given.raw = raw
		delete(rest, "auth")
	}
	return given, rest, nil
}

// canonicalSum sums up the members of a body, whatever their spacing and order.
func canonicalSum(rest map[string]jsontext.Value) (out [sha256.Size]byte, err error) {
	canonical, err := json.Marshal(rest, json.Deterministic(true))
	if err != nil {
		return out, mxerror.BadJSON("The request's body is not valid.").Because(err)
	}
	v := jsontext.Value(canonical)
	if err := v.Canonicalize(); err != nil {
		return out, mxerror.BadJSON("The request's body is not valid.").Because(err)
	}
	return sum(v), nil
}

// Confirmations are the flows by which a user who is logged in confirms something. Users without a
// password confirm by what they log in with.
func (a *Accounts) Confirmations(ctx context.Context, s *Session, sso bool) ([]Flow, error) {
	account, err := a.store.Account(ctx, s.User)
	if err != nil {
		return nil, public(err)
	}
	var flows []Flow
	add := func(stage string) { flows = append(flows, Flow{Stages: []string{stage}}) }
	if account.Password != "" {
		add(StagePassword)
	}
	if sso {
		providers, err := a.store.SSOProvidersOf(ctx, s.User)
		if err != nil {
			return nil, public(err)
		}
		if len(providers) > 0 {
			add(StageSSO)
		}
	}
	if account.Password == "" && a.jwt != nil {
		add(StageJWT)
	}
	if account.Password == "" && len(flows) == 0 {
		add(StageToken) // made by an administrator, say
	}
	return flows, nil
}
