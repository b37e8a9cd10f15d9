package moduleconfig

import (
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Since says how far back something goes: to the beginning of everything, to a time, to an age,
// or, as its zero value, not at all.
type Since struct {
	All bool
	At  time.Time
	Age time.Duration
}

// Start is where it begins when it is now some time; the zero time is the beginning of everything.
// It returns false if it goes back not at all.
func (s Since) Start(now time.Time) (time.Time, bool) {
	switch {
	case s.All:
		return time.Time{}, true
	case !s.At.IsZero():
		return s.At, true
	case s.Age > 0:
		return now.Add(-s.Age), true
	}
	return time.Time{}, false
}

// maxDays bounds an age in days, to some centuries.
const maxDays = 100_000

// History reads how far back history goes: none, all, a number of days such as 90d, or a date such
// as 2023-05-31, which begins in UTC.
func History(into *Since) Reader {
	return func(n *yaml.Node, key string) error {
		switch n.Value {
		case "none":
			*into = Since{}
			return nil
		case "all":
			*into = Since{All: true}
			return nil
		}
		if days, ok := strings.CutSuffix(n.Value, "d"); ok {
			if v, err := strconv.Atoi(days); err == nil && v > 0 && v <= maxDays {
				*into = Since{Age: time.Duration(v) * 24 * time.Hour}
				return nil
			}
		}
		if at, err := time.Parse(time.DateOnly, n.Value); err == nil {
			*into = Since{At: at}
			return nil
		}
		return Mistake(n, key, "is %q, but must be none, all, an age such as 90d, or a date such as 2023-05-31", n.Value)
	}
}
