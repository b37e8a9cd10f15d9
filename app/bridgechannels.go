package app

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// foundChannel is a channel of a network that could be bridged.
type foundChannel struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Topic  string `json:"topic,omitempty"`
	People int    `json:"people"`
	// Ready tells that nothing has to be done at the network first.
	Ready bool `json:"ready"`
}

const channelsUsage = "landbridge bridge channels irc ADDRESS [-plain] [-nick NICK] [-json]\n       " +
	"landbridge bridge channels slack -bot-token-file FILE -app-token-file FILE [-api URL] [-json]\n       " +
	"landbridge bridge channels discord -token-file FILE [-api URL] [-json]"

// runBridgeChannels is "landbridge bridge channels": it looks at a network as a bridge would, before there is one.
func runBridgeChannels(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge bridge channels")
	asJSON := fs.Bool("json", false, "print JSON, a channel a line")
	plain := fs.Bool("plain", false, "IRC: without TLS")
	nick := fs.String("nick", "landbridge", "IRC: the `nick` to come with")
	api := fs.String("api", "", "another `address` of the network's API, for tests")
	files := map[string]*string{
		"bot_token": fs.String("bot-token-file", "", "Slack: `file` with the bot token"),
		"app_token": fs.String("app-token-file", "", "Slack: `file` with the app-level token"),
		"token":     fs.String("token-file", "", "Discord: `file` with the bot's token"),
	}
	rest, err := parseFlags(fs, channelsUsage, args, std)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return usageError("landbridge bridge channels: name the network: irc, slack or discord\nUsage: %s", channelsUsage)
	}
	var list []foundChannel
	var doubts []sentence.Text
	switch {
	case rest[0] == "irc" && len(rest) == 2:
		found, err := backend{}.ProbeIRC(ctx, rest[1], !*plain, *nick)
		if err != nil {
			return err
		}
		for _, c := range found.Channels {
			list = append(list, foundChannel{c.Name, c.Name, c.Topic, c.People, true})
		}
		if found.More {
			doubts = append(doubts, sentence.Say("There are more channels than are listed."))
		}
	case (rest[0] == "slack" || rest[0] == "discord") && len(rest) == 1:
		tokens := map[string]string{}
		for _, key := range map[string][]string{"slack": {"bot_token", "app_token"}, "discord": {"token"}}[rest[0]] {
			raw, err := os.ReadFile(*files[key])
			if err != nil {
				return fmt.Errorf("reading the token (-%s-file): %w", strings.ReplaceAll(key, "_", "-"), err)
			}
			tokens[key] = strings.TrimSpace(string(raw))
		}
		found, err := backend{}.ProbeTokens(ctx, rest[0], tokens, *api)
		if err != nil {
			return err
		}
		doubts = found.Doubts
		for _, c := range found.Channels {
			list = append(list, foundChannel(c))
		}
	default:
		return usageError("landbridge bridge channels: %q is not understood\nUsage: %s", strings.Join(rest, " "), channelsUsage)
	}
	for _, d := range doubts {
		fmt.Fprintln(std.Err, plainText(d.String()))
	}
	rows := [][]string{{"CHANNEL", "ID", "PEOPLE", "", "TOPIC"}}
	for _, c := range list {
		if *asJSON {
			if err := printJSON(std, c); err != nil {
				return err
			}
			continue
		}
		ready := ""
		if !c.Ready {
			ready = "the app is not in it"
		}
		// Names and topics are written by strangers: quoted, they can't play tricks with a terminal.
		rows = append(rows, []string{strconv.Quote(c.Name), strconv.Quote(c.ID), strconv.Itoa(c.People), ready, strconv.Quote(c.Topic)})
	}
	if *asJSON {
		return nil
	}
	return table(std, rows)
}
