package push

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// condition is something that may be true of an event.
type condition interface{ holds(*evaluation) bool }

var (
	_ condition = eventMatch{}
	_ condition = propertyIs{}
	_ condition = propertyContains{}
	_ condition = displayName{}
	_ condition = memberCount{}
	_ condition = notificationPermission{}
	_ condition = anyMention{}
	_ condition = unknown{}
)

// fields are the members of a condition. The first error in reading them is kept.
type fields struct {
	raw map[string]jsontext.Value
	err error
}

// get reads one that is needed.
func (f *fields) get(name string) jsontext.Value {
	v, ok := f.raw[name]
	if !ok && f.err == nil {
		f.err = mxerror.MissingParam("%s is missing.", name)
	}
	return v
}

// text reads one that is needed and a string.
func (f *fields) text(name string) (s string) {
	v := f.get(name)
	if f.err != nil {
		return ""
	}
	if v.Kind() != '"' {
		f.err = mxerror.InvalidParam("%s must be a string.", name)
		return ""
	}
	if err := json.Unmarshal(v, &s); err != nil {
		f.err = mxerror.InvalidParam("%s is not valid.", name).Because(err)
	}
	return s
}

// parseCondition reads a condition. The errors are those of a client's request.
func parseCondition(raw jsontext.Value) (c condition, err error) {
	var f fields
	if err := json.Unmarshal(raw, &f.raw); err != nil || f.raw == nil {
		return nil, mxerror.InvalidParam("a condition must be an object.").Because(err)
	}
	switch f.text("kind") {
	case "event_match":
		c = eventMatch{parsePath(f.text("key")), compileGlob(f.text("pattern"))}
	case "event_property_is":
		c = propertyIs{parsePath(f.text("key")), f.scalar("value")}
	case "event_property_contains":
		c = propertyContains{parsePath(f.text("key")), f.scalar("value")}
	case "contains_display_name":
		c = displayName{parsePath(bodyPath)}
	case "room_member_count":
		c = f.count("is")
	case "sender_notification_permission":
		c = notificationPermission{f.text("key")}
	default:
		c = unknown{}
	}
	return c, f.err
}

const bodyPath = "content.body"

// unknown never holds: "Unrecognised conditions MUST NOT match any events".
type unknown struct{}

func (unknown) holds(*evaluation) bool { return false }

// eventMatch: "The match is performed case-insensitively, and must match the entire value of the
// event property given by key (though see below regarding content.body)". A property that "does
// not have a string value" does not match.
type eventMatch struct {
	key     path
	pattern glob
}

func (c eventMatch) holds(x *evaluation) bool {
	v := x.property(c.key)
	if v == nil || v.value.Type != gjson.String {
		return false
	}
	if c.key.isBody() {
		return c.pattern.word(v.lower(), &x.budget)
	}
	return c.pattern.whole(v.lower(), &x.budget)
}

// scalar is a value that properties can be compared with exactly: "strings, integers in the range
// of [-(2**53)+1, (2**53)-1], booleans, and null".
type scalar struct {
	typ    gjson.Type
	text   string
	number int64
}

const maxInteger = 1<<53 - 1

func (f *fields) scalar(name string) (s scalar) {
	v := f.get(name)
	if f.err != nil {
		return s
	}
	switch v.Kind() {
	case '"':
		s.typ, s.text = gjson.String, f.text(name)
	case '0':
		n, ok := integer(string(v))
		if !ok {
			f.err = mxerror.InvalidParam("%s must be a whole number between -(2^53)+1 and (2^53)-1.", name)
		}
		s.typ, s.number = gjson.Number, n
	case 't':
		s.typ = gjson.True
	case 'f':
		s.typ = gjson.False
	case 'n':
		s.typ = gjson.Null
	default:
		f.err = mxerror.InvalidParam("%s must be a string, an integer, a boolean or null.", name)
	}
	return s
}

func integer(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && -maxInteger <= n && n <= maxInteger
}

func (s scalar) equals(v gjson.Result) bool {
	if v.Type != s.typ {
		return false
	}
	switch s.typ {
	case gjson.String:
		return v.Str == s.text
	case gjson.Number:
		n, ok := integer(v.Raw)
		return ok && n == s.number
	}
	return true
}

// propertyIs: "This is an exact value match on a property of the event."
type propertyIs struct {
	key   path
	value scalar
}

func (c propertyIs) holds(x *evaluation) bool {
	v := x.property(c.key)
	return v != nil && c.value.equals(v.value)
}

// propertyContains: "This matches if an array property of an event exactly contains a value."
type propertyContains struct {
	key   path
	value scalar
}

func (c propertyContains) holds(x *evaluation) bool {
	v := x.property(c.key)
	if v == nil || !v.value.IsArray() || !x.budget.spend(len(v.value.Raw)/4) {
		return false
	}
	found := false
	v.value.ForEach(func(_, item gjson.Result) bool {
		found = c.value.equals(item)
		return !found
	})
	return found
}

// displayName: "This matches messages where content.body contains the owner's display name in
// that room."
type displayName struct{ body path }

func (c displayName) holds(x *evaluation) bool {
	v := x.property(c.body)
	if v == nil || v.value.Type != gjson.String || x.filled().DisplayName == "" {
		return false
	}
	return literal(x.room.DisplayName).word(v.lower(), &x.budget)
}

// memberCount: "A decimal integer optionally prefixed by one of, ==, <, >, >= or <=."
type memberCount struct {
	op string
	n  int64
}

func (f *fields) count(name string) (c memberCount) {
	is := f.text(name)
	if f.err != nil {
		return c
	}
	digits := strings.TrimLeft(is, "=<>")
	c.op = is[:len(is)-len(digits)]
	n, err := strconv.ParseUint(digits, 10, 63)
	c.n = int64(n)
	switch c.op {
	case "":
		c.op = "=="
	case "==", "<", ">", ">=", "<=":
	default:
		err = strconv.ErrSyntax
	}
	if err != nil {
		f.err = mxerror.InvalidParam("%s must be a number, or one of ==, <, >, >= and <= with a number.", name).Because(err)
	}
	return c
}

func (c memberCount) holds(x *evaluation) bool {
	m := x.room.Members
	switch c.op {
	case "==":
		return m == c.n
	case "<":
		return m < c.n
	case ">":
		return m > c.n
	case "<=":
		return m <= c.n
	}
	return m >= c.n
}

// notificationPermission takes care that "the sender of the event has high enough power to
// trigger the notification".
type notificationPermission struct{ key string }

// notificationLevel is the power needed where the room does not say: m.room.power_levels,
// notifications.room: "Defaults to 50 if unspecified."
const notificationLevel = 50

func (c notificationPermission) holds(x *evaluation) bool {
	need, ok := x.filled().Notifications[c.key]
	if !ok {
		need = notificationLevel
	}
	return x.room.SenderPower >= need
}

const mentionsPath = `content.m\.mentions`

// anyMention is the condition of .m.rule.is_user_mention and one thing more: an event without
// m.mentions, by a client or bridge that does not know of it, mentions those whose whole user id
// its body names. The specification has had no rule for these since version 1.17; until then there
// was one, for less than the whole id, and people and tests go on relying on it. An event with
// m.mentions says itself whom it mentions.
type anyMention struct {
	listed         condition
	mentions, body path
	id             glob
}

func (c anyMention) holds(x *evaluation) bool {
	if c.listed.holds(x) {
		return true
	}
	if x.property(c.mentions) != nil {
		return false
	}
	v := x.property(c.body)
	return v != nil && v.value.Type == gjson.String && c.id.word(v.lower(), &x.budget)
}
