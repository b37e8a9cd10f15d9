package discord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// addCommands adds what the bridge's bot can be told in Matrix.
func (b *Bridge) addCommands() {
	p, ok := b.br.Commands.(*commands.Processor)
	if !ok {
		b.log.Warn("there are no commands: the framework's processor is not known")
		return
	}
	section := commands.HelpSection{Name: "Discord", Order: 5}
	add := func(name, args, about string, h commands.FullHandler, f func(*bot, *commands.Event)) {
		h.Name, h.Help = name, commands.HelpMeta{Section: section, Description: about, Args: args}
		h.Func = func(ce *commands.Event) {
			n := b.client()
			if n == nil {
				ce.Reply("The bridge is starting; please try again.")
				return
			}
			f(n, ce)
		}
		p.AddHandler(&h)
	}
	add("link", "[_code_]", "Link your account with one on Discord.", commands.FullHandler{}, (*bot).commandLink)
	add("unlink", "", "Take the link to your Discord account away.", commands.FullHandler{}, (*bot).commandUnlink)
	add("list", "", "List the channels that are bridged.", commands.FullHandler{}, (*bot).commandList)
	add("invite", "_channel_", "Get invited to the room of a channel that you may see on Discord.", commands.FullHandler{}, (*bot).commandInvite)
	add("archive", "", "Archive the thread in which, or in whose room, this is said.", commands.FullHandler{RequiresPortal: true}, (*bot).commandArchive)
	add("unarchive", "", "Open the thread again in which, or in whose room, this is said.", commands.FullHandler{RequiresPortal: true}, (*bot).commandArchive)
	add("timeout", "_user_ _duration_ [_reason_]", "Silence somebody of Discord for a time such as 10m or 2h; `0` ends it.", commands.FullHandler{RequiresPortal: true}, (*bot).commandTimeout)
	add("bridge", "_channel id_", "Bridge a channel, whatever the configuration says.", commands.FullHandler{RequiresAdmin: true}, (*bot).commandBridge)
	add("unbridge", "[_channel id_]", "Bridge a channel no more, whatever the configuration says.", commands.FullHandler{RequiresAdmin: true}, (*bot).commandBridge)
	add("history", "", "See how far the history of channels is that is being brought in.", commands.FullHandler{RequiresAdmin: true}, (*bot).commandHistory)
	add("bot-invite", "", "Show the address by which the bot is invited to a Discord server.", commands.FullHandler{RequiresAdmin: true}, func(n *bot, ce *commands.Event) {
		ce.Reply("Who may manage the Discord server opens: %s", InviteURL(string(n.appID())))
	})
}

func (n *bot) commandLink(ce *commands.Event) {
	links := n.b.deps.Links
	if links == nil {
		ce.Reply("Accounts cannot be linked here: the administrator of the server has not set it up.")
		return
	}
	if person := n.personOf(ce.Ctx, ce.User.MXID); person != "" {
		ce.Reply("You are linked to %s on Discord already. To change that, use `unlink` first.", n.nameOf(ce.Ctx, userID(person)))
		return
	}
	code, err := links.Ask(ce.Ctx, ce.User.MXID)
	switch {
	case errors.Is(err, appservice.ErrLinked):
		ce.Reply("You are linked already. To change that, use `unlink` first.")
	case err != nil:
		n.log.Error("somebody cannot link their account", "user", ce.User.MXID, "error", err)
		ce.Reply("That did not work, because of an error of the bridge. Please try again later.")
	default:
		ce.Reply("On Discord, write `/matrix link %[1]s`, or send the bot a direct message: `link %[1]s`", code)
	}
}

func (n *bot) commandUnlink(ce *commands.Event) {
	person := n.personOf(ce.Ctx, ce.User.MXID)
	if person == "" {
		ce.Reply("You are not linked to an account on Discord.")
		return
	}
	if err := n.b.deps.Links.Unlink(ce.Ctx, userID(person)); err != nil {
		n.log.Error("an account is not unlinked", "user", ce.User.MXID, "error", err)
		ce.Reply("That did not work, because of an error of the bridge. Please try again later.")
		return
	}
	ce.Reply("Done: you are not linked to Discord any more. What was said before stays as it is.")
}

// maxListed is how many channels a list has.
const maxListed = 300

