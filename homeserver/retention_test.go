package homeserver

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/retention"
)

// TestRetention: what is too old is gone for everybody, and nothing else; the space goes back to the disk.
func TestRetention(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	began := time.Now()
	h := start(t, func(o *Options) {
		o.Now = func() time.Time { return began.Add(time.Duration(ahead.Load())) }
	})
	alice := h.user("alice")
	forever, short, long, silly, own := h.room(alice, obj{}), h.room(alice, obj{}), h.room(alice, obj{}), h.room(alice, obj{}), h.room(alice, obj{"name": "Own"})
	set := func(room string, content obj) {
		t.Helper()
		h.must(alice, "PUT", "/v3/rooms/"+room+"/state/m.room.retention/", content, nil)
	}
	const day = 24 * time.Hour
	set(short, obj{"max_lifetime": (3 * time.Hour).Milliseconds()})    // less than is allowed: two days it is
	set(long, obj{"max_lifetime": (9000 * day).Milliseconds()})        // more than is allowed: 30 days
	set(silly, obj{"max_lifetime": "10"})                              // nonsense: as if it said nothing
	set(own, obj{"max_lifetime": (10 * day).Milliseconds(), "min": 1}) // what it says
	rooms := []string{forever, short, long, silly, own}
	for n := range 10 {
		ahead.Store(int64(time.Duration(n) * 3 * day))
		for _, r := range rooms {
			h.must(alice, "PUT", fmt.Sprintf("/v3/rooms/%s/send/m.room.message/%d", r, n), obj{"msgtype": "m.text", "body": fmt.Sprintf("day %d", 3*n) + strings.Repeat(".", 40_000)}, nil)
		}
	}
	left := func(room string) string {
		t.Helper()
		var out struct {
			Chunk []struct {
				Type    string `json:"type"`
				Content struct {
					Body string `json:"body"`
				} `json:"content"`
			} `json:"chunk"`
		}
		h.must(alice, "GET", "/v3/rooms/"+room+"/messages?dir=b&limit=100", nil, &out)
		var days []string
		for _, e := range out.Chunk {
			if e.Type == "m.room.message" {
				days = append(days, strings.Trim(strings.TrimPrefix(e.Content.Body, "day "), "."))
			}
		}
		slices.Reverse(days)
		return strings.Join(days, " ")
	}
	check := func(when string, policy retention.Policy, want ...string) {
		t.Helper()
		h.SetRetention(policy)
		if err := h.keeper.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, r := range rooms {
			if got := left(r); got != want[i] {
				t.Errorf("%s, room %d has %q, want %q", when, i, got, want[i])
			}
		}
	}
	all := "0 3 6 9 12 15 18 21 24 27"
	check("without a policy", retention.Policy{}, all, all, all, all, all)
	check("by the rooms", retention.Policy{Rooms: true, Min: 2 * day, Max: 30 * day}, all, "27", all, all, "18 21 24 27")
	ahead.Store(int64(35 * day))
	check("later", retention.Policy{Rooms: true, Min: 2 * day, Max: 30 * day}, all, "27", "6 9 12 15 18 21 24 27", all, "27")
	check("by the server", retention.Policy{Lifetime: 12 * day}, "24 27", "27", "24 27", "24 27", "27")
	if n := h.keeper.Removed(); n != 9+6+2+3+8+6+8 {
		t.Errorf("%d events are said to be removed", n)
	}
	var name struct {
		Name string `json:"name"`
	}
	if h.must(alice, "GET", "/v3/rooms/"+own+"/state/m.room.name", nil, &name); name.Name != "Own" {
		t.Errorf("the room's name is %q", name.Name)
	}
	// The room goes on.
	h.must(alice, "PUT", "/v3/rooms/"+own+"/send/m.room.message/x", obj{"msgtype": "m.text", "body": "day 35"}, nil)
	if got := left(own); got != "27 35" {
		t.Errorf("the room goes on with %q", got)
	}
	if free, err := h.store.FreePages(t.Context()); err != nil || free != 0 {
		t.Errorf("%d pages are free: %v", free, err)
	}
}
