package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"
)

// tokenFlow is behind a workspace's id in the id of the flow by which a token is given.
const tokenFlow = "-token"

// GetLoginFlows implements bridgev2.NetworkConnector: people sign in to be themselves in Slack. The workspaces' own bots
// come from the configuration or the install page.
func (c *Connector) GetLoginFlows() (list []bridgev2.LoginFlow) {
	for i := range c.b.cfg.Workspaces {
		w := &c.b.cfg.Workspaces[i]
		if w.ClientID != "" {
			list = append(list, bridgev2.LoginFlow{ID: w.ID, Name: "Slack: " + w.ID, Description: "Sign in to the Slack workspace " + w.ID + " with your browser"})
		} else {
			list = append(list, bridgev2.LoginFlow{ID: w.ID + tokenFlow, Name: "Token for " + w.ID, Description: "Give a user token (xoxp-) for the Slack workspace " + w.ID})
		}
	}
	return list
}

// CreateLogin implements bridgev2.NetworkConnector.
func (c *Connector) CreateLogin(_ context.Context, user *bridgev2.User, flow string) (bridgev2.LoginProcess, error) {
	name, byToken := strings.CutSuffix(flow, tokenFlow)
	w := c.b.workspace(name)
	if w == nil || byToken != (w.cfg.ClientID == "") {
		return nil, fmt.Errorf("there is no way to sign in called %s", flow)
	}
	if byToken {
		return &tokenLogin{w: w, user: user}, nil
	}
	return &oauthLogin{w: w, user: user}, nil
}

// oauthLogin signs somebody in by their browser.
type oauthLogin struct {
	w    *workspace
	user *bridgev2.User
	c    *consent
}

var _ bridgev2.LoginProcessDisplayAndWait = (*oauthLogin)(nil)

// Start implements bridgev2.LoginProcess.
func (l *oauthLogin) Start(context.Context) (*bridgev2.LoginStep, error) {
	address, c, err := l.w.b.pages.question(l.w, l.user.MXID)
	if err != nil {
		return nil, err
	}
	l.c = c
	return &bridgev2.LoginStep{
		Type: bridgev2.LoginStepTypeDisplayAndWait, StepID: "im.landbridge.slack.oauth",
		Instructions:         "Open this address in your browser, within a quarter of an hour. It is for you alone: " + address,
		DisplayAndWaitParams: &bridgev2.LoginDisplayAndWaitParams{Type: bridgev2.LoginDisplayTypeNothing},
	}, nil
}

// Wait implements bridgev2.LoginProcessDisplayAndWait.
func (l *oauthLogin) Wait(ctx context.Context) (*bridgev2.LoginStep, error) {
	ctx, cancel := context.WithDeadline(ctx, l.c.expires)
	defer cancel()
	select {
	case err := <-l.c.done:
		if err != nil {
			return nil, err
		}
		return signedIn(l.c.login), nil
	case <-ctx.Done():
		l.Cancel()
		return nil, errors.New("nobody has opened the address in time")
	}
}

// Cancel implements bridgev2.LoginProcess.
func (l *oauthLogin) Cancel() {
	if l.c != nil {
		l.w.b.pages.cancel(l.c)
	}
}

func signedIn(login *bridgev2.UserLogin) *bridgev2.LoginStep {
	return &bridgev2.LoginStep{
		Type: bridgev2.LoginStepTypeComplete, StepID: "im.landbridge.slack.complete", Instructions: "You are signed in to Slack as " + login.RemoteName + ".",
		CompleteParams: &bridgev2.LoginCompleteParams{UserLoginID: login.ID, UserLogin: login},
	}
}

// tokenLogin signs somebody in by a token that they have.
type tokenLogin struct {
	w    *workspace
	user *bridgev2.User
}

var _ bridgev2.LoginProcessUserInput = (*tokenLogin)(nil)