// commandList lists the channels that somebody may know of: those that everybody sees, and those that they see as who
// they are on Discord. Administrators see all.
func (n *bot) commandList(ce *commands.Event) {
	var b strings.Builder
	person, count := n.personOf(ce.Ctx, ce.User.MXID), 0
	for _, guildID := range n.guilds.ids() {
		name := ""
		n.guilds.read(guildID, func(g *guild) { name = g.Name })
		fmt.Fprintf(&b, "\n**%s** (`%s`)\n\n", escapeMarkdown(name), guildID)
		for _, ch := range n.openChannels(guildID) {
			if count >= maxListed || !ce.User.Permissions.Admin && !n.sees(person, &ch) {
				continue
			}
			count++
			_, link := n.roomOf(ce.Ctx, ch.ID)
			fmt.Fprintf(&b, "* [%s](%s) (`%s`)\n", escapeMarkdown(ch.Name), link, ch.ID)
		}
	}
	if count == 0 {
		ce.Reply("No channel is bridged that you may know of.")
		return
	}
	ce.Reply("%s", b.String())
}

func escapeMarkdown(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "`", "\\`", "<", "&lt;").Replace(s)
}

// sees reports whether somebody of Discord, or everybody, sees a channel.
func (n *bot) sees(person wire.ID, ch *wire.Channel) (yes bool) {
	n.guilds.read(ch.GuildID, func(g *guild) {
		var roles []wire.ID
		if m, ok := g.members[person]; ok && person != "" {
			roles = m.Roles
		} else {
			person = ""
		}
		yes = g.permissions(person, roles, ch)&permView != 0
	})
	return yes
}

// find finds the channel that somebody names: by its id, its name, or a mention.
func (n *bot) find(name string) (list []wire.Channel) {
	name = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "<#"), "#"), ">")
	if ch, ok := n.guilds.channel(wire.ID(name)); ok {
		return []wire.Channel{ch}
	}
	for _, guildID := range n.guilds.ids() {
		n.guilds.read(guildID, func(g *guild) {
			for _, ch := range g.sorted() {
				if strings.EqualFold(ch.Name, name) && ch.HasMessages() {
					list = append(list, ch)
				}
			}
		})
	}
	return list
}

func (n *bot) commandInvite(ce *commands.Event) {
	if len(ce.Args) != 1 {
		ce.Reply("Usage: `$cmdprefix invite CHANNEL`, with its name or id")
		return
	}
	person := n.personOf(ce.Ctx, ce.User.MXID)
	list := slices.DeleteFunc(n.find(ce.Args[0]), func(ch wire.Channel) bool { return !ce.User.Permissions.Admin && !n.sees(person, &ch) })
	switch {
	case len(list) == 0 && person == "" && n.b.deps.Links != nil:
		ce.Reply("There is no such channel that everybody sees. If you see it on Discord, link your account first: `link`")
		return
	case len(list) == 0:
		ce.Reply("There is no such channel that you see on Discord.")
		return
	case len(list) > 1:
		ce.Reply("There are several channels of that name; use the channel's id.")
		return
	}
	room, link := n.roomOf(ce.Ctx, list[0].ID)
	if room == "" {
		ce.Reply("That channel is not bridged.")
		return
	}
	if err := n.b.br.Bot.EnsureInvited(ce.Ctx, room, ce.User.MXID); err != nil {
		n.log.Warn("somebody is not invited", "room", room, "user", ce.User.MXID, "error", err)
		ce.Reply("You could not be invited.")
		return
	}
	ce.Reply("You are invited to %s, or there already.", link)
}

// threadOf is the thread in which a command was given: that of the room, or that of the event.
func (n *bot) threadOf(ce *commands.Event) (t wire.Channel, ok bool) {
	_, channel := splitPortal(ce.Portal.ID)
	if t, ok = n.guilds.channel(channel); ok && t.IsThread() {
		return t, true
	}
	target := ce.ReplyTo
	if evt, err := n.b.br.Bot.GetEvent(ce.Ctx, ce.RoomID, ce.EventID); err == nil {
		if root := evt.Content.AsMessage().RelatesTo.GetThreadParent(); root != "" {
			target = root
		}
	}
	if target == "" {
		return t, false
	}
	row, err := n.b.br.DB.Message.GetPartByMXID(ce.Ctx, target)
	if err != nil || row == nil {
		return t, false
	}
	thread := wire.ID(row.ID)
	if row.ThreadRoot != "" {
		thread = wire.ID(row.ThreadRoot)
	}
	t, ok = n.guilds.channel(thread)
	return t, ok && t.IsThread()
}

