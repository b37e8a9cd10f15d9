package discord

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// accountOf is the account of the homeserver that somebody of Discord is tied to; empty if there is none.
func (n *bot) accountOf(ctx context.Context, user wire.ID) id.UserID {
	if n.b.deps.Links == nil {
		return ""
	}
	account, err := n.b.deps.Links.Account(ctx, userID(user))
	if err != nil {
		n.log.Warn("whose account this is on Matrix cannot be found out", "error", err)
	}
	return account
}

// personOf is who an account is on Discord; empty if it is nobody.
func (n *bot) personOf(ctx context.Context, account id.UserID) wire.ID {
	if n.b.deps.Links == nil {
		return ""
	}
	person, err := n.b.deps.Links.Person(ctx, account)
	if err != nil {
		n.log.Warn("who somebody is on Discord cannot be found out", "error", err)
	}
	return wire.ID(person)
}

// The answers to commands, the same in direct messages and to slash commands.
const (
	sayNoLinks = "Accounts cannot be linked here: the administrator of the Matrix server has not set it up."
	sayTrouble = "That did not work, because of an error of the bridge. Please try again later."
	sayHelp    = "I am the bridge between this Discord server and Matrix. I understand:\n" +
		"- `link` – link your Discord account with an account on Matrix; `link CODE` if you have a code from Matrix\n" +
		"- `unlink` – take the link away\n" +
		"- `status` – what is linked and bridged\n" +
		"- `help` – this\n" +
		"Other messages to me are not shown to anybody."
)

// sayLink answers somebody of Discord who wants to link their account.
func (n *bot) sayLink(ctx context.Context, u wire.User, code string) string {
	links := n.b.deps.Links
	if links == nil {
		return sayNoLinks
	}
	p := appservice.RemotePerson{ID: userID(u.ID), Name: globalLook(u).name}
	if code != "" {
		account, err := links.Confirm(ctx, p, code)
		switch {
		case errors.Is(err, appservice.ErrBadCode):
			return "That code is not valid (any more). Ask for a new one on Matrix, with the command `link`."
		case errors.Is(err, appservice.ErrLinked):
			return n.sayLinked(ctx, u.ID)
		case err != nil:
			n.log.Error("an account is not linked", "error", err)
			return sayTrouble
		}
		return "Done: you are linked to " + string(account) + "."
	}
	offer, err := links.Offer(ctx, p)
	switch {
	case errors.Is(err, appservice.ErrLinked):
		return n.sayLinked(ctx, u.ID)
	case err != nil:
		n.log.Error("an account cannot be offered", "error", err)
		return sayTrouble
	}
	var b strings.Builder
	if offer.URL != "" {
		fmt.Fprintf(&b, "Open this page, and sign in or make an account there; it is meant for you alone:\n<%s>\n", offer.URL)
	}
	if offer.Code != "" {
		fmt.Fprintf(&b, "If the page asks for a code, or if you link from Matrix: `%s`", offer.Code)
	}
	return strings.TrimSpace(b.String())
}

func (n *bot) sayLinked(ctx context.Context, user wire.ID) string {
	if account := n.accountOf(ctx, user); account != "" {
		return "You are linked to " + string(account) + " already. To change that, use `unlink` first."
	}
	return "You are linked to an account already. To change that, use `unlink` first."
}

// sayUnlink answers somebody of Discord who wants the link to end.
func (n *bot) sayUnlink(ctx context.Context, user wire.ID) string {
	if n.b.deps.Links == nil {
		return sayNoLinks
	}
	account := n.accountOf(ctx, user)
	if account == "" {
		return "You are not linked to an account on Matrix."
	}
	if err := n.b.deps.Links.Unlink(ctx, userID(user)); err != nil {
		n.log.Error("an account is not unlinked", "error", err)
		return sayTrouble
	}
	return "Done: you are not linked to " + string(account) + " any more. What was said before stays as it is."
}

// sayStatus says what is linked, and, of a channel, what is bridged.
func (n *bot) sayStatus(ctx context.Context, user, channel wire.ID) string {
	var b strings.Builder
	if account := n.accountOf(ctx, user); account != "" {
		fmt.Fprintf(&b, "You are linked to %s.\n", account)
	} else if n.b.deps.Links != nil {
		b.WriteString("You are not linked to an account on Matrix; the command `link` does that.\n")
	}
	if channel != "" {
		if room, link := n.roomOf(ctx, channel); room != "" {
			fmt.Fprintf(&b, "This channel is bridged: <%s>", link)
			if waiting := n.outbox.waiting(channel); waiting > 0 {
				fmt.Fprintf(&b, "\nMessages from Matrix that wait to be sent here: %d", waiting)
			}
		} else {
			b.WriteString("This channel is not bridged to Matrix.")
		}
		return strings.TrimSpace(b.String())
	}
	rooms := 0
	for _, g := range n.guilds.ids() {
		rooms += len(n.openChannels(g))
	}
	fmt.Fprintf(&b, "Channels that are bridged: %d", rooms)
	return b.String()
}

// sayInvite answers somebody of Discord who wants to get into the room of the channel that they write in. Who can use
// a command in a channel sees it; so somebody who is linked may be invited.
func (n *bot) sayInvite(ctx context.Context, user, channel wire.ID) string {
	if channel == "" {
		return "Use `/matrix invite` in a channel of the server."
	}
	room, link := n.roomOf(ctx, channel)
	if room == "" {
		return "This channel is not bridged to Matrix."
	}
	account := n.accountOf(ctx, user)
	if account == "" {
		return "The room of this channel on Matrix: <" + link + ">\nIf it cannot be joined, link your account first: `/matrix link`"
	}
	if err := n.b.br.Bot.EnsureInvited(ctx, room, account); err != nil {
		n.log.Warn("somebody is not invited", "room", room, "error", err)
		return "You could not be invited. The room is <" + link + ">"
	}
	return "You (" + string(account) + ") are invited, or there already: <" + link + ">"
}
