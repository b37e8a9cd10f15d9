package discord

import (
	"context"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Slash commands. Discord waits three seconds for an answer; what takes longer is announced, and given then. All
// answers are for the one who asked alone.

// interaction is what INTERACTION_CREATE says.
type interaction struct {
	ID            wire.ID      `json:"id"`
	ApplicationID wire.ID      `json:"application_id"`
	Type          wire.Int     `json:"type"`
	Token         string       `json:"token"`
	ChannelID     wire.ID      `json:"channel_id"`
	GuildID       wire.ID      `json:"guild_id"`
	User          wire.User    `json:"user"`
	Member        *wire.Member `json:"member"`
	Data          struct {
		Name    string            `json:"name"`
		Options wire.List[option] `json:"options"`
	} `json:"data"`
}

// option is an argument of a command, or a command below a command.
type option struct {
	Name    string            `json:"name"`
	Value   any               `json:"value"`
	Options wire.List[option] `json:"options"`
}

// Numbers of Discord's, from "Interactions", "Application Commands" and "Messages".
const (
	interactionCommand = 2
	answerMessage      = 4
	answerLater        = 5
	flagEphemeral      = 1 << 6
	optionSubCommand   = 1
	optionString       = 3
)

// slashCommand is the name of the command that the bridge registers.
const slashCommand = "matrix"

// slashCommands is what is registered. Discord: "Create Global Application Command" replaces one of the same name.
func slashCommands() map[string]any {
	sub := func(name, about string, options ...any) map[string]any {
		cmd := map[string]any{"type": optionSubCommand, "name": name, "description": about}
		if len(options) > 0 {
			cmd["options"] = options // null is none to Discord, and a mistake to others
		}
		return cmd
	}
	return map[string]any{
		"name": slashCommand, "type": 1, "description": "The bridge to Matrix", "dm_permission": true,
		"options": []any{
			sub("link", "Link your account with one on Matrix", map[string]any{
				"type": optionString, "name": "code", "description": "A code that you were given on Matrix", "required": false,
			}),
			sub("unlink", "Take the link to your Matrix account away"),
			sub("invite", "Get into the Matrix room of this channel"),
			sub("status", "What is linked and bridged"),
		},
	}
}

// register registers the slash commands, once in a run. Called by the pump.
func (n *bot) register(ctx context.Context) {
	if n.registered {
		return
	}
	app := n.app
	n.registered = n.errand(ctx, func(ctx context.Context) {
		if err := n.api.Do(ctx, "POST", "/applications/"+string(app)+"/commands", "", slashCommands(), nil); err != nil {
			n.log.Warn("there are no slash commands; the bot is perhaps invited without applications.commands", "error", err)
		}
	})
}

// beforeLate is how long an answer may take before it is announced. Discord waits for three seconds in all.
const beforeLate = 1500 * time.Millisecond

// onInteraction answers a slash command.
func (n *bot) onInteraction(ctx context.Context, e *entry) {
	var in interaction
	if !n.decode(e, &in) || in.Type != interactionCommand || in.Data.Name != slashCommand || in.ID == "" || in.Token == "" {
		return
	}
	u := in.User
	if in.Member != nil && in.Member.User.ID != "" {
		u = in.Member.User
	}
	if u.ID == "" || len(in.Data.Options) == 0 {
		return
	}
	if in.ApplicationID == "" {
		in.ApplicationID = n.app
	}
	if !n.errand(ctx, func(ctx context.Context) { n.interact(ctx, &in, u) }) {
		n.log.Warn("too many commands at once; one is not answered")
	}
}

func (n *bot) interact(ctx context.Context, in *interaction, u wire.User) {
	text := make(chan string, 1)
	n.work.Go(func() {
		defer close(text)
		text <- n.obey(ctx, in, u)
	})
	callback := "/interactions/" + string(in.ID) + "/" + in.Token + "/callback"
	body := func(text string) map[string]any {
		return map[string]any{"content": text, "flags": flagEphemeral, "allowed_mentions": map[string]any{"parse": []string{}}}
	}
	late := time.NewTimer(beforeLate)
	defer late.Stop()
	var err error
	select {
	case answer := <-text:
		err = n.api.Do(ctx, "POST", callback, "/interactions/callback", map[string]any{"type": answerMessage, "data": body(answer)}, nil)
	case <-late.C:
		err = n.api.Do(ctx, "POST", callback, "/interactions/callback", map[string]any{"type": answerLater, "data": map[string]any{"flags": flagEphemeral}}, nil)
		answer := <-text
		if err == nil {
			path := "/webhooks/" + string(in.ApplicationID) + "/" + in.Token + "/messages/@original"
			err = n.api.Do(ctx, "PATCH", path, "/webhooks/interactions", body(answer), nil)
		}
	}
	if err != nil {
		n.log.Warn("a command is not answered", "error", err)
	}
}

// obey does what a slash command asks for, and says what to answer.
func (n *bot) obey(ctx context.Context, in *interaction, u wire.User) string {
	sub := in.Data.Options[0]
	channel := in.ChannelID
	if in.GuildID == "" {
		channel = ""
	}
	switch sub.Name {
	case "link":
		code := ""
		for _, o := range sub.Options {
			if s, ok := o.Value.(string); ok && o.Name == "code" {
				code = s
			}
		}
		return n.sayLink(ctx, u, code)
	case "unlink":
		return n.sayUnlink(ctx, u.ID)
	case "invite":
		return n.sayInvite(ctx, u.ID, channel)
	case "status":
		return n.sayStatus(ctx, u.ID, channel)
	}
	return sayHelp
}
