package push

import (
	"encoding/json/jsontext"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Kind is a kind of push rule.
type Kind string

// The kinds of rules, in the order in which they are tried.
const (
	Override  Kind = "override"
	Content   Kind = "content"
	Room      Kind = "room"
	Sender    Kind = "sender"
	Underride Kind = "underride"
)

// ParseKind reads the kind in a request's path.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case Override, Content, Room, Sender, Underride:
		return k, nil
	}
	return "", mxerror.NotFound("There is no such kind of push rule. The kinds of push rules are override, content, room, sender and underride.")
}

// conditional tells whether rules of the kind have conditions: "Only applicable to underride and
// override rules."
func (k Kind) conditional() bool { return k == Override || k == Underride }

// Rule is one push rule as clients see it.
type Rule struct {
	ID string `json:"rule_id"`
	// Default is set for the server's own rules.
	Default bool `json:"default"`
	Enabled bool `json:"enabled"`
	// Conditions is nil for the kinds that have none.
	Conditions []jsontext.Value `json:"conditions,omitzero"`
	// Pattern is nil for other kinds than Content.
	Pattern *string          `json:"pattern,omitzero"`
	Actions []jsontext.Value `json:"actions"`
}

// Rules are all of a user's rules, those of each kind in order, the most important first.
type Rules struct {
	Override  []Rule `json:"override"`
	Content   []Rule `json:"content"`
	Room      []Rule `json:"room"`
	Sender    []Rule `json:"sender"`
	Underride []Rule `json:"underride"`
}

// Of is the list of one kind.
func (r *Rules) Of(k Kind) []Rule {
	switch k {
	case Override:
		return r.Override
	case Content:
		return r.Content
	case Room:
		return r.Room
	case Sender:
		return r.Sender
	case Underride:
		return r.Underride
	}
	return nil
}

// Find finds a rule; M_NOT_FOUND if there is none such.
func (r *Rules) Find(k Kind, id string) (Rule, error) {
	for _, rule := range r.Of(k) {
		if rule.ID == id {
			return rule, nil
		}
	}
	return Rule{}, notFound()
}

func notFound() error { return mxerror.NotFound("The push rule was not found.") }
