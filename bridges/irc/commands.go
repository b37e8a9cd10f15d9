package irc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/irc.v4"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// askTime bounds how long a command waits for the network's answer.
const askTime = 20 * time.Second

var helpIRC = commands.HelpSection{Name: "IRC", Order: 15}

// addCommands adds the module's commands to the bot's.
func (b *Bridge) addCommands() {
	p, ok := b.br.Commands.(*commands.Processor)
	if !ok {
		return
	}
	add := func(name, args, does string, f func(*commands.Event, *network)) {
		p.AddHandler(&commands.FullHandler{
			Name: name, Help: commands.HelpMeta{Section: helpIRC, Description: does, Args: args},
			Func: func(ce *commands.Event) {
				if n := b.networkOf(ce); n != nil {
					f(ce, n)
				}
			},
		})
	}
	add("join", "[_network_] _#channel_ [_key_]", "Bridge a channel, and be invited to its room.", cmdJoin)
	add("list", "[_network_] [_part of a name_]", "List channels of the network.", cmdList)
	add("plumb", "[_network_] _#channel_ [_key_]", "Tie this room to a channel.", cmdPlumb)
	add("unplumb", "[_network_] [_#channel_]", "End the tie of this room, or of a channel that was added.", cmdUnplumb)
	add("whois", "[_network_] _nick_", "Show who somebody is.", cmdWhois)
	add("names", "[_network_] [_#channel_]", "Show who is in a channel.", cmdNames)
	add("nick", "[_network_] _nick_", "Change your own nick.", cmdNick)
	add("storepass", "[_network_] [_account_] _password_", "Store the password of your account, with which you are logged in.", cmdStorePass)
	add("removepass", "[_network_] [password]", "Forget your password and certificate, or the password alone.", cmdRemovePass)
	add("cert", "[_network_]", "Make a certificate for you, with which you can be logged in, and show its fingerprint.", cmdCert)
}

// networkOf is the network that a command is about: the one that it names first, that of the room, or the only one. It
// tells who has asked if there is none.
func (b *Bridge) networkOf(ce *commands.Event) *network {
	name := ""
	switch {
	case len(ce.Args) > 0 && b.network(strings.ToLower(ce.Args[0])) != nil:
		name = strings.ToLower(ce.Args[0])
		ce.Args = ce.Args[1:]
	case ce.Portal != nil:
		name, _ = splitPortal(ce.Portal.ID)
	case len(b.cfg.Networks) == 1:
		name = b.cfg.Networks[0].ID
	default:
		var names []string
		for _, n := range b.cfg.Networks {
			names = append(names, "`"+n.ID+"`")
		}
		ce.Reply("Of which network? Write one of %s before the rest.", strings.Join(names, ", "))
		return nil
	}
	n := b.running(name)
	if n == nil {
		ce.Reply("The network `%s` is not running.", name)
	}
	return n
}

// running returns a network by its id, or nil.
func (b *Bridge) running(id string) *network {
	login := b.br.GetCachedUserLoginByID(loginID(id))
	if login == nil {
		return nil
	}
	n, _ := login.Client.(*network)
	return n
}

// mayAdd reports whether somebody may bridge channels that are not in the configuration.
func (n *network) mayAdd(ce *commands.Event) bool { return n.cfg.Dynamic || ce.User.Permissions.Admin }

func cmdJoin(ce *commands.Event, n *network) {
	name, key, ok := channelArgs(ce)
	if !ok {
		return
	}
	if n.channel(name) == nil && !n.mayAdd(ce) {
		ce.Reply("%s is not bridged, and new channels are for the bridge's admins.", name)
		return
	}
	ctx, cancel := context.WithTimeout(ce.Ctx, askTime)
	defer cancel()
	portal, err := n.open(ctx, name, key)
	if err != nil {
		ce.Reply("%s cannot be joined: %v", name, err)
		return
	}
	if err := n.letIn(ctx, portal, ce); err != nil {
		ce.Reply("You cannot be invited: %v", err)
		return
	}
	ce.Reply("%s is [here](%s).", name, portal.MXID.URI(n.b.br.Matrix.ServerName()).MatrixToURL())
}

// letIn invites who has asked to a room, unless they are there.
func (n *network) letIn(ctx context.Context, portal *bridgev2.Portal, ce *commands.Event) error {
	now, err := n.b.br.Matrix.GetMemberInfo(ctx, portal.MXID, ce.User.MXID)
	if err == nil && now != nil && (now.Membership == event.MembershipJoin || now.Membership == event.MembershipInvite) {
		return nil
	}
	content := &event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipInvite}}
	_, err = n.b.br.Bot.SendState(ctx, portal.MXID, event.StateMember, string(ce.User.MXID), content, time.Time{})
	return err
}

// channelArgs reads the name and key of a channel.
func channelArgs(ce *commands.Event) (name, key string, ok bool) {
	if len(ce.Args) > 0 {
		name = ce.Args[0]
	}
	if len(ce.Args) > 1 {
		key = ce.Args[1]
	}
	if !validChannelName(name) || strings.HasPrefix(key, ":") {
		ce.Reply("Usage: `$cmdprefix %s #channel [key]`", ce.Command)
		return "", "", false
	}
	return name, key, true
}

