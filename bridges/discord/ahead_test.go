package discord

import (
	"fmt"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// What waits for messages is bounded, in order, and given up in time; what has come is forgotten some time.
func TestAhead(t *testing.T) {
	t.Parallel()
	var a ahead
	now := time.Now()
	first, second, other := &entry{seq: 1}, &entry{seq: 2}, &entry{seq: 3}
	for _, e := range []*entry{first, other, second} {
		id := wire.ID("1")
		if e == other {
			id = "2"
		}
		if !a.add(e, id, now) {
			t.Fatal("there is no place")
		}
	}
	if list := a.take("1", now); len(list) != 2 || list[0] != first || list[1] != second {
		t.Errorf("taken: %v", list)
	}
	if list := a.take("", now.Add(aheadTime/2)); len(list) != 0 {
		t.Errorf("given up too soon: %v", list)
	}
	if list := a.take("", now.Add(2*aheadTime)); len(list) != 1 || len(a.of)+len(a.since)+len(a.waiting) != 0 {
		t.Errorf("given up: %v", list)
	}
	for i := range maxAhead {
		a.add(&entry{seq: int64(i)}, "1", now)
	}
	if a.add(first, "1", now) {
		t.Error("too much waits")
	}
	for i := range 2 * maxTold {
		a.came(wire.ID(fmt.Sprint(i)))
	}
	if len(a.told) != maxTold || len(a.ring) != maxTold || !a.told[wire.ID(fmt.Sprint(2*maxTold-1))] || a.told["0"] {
		t.Errorf("%d messages are remembered", len(a.told))
	}
}
