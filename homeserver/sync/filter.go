package sync

import (
	"bytes"
	"encoding/json/v2"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Filter is a filter of the specification, client-server API, "Filtering".
type Filter struct {
	AccountData EventFilter `json:"account_data"`
	Presence    EventFilter `json:"presence"`
	Room        RoomFilter  `json:"room"`
	EventFields []string    `json:"event_fields,omitempty"`
	EventFormat string      `json:"event_format,omitempty"`
}

// RoomFilter is the part of a filter that concerns rooms.
type RoomFilter struct {
	Rooms        *[]string   `json:"rooms,omitempty"`
	NotRooms     []string    `json:"not_rooms,omitempty"`
	IncludeLeave bool        `json:"include_leave,omitempty"`
	State        EventFilter `json:"state"`
	Timeline     EventFilter `json:"timeline"`
	Ephemeral    EventFilter `json:"ephemeral"`
	AccountData  EventFilter `json:"account_data"`
}

// EventFilter selects events. Absent lists allow everything, empty ones nothing.
type EventFilter struct {
	Limit                   *int      `json:"limit,omitempty"`
	Types                   *[]string `json:"types,omitempty"`
	NotTypes                []string  `json:"not_types,omitempty"`
	Senders                 *[]string `json:"senders,omitempty"`
	NotSenders              []string  `json:"not_senders,omitempty"`
	Rooms                   *[]string `json:"rooms,omitempty"`
	NotRooms                []string  `json:"not_rooms,omitempty"`
	ContainsURL             *bool     `json:"contains_url,omitempty"`
	LazyLoadMembers         bool      `json:"lazy_load_members,omitempty"`
	IncludeRedundantMembers bool      `json:"include_redundant_members,omitempty"`
	UnreadThreads           bool      `json:"unread_thread_notifications,omitempty"`
	// RelTypes and NotRelTypes are of MSC3874, "Filtering threads from the /messages endpoint".
	RelTypes    *[]string `json:"org.matrix.msc3874.rel_types,omitempty"`
	NotRelTypes []string  `json:"org.matrix.msc3874.not_rel_types,omitempty"`
}

// Bounds of what a filter may ask for and cost.
const (
	defaultLimit = 10
	maxLimit     = 1000
	maxFilter    = 64 << 10
)

// ParseFilter reads a filter given as JSON.
func ParseFilter(raw []byte) (Filter, error) {
	var f Filter
	if len(raw) > maxFilter {
		return f, mxerror.TooLarge("The filter is %d bytes long; at most %d are allowed.", len(raw), maxFilter)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, mxerror.BadJSON("The filter is not valid.").Because(err)
	}
	switch f.EventFormat {
	case "", "client", "federation":
	default:
		return f, mxerror.BadJSON("The filter's event_format must be \"client\" or \"federation\".")
	}
	for name, e := range map[string]EventFilter{"account_data": f.AccountData, "presence": f.Presence, "room.state": f.Room.State,
		"room.timeline": f.Room.Timeline, "room.ephemeral": f.Room.Ephemeral, "room.account_data": f.Room.AccountData} {
		if err := e.check(name); err != nil {
			return f, err
		}
	}
	return f, checkIDs("room", '!', deref(f.Room.Rooms), f.Room.NotRooms)
}

// ParseEventFilter reads the filter of /messages and /context.
func ParseEventFilter(raw []byte) (EventFilter, error) {
	var f EventFilter
	if len(raw) > maxFilter {
		return f, mxerror.TooLarge("The filter is %d bytes long; at most %d are allowed.", len(raw), maxFilter)
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, mxerror.BadJSON("The filter is not valid.").Because(err)
	}
	return f, f.check("filter")
}

// Check tells what is wrong with a filter that came as part of something else.
func (f EventFilter) Check() error { return f.check("filter") }

func (f EventFilter) check(name string) error {
	if err := checkIDs(name, '@', deref(f.Senders), f.NotSenders); err != nil {
		return err
	}
	return checkIDs(name, '!', deref(f.Rooms), f.NotRooms)
}

func checkIDs(name string, sigil byte, lists ...[]string) error {
	for _, l := range lists {
		for _, id := range l {
			if len(id) == 0 || id[0] != sigil {
				return mxerror.BadJSON("In the filter's %s, %q is no identifier that begins with %q.", name, clip(id), string(sigil))
			}
		}
	}
	return nil
}

func deref(l *[]string) []string {
	if l == nil {
		return nil
	}
	return *l
}

// limit is how many events are asked for.
func (f EventFilter) limit() int {
	if f.Limit == nil || *f.Limit < 0 {
		return defaultLimit
	}
	return min(*f.Limit, maxLimit)
}

// all tells whether every event passes.
func (f EventFilter) all() bool {
	return f.Types == nil && f.NotTypes == nil && f.Senders == nil && f.NotSenders == nil && f.ContainsURL == nil && f.RelTypes == nil && f.NotRelTypes == nil
}

// Allows tells whether an event passes.
func (f EventFilter) Allows(e *event.Event) bool {
	if f.all() {
		return true
	}
	if !f.AllowsType(e.Type) || !allow(f.Senders, f.NotSenders, string(e.Sender), false) {
		return false
	}
	if f.RelTypes != nil || f.NotRelTypes != nil {
		// Events without a relation are of no type: they pass only where no type is asked for.
		rel := gjson.GetBytes(e.Content, `m\.relates_to.rel_type`).Str
		if rel == "" && f.RelTypes != nil || !allow(f.RelTypes, f.NotRelTypes, rel, false) {
			return false
		}
	}
	if f.ContainsURL != nil {
		has := bytes.Contains(e.Content, []byte(`"url"`)) && gjson.GetBytes(e.Content, "url").Type == gjson.String
		return has == *f.ContainsURL
	}
	return true
}

// AllowsType tells whether a type passes. "A '*' can be used as a wildcard to match any sequence
// of characters."
func (f EventFilter) AllowsType(typ string) bool { return allow(f.Types, f.NotTypes, typ, true) }

// AllowsRoom tells whether events of a room pass.
func (f EventFilter) AllowsRoom(room string) bool { return allow(f.Rooms, f.NotRooms, room, false) }

// AllowsRoom tells whether a room is to be looked at at all.
func (f RoomFilter) AllowsRoom(room string) bool { return allow(f.Rooms, f.NotRooms, room, false) }

// allow applies a list and an exclusion: "If an entry is in both, it is excluded."
func allow(yes *[]string, no []string, v string, wild bool) bool {
	for _, p := range no {
		if matches(p, v, wild) {
			return false
		}
	}
	if yes == nil {
		return true
	}
	for _, p := range *yes {
		if matches(p, v, wild) {
			return true
		}
	}
	return false
}

func matches(pattern, v string, wild bool) bool {
	if !wild || !strings.Contains(pattern, "*") {
		return pattern == v
	}
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(v, first) {
		return false
	}
	v = v[len(first):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(v, p)
		if i < 0 {
			return false
		}
		v = v[i+len(p):]
	}
	return strings.HasSuffix(v, last)
}