// ask asks the network something for a command.
func ask(ce *commands.Event, n *network, q session.Question) ([]*irc.Message, bool) {
	ctx, cancel := context.WithTimeout(ce.Ctx, askTime)
	defer cancel()
	lines, err := n.session.Ask(ctx, q)
	if err != nil {
		ce.Reply("%s does not answer: %v", n.cfg.Name, err)
		return nil, false
	}
	return lines, true
}

// code shows foreign text in an answer as it is.
func code(text string) string { return "`" + strings.ReplaceAll(plainTopic(text), "`", "'") + "`" }

const maxListed = 50

func cmdList(ce *commands.Event, n *network) {
	lines, ok := ask(ce, n, session.ListOf())
	if !ok {
		return
	}
	part := strings.ToLower(strings.Join(ce.Args, " "))
	var out []string
	for _, m := range lines {
		if m.Command != "322" || len(m.Params) < 3 || !strings.Contains(strings.ToLower(m.Params[1]), part) {
			continue
		}
		out = append(out, fmt.Sprintf("* %s (%s) %s", code(m.Params[1]), m.Params[2], code(m.Param(3))))
	}
	slices.Sort(out)
	more := ""
	if len(out) > maxListed {
		more = fmt.Sprintf("\n\nand %d more; name a part of what you look for.", len(out)-maxListed)
		out = out[:maxListed]
	}
	if len(out) == 0 {
		ce.Reply("There is no such channel that everybody may know of.")
		return
	}
	ce.Reply("%s", strings.Join(out, "\n")+more)
}

func cmdWhois(ce *commands.Event, n *network) {
	if len(ce.Args) != 1 || nickChars(ce.Args[0]) == "" {
		ce.Reply("Usage: `$cmdprefix whois nick`")
		return
	}
	lines, ok := ask(ce, n, session.Whois(ce.Args[0]))
	if !ok {
		return
	}
	var out []string
	for _, m := range lines {
		switch {
		case m.Command == "401" || m.Command == "402":
			ce.Reply("Nobody is called %s.", code(ce.Args[0]))
			return
		case m.Command == "318" || len(m.Params) < 2:
		case m.Command == "311" && len(m.Params) >= 6:
			out = append(out, "* "+code(m.Params[1]+"!"+m.Params[2]+"@"+m.Params[3])+" "+code(m.Params[5]))
		default:
			out = append(out, "* "+code(strings.Join(m.Params[2:], " ")))
		}
	}
	if user, own := n.puppets.byNick(ce.Args[0]); own {
		out = append(out, fmt.Sprintf("* in Matrix: %s", user))
	}
	ce.Reply("%s", strings.Join(out, "\n"))
}

func cmdNames(ce *commands.Event, n *network) {
	name := ""
	if len(ce.Args) > 0 {
		name = ce.Args[0]
	} else if ce.Portal != nil {
		if ch := n.channelOf(ce.Portal); ch != nil {
			name = ch.Name
		}
	}
	if !validChannelName(name) {
		ce.Reply("Usage: `$cmdprefix names #channel`")
		return
	}
	lines, ok := ask(ce, n, session.NamesOf(name))
	if !ok {
		return
	}
	var nicks []string
	for _, m := range lines {
		if m.Command == "353" && len(m.Params) >= 4 {
			for _, nick := range strings.Fields(m.Params[3]) {
				nick, _, _ = strings.Cut(nick, "!")
				nicks = append(nicks, nick)
			}
		}
	}
	slices.Sort(nicks)
	more := ""
	if len(nicks) > 500 {
		more, nicks = fmt.Sprintf(" and %d more", len(nicks)-500), nicks[:500]
	}
	ce.Reply("%d in %s: %s%s", len(nicks), code(name), code(strings.Join(nicks, " ")), more)
}

func cmdPlumb(ce *commands.Event, n *network) {
	name, key, ok := channelArgs(ce)
	switch {
	case !ok:
		return
	case ce.Portal != nil:
		ce.Reply("This room is bridged to %s already.", code(string(ce.Portal.ID)))
		return
	case n.channel(name) != nil:
		ce.Reply("%s has a room already: write `$cmdprefix join %[1]s`.", name)
		return
	case !n.mayAdd(ce):
		ce.Reply("Channels are added by the bridge's admins.")
		return
	}
	levels, err := n.b.br.Matrix.GetPowerLevels(ce.Ctx, ce.RoomID)
	if err != nil || levels.GetUserLevel(ce.User.MXID) < levels.GetEventLevel(event.StateBridge) {
		ce.Reply("To tie a room to a channel you need the right to change its state.")
		return
	}
	ch := &channel{ChannelConfig: ChannelConfig{Name: name, Key: key}, added: true, room: ce.RoomID}
	if err := n.plumb(ce.Ctx, ch); err != nil {
		ce.Reply("The room cannot be tied to %s: %v", name, err)
		return
	}
	ce.Reply("This room is tied to %s on %s now.", name, n.cfg.Name)
}