// moderates reports whether somebody has the power of a moderator in the room, and tells them if not.
func (n *bot) moderates(ce *commands.Event) bool {
	levels, err := n.b.br.Matrix.GetPowerLevels(ce.Ctx, ce.RoomID)
	if err == nil && levels != nil && levels.GetUserLevel(ce.User.MXID) >= max(levels.Kick(), 1) {
		return true
	}
	ce.Reply("That takes the power of a moderator in this room.")
	return false
}

func (n *bot) commandArchive(ce *commands.Event) {
	if !n.moderates(ce) {
		return
	}
	t, ok := n.threadOf(ce)
	if !ok {
		ce.Reply("Say this in a thread, or as an answer to the message that it began with.")
		return
	}
	j := n.commandJob(jobArchive, t.ParentID, ce)
	j.TargetID, j.Archived = t.ID, ce.Command == "archive"
	n.addJob(ce, j)
}

// commandJob makes the job of a command.
func (n *bot) commandJob(kind jobKind, queue wire.ID, ce *commands.Event) *job {
	return &job{
		Kind: kind, Channel: queue, EventID: ce.EventID, Name: ce.User.MXID.Localpart(),
		Status: eventInfo{RoomID: ce.RoomID, Type: event.EventMessage, Msg: event.MsgText, Sender: ce.User.MXID},
	}
}

func (n *bot) addJob(ce *commands.Event, j *job) {
	if err := n.outbox.add(ce.Ctx, j, nil); err != nil && !errors.Is(err, errDuplicate) {
		n.log.Error("a command is not carried out", "command", ce.Command, "error", err)
		ce.Reply("That did not work: %v", err)
		return
	}
	ce.React("👍️")
}

// maxTimeout is the longest time-out that Discord has.
const maxTimeout = 28 * 24 * time.Hour

func (n *bot) commandTimeout(ce *commands.Event) {
	if !n.moderates(ce) {
		return
	}
	if len(ce.Args) < 2 {
		ce.Reply("Usage: `$cmdprefix timeout USER DURATION [REASON]`, such as `@discord_123:example.org 10m`; a duration of `0` ends it")
		return
	}
	if !n.cfg.Moderation {
		ce.Reply("Moderation from Matrix is switched off.")
		return
	}
	ghost, ok := n.b.br.Matrix.ParseGhostMXID(id.UserID(ce.Args[0]))
	if !ok || !isUser(ghost) {
		ce.Reply("%s is nobody of Discord.", ce.Args[0])
		return
	}
	length, err := time.ParseDuration(strings.Replace(ce.Args[1], "d", "h", 1))
	if days, ok := strings.CutSuffix(ce.Args[1], "d"); ok && err == nil {
		length, err = time.ParseDuration(days + "h")
		length *= 24
	}
	if ce.Args[1] == "0" {
		length, err = 0, nil
	}
	if err != nil || length < 0 || length > maxTimeout {
		ce.Reply("%s is no duration between 0 and 28d, such as 10m, 2h or 1d.", ce.Args[1])
		return
	}
	guildID, err := n.guildOf(ce.Portal)
	if err != nil {
		ce.Reply("That did not work: %v", err)
		return
	}
	j := n.commandJob(jobTimeout, guildID, ce)
	j.TargetID, j.Reason = wire.ID(ghost), strings.Join(ce.Args[2:], " ")
	if length > 0 {
		j.Until = time.Now().Add(length)
	}
	n.addJob(ce, j)
}

// commandHistory is "history".
func (n *bot) commandHistory(ce *commands.Event) {
	var lines []string
	err := n.ask(ce.Ctx, func(context.Context) {
		for _, h := range n.pasts {
			line := "* " + escapeMarkdown(h.channel.Name) + ": "
			if h.total == 0 {
				line += "waits for others"
			} else {
				line += fmt.Sprintf("%d messages, up to %s", h.total, h.at.UTC().Format("2006-01-02 15:04 MST"))
			}
			lines = append(lines, line)
		}
	})
	slices.Sort(lines)
	if more := len(lines) - maxListed; more > 0 {
		lines = append(lines[:maxListed], fmt.Sprintf("* and %d more", more))
	}
	switch {
	case err != nil:
		ce.Reply("The bridge is starting; please try again.")
	case len(lines) == 0:
		ce.Reply("The history of all channels is there.")
	default:
		ce.Reply("%s", strings.Join(lines, "\n"))
	}
}
