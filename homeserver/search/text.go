package search

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/words"
)

// text is what an event is found by: words separated by spaces.
type text struct{ body, name, topic string }

// wordsMax bounds the words of one event.
const wordsMax = 5000

// textOf takes the text of an event apart. Specification, "Search": "The supported keys to search
// over are: content.body in m.room.message; content.name in m.room.name; in m.room.topic,
// content.topic as well as the body of the text/plain representation in content['m.topic']."
// Encrypted events have none of these.
func textOf(e *event.Event, content gjson.Result) (t text) {
	switch {
	case e.Type == "m.room.message" && !e.IsState():
		t.body = join(withoutQuote(content))
	case e.Is("m.room.name", ""):
		t.name = join(str(content, "name"))
	case e.Is("m.room.topic", ""):
		t.topic = join(str(content, "topic"))
		for _, r := range content.Get(`m\.topic.m\.text`).Array() {
			if typ := str(r, "mimetype"); typ == "" || typ == "text/plain" {
				if plain := join(str(r, "body")); plain != t.topic {
					t.topic += " " + plain
				}
				break
			}
		}
	}
	return t
}

// withoutQuote is the body of a message without what it quotes of the message that it answers, which
// older clients put before it.
func withoutQuote(content gjson.Result) string {
	body := str(content, "body")
	if !content.Get(`m\.relates_to.m\.in_reply_to`).Exists() || !strings.HasPrefix(body, "> <") && !strings.HasPrefix(body, "> * <") {
		return body
	}
	for strings.HasPrefix(body, "> ") {
		_, rest, ok := strings.Cut(body, "\n")
		if !ok {
			return ""
		}
		body = rest
	}
	return body
}

func str(v gjson.Result, key string) string {
	if f := v.Get(key); f.Type == gjson.String {
		return f.Str
	}
	return ""
}

func join(s string) string {
	var b strings.Builder
	for i, k := range words.Split(s, wordsMax) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(k.Text)
	}
	return b.String()
}

// edits is the event that this one is an edit of, or "".
func edits(e *event.Event) string {
	if e.Type != "m.room.message" || e.IsState() {
		return ""
	}
	rel := gjson.GetBytes(e.Content, `m\.relates_to`)
	if str(rel, "rel_type") != "m.replace" {
		return ""
	}
	return str(rel, "event_id")
}
