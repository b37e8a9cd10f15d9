package push

import (
	"bytes"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"net/http"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// maxChanges bounds the stored form of a user's changes, in bytes: every change writes it anew,
// and every initial sync sends it. It has room for more than two thousand rules of single rooms.
const maxChanges = 256 << 10

// Changes are a user's differences from the server-default rules. The zero value is none.
type Changes struct {
	// Made are the rules that the user made, those of a kind in order of importance.
	Made map[Kind][]Rule `json:"made,omitempty"`
	// Defaults are the changes to server-default rules, by id: the ids of all kinds differ.
	// Those of rules that this version does not have are kept, for one that has them.
	Defaults map[string]Difference `json:"defaults,omitempty"`
}

// Difference is how a user has a server-default rule; nil stands for the default.
type Difference struct {
	Enabled *bool            `json:"enabled,omitzero"`
	Actions []jsontext.Value `json:"actions,omitzero"`
}

// ParseChanges reads the stored form.
func ParseChanges(stored string) (*Changes, error) {
	c := &Changes{}
	if err := json.Unmarshal([]byte(stored), c); err != nil {
		return nil, fmt.Errorf("reading stored push rules: %w", err)
	}
	return c, nil
}

// encode makes the stored form.
func (c *Changes) encode() (string, error) {
	raw, err := json.Marshal(c, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("encoding push rules: %w", err)
	}
	if len(raw) > maxChanges {
		return "", mxerror.TooLarge("All of a user's push rules together can have at most %d KiB.", maxChanges>>10)
	}
	return string(raw), nil
}

// Rules are all the rules of a user with these changes. "server-default rules [...] operate at a
// lower priority than user-defined rules, except for the .m.rule.master rule".
func (c *Changes) Rules(user string) *Rules {
	r := &Rules{}
	for k, to := range map[Kind]*[]Rule{Override: &r.Override, Content: &r.Content, Room: &r.Room, Sender: &r.Sender, Underride: &r.Underride} {
		var first, last []Rule
		for _, d := range defaults(k, user) {
			if diff, ok := c.Defaults[d.ID]; ok {
				if diff.Enabled != nil {
					d.Enabled = *diff.Enabled
				}
				if diff.Actions != nil {
					d.Actions = diff.Actions
				}
			}
			if d.ID == master {
				first = append(first, d)
			} else {
				last = append(last, d)
			}
		}
		*to = slices.Concat(first, c.Made[k], last)
	}
	return r
}

// Put adds or changes one of the user's own rules, as ParseRule made it. A new rule is enabled
// and becomes the most important of its kind; one that exists stays enabled or disabled, and in
// its place. before or after, when not empty, is the rule to put it next to instead: "If both
// after and before are provided, the new or updated rule must be the next most important rule
// with respect to the rule identified by before."
func (c *Changes) Put(k Kind, r Rule, before, after string) error {
	rules := slices.Clone(c.Made[k])
	at := index(rules, r.ID)
	if at >= 0 {
		r.Enabled = rules[at].Enabled
		rules[at] = r
	} else {
		r.Enabled = true
		rules = slices.Insert(rules, 0, r)
		at = 0
	}
	// next is the rule to stand beside, and past whether behind it.
	next, past := before, 0
	if next == "" {
		next, past = after, 1
	}
	switch {
	case next == "":
	case next == r.ID && c.made(k, next):
		// A rule can't be beside itself; it stays.
	case !c.made(k, next):
		if _, ok := findDefault(k, next); ok {
			return mxerror.InvalidParam("A push rule can't be placed relative to the server-default rule %s.", next)
		}
		return mxerror.New(http.StatusBadRequest, "M_UNKNOWN", "before/after rule not found: %.255q", next)
	default:
		rules = slices.Delete(rules, at, at+1)
		rules = slices.Insert(rules, index(rules, next)+past, r)
	}
	c.set(k, rules)
	return nil
}

// Delete removes one of the user's own rules.
func (c *Changes) Delete(k Kind, id string) error {
	if _, ok := findDefault(k, id); ok {
		return mxerror.InvalidParam("The server-default rule %s can't be deleted; it can be disabled.", id)
	}
	at := index(c.Made[k], id)
	if at < 0 {
		return notFound()
	}
	c.set(k, slices.Delete(slices.Clone(c.Made[k]), at, at+1))
	return nil
}

// Enable enables or disables a rule of either sort.
func (c *Changes) Enable(k Kind, id string, on bool) error {
	return c.edit(k, id, func(r *Rule) { r.Enabled = on })
}

// SetActions changes the actions of a rule of either sort.
func (c *Changes) SetActions(k Kind, id string, actions []jsontext.Value) error {
	return c.edit(k, id, func(r *Rule) { r.Actions = actions })
}

// edit changes a rule of either sort.
func (c *Changes) edit(k Kind, id string, change func(*Rule)) error {
	if at := index(c.Made[k], id); at >= 0 {
		rules := slices.Clone(c.Made[k])
		change(&rules[at])
		c.set(k, rules)
		return nil
	}
	was, ok := findDefault(k, id)
	if !ok {
		return notFound()
	}
	is := was
	diff := c.Defaults[id]
	if diff.Enabled != nil {
		is.Enabled = *diff.Enabled
	}
	if diff.Actions != nil {
		is.Actions = diff.Actions
	}
	change(&is)
	diff = Difference{}
	if is.Enabled != was.Enabled {
		diff.Enabled = &is.Enabled
	}
	if !slices.EqualFunc(is.Actions, was.Actions, func(a, b jsontext.Value) bool { return bytes.Equal(a, b) }) {
		diff.Actions = is.Actions
	}
	if diff.Enabled == nil && diff.Actions == nil {
		delete(c.Defaults, id)
		return nil
	}
	if c.Defaults == nil {
		c.Defaults = map[string]Difference{}
	}
	c.Defaults[id] = diff
	return nil
}

func (c *Changes) made(k Kind, id string) bool { return index(c.Made[k], id) >= 0 }

func (c *Changes) set(k Kind, rules []Rule) {
	if c.Made == nil {
		c.Made = map[Kind][]Rule{}
	}
	c.Made[k] = rules
	if len(rules) == 0 {
		delete(c.Made, k)
	}
}

func index(rules []Rule, id string) int {
	return slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
}
