package app

import (
	"context"

	"github.com/landbridge-im/landbridge/bridges/slack"
)

func runSlack(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge slack", []command{
		{"manifest", "print the description of the app that Slack is to make", runSlackManifest},
	}, args, std)
}

func runSlackManifest(_ context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge slack manifest")
	name := fs.String("name", "Landbridge", "what the app, and its bot, is `called`")
	events := fs.String("events-url", "", "the https `address` to which Slack sends events; without it Socket Mode is used")
	oauth := fs.String("oauth-url", "", "the https `address` of the OAuth page, for an app that is installed by a page and people who sign in: ADDRESS/_bridge/ID/slack/oauth")
	signIn := fs.String("sign-in-url", "", "the https `address` to which people come back who show by signing in to Slack who they are: ADDRESS/claim/ID/back")
	rest, err := parseFlags(fs, "landbridge slack manifest [-name NAME] [-events-url ADDRESS] [-oauth-url ADDRESS] [-sign-in-url ADDRESS]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge slack manifest: unexpected argument %q", rest[0])
	}
	raw, err := slack.App{Name: *name, EventsURL: *events, OAuthURL: *oauth, SignInURL: *signIn}.Manifest()
	if err != nil {
		return err
	}
	_, err = std.Out.Write(raw)
	return err
}
