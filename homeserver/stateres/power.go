package stateres

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// isPower tells whether an event is a power event: "a state event with type m.room.power_levels or
// m.room.join_rules, or a state event with type m.room.member where the membership is leave or
// ban and the sender does not match the state_key".
func isPower(e *event.Event) bool {
	if e.StateKey == nil {
		return false
	}
	switch e.Type {
	case "m.room.power_levels", "m.room.join_rules":
		return *e.StateKey == ""
	case "m.room.member":
		m := e.Membership()
		return (m == "leave" || m == "ban") && string(e.Sender) != *e.StateKey
	}
	return false
}

// split takes the power events and what they rest on out of the full conflicted set.
func (x *run) split(full []int64) (power, others []int64) {
	inFull := make(map[int64]bool, len(full))
	for _, nid := range full {
		inFull[nid] = true
	}
	picked := map[int64]bool{}
	var stack []int64
	for _, nid := range full {
		if isPower(x.events[nid]) && !picked[nid] {
			picked[nid] = true
			stack = append(stack, nid)
		}
		for len(stack) > 0 {
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, a := range x.links[top].Auth {
				if inFull[a] && !picked[a] {
					picked[a] = true
					stack = append(stack, a)
				}
			}
		}
	}
	for _, nid := range full {
		if picked[nid] {
			power = append(power, nid)
		} else {
			others = append(others, nid)
		}
	}
	return power, others
}

// levels are the users' levels of a power levels event.
type levels struct {
	users map[string]int64
	other int64
}

// levelAt is the power of an event's sender "when looking at their respective auth_events".
func (x *run) levelAt(ctx context.Context, nid int64) (int64, error) {
	e, sender := x.events[nid], string(x.events[nid].Sender)
	create := x.fork.Create
	// Room version 12: "The power level of 'room creators' is infinitely high."
	if x.fork.Version.PrivilegedRoomCreators() && slices.Contains(creators(create), sender) {
		return math.MaxInt64, nil
	}
	at, err := x.powerBelow(ctx, nid)
	if err != nil {
		return 0, err
	}
	if at == 0 {
		// Without power levels the creator has 100 and others 0; in version 12 the creator is
		// dealt with above.
		if sender == creator(x.fork.Version, create) && !x.fork.Version.PrivilegedRoomCreators() && slices.Contains(e.AuthEvents, idOf(create)) {
			return 100, nil
		}
		return 0, nil
	}
	l := x.levels[at]
	if l == nil {
		p, err := x.event(ctx, at)
		if err != nil {
			return 0, err
		}
		l = parseLevels(p.Content, x.fork.Version.ValidatePowerLevelInts())
		x.levels[at] = l
	}
	if n, ok := l.users[sender]; ok {
		return n, nil
	}
	return l.other, nil
}

// powerBelow finds the power levels event among the auth events of an event; 0 if there is none.
func (x *run) powerBelow(ctx context.Context, nid int64) (int64, error) {
	l, err := x.link(ctx, nid)
	if err != nil {
		return 0, err
	}
	for _, a := range l.Auth {
		la, err := x.link(ctx, a)
		if err != nil {
			return 0, err
		}
		if la.Key == x.powerKey && x.powerKey != 0 {
			return a, nil
		}
	}
	return 0, nil
}

func parseLevels(content []byte, strict bool) *levels {
	l := &levels{users: map[string]int64{}}
	l.other, _ = parseLevel(gjson.GetBytes(content, "users_default"), strict)
	gjson.GetBytes(content, "users").ForEach(func(k, v gjson.Result) bool {
		if n, ok := parseLevel(v, strict); ok {
			l.users[k.Str] = n
		}
		return true
	})
	return l
}

// parseLevel reads a level. Before room version 10, strings that hold an integer count, "possibly
// with leading or trailing whitespace".
func parseLevel(v gjson.Result, strict bool) (int64, bool) {
	switch {
	case v.Type == gjson.Number:
		return v.Int(), true
	case v.Type == gjson.String && !strict:
		n, err := strconv.ParseInt(strings.TrimSpace(v.Str), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// creators are the room creators of version 12: the sender of the create event and its
// additional_creators.
func creators(create *event.Event) []string {
	list := []string{string(create.Sender)}
	for _, c := range gjson.GetBytes(create.Content, "additional_creators").Array() {
		list = append(list, c.Str)
	}
	return list
}

// creator is the one of older versions.
func creator(v event.Version, create *event.Event) string {
	if v.CreatorInContent() {
		return create.ContentString("creator")
	}
	return string(create.Sender)
}
