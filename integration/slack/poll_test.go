package slack_test

import (
	"testing"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// TestPoll has an app make a poll, as polls are made in Slack: by blocks that it changes with each vote.
func TestPoll(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	answer := func(text, votes string, voters ...string) []any {
		elements := []any{}
		for _, name := range voters {
			elements = append(elements, obj{"type": "image", "image_url": "https://example.org/" + name, "alt_text": name})
		}
		return []any{
			obj{"type": "section", "text": obj{"type": "mrkdwn", "text": text},
				"accessory": obj{"type": "button", "action_id": "vote", "value": text, "text": obj{"type": "plain_text", "text": "Vote"}}},
			obj{"type": "context", "elements": append(elements, obj{"type": "plain_text", "text": votes})},
		}
	}
	poll := func(answers ...[]any) []any {
		list := []any{obj{"type": "section", "text": obj{"type": "mrkdwn", "text": "*Where to eat?*"}}, obj{"type": "divider"}}
		for _, a := range answers {
			list = append(list, a...)
		}
		return list
	}
	bot := slacktest.Object{"subtype": "bot_message", "bot_id": "B0POLLY00", "username": "Polly",
		"blocks": poll(answer(":sushi: Sushi", "No votes"), answer(":pizza: Pizza", "No votes"))}
	ts := k.slack.Say("", k.channel, "A poll: Where to eat?", bot)
	e := k.await("the poll", func(e bridgetest.Event) bool { return e.Type == "m.room.message" })
	if want := "Where to eat?\n---\n🍣 Sushi [Vote]\nNo votes\n🍕 Pizza [Vote]\nNo votes"; e.Body() != want {
		t.Errorf("the poll is %q, wanted %q", e.Body(), want)
	}
	k.slack.Edit(k.channel, ts, slacktest.Object{"blocks": poll(answer(":sushi: Sushi", "2 votes", "Bob", "Carol"), answer(":pizza: Pizza", "No votes"))})
	k.await("the votes", func(x bridgetest.Event) bool {
		rel := relationOf(x)
		return rel.Type == "m.replace" && rel.EventID == e.ID &&
			x.Body() == "* Where to eat?\n---\n🍣 Sushi [Vote]\n2 votes (Bob, Carol)\n🍕 Pizza [Vote]\nNo votes"
	})
}
