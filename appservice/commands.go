package appservice

import (
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2/commands"
)

// when says for whom a command makes sense; nil means for everybody.
type when func(*commands.Event) bool

// optional is a command of bridgev2 that is there only where it makes sense.
type optional struct {
	*commands.FullHandler
	when when
	why  string // it does not, for people to read
}

var (
	_ commands.HelpfulHandler        = (*optional)(nil)
	_ commands.AliasedCommandHandler = (*optional)(nil)
)

// ShowInHelp implements commands.HelpfulHandler.
func (o *optional) ShowInHelp(ce *commands.Event) bool {
	return o.when(ce) && o.FullHandler.ShowInHelp(ce)
}

// Run implements commands.MinimalCommandHandler.
func (o *optional) Run(ce *commands.Event) {
	if !o.when(ce) {
		ce.Reply("There is no `%s` here: %s. See `help`.", o.Name, o.why)
		return
	}
	o.FullHandler.Run(ce)
}

// withAccounts is for networks on which people log in with accounts of their own.
func withAccounts(ce *commands.Event) bool { return len(ce.Bridge.Network.GetLoginFlows()) > 0 }

// mayLogIn is for who may do that.
func mayLogIn(ce *commands.Event) bool { return withAccounts(ce) && ce.User.Permissions.Login }

// loggedIn is for who has done it.
func loggedIn(ce *commands.Event) bool { return ce.User.GetDefaultLogin() != nil }

// setCommands replaces those commands of bridgev2 that make no sense in community mode, where one connection is
// everybody's, by ones that are hidden there. A module's own come later, and replace any.
func (c *connector) setCommands(p *commands.Processor) {
	const noAccounts, noLogin = "nobody logs in to this bridge with an account of their own", "it is for who has logged in with an account of their own"
	hide := func(w when, why string, list ...*commands.FullHandler) {
		for _, h := range list {
			p.AddHandler(&optional{h, w, why})
		}
	}
	hide(mayLogIn, noAccounts, commands.CommandLogin, commands.CommandRelogin, commands.CommandListLogins, commands.CommandLogout,
		commands.CommandSetPreferredLogin)
	hide(withAccounts, noAccounts, commands.CommandSetRelay, commands.CommandUnsetRelay, commands.CommandRegisterPush, commands.CommandBridge,
		commands.CommandUnbridge)
	hide(loggedIn, noLogin, commands.CommandResolveIdentifier, commands.CommandStartChat, commands.CommandCreateGroup, commands.CommandSearch,
		commands.CommandCreatePortal, commands.CommandMute, commands.CommandDeleteChat, commands.CommandImportImagePack)
	c.hideMatrix(hide, noLogin)
	p.AddHandlers(&commands.FullHandler{
		Name: "help", Func: help,
		Help: commands.HelpMeta{Section: commands.HelpSectionGeneral, Description: "Show what can be done here, or what one command does.", Args: "[_command_]"},
	}, &commands.FullHandler{
		Name: "status", Func: c.tellStatus,
		Help: commands.HelpMeta{Section: commands.HelpSectionGeneral, Description: "Show whether the bridge is connected, and what this room is bridged to."},
	})
}

// help is the command of that name.
func help(ce *commands.Event) {
	text := commands.FormatHelp(ce)
	if len(ce.Args) == 0 {
		_, rest, _ := strings.Cut(text, "\n") // bridgev2's sentence on the prefix
		ce.Reply("This is the bridge to %s. %s\n%s", ce.Bridge.Network.GetName().DisplayName, usage(ce), rest)
		return
	}
	name := strings.ToLower(strings.TrimPrefix(ce.Args[0], ce.Bridge.Config.CommandPrefix))
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "**"+name+"** ") {
			ce.Reply("%s", line)
			return
		}
	}
	ce.Reply("There is no command `%s` for you. Write `help` to see all.", name)
}

// usage says how commands are written in the room.
func usage(ce *commands.Event) string {
	prefix := ce.Bridge.Config.CommandPrefix
	switch {
	case ce.RoomID == ce.User.ManagementRoom:
		return fmt.Sprintf("This is your room with it: write a command as it stands below. In other rooms begin with `%s`.", prefix)
	case ce.Portal != nil:
		return fmt.Sprintf("Begin each command with `%s`, as in `%[1]s status`: what begins so is not bridged. In a room with the bridge alone, which you make by inviting %s, no prefix is needed.", prefix, ce.Bot.GetMXID())
	}
	return fmt.Sprintf("Begin each command with `%s`, as in `%[1]s status`.", prefix)
}

// tellStatus is the command "status".
func (c *connector) tellStatus(ce *commands.Event) {
	var b strings.Builder
	fmt.Fprintf(&b, "The bridge to %s runs.\n", ce.Bridge.Network.GetName().DisplayName)
	if ce.Portal != nil {
		fmt.Fprintf(&b, "\nThis room is bridged to %s (`%s`).\n", ce.Portal.Name, ce.Portal.ID)
	}
	for _, l := range c.loginStatus() {
		if l.User != ce.Bot.GetMXID() && l.User != ce.User.MXID && !ce.User.Permissions.Admin {
			continue
		}
		name := l.Name
		if name == "" {
			name = string(l.ID)
		}
		fmt.Fprintf(&b, "\n* %s: %s", name, strings.ToLower(strings.ReplaceAll(string(l.State), "_", " ")))
		if l.Message != "" {
			fmt.Fprintf(&b, " (%s)", l.Message)
		}
	}
	if ce.User.Permissions.Admin {
		fmt.Fprintf(&b, "\n\nMessages that did not get across: %d.", c.letters.count())
	}
	ce.Reply("%s", b.String())
}
