package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	slackgo "github.com/slack-go/slack"

	"github.com/landbridge-im/landbridge/appservice"
)

var _ appservice.Examiner = (*Bridge)(nil)

// maxNamed is how many channels an examination names.
const maxNamed = 20

// Examine implements appservice.Examiner.
func (b *Bridge) Examine(ctx context.Context, tell func(appservice.Finding)) error {
	for i := range b.cfg.Workspaces {
		cfg := &b.cfg.Workspaces[i]
		e := &examination{b: b, cfg: cfg, api: newAPI(cfg, b.http), tell: func(f appservice.Finding) {
			f.What = cfg.ID + ": " + f.What
			tell(f)
		}}
		if err := e.run(ctx); err != nil {
			return fmt.Errorf("look at the workspace %s: %w", cfg.ID, err)
		}
	}
	return nil
}

// examination looks at one workspace. Slack's answers are findings; that it cannot be reached is one, too.
type examination struct {
	b    *Bridge
	cfg  *WorkspaceConfig
	api  *api
	tell func(appservice.Finding)
}

func (e *examination) found(what string, v appservice.Verdict, detail, remedy string) {
	e.tell(appservice.Finding{What: what, Verdict: v, Detail: detail, Remedy: remedy})
}

func (e *examination) run(ctx context.Context) error {
	tok, ok, err := e.b.tokens.get(botToken(e.cfg.ID))
	if err != nil {
		return err
	}
	if ok {
		e.api.setToken(tok.Access)
	}
	const reinstall = "at https://api.slack.com/apps, choose the app, and under “Install App” install it to the workspace again; put the new token into the configuration"
	if e.api.bearer() == "" {
		e.found("the bot's token", appservice.Bad, "The app is not installed.", "As an administrator of the bridge, write `install` to its bot, and open the address that it gives.")
		return ctx.Err()
	}
	var self *slackgo.AuthTestResponse
	err = e.api.read(ctx, "auth.test", func() (err error) {
		self, err = e.api.slack().AuthTestContext(ctx)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case badToken(err):
		e.found("the bot's token", appservice.Bad, fmt.Sprintf("Slack does not take it: %s.", code(err)), reinstall)
		return nil
	case err != nil:
		e.found("Slack's API", appservice.Bad, fmt.Sprintf("It cannot be reached: %v.", err), "Check this machine's network, proxy and firewall, and api_url in the configuration.")
		return nil
	}
	e.found("the bot's token", appservice.Good, fmt.Sprintf("It is of the workspace %s (%s), for the bot %s.", self.Team, self.TeamID, self.User), "")
	e.scopes()
	e.appToken(ctx)
	e.events(ctx, self)
	e.channels(ctx, self)
	return ctx.Err()
}

func (e *examination) scopes() {
	bad, lacking := e.api.lacking()
	switch {
	case bad == nil && lacking == nil:
		e.found("scopes", appservice.Good, "The bot has all that are used.", "")
		return
	}
	remedy := "At https://api.slack.com/apps, choose the app, under “OAuth & Permissions” add them to “Bot Token Scopes”, and then “Reinstall to Workspace”."
	if len(bad) > 0 {
		e.found("scopes", appservice.Bad, "The bridge does not work without: "+strings.Join(bad, "; ")+".", remedy)
	}
	if len(lacking) > 0 {
		e.found("scopes", appservice.Doubtful, "Some things are not bridged without: "+strings.Join(lacking, "; ")+".", remedy)
	}
}

func (e *examination) appToken(ctx context.Context) {
	if e.cfg.Events != "socket" {
		return
	}
	err := e.api.read(ctx, "apps.connections.open", func() error {
		_, _, err := e.api.slack().StartSocketModeContext(ctx)
		return err
	})
	switch {
	case err == nil:
		e.found("the app-level token", appservice.Good, "Connections of Socket Mode can be made.", "")
	case code(err) == "missing_scope" || code(err) == "not_allowed_token_type":
		e.found("the app-level token", appservice.Bad, "It is not for Socket Mode: "+code(err)+".", "Under “Basic Information”, “App-Level Tokens”, make one with the scope connections:write.")
	case code(err) != "":
		e.found("the app-level token", appservice.Bad, "Slack does not take it: "+code(err)+".", "Under “Socket Mode” switch that on, and under “Basic Information”, “App-Level Tokens”, make a token with the scope connections:write.")
	default:
		e.found("the app-level token", appservice.Bad, fmt.Sprintf("Connections cannot be made: %v.", err), "")
	}
}

// events compares the app's subscriptions with those that are needed. Only a configuration token lets them be read.
func (e *examination) events(ctx context.Context, self *slackgo.AuthTestResponse) {
	const click = "At https://api.slack.com/apps, choose the app, and under “Event Subscriptions”, “Subscribe to bot events”, add them; or put what `landbridge slack manifest` prints under “App Manifest”."
	if e.cfg.AppConfigToken == "" {
		e.found("event subscriptions", appservice.Doubtful, "They cannot be read without app_config_token.", "Compare them with what `landbridge slack manifest` prints, or make a configuration token at https://api.slack.com/apps and give it as app_config_token_file.")
		return
	}
	var bot struct {
		Bot struct {
			App string `json:"app_id"`
		} `json:"bot"`
	}
	err := e.api.call(ctx, "bots.info", values("bot", self.BotID), &bot)
	var resp struct {
		Manifest struct {
			Settings struct {
				Events struct {
					Bot []string `json:"bot_events"`
				} `json:"event_subscriptions"`
			} `json:"settings"`
			OAuth struct {
				Redirects []string `json:"redirect_urls"`
			} `json:"oauth_config"`
		} `json:"manifest"`
	}
	if err == nil {
		a := newAPI(e.cfg, e.b.http)
		a.setToken(e.cfg.AppConfigToken)
		err = a.call(ctx, "apps.manifest.export", values("app_id", bot.Bot.App), &resp)
	}
	if err != nil {
		e.found("event subscriptions", appservice.Doubtful, fmt.Sprintf("They cannot be read: %v.", err), "A configuration token is good for twelve hours; make a new one at https://api.slack.com/apps.")
		return
	}
	back := func(address string) bool {
		return strings.Contains(address, "/claim/") && strings.HasSuffix(address, "/back")
	}
	if e.cfg.SignIn && !slices.ContainsFunc(resp.Manifest.OAuth.Redirects, back) {
		e.found("signing in with Slack", appservice.Bad, "The app has no address to which people come back.", "Under “OAuth & Permissions”, “Redirect URLs”, add this server's address with /claim/ID/back after it, in which ID is the id of the bridge; or put what `landbridge slack manifest -sign-in-url` prints under “App Manifest”.")
	}
	missing := slices.DeleteFunc(slices.Clone(botEvents[:]), func(n string) bool { return slices.Contains(resp.Manifest.Settings.Events.Bot, n) })
	if len(missing) > 0 {
		e.found("event subscriptions", appservice.Bad, "The app is not told of: "+strings.Join(missing, ", ")+".", click)
		return
	}
	e.found("event subscriptions", appservice.Good, "The app is told of all that is used.", "")
}

// channels finds those of which the bot is not a member although they are to be bridged.
func (e *examination) channels(ctx context.Context, self *slackgo.AuthTestResponse) {
	params := &slackgo.GetConversationsParameters{Limit: 500, ExcludeArchived: true, TeamID: e.cfg.TeamID, Types: []string{"public_channel", "private_channel"}}
	var missing []string
	in := 0
	for {
		var list []slackgo.Channel
		var next string
		err := e.api.read(ctx, "conversations.list", func() (err error) {
			list, next, err = e.api.slack().GetConversationsContext(ctx, params)
			return err
		})
		if code(err) == "missing_scope" && len(params.Types) > 1 {
			params.Types = params.Types[:1]
			continue
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				e.found("channels", appservice.Bad, fmt.Sprintf("They cannot be listed: %v.", err), "")
			}
			return
		}
		for i := range list {
			switch ch := &list[i]; {
			case !e.cfg.wants(ch.ID, ch.Name):
			case ch.IsMember:
				in++
			default:
				missing = append(missing, "#"+ch.Name)
			}
		}
		if next == "" {
			break
		}
		params.Cursor = next
	}
	invite := "In each of them write `/invite @" + self.User + "`. Private channels are only seen once the bot is in them."
	switch {
	case in == 0:
		e.found("channels", appservice.Bad, "The bot is in no channel that is to be bridged.", invite)
	case len(missing) > 0:
		named := strings.Join(missing[:min(len(missing), maxNamed)], ", ")
		if len(missing) > maxNamed {
			named += fmt.Sprintf(" and %d more", len(missing)-maxNamed)
		}
		e.found("channels", appservice.Doubtful, fmt.Sprintf("The bot is in %d channels; not in: %s.", in, named), invite)
	default:
		e.found("channels", appservice.Good, fmt.Sprintf("The bot is in all %d public channels that are to be bridged.", in), "")
	}
}
