package wire

import (
	"cmp"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"strings"
)

// Related is an item's content with its relation. find is the event that an item is; "" if it is none. resolved is false if what it
// relates to is none, and the content without the relation then.
func (it *Item) Related(find func(remote string) string) (content jsontext.Value, resolved bool) {
	if it.Relates == nil {
		return it.Content, true
	}
	to := find(it.Relates.To)
	if to == "" {
		return it.Content, false
	}
	rel := map[string]any{}
	switch it.Relates.Rel {
	case RelThread:
		answered := find(it.Relates.Reply)
		rel["rel_type"], rel["event_id"], rel["is_falling_back"] = "m.thread", to, answered == ""
		rel["m.in_reply_to"] = map[string]string{"event_id": cmp.Or(answered, find(it.Relates.Last), to)}
	case RelReply:
		rel["m.in_reply_to"] = map[string]string{"event_id": to}
	case RelEdit:
		rel["rel_type"], rel["event_id"] = "m.replace", to
	case RelReaction:
		rel["rel_type"], rel["event_id"], rel["key"] = "m.annotation", to, it.Relates.Key
	}
	raw, err := json.Marshal(rel, json.Deterministic(true))
	if err != nil {
		return it.Content, false // a key that is no text
	}
	out := append(jsontext.Value{}, strings.TrimSuffix(strings.TrimSpace(string(it.Content)), "}")...)
	if strings.TrimSpace(string(out)) != "{" {
		out = append(out, ',')
	}
	out = append(out, `"m.relates_to":`...)
	return append(append(out, raw...), '}'), true
}
