package discord

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Flags of an application that has privileged intents. Discord, "Application Flags": the second of each pair is of bots
// in fewer than 100 guilds.
const (
	flagPresence = 1<<12 | 1<<13
	flagMembers  = 1<<14 | 1<<15
	flagContent  = 1<<18 | 1<<19
)

// maxWebhooks is how many webhooks a channel can have.
const maxWebhooks = 15

const portalPage = "https://discord.com/developers/applications"

var _ appservice.Examiner = (*Bridge)(nil)

// Examine implements appservice.Examiner.
func (b *Bridge) Examine(ctx context.Context, tell func(appservice.Finding)) error {
	client, err := api.New(api.Options{
		Token: b.cfg.Token, APIURL: b.cfg.APIURL, GatewayURL: b.cfg.GatewayURL, CDNURL: b.cfg.CDNURL, HTTP: b.deps.HTTP, Log: b.log,
	})
	if err != nil {
		return err
	}
	x := &examination{cfg: b.cfg, api: client, tell: tell}
	if !x.token(ctx) {
		return ctx.Err()
	}
	x.application(ctx)
	x.sessions(ctx)
	x.guilds(ctx)
	return ctx.Err()
}

// examination is one run of Examine.
type examination struct {
	cfg  *Config
	api  *api.Client
	tell func(appservice.Finding)

	self wire.User
	app  wire.ID
}

func (x *examination) say(v appservice.Verdict, what, detail, remedy string) {
	x.tell(appservice.Finding{What: what, Verdict: v, Detail: detail, Remedy: remedy})
}

// get asks Discord. An answer that says that there is nothing of the kind is told as doubtful, for the rest may work.
func (x *examination) get(ctx context.Context, what, path string, out any) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begin := time.Now()
	err := x.api.Do(ctx, "GET", path, "", nil, out)
	if err == nil {
		if took := time.Since(begin); took > 10*time.Second {
			x.say(appservice.Doubtful, "rate limits", fmt.Sprintf("Discord let a question wait for %s.", took.Round(time.Second)), "Find out what else uses the same bot or the same address of the internet.")
		}
		return true
	}
	x.say(appservice.Doubtful, what, "Discord did not say: "+err.Error()+".", "")
	return false
}

// token looks whether Discord knows the bot.
func (x *examination) token(ctx context.Context) bool {
	const what = "the bot's token"
	err := x.api.Do(ctx, "GET", "/users/@me", "", nil, &x.self)
	var answer *api.Error
	switch {
	case err == nil:
		x.say(appservice.Good, what, "Discord knows the bot as "+x.self.Username+".", "")
		return true
	case api.IsStatus(err, 401):
		x.say(appservice.Bad, what, "Discord does not accept it.", "At "+portalPage+" click your application, Bot, Reset Token; put the new token into token or token_file.")
	case errors.As(err, &answer) && (answer.Status == 429 || answer.Status == 403):
		x.say(appservice.Bad, "rate limits", "Discord takes nothing from this address of the internet for now: "+answer.Error()+".", "Wait for an hour. If it comes back, find out what else asks Discord from there.")
	default:
		x.say(appservice.Bad, "the connection to Discord", "It cannot be reached: "+err.Error()+".", "Look at api_url, and whether the server may make connections to "+x.cfg.APIURL+".")
	}
	return false
}

// application looks at the privileged intents.
func (x *examination) application(ctx context.Context) {
	var app struct {
		ID        wire.ID  `json:"id"`
		Flags     wire.Int `json:"flags"`
		Redirects []string `json:"redirect_uris"`
	}
	x.app = x.self.ID
	if !x.get(ctx, "the privileged intents", "/applications/@me", &app) {
		return
	}
	if app.ID != "" {
		x.app = app.ID
	}
	lax := app.Flags&flagMembers == 0 && x.listsMembers(ctx)
	intent := func(name string, flag wire.Int, loss string) {
		switch {
		case app.Flags&flag != 0:
			x.say(appservice.Good, name, "It is switched on.", "")
			return
		case lax:
			x.say(appservice.Doubtful, name, "It is switched off, it is said, but what needs it is given: perhaps this server has no intents.", "")
			return
		}
		x.say(appservice.Bad, name, "It is switched off: "+loss+".", "At "+portalPage+" click your application, Bot, and switch on "+name+" below Privileged Gateway Intents.")
	}
	intent("Server Members Intent", flagMembers, "Discord does not let the bridge in")
	intent("Message Content Intent", flagContent, "Discord does not let the bridge in")
	if x.cfg.Presence {
		intent("Presence Intent", flagPresence, "Discord does not let the bridge in while presence is true")
	}
	if x.cfg.ClientSecret != "" {
		x.signIn(ctx, app.Redirects)
	}
}

