package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/commands"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

// commandForm is a slash command.
type commandForm struct {
	Command string `json:"command"`
	Text    string `json:"text"`
	Team    string `json:"team_id"`
	User    string `json:"user_id"`
}

// commandTime is how long an answer may take: Slack waits three seconds.
const commandTime = 2500 * time.Millisecond

// ephemeral is an answer that only who has given the command sees.
func ephemeral(text string) map[string]any {
	return map[string]any{"response_type": "ephemeral", "text": text}
}

func (h *webhook) serveCommand(w http.ResponseWriter, r *http.Request, body string) {
	f, err := url.ParseQuery(body)
	if err != nil || f.Get("command") == "" || h.command == nil {
		http.Error(w, "this is no command", http.StatusBadRequest)
		return
	}
	raw, err := json.Marshal(ephemeral(h.command(r.Context(), commandForm{f.Get("command"), f.Get("text"), f.Get("team_id"), f.Get("user_id")})))
	if err != nil {
		http.Error(w, "there is no answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(raw); err != nil {
		h.log.Debug("the answer to a command was not taken", "error", err)
	}
}

// route returns who takes the events of a workspace of Slack; nil if nobody does.
func (b *Bridge) route(team string) receiver {
	all := b.workspaces()
	for _, w := range all {
		meta, _ := w.login.Metadata.(*LoginMetadata)
		if w.cfg.TeamID != "" && w.cfg.TeamID == team || w.cfg.TeamID == "" && meta != nil && meta.TeamID == team && team != "" {
			return w
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return nil
}

// signingSecrets are those of all workspaces.
func (b *Bridge) signingSecrets() (list []string) {
	for i := range b.cfg.Workspaces {
		if s := b.cfg.Workspaces[i].SigningSecret; s != "" {
			list = append(list, s)
		}
	}
	return list
}

// command answers a slash command.
func (b *Bridge) command(ctx context.Context, f commandForm) string {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	w, ok := b.route(f.Team).(*workspace)
	if !ok || f.User == "" {
		return "The bridge is not connected to this workspace yet. Try again in a minute."
	}
	return w.answer(ctx, f.User, f.Text)
}

// talk answers what somebody has written to the bot.
func (w *workspace) talk(ctx context.Context, m *message) {
	text := w.answer(ctx, m.User, format.Plain(format.Mrkdwn(m.Text)))
	if err := w.write(ctx, m.User, "answer/"+m.Channel+"/"+m.TS, text); err != nil {
		w.log.Error("somebody who wrote to the bot got no answer", "error", err)
	}
}

const commandHelp = "I connect this workspace with Matrix. What I understand:\n" +
	"• `link` — link your Slack account to an account on Matrix, so that you keep your name and channels there\n" +
	"• `link CODE` — the same, with a code that you were given on Matrix\n" +
	"• `unlink` — take the link away"

// answer does what somebody of Slack asks for. What it says is for their eyes only.
func (w *workspace) answer(ctx context.Context, user, text string) string {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 || words[0] != "link" && words[0] != "unlink" {
		return commandHelp
	}
	links := w.b.links
	if links == nil {
		return "Accounts cannot be linked here: the server's administrator has not switched that on."
	}
	who := appservice.RemotePerson{ID: ghostID(user)}
	if u := w.dir.user(ctx, user); u != nil {
		if u.Bot {
			return "Only people can be linked."
		}
		who.Name = u.displayName()
	}
	failed := func(err error) string {
		switch {
		case errors.Is(err, appservice.ErrLinked):
			return "You are linked to an account already. `unlink` takes that away."
		case errors.Is(err, appservice.ErrBadCode):
			return "This code is wrong, used up or too old."
		}
		w.log.Error("an account is not linked", "user", user, "error", err)
		return "That does not work at the moment. Try again later."
	}
	switch {
	case words[0] == "unlink":
		if err := links.Unlink(ctx, who.ID); err != nil {
			return failed(err)
		}
		return "You are not linked any more."
	case len(words) > 1:
		code := strings.Fields(text)[1]
		account, err := links.Confirm(ctx, who, code)
		if err != nil {
			return failed(err)
		}
		return "You are linked to " + string(account) + " now."
	}
	offer, err := links.Offer(ctx, who)
	if err != nil {
		return failed(err)
	}
	return "Open this address to link your account. It is for you alone, do not pass it on: " + offer.URL + "\nOr enter this code on the server's page: " + offer.Code
}

// addCommands adds what people of Matrix can ask the bridge's bot for.
func (b *Bridge) addCommands() {
	proc, ok := b.br.Commands.(*commands.Processor)
	if !ok {
		b.log.Error("there are no commands: their processor is not known")
		return
	}
	section := commands.HelpSection{Name: "Slack", Order: 30}
	proc.AddHandlers(
		&commands.FullHandler{
			Name: "link", Help: commands.HelpMeta{Section: section, Description: "Link your account to yours in Slack"},
			Func: func(ce *commands.Event) {
				if b.links == nil {
					ce.Reply("Accounts cannot be linked here: the server's administrator has not switched that on.")
					return
				}
				code, err := b.links.Ask(ce.Ctx, ce.User.MXID)
				switch {
				case errors.Is(err, appservice.ErrLinked):
					ce.Reply("You are linked already.")
				case err != nil:
					b.log.Error("somebody gets no code for linking", "account", ce.User.MXID, "error", err)
					ce.Reply("That does not work at the moment. Try again later.")
				default:
					ce.Reply("In Slack, write `/matrix link %s`, or `link %s` to the bridge's bot. The code is for you alone.", code, code)
				}
			},
		},
		&commands.FullHandler{
			Name: "install", Help: commands.HelpMeta{Section: section, Description: "Get the address that installs the app in a workspace", Args: "[_workspace_]"}, RequiresAdmin: true,
			Func: func(ce *commands.Event) {
				for _, w := range b.workspaces() {
					if len(ce.Args) > 0 && ce.Args[0] != w.cfg.ID {
						continue
					}
					address, err := b.pages.installURL(w)
					if err != nil {
						ce.Reply("%s: %v.", w.cfg.ID, err)
						continue
					}
					ce.Reply("%s: %s\n\nWho has this address can install the app; keep it to yourself.", w.cfg.ID, address)
				}
			},
		},
		&commands.FullHandler{
			Name: "history", Help: commands.HelpMeta{Section: section, Description: "See how far the channels' history is"}, RequiresAdmin: true,
			Func: func(ce *commands.Event) {
				var lines []string
				for _, w := range b.workspaces() {
					for _, line := range w.pasts.progress() {
						lines = append(lines, "* "+w.cfg.ID+" "+line)
					}
				}
				if len(lines) == 0 {
					ce.Reply("The history of all channels is there.")
					return
				}
				ce.Reply("%s", strings.Join(lines, "\n"))
			},
		},
	)
}
