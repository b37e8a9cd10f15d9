package push

import (
	"encoding/json/jsontext"
)

// Ruleset are a user's rules, ready to be tried. It is immutable and safe for concurrent use.
type Ruleset struct {
	user                         string
	override, content, underride []compiled
	// Of the rules of rooms and senders at most one each can concern an event.
	rooms, senders map[string]Actions
	// quiet is what QuietMembers tells.
	quiet bool
}

// compiled is an enabled rule whose conditions can be met.
type compiled struct {
	conditions []condition
	actions    Actions
}

// Actions are what the rule that an event meets asks for. The zero value is what there is to do
// where none is met: nothing. It shares memory with the Ruleset and must not be changed.
type Actions struct {
	// Kind and Rule name the rule.
	Kind Kind
	Rule string
	// Notify tells whether the event generates a notification.
	Notify bool
	// Highlight is the tweak of that name.
	Highlight bool
	// Tweaks are all the tweaks that have a value, for the push gateway.
	Tweaks map[string]jsontext.Value
	// List are the actions as clients see them.
	List []jsontext.Value
}

// RoomContext is what conditions need to know of the room besides the event.
type RoomContext struct {
	// Members counts those who have joined.
	Members int64
	// DisplayName is that of the rules' owner in the room; empty for none.
	DisplayName string
	// SenderPower is the power level of the event's sender.
	SenderPower int64
	// Notifications is the object of that name in m.room.power_levels; nil for none.
	Notifications map[string]int64
	// Fill, when not nil, sets DisplayName, SenderPower and Notifications. It is called once, when
	// a condition is the first to need one of them: for most events none does.
	Fill func(*RoomContext)
}

// filled is the context with everything in it.
func (x *evaluation) filled() *RoomContext {
	if fill := x.room.Fill; fill != nil {
		x.room.Fill = nil
		fill(x.room)
	}
	return x.room
}

// Compile makes a user's rules ready. user is the user's id.
func Compile(user string, c *Changes) *Ruleset {
	rules := c.Rules(user)
	r := &Ruleset{
		user:      user,
		override:  compile(Override, user, rules.Override),
		content:   compile(Content, user, rules.Content),
		underride: compile(Underride, user, rules.Underride),
		rooms:     byID(Room, rules.Room),
		senders:   byID(Sender, rules.Sender),
	}
	r.quiet = quietMembers(r.override)
	return r
}

// compile leaves out the rules that can't be met: "Disabled rules never match", nor do those
// with a condition that is not understood. user is their owner.
func compile(k Kind, user string, rules []Rule) (out []compiled) {
rules:
	for _, r := range rules {
		if !r.Enabled {
			continue
		}
		c := compiled{actions: compileActions(k, r)}
		if r.Pattern != nil {
			c.conditions = append(c.conditions, eventMatch{parsePath(bodyPath), compileGlob(*r.Pattern)})
		}
		for _, raw := range r.Conditions {
			cond, err := parseCondition(raw)
			if err != nil {
				continue rules
			}
			if _, ok := cond.(unknown); ok {
				continue rules
			}
			c.conditions = append(c.conditions, cond)
		}
		if r.Default && r.ID == userMention && len(c.conditions) == 1 {
			c.conditions[0] = anyMention{c.conditions[0], parsePath(mentionsPath), parsePath(bodyPath), literal(user)}
		}
		out = append(out, c)
	}
	return out
}

func byID(k Kind, rules []Rule) map[string]Actions {
	out := map[string]Actions{}
	for _, r := range rules {
		if r.Enabled {
			out[r.ID] = compileActions(k, r)
		}
	}
	return out
}

func compileActions(k Kind, r Rule) Actions {
	out := Actions{Kind: k, Rule: r.ID, List: r.Actions, Tweaks: map[string]jsontext.Value{}}
	for _, raw := range r.Actions {
		a, err := parseAction(raw)
		if err != nil {
			continue // of a later version
		}
		out.Notify = out.Notify || a.notify
		// "If a highlight tweak is given with no value, its value is defined to be true."
		if a.tweak == "highlight" && a.value == nil {
			a.value = jsontext.Value("true")
		}
		if a.tweak != "" && a.value != nil {
			out.Tweaks[a.tweak] = a.value
		}
	}
	out.Highlight = string(out.Tweaks["highlight"]) == "true"
	return out
}

// evaluation is one evaluation under way.
type evaluation struct {
	ev     *Event
	room   *RoomContext
	budget budget
}

// Evaluate finds the first rule that an event meets, and what it asks for. "Homeservers MUST NOT
// notify the Push Gateway for events that the user has sent themselves": those meet no rule.
func (r *Ruleset) Evaluate(ev *Event, room RoomContext) Actions {
	if string(ev.e.Sender) == r.user {
		return Actions{}
	}
	x := &evaluation{ev: ev, room: &room, budget: evaluationBudget}
	if a, ok := x.first(r.override); ok {
		return a
	}
	if a, ok := x.first(r.content); ok {
		return a
	}
	if a, ok := r.rooms[ev.e.InRoom]; ok {
		return a
	}
	if a, ok := r.senders[string(ev.e.Sender)]; ok {
		return a
	}
	a, _ := x.first(r.underride)
	return a
}

// first finds the first rule of a list that is met.
func (x *evaluation) first(rules []compiled) (Actions, bool) {
rules:
	for i := range rules {
		for _, c := range rules[i].conditions {
			if !c.holds(x) {
				continue rules
			}
		}
		return rules[i].actions, true
	}
	return Actions{}, false
}
