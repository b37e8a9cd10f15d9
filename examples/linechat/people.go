package linechat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/appservice"
)

// What a bridge can do beyond messages. Line chat has no private messages of its own; by convention a line of the
// channel "@NICK" is for NICK alone, and who writes to "@bridge" speaks to the bridge:
//
//	@bridge bob link          bob wants an account: the bridge answers with an address and a code
//	@bridge bob link CODE     bob has been given the code by the account page
//	@bridge bob unlink        bob's account is not bob any more

var (
	_ appservice.Messenger = (*bridge)(nil)
	_ appservice.Freezer   = (*bridge)(nil)
	_ appservice.Announcer = (*bridge)(nil)
)

// botNick is the name under which the bridge itself speaks.
const botNick = "bridge"

// write sends a line to the network.
func (b *bridge) write(channel, nick, text string) error {
	line := fmt.Sprintf("%s %s %s\n", channel, strings.ReplaceAll(nick, " ", "_"), strings.ReplaceAll(text, "\n", " "))
	if len(line) > maxLine {
		return errors.New("the message is too long for line chat")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if _, err := b.conn.Write([]byte(line)); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Message implements appservice.Messenger. A network on which more depends than on line chat would note the key
// in the bridge's database, and not send what has it again.
func (b *bridge) Message(_ context.Context, to networkid.UserID, _, text string) error {
	return b.write("@"+string(to), botNick, text)
}

// Announce implements appservice.Announcer. See Message for the key.
func (b *bridge) Announce(_ context.Context, _, text string) (undone []string, err error) {
	return nil, b.everywhere(text)
}

func (b *bridge) everywhere(text string) (err error) {
	for _, channel := range b.config.Channels {
		err = errors.Join(err, b.write(channel, botNick, text))
	}
	return err
}

// Freeze implements appservice.Freezer: line chat has neither topics nor rights.
func (b *bridge) Freeze(_ context.Context, notice string) (undone []string, err error) {
	return []string{"Line chat can't keep people from writing."}, b.everywhere(notice)
}

// Thaw implements appservice.Freezer.
func (b *bridge) Thaw(context.Context) (undone []string, err error) {
	return nil, b.everywhere("This channel is open again.")
}

// CatchUp implements appservice.Freezer: what has been read is handled in order, and what has not been read does not
// exist here.
func (b *bridge) CatchUp(context.Context) error { return nil }

// commanded answers what somebody has said to the bridge.
func (b *bridge) commanded(ctx context.Context, nick, text string) {
	answer, err := b.answer(ctx, appservice.RemotePerson{ID: networkid.UserID(nick), Name: nick}, strings.Fields(text))
	if err != nil {
		b.env.Log.ErrorContext(ctx, "a command failed", "err", err)
		answer = "That did not work; please try again later."
	}
	if err := b.write("@"+nick, botNick, answer); err != nil {
		b.env.Log.WarnContext(ctx, "answering a command", "err", err)
	}
}

func (b *bridge) answer(ctx context.Context, who appservice.RemotePerson, words []string) (string, error) {
	links := b.env.Links
	switch {
	case links == nil:
		return "There are no accounts to link here.", nil
	case len(words) == 1 && words[0] == "link":
		offer, err := links.Offer(ctx, who)
		if errors.Is(err, appservice.ErrLinked) {
			return "You have an account already.", nil
		}
		return fmt.Sprintf("Open %s or type the code %s there.", offer.URL, offer.Code), err
	case len(words) == 2 && words[0] == "link":
		account, err := links.Confirm(ctx, who, words[1])
		if errors.Is(err, appservice.ErrBadCode) {
			return "This code is not valid.", nil
		} else if errors.Is(err, appservice.ErrLinked) {
			return "You have an account already.", nil
		}
		return fmt.Sprintf("You are %s now.", account), err
	case len(words) == 1 && words[0] == "unlink":
		return "You have no account here any more.", links.Unlink(ctx, who.ID)
	}
	return "I know link and unlink.", nil
}
