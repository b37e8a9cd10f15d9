package room

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Power is a room's power levels as the authorisation rules read them.
type Power struct {
	users, events map[string]int64
	usersDefault  int64
	eventsDefault int64
	stateDefault  int64
	// Ban, Kick, Redact and Invite are the levels needed to do so.
	Ban, Kick, Redact, Invite int64
	// creators have infinite power in room versions that privilege them (12 and later).
	creators []string
}

// Infinite is the power of creators in room version 12 and later: more than any level.
const Infinite = math.MaxInt64

// Defaults of the specification, m.room.power_levels: invite 0; kick, ban, redact and
// state_default 50; events_default and users_default 0. state_default is 0 when there is no
// power levels event at all.
func parsePower(create, levels *event.Event) *Power {
	p := &Power{users: map[string]int64{}, events: map[string]int64{}, Ban: 50, Kick: 50, Redact: 50}
	if create != nil && create.Version.PrivilegedRoomCreators() {
		p.creators = Creators(create)
	}
	if levels == nil {
		// "If the room contains no m.room.power_levels event, the room's creator has a power
		// level of 100, and all other users have a power level of 0."
		if create != nil && !create.Version.PrivilegedRoomCreators() {
			p.users[string(create.Sender)] = 100
		}
		return p
	}
	p.stateDefault = 50
	strict := levels.Version.ValidatePowerLevelInts()
	content := gjson.ParseBytes(levels.Content)
	for name, to := range map[string]*int64{
		"users_default": &p.usersDefault, "events_default": &p.eventsDefault, "state_default": &p.stateDefault,
		"ban": &p.Ban, "kick": &p.Kick, "redact": &p.Redact, "invite": &p.Invite,
	} {
		if n, ok := level(content.Get(name), strict); ok {
			*to = n
		}
	}
	for name, to := range map[string]map[string]int64{"users": p.users, "events": p.events} {
		content.Get(name).ForEach(func(k, v gjson.Result) bool {
			if n, ok := level(v, strict); ok {
				to[k.Str] = n
			}
			return true
		})
	}
	return p
}

// level reads one power level. Room versions before 10 also allow a number in a string.
func level(v gjson.Result, strict bool) (int64, bool) {
	switch {
	case v.Type == gjson.Number:
		return v.Int(), true
	case v.Type == gjson.String && !strict:
		n := gjson.Parse(strings.TrimSpace(v.Str))
		return n.Int(), n.Type == gjson.Number
	}
	return 0, false
}

// Creators are the users that a version 12 room privileges: the create event's sender and its
// additional_creators.
func Creators(create *event.Event) []string {
	out := []string{string(create.Sender)}
	for _, u := range gjson.GetBytes(create.Content, "additional_creators").Array() {
		if u.Type == gjson.String && !slices.Contains(out, u.Str) {
			out = append(out, u.Str)
		}
	}
	return out
}

// User is a user's power level.
func (p *Power) User(id string) int64 {
	if slices.Contains(p.creators, id) {
		return Infinite
	}
	if n, ok := p.users[id]; ok {
		return n
	}
	return p.usersDefault
}

// Event is the level needed to send an event of a type.
func (p *Power) Event(typ string, state bool) int64 {
	if n, ok := p.events[typ]; ok {
		return n
	}
	if state {
		return p.stateDefault
	}
	return p.eventsDefault
}

// Highest is the highest level that the content asks of anybody for anything.
func (p *Power) Highest() int64 {
	high := max(p.stateDefault, p.eventsDefault, p.Ban, p.Kick, p.Redact, p.Invite)
	for _, n := range p.events {
		high = max(high, n)
	}
	return high
}

// Defaults are the levels of users and of ordinary events that nothing more special is said of.
func (p *Power) Defaults() (users, events int64) { return p.usersDefault, p.eventsDefault }

// Levels lists the levels that single users have.
func (p *Power) Levels() []int64 { return slices.Collect(maps.Values(p.users)) }

// LevelsOf reads the content of an m.room.power_levels event by itself, without the creators'
// power. A nil content stands for no event.
func LevelsOf(content []byte, v event.Version) *Power {
	if content == nil {
		return parsePower(nil, nil)
	}
	return parsePower(nil, &event.Event{PDU: &pdu.PDU{Content: content}, Version: v})
}

// Level reads one power level as a room version does.
func Level(v gjson.Result, version event.Version) (int64, bool) {
	return level(v, version.ValidatePowerLevelInts())
}

// LevelMap reads an object of power levels as a room version does, leaving out what is none.
func LevelMap(v gjson.Result, version event.Version) map[string]int64 {
	out := map[string]int64{}
	v.ForEach(func(k, v gjson.Result) bool {
		if n, ok := Level(v, version); ok {
			out[k.Str] = n
		}
		return true
	})
	return out
}
