package export

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"strings"
	"time"
)

// said is an event as the pages need it.
type said struct {
	Type     string         `json:"type"`
	ID       string         `json:"event_id"`
	Sender   string         `json:"sender"`
	StateKey *string        `json:"state_key"`
	TS       int64          `json:"origin_server_ts"`
	Content  map[string]any `json:"content"`
	Unsigned struct {
		Because jsontext.Value `json:"redacted_because"`
	} `json:"unsigned"`
}

func parse(raw jsontext.Value) (*said, error) {
	e := &said{}
	if err := json.Unmarshal(raw, e); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	return e, nil
}

func str(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}

func (e *said) text(key string) string { return str(e.Content, key) }

func (e *said) at() time.Time { return time.UnixMilli(e.TS).UTC() }

func (e *said) redacted() bool { return len(e.Unsigned.Because) > 0 }

// relation is how the event relates to another one.
func (e *said) relation() (kind, to, reply string) {
	r, _ := e.Content["m.relates_to"].(map[string]any)
	in, _ := r["m.in_reply_to"].(map[string]any)
	return str(r, "rel_type"), str(r, "event_id"), str(in, "event_id")
}

// message reports whether the event is something that somebody has said: no state, no edit, no reaction.
func (e *said) message() bool {
	if e.StateKey != nil {
		return false
	}
	if kind, _, _ := e.relation(); kind == "m.replace" {
		return false
	}
	switch e.Type {
	case "m.room.message", "m.sticker", "m.room.encrypted", "m.poll.start", "org.matrix.msc3381.poll.start":
		return true
	}
	return false
}

// now is the content as its newest edit has it.
func (e *said) now(edit jsontext.Value) (content map[string]any, edited bool) {
	if len(edit) == 0 {
		return e.Content, false
	}
	newer, err := parse(edit)
	if err != nil {
		return e.Content, false
	}
	if fresh, ok := newer.Content["m.new_content"].(map[string]any); ok {
		return fresh, true
	}
	return e.Content, false
}

// withoutFallback removes the quotation that clients of old put before a reply.
func withoutFallback(body string) string {
	if !strings.HasPrefix(body, "> <@") {
		return body
	}
	rest := body
	for strings.HasPrefix(rest, ">") {
		_, after, ok := strings.Cut(rest, "\n")
		if !ok {
			return body
		}
		rest = after
	}
	return strings.TrimPrefix(rest, "\n")
}