// Start implements bridgev2.LoginProcess.
func (l *tokenLogin) Start(context.Context) (*bridgev2.LoginStep, error) {
	return &bridgev2.LoginStep{
		Type: bridgev2.LoginStepTypeUserInput, StepID: "im.landbridge.slack.token", Instructions: "Your user token of the app, from its settings at Slack (OAuth & Permissions).",
		UserInputParams: &bridgev2.LoginUserInputParams{Fields: []bridgev2.LoginInputDataField{{
			Type: bridgev2.LoginInputFieldTypeToken, ID: "token", Name: "User token", Pattern: `^xoxp-[A-Za-z0-9-]+$`,
		}}},
	}, nil
}

// Cancel implements bridgev2.LoginProcess.
func (l *tokenLogin) Cancel() {}

// SubmitUserInput implements bridgev2.LoginProcessUserInput.
func (l *tokenLogin) SubmitUserInput(ctx context.Context, input map[string]string) (*bridgev2.LoginStep, error) {
	a := newAPI(l.w.cfg, l.w.b.http)
	a.setToken(input["token"])
	var self *slackgo.AuthTestResponse
	err := a.read(ctx, "auth.test", func() (err error) {
		self, err = a.slack().AuthTestContext(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if self.BotID != "" {
		return nil, errors.New("this is the token of a bot, not of a person")
	}
	login, err := l.w.signIn(ctx, l.user.MXID, token{Access: input["token"], User: self.UserID, Team: self.TeamID})
	if err != nil {
		return nil, err
	}
	return signedIn(login), nil
}

// signIn has an account act as who a token is of.
func (w *workspace) signIn(ctx context.Context, account id.UserID, tok token) (*bridgev2.UserLogin, error) {
	w.mu.Lock()
	self := w.self
	w.mu.Unlock()
	switch {
	case tok.Access == "" || tok.User == "":
		return nil, errors.New("no token was given")
	case self == nil:
		return nil, errors.New("the bridge is not connected to the workspace")
	case tok.Team != "" && tok.Team != firstNonEmpty(w.cfg.TeamID, self.TeamID):
		return nil, fmt.Errorf("that is an account of another workspace than %s", w.cfg.ID)
	}
	user, err := w.b.br.GetUserByMXID(ctx, account)
	if err != nil {
		return nil, err
	}
	login := networkid.UserLoginID(w.cfg.ID + "." + strings.ToLower(tok.User))
	heard := ""
	if old := w.b.br.GetCachedUserLoginByID(login); old != nil {
		old.Client.Disconnect()
		if p, ok := old.Client.(*person); ok {
			heard = p.heard() // what was said while the old token was not good is not lost
		}
	}
	if err := w.b.tokens.set(userToken(string(login)), tok); err != nil {
		return nil, err
	}
	name := tok.User
	if u := w.dir.user(ctx, tok.User); u != nil {
		name = u.displayName()
	}
	ul, err := user.NewLogin(ctx, &database.UserLogin{
		ID: login, RemoteName: name, Metadata: &LoginMetadata{TeamID: self.TeamID, Workspace: w.cfg.ID, User: tok.User, Heard: heard},
	}, &bridgev2.NewLoginParams{DeleteOnConflict: true})
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	ul.Client.Connect(ctx)
	return ul, nil
}

// installed takes over the bot's token that an administrator has granted.
func (w *workspace) installed(ctx context.Context, g *granted) error {
	meta, ok := w.login.Metadata.(*LoginMetadata)
	switch {
	case !ok:
		return errors.New("the login has no metadata")
	case g.AccessToken == "" || !strings.HasPrefix(g.AccessToken, "xox"):
		return errors.New("no token of a bot was given")
	case meta.TeamID != "" && !g.OrgWide && g.Team.ID != meta.TeamID:
		return fmt.Errorf("this is the workspace %s (%s), but %s was bridged to another, %s, before", g.Team.Name, g.Team.ID, w.cfg.ID, meta.TeamID)
	}
	if err := w.b.tokens.set(botToken(w.cfg.ID), g.bot()); err != nil {
		return err
	}
	w.log.Info("the app was installed", "team", g.Team.ID)
	w.Disconnect()
	w.api.setToken(g.AccessToken)
	w.Connect(ctx)
	return nil
}