func cmdUnplumb(ce *commands.Event, n *network) {
	var ch *channel
	if len(ce.Args) > 0 {
		ch = n.channel(ce.Args[0])
	} else if ce.Portal != nil {
		ch = n.channelOf(ce.Portal)
	}
	switch {
	case ch == nil:
		ce.Reply("This is no bridged channel.")
		return
	case !ch.added:
		ce.Reply("%s is in the configuration: take it out there.", ch.Name)
		return
	}
	if !ce.User.Permissions.Admin {
		levels, err := n.b.br.Matrix.GetPowerLevels(ce.Ctx, ce.RoomID)
		if ce.Portal == nil || err != nil || n.channelOf(ce.Portal) != ch || levels.GetUserLevel(ce.User.MXID) < levels.GetEventLevel(event.StateBridge) {
			ce.Reply("That is for the bridge's admins, and for those who may change the state of the room.")
			return
		}
	}
	if err := n.unbridge(ce.Ctx, ch); err != nil {
		ce.Reply("It is not ended: %v", err)
		return
	}
	ce.Reply("%s is not bridged any more.", ch.Name)
}

// own returns the connection of who gives a command, or tells them that they have none.
func own(ce *commands.Event, n *network) bool {
	if n.cfg.Puppets.Enabled {
		return true
	}
	ce.Reply("On %s everybody speaks through the bridge's one connection.", n.cfg.Name)
	return false
}

func cmdNick(ce *commands.Event, n *network) {
	if !own(ce, n) {
		return
	}
	if len(ce.Args) != 1 || nickChars(ce.Args[0]) != ce.Args[0] || len(ce.Args[0]) > maxNick || strings.ContainsAny(ce.Args[0][:1], "0123456789-") {
		ce.Reply("Usage: `$cmdprefix nick name`, of letters, digits and %s", code(nickSpecial))
		return
	}
	if err := n.puppets.wantNick(ce.Ctx, ce.User.MXID, ce.Args[0]); err != nil {
		ce.Reply("Your nick stays: %v", err)
		return
	}
	ce.Reply("You are to be %s on %s.", code(ce.Args[0]), n.cfg.Name)
}

// private reports whether nobody else reads a command, and hides one that has a secret otherwise.
func private(ce *commands.Event) bool {
	if ce.Portal == nil && ce.RoomID == ce.User.ManagementRoom {
		return true
	}
	ce.Redact()
	ce.Reply("Write that to me in a chat of the two of us, and change the password, if there was one: others may have read it.")
	return false
}

func cmdStorePass(ce *commands.Event, n *network) {
	if !private(ce) || !own(ce, n) {
		return
	}
	defer ce.Redact()
	var secret accountSecret
	switch len(ce.Args) {
	case 1:
		secret.Password = ce.Args[0]
	case 2:
		secret.User, secret.Password = ce.Args[0], ce.Args[1]
	default:
		ce.Reply("Usage: `$cmdprefix storepass [account] password`")
		return
	}
	if secret.User == "" {
		secret.User = n.puppets.nickFor(ce.User.MXID)
	}
	if err := n.puppets.setSecret(ce.Ctx, ce.User.MXID, &secret); err != nil {
		ce.Reply("The password is not stored: %v", err)
		return
	}
	ce.Reply("You are to be logged in as %s on %s.", code(secret.User), n.cfg.Name)
}

func cmdRemovePass(ce *commands.Event, n *network) {
	what, forget := "password and certificate", n.puppets.forgetSecret
	switch {
	case len(ce.Args) == 1 && ce.Args[0] == "password":
		what, forget = "password", n.puppets.forgetPassword
	case len(ce.Args) > 0:
		ce.Reply("Usage: `$cmdprefix removepass [password]`")
		return
	}
	if err := forget(ce.Ctx, ce.User.MXID); err != nil {
		ce.Reply("It is not forgotten: %v", err)
		return
	}
	ce.Reply("Your %s for %s is forgotten.", what, n.cfg.Name)
}

func cmdCert(ce *commands.Event, n *network) {
	if !own(ce, n) {
		return
	}
	if n.cfg.TLS == nil {
		ce.Reply("The connections to %s have no TLS, and so no certificates.", n.cfg.Name)
		return
	}
	secret, prints, err := newCertificate(string(ce.User.MXID))
	if err == nil {
		err = n.puppets.setSecret(ce.Ctx, ce.User.MXID, secret)
	}
	if err != nil {
		ce.Reply("There is no certificate: %v", err)
		return
	}
	ce.Reply("You are to be connected to %s with a certificate of your own. Tell the services there: write `CERT ADD %s` to NickServ, or, while you are logged in with a password, `CERT ADD` alone; `removepass password` then leaves the certificate to log you in. Its SHA-512 is `%s`.", n.cfg.Name, prints[0], prints[1])
}

var errNotOpen = errors.New("the server has not let the bridge in")
