package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	slackgo "github.com/slack-go/slack"

	"github.com/landbridge-im/landbridge/appservice"
)

var _ appservice.Prover = (*Bridge)(nil)

// SignIns implements appservice.Prover: with the workspaces of which that is wanted. Slack: "Sign in with Slack", which is OpenID Connect.
func (b *Bridge) SignIns() (list []appservice.SignIn) {
	for _, w := range b.cfg.Workspaces {
		if !w.SignIn {
			continue
		}
		s := appservice.SignIn{ID: w.ID, Name: "Slack"}
		if len(b.cfg.Workspaces) > 1 {
			s.Name = "Slack (" + w.ID + ")"
		}
		list = append(list, s)
	}
	return list
}

// signInScopes let the app learn who somebody is, and what they are called.
var signInScopes = [...]string{"openid", "profile"}

// SignInURL implements appservice.Prover.
func (b *Bridge) SignInURL(id, redirect, state string) (string, bool) {
	w := b.workspace(id)
	if w == nil || !w.cfg.SignIn {
		return "", false
	}
	args := values("response_type", "code", "scope", strings.Join(signInScopes[:], " "), "client_id", w.cfg.ClientID, "redirect_uri", redirect, "state", state)
	if team := w.teamID(); team != "" {
		args.Set("team", team)
	}
	return w.site() + "openid/connect/authorize?" + args.Encode(), true
}

// teamID is the id of the workspace; "" before it is known.
func (w *workspace) teamID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.self == nil {
		return ""
	}
	return w.self.TeamID
}

// identity is what openid.connect.token, and then openid.connect.userInfo, answers. Both come from Slack itself by TLS, so
// that the signature of the id_token would say nothing more (OpenID Connect Core, 3.1.3.7).
type identity struct {
	slackgo.SlackResponse
	AccessToken string `json:"access_token"`
	User        string `json:"https://slack.com/user_id"`
	Team        string `json:"https://slack.com/team_id"`
	Name        string `json:"name"`
}

// SignedIn implements appservice.Prover.
func (b *Bridge) SignedIn(ctx context.Context, id, redirect, grant string) (p appservice.RemotePerson, err error) {
	w := b.workspace(id)
	if w == nil || !w.cfg.SignIn {
		return p, fmt.Errorf("the workspace %s is not connected", id)
	}
	var token, who identity
	err = w.patiently(ctx, "openid.connect.token", values("code", grant, "redirect_uri", redirect, "grant_type", "authorization_code"), w.asApp, &token)
	switch said := code(err); {
	case said == "invalid_code" || said == "code_already_used" || said == "code_expired":
		return p, fmt.Errorf("%w: %w", appservice.ErrBadCode, err)
	case err != nil:
		return p, err
	case token.AccessToken == "":
		return p, errors.New("openid.connect.token: the answer has no token")
	}
	as := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token.AccessToken) }
	if err := w.patiently(ctx, "openid.connect.userInfo", nil, as, &who); err != nil {
		return p, err
	}
	if who.User == "" || who.Team == "" {
		return p, errors.New("openid.connect.userInfo: the answer names nobody")
	}
	p = appservice.RemotePerson{ID: ghostID(who.User), Name: who.Name}
	// Who signs in may choose another workspace, and who is of another one may be in shared channels of this.
	if who.Team != w.teamID() {
		return p, fmt.Errorf("somebody of the workspace %s: %w", who.Team, appservice.ErrStranger)
	}
	return p, nil
}
