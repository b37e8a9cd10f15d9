package slidingsync

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Request is one request. It is read from JSON in the form that the MSC ended with and in that of
// its unstable endpoint, which clients speak.
type Request struct {
	// UserID and what follows it are who asks; Stable, whether at the stable endpoint.
	UserID   string `json:"-"`
	User     int64  `json:"-"`
	DeviceID string `json:"-"`
	Scope    int64  `json:"-"` // of the device's transactions
	Stable   bool   `json:"-"`

	Conn     string `json:"conn_id"`
	Pos      string `json:"pos"`
	Presence string `json:"set_presence"`
	// TimeoutMS is how long to wait, in milliseconds; Timeout is that within the server's bounds.
	TimeoutMS int64         `json:"timeout"`
	Timeout   time.Duration `json:"-"`

	Lists         map[string]List   `json:"lists"`
	Subscriptions map[string]Config `json:"room_subscriptions"`
	Extensions    Extensions        `json:"extensions"`
	// TxnID is echoed, as older clients expect.
	TxnID string `json:"txn_id"`
}

// List is a window on the user's rooms.
type List struct {
	Config
	// Range is the window, both ends included; Ranges are several. Without any it is all rooms.
	Range   *[2]int  `json:"range"`
	Ranges  [][2]int `json:"ranges"`
	Filters Filters  `json:"filters"`
}

// Config says what to send of a room.
type Config struct {
	TimelineLimit int      `json:"timeline_limit"`
	Required      Required `json:"required_state"`
}

// Filters select rooms.
type Filters struct {
	IsDM         *bool      `json:"is_dm"`
	Spaces       []string   `json:"spaces"`
	IsEncrypted  *bool      `json:"is_encrypted"`
	IsInvite     *bool      `json:"is_invite"`
	IsInvited    *bool      `json:"is_invited"`
	RoomTypes    *[]*string `json:"room_types"`
	NotRoomTypes []*string  `json:"not_room_types"`
	NameLike     string     `json:"room_name_like"`
	Tags         []string   `json:"tags"`
	NotTags      []string   `json:"not_tags"`
}

// Extensions are what else a client wants.
type Extensions struct {
	ToDevice struct {
		Enabled bool   `json:"enabled"`
		Since   string `json:"since"`
		Limit   int    `json:"limit"`
	} `json:"to_device"`
	E2EE struct {
		Enabled bool `json:"enabled"`
	} `json:"e2ee"`
	AccountData RoomExtension `json:"account_data"`
	Receipts    RoomExtension `json:"receipts"`
	Typing      RoomExtension `json:"typing"`
}

// RoomExtension is an extension that concerns rooms: those of some lists, and some that are
// subscribed to; without any, or with "*", all that are sent.
type RoomExtension struct {
	Enabled bool      `json:"enabled"`
	Lists   *[]string `json:"lists"`
	Rooms   *[]string `json:"rooms"`
}

// Required selects state.
type Required struct {
	Include, Exclude []Element
	// Lazy sends of m.room.member what is needed to show the timeline, beside what is named.
	Lazy bool
}

// Element matches state; nil matches anything.
type Element struct {
	Type *string `json:"type"`
	Key  *string `json:"state_key"`
}

// me stands for the user who asks, in state keys.
const me = "$ME"

// UnmarshalJSON reads the final form, an object, or the older one, a list of pairs in which "*"
// matches anything and the state key "$LAZY" of m.room.member asks for lazy loading.
func (r *Required) UnmarshalJSON(raw []byte) error {
	if jsontext.Value(raw).Kind() != '[' {
		var v struct {
			Include []Element `json:"include"`
			Exclude []Element `json:"exclude"`
			Lazy    bool      `json:"lazy_members"`
		}
		err := json.Unmarshal(raw, &v)
		*r = Required{v.Include, v.Exclude, v.Lazy}
		return err
	}
	var pairs [][2]string
	if err := json.Unmarshal(raw, &pairs); err != nil {
		return err
	}
	any := func(s string) *string {
		if s == "*" {
			return nil
		}
		return &s
	}
	for _, p := range pairs {
		if p[0] == member && p[1] == "$LAZY" {
			r.Lazy = true
			continue
		}
		r.Include = append(r.Include, Element{any(p[0]), any(p[1])})
	}
	return nil
}

// Bounds of a request. The MSC has 100 lists and 100 subscriptions; clients of the unstable endpoint
// subscribe to more.
const (
	maxLists         = 100
	maxSubscriptions = 100
	maxUnstable      = 1000
	maxElements      = 1000
	maxTimeline      = 100
	maxKey           = 255
)

// check refuses what is out of bounds.
func (q *Request) check() error {
	subscriptions := maxUnstable
	if q.Stable {
		subscriptions = maxSubscriptions
	}
	switch {
	case len(q.Lists) > maxLists:
		return mxerror.InvalidParam("There are %d lists; at most %d are allowed.", len(q.Lists), maxLists)
	case len(q.Subscriptions) > subscriptions:
		return mxerror.InvalidParam("There are %d subscriptions to rooms; at most %d are allowed.", len(q.Subscriptions), subscriptions)
	case len(q.Conn) > maxKey:
		return mxerror.InvalidParam("conn_id is longer than %d bytes.", maxKey)
	}
	for name, l := range q.Lists {
		if len(name) > maxKey {
			return mxerror.InvalidParam("A list's name is longer than %d bytes.", maxKey)
		}
		if err := l.check("lists." + name); err != nil {
			return err
		}
		if len(l.Ranges) > maxLists {
			return mxerror.InvalidParam("lists.%s.ranges has more than %d ranges.", name, maxLists)
		}
		for _, r := range l.windows() {
			if r[0] < 0 || r[1] < r[0] {
				return mxerror.InvalidParam("In lists.%s, [%d, %d] is not a range.", name, r[0], r[1])
			}
		}
	}
	for room, c := range q.Subscriptions {
		if err := c.check("room_subscriptions." + room[:min(len(room), maxKey)]); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) check(place string) error {
	if c.TimelineLimit < 0 {
		return mxerror.InvalidParam("%s.timeline_limit must not be negative.", place)
	}
	if len(c.Required.Include)+len(c.Required.Exclude) > maxElements {
		return mxerror.InvalidParam("%s.required_state has more than %d elements.", place, maxElements)
	}
	return nil
}

// windows are the ranges of a list, nil for everything.
func (l List) windows() [][2]int {
	if l.Range != nil {
		return append(slices.Clone(l.Ranges), *l.Range)
	}
	return l.Ranges
}

// key tells apart what is asked for, so that a client which asks for something else is answered at
// once.
func (q *Request) key() string { return fmt.Sprint(keyOf(q.Lists), keyOf(q.Subscriptions)) }

func keyOf(v any) string {
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return err.Error() // only what came from JSON is put in
	}
	return string(raw)
}