// signIn looks whether people can sign in: whether Discord takes the secret, and sends people back. A code that is none tells
// a wrong secret from a right one.
func (x *examination) signIn(ctx context.Context, redirects []string) {
	const what = "signing in with Discord"
	_, err := x.api.SignedIn(ctx, api.SignIn{App: string(x.app), Secret: x.cfg.ClientSecret, Redirect: "https://example.org/claim/discord/back"}, "none")
	switch {
	case errors.Is(err, api.ErrBadSecret):
		x.say(appservice.Bad, what, "Discord does not take client_secret.", "At "+portalPage+" click your application, OAuth2, Reset Secret; put the new one into client_secret or client_secret_file.")
	case err != nil && !errors.Is(err, api.ErrBadGrant):
		x.say(appservice.Doubtful, what, "Discord did not say whether the client secret is right: "+err.Error()+".", "")
	case !slices.ContainsFunc(redirects, isBack):
		x.say(appservice.Bad, what, "The application has no address to which people come back.", "At "+portalPage+" click your application, OAuth2, Add Redirect, and add this server's address with /claim/ID/back after it, in which ID is the id of the bridge.")
	default:
		x.say(appservice.Good, what, "Discord takes the secret, and has an address to which people come back.", "")
	}
}

// isBack tells whether an address is of the page to which people come back.
func isBack(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	return strings.HasSuffix(u.Path, "/back") && strings.Contains(u.Path, "/claim/")
}

// listsMembers reports whether the bot is given the members of a guild, which Discord gives to nobody without the intent.
func (x *examination) listsMembers(ctx context.Context) bool {
	var guilds wire.List[wire.Guild]
	if x.api.Do(ctx, "GET", "/users/@me/guilds?limit=1", "", nil, &guilds) != nil || len(guilds) == 0 {
		return false
	}
	var members wire.List[wire.Member]
	return x.api.Do(ctx, "GET", "/guilds/"+string(guilds[0].ID)+"/members?limit=1&after=0", "", nil, &members) == nil && len(members) > 0
}

// sessions looks how often the bot may still connect today.
func (x *examination) sessions(ctx context.Context) {
	var gateway struct {
		Shards wire.Int `json:"shards"`
		Limit  struct {
			Total     wire.Int `json:"total"`
			Remaining wire.Int `json:"remaining"`
			Reset     wire.Int `json:"reset_after"`
		} `json:"session_start_limit"`
	}
	const what = "connections to Discord"
	if !x.get(ctx, what, "/gateway/bot", &gateway) {
		return
	}
	reset := (time.Duration(gateway.Limit.Reset) * time.Millisecond).Round(time.Minute)
	switch l := gateway.Limit; {
	case l.Total == 0:
		x.say(appservice.Doubtful, what, "Discord does not say how often the bot may connect.", "")
	case l.Remaining == 0:
		x.say(appservice.Bad, what, fmt.Sprintf("The bot has connected too often; it may again in %s.", reset), "Look in the log why it connects so often.")
	case l.Remaining < l.Total/10:
		x.say(appservice.Doubtful, what, fmt.Sprintf("The bot may connect %d times in the next %s, of %d.", l.Remaining, reset, l.Total), "Look in the log why it connects so often.")
	default:
		x.say(appservice.Good, what, fmt.Sprintf("The bot may connect %d times more today; it needs %d at once.", l.Remaining, max(gateway.Shards, 1)), "")
	}
}

// guilds looks at each guild that is to be bridged.
func (x *examination) guilds(ctx context.Context) {
	var list wire.List[wire.Guild]
	const what = "Discord servers"
	if !x.get(ctx, what, "/users/@me/guilds?limit=200", &list) {
		return
	}
	invite := "Who manages the server opens " + InviteURL(string(x.app))
	for _, id := range x.cfg.Guilds {
		if !slices.ContainsFunc(list, func(g wire.Guild) bool { return g.ID == id }) {
			x.say(appservice.Bad, "the server "+string(id), "The bot is not in it.", invite)
		}
	}
	found := false
	for _, g := range list {
		if x.cfg.wants(g.ID) && ctx.Err() == nil {
			found = true
			x.guild(ctx, g)
		}
	}
	if !found && len(x.cfg.Guilds) == 0 {
		x.say(appservice.Bad, what, "The bot is in no server.", invite)
	}
}

