package retention

import (
	"math"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Type is the state event by which a room says how long its messages are kept.
const Type = "m.room.retention"

// Policy is how long messages are kept.
type Policy struct {
	// Lifetime is that of messages in rooms that say nothing; 0 keeps them for ever.
	Lifetime time.Duration
	// Rooms lets rooms say otherwise, by m.room.retention, within Min and Max; 0 is no bound.
	Rooms    bool
	Min, Max time.Duration
}

// Idle reports whether nothing is ever removed.
func (p Policy) Idle() bool { return p.Lifetime <= 0 && !p.Rooms }

// Of is the lifetime of messages in a room with a state event of Type, nil if it has none; 0 is for ever. "max_lifetime:
// the maximum duration in milliseconds for which a server must store an event. Must be null or in range [0, 2^53-1]. If
// absent, or null, should be interpreted as 'forever'." What is not understood is not there: nothing is lost by a mistake.
func (p Policy) Of(e *event.Event) time.Duration {
	if e == nil || !p.Rooms {
		return p.Lifetime
	}
	v := gjson.GetBytes(e.Content, "max_lifetime")
	ms := v.Int()
	if v.Type != gjson.Number || v.Num != math.Trunc(v.Num) || ms <= 0 || ms >= 1<<53 {
		return p.Lifetime
	}
	d := time.Duration(math.MaxInt64)
	if ms < int64(d/time.Millisecond) {
		d = time.Duration(ms) * time.Millisecond
	}
	if p.Max > 0 {
		d = min(d, p.Max)
	}
	return max(d, p.Min)
}
