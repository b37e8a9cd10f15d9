package discord

import (
	"fmt"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// systemText is what a message of the system says, to be read after its author's name; "" for messages of people.
// Discord, "Message Types".
func systemText(m *wire.Message) string {
	switch m.Type {
	case wire.MessageDefault, wire.MessageReply, wire.MessageCommand, wire.MessageContextMenu, wire.MessageThreadStarter, messageAutomod, messagePollResult:
		return ""
	case 1:
		return "added somebody to the thread"
	case 2:
		return "removed somebody from the thread"
	case 3:
		return "started a call"
	case 4:
		return "changed the name to " + m.Content
	case 5:
		return "changed the icon"
	case wire.MessagePin:
		return "pinned a message"
	case wire.MessageJoin:
		return "joined the server"
	case 8:
		return "boosted the server"
	case 9, 10, 11:
		return fmt.Sprintf("boosted the server, which has reached level %d", m.Type-8)
	case 12:
		return "follows another channel here: " + m.Content
	case wire.MessageThreadCreated:
		return "started the thread " + m.Content
	case 14, 15, 16, 17:
		return "is told by Discord how the server is listed in its directory"
	case 22:
		return "is reminded by Discord to invite people"
	case 25:
		return "bought a subscription to a role"
	case 27:
		return "started the stage " + m.Content
	case 28:
		return "ended the stage " + m.Content
	case 29:
		return "is a speaker on the stage now"
	case 30:
		return "wants to speak on the stage"
	case 31:
		return "changed the topic of the stage to " + m.Content
	case 32:
		return "subscribed to an application"
	case 36:
		return "closed the server for some time, for security"
	case 37:
		return "opened the server again"
	case 38:
		return "reported a raid"
	case 39:
		return "said that there was no raid"
	case 44:
		return "bought something"
	}
	if m.Content != "" || len(richEmbeds(m)) > 0 || len(m.Components) > 0 || len(m.Attachments) > 0 {
		return m.Content
	}
	return fmt.Sprintf("did something that the bridge does not know (message type %d)", m.Type)
}

// Messages of the system whose content is in an embed.
const (
	messageAutomod    = 24
	messagePollResult = 46
)

// pollResult is what the message says by which a poll ends.
func pollResult(m *wire.Message) string {
	fields := map[string]string{}
	for _, e := range m.Embeds {
		if e.Type == "poll_result" {
			for _, f := range e.Fields {
				fields[f.Name] = f.Value
			}
		}
	}
	text := "📊 The poll has ended"
	if q := fields["poll_question_text"]; q != "" {
		text = "📊 The poll **" + q + "** has ended"
	}
	switch {
	case fields["victor_answer_text"] != "":
		text += fmt.Sprintf(": %s %s (%s of %s votes)", fields["victor_answer_emoji_name"], fields["victor_answer_text"], fields["victor_answer_votes"], fields["total_votes"])
	case fields["total_votes"] != "":
		text += ": no answer has won (" + fields["total_votes"] + " votes)"
	}
	return text
}