// guild looks at the rights and the channels of one guild.
func (x *examination) guild(ctx context.Context, info wire.Guild) {
	what := "the server " + info.Name
	var full wire.Guild
	var channels wire.List[wire.Channel]
	var me wire.Member
	id := string(info.ID)
	if !x.get(ctx, what, "/guilds/"+id, &full) || !x.get(ctx, what, "/guilds/"+id+"/channels", &channels) || !x.get(ctx, what, "/guilds/"+id+"/members/"+string(x.self.ID), &me) {
		return
	}
	if len(full.Roles) == 0 && !x.get(ctx, what, "/guilds/"+id+"/roles", &full.Roles) { // not everybody tells them with the guild
		return
	}
	g := newGuilds().set(wire.Guild{ID: info.ID, OwnerID: full.OwnerID, Roles: full.Roles, Channels: channels})
	have := g.permissions(x.self.ID, me.Roles, nil)
	where := "In Discord: Server Settings, Roles, the bot's role"
	if have == permAll && x.self.ID != g.OwnerID {
		x.say(appservice.Doubtful, what, "The bot is an administrator there, which is more than it needs.", where+": switch off Administrator, and on what "+InviteURL(string(x.app))+" asks for.")
	}
	x.lacking(what, "", lacks(have, guildRights()), where)
	var members wire.List[wire.Member]
	if err := x.api.Do(ctx, "GET", "/guilds/"+id+"/members?limit=1", "", nil, &members); api.IsStatus(err, 403) {
		x.say(appservice.Bad, what, "The bot may not list its members.", "Switch on Server Members Intent.")
	}
	bridged, fine := 0, 0
	for _, ch := range g.sorted() {
		if !ch.HasMessages() || !x.cfg.bridged(&ch) || ctx.Err() != nil {
			continue
		}
		bridged++
		if x.channel(ctx, info.Name, &ch, g.permissions(x.self.ID, me.Roles, &ch)) {
			fine++
		}
	}
	switch {
	case bridged == 0:
		x.say(appservice.Doubtful, what, "No channel of it is to be bridged.", "Look at channels in the configuration.")
	case fine == bridged:
		x.say(appservice.Good, what, fmt.Sprintf("The bot has all rights in all %d channels that are to be bridged.", bridged), "")
	default:
		x.say(appservice.Doubtful, what, fmt.Sprintf("The bot has all rights in %d of %d channels that are to be bridged.", fine, bridged), "")
	}
}

// lacking tells of rights that the bot does not have.
func (x *examination) lacking(what, channel string, list []right, where string) {
	if len(list) == 0 {
		return
	}
	verdict := appservice.Doubtful
	var names, losses []string
	for _, r := range list {
		if r.must {
			verdict = appservice.Bad
		}
		names, losses = append(names, r.name), append(losses, r.loss)
	}
	if channel != "" {
		what = "#" + channel + " of " + strings.TrimPrefix(what, "the ")
	}
	x.say(verdict, what, "The bot lacks "+strings.Join(names, ", ")+": "+strings.Join(losses, "; ")+".", where+": allow "+strings.Join(names, ", ")+".")
}

// channel looks at a channel. It reports whether all is well.
func (x *examination) channel(ctx context.Context, guildName string, ch *wire.Channel, have int64) bool {
	what := "the server " + guildName
	where := "In Discord: the channel's settings, Permissions, Advanced Permissions, add the bot or its role"
	missing := lacks(have, rights())
	if have&permView == 0 {
		missing = missing[:1] // there is nothing without it
	}
	x.lacking(what, ch.Name, missing, where)
	if have&permManageWebhooks == 0 || have&permView == 0 {
		return false
	}
	var hooks wire.List[wire.Webhook]
	if err := x.api.Do(ctx, "GET", "/channels/"+string(ch.ID)+"/webhooks", "", nil, &hooks); err != nil {
		x.say(appservice.Doubtful, "#"+ch.Name+" of server "+guildName, "Its webhooks cannot be listed: "+err.Error()+".", "")
		return false
	}
	ours := slices.ContainsFunc(hooks, func(w wire.Webhook) bool { return w.ApplicationID == x.app && w.Token != "" })
	if !ours && len(hooks) >= maxWebhooks {
		x.say(appservice.Bad, "#"+ch.Name+" of server "+guildName, fmt.Sprintf("It has %d webhooks, and can have no more: nothing from Matrix arrives.", len(hooks)),
			"In Discord: the channel's settings, Integrations, Webhooks: delete one that is not used.")
		return false
	}
	return len(missing) == 0
}
