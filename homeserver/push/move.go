package push

import (
	"bytes"
	"encoding/json/jsontext"
	"slices"
	"strconv"
)

// CopyRoom gives a room the rules of the room that it replaces: the room rule, and the override
// rule of the same name by which clients mute a room, with its conditions. Rules that the new room
// has already stay.
func (c *Changes) CopyRoom(from, to string) {
	for _, k := range [...]Kind{Room, Override} {
		rules := c.Made[k]
		i := index(rules, from)
		if i < 0 || index(rules, to) >= 0 {
			continue
		}
		r := rules[i]
		r.ID = to
		if r.Conditions != nil {
			r.Conditions = slices.Clone(r.Conditions)
			for j, cond := range r.Conditions {
				r.Conditions[j] = jsontext.Value(bytes.ReplaceAll(cond, []byte(strconv.Quote(from)), []byte(strconv.Quote(to))))
			}
		}
		c.set(k, slices.Insert(slices.Clone(rules), i+1, r))
	}
}
