package unread

import (
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

func TestRecent(t *testing.T) {
	t.Parallel()
	r := newRecent(10)
	check := func(what string, room, after, upto int64, limit int, want string) {
		t.Helper()
		nids, ok := r.after(room, after, upto, limit)
		if got := fmt.Sprint(nids, ok); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	check("from before it was asked for", 1, 9, 10, 9, "[] false")
	check("nothing yet", 1, 10, 10, 9, "[] true")
	check("what is not published", 1, 10, 11, 9, "[] false")
	r.publish(store.Entry{Kind: store.KindEvent, Room: 1, Pos: 11, Ref: 111})
	r.publish(store.Entry{Kind: store.KindEvent, Room: 2, Pos: 12, Ref: 112})
	r.publish(store.Entry{Kind: store.KindReceipt, Room: 1, Pos: 13, Ref: 113})
	r.publish(store.Entry{Kind: store.KindEvent, Room: 1, Pos: -5, Ref: 1})
	r.publish(store.Entry{Kind: store.KindEvent, Room: 1, Pos: 14, Ref: 114})
	check("all", 1, 10, 14, 9, "[111 114] true")
	check("the older", 1, 10, 13, 9, "[111] true")
	check("the newer", 1, 11, 14, 9, "[114] true")
	check("few", 1, 10, 14, 1, "[111] true")
	check("another room, too late", 2, 11, 14, 9, "[] false")
	check("another room, from now on", 2, 14, 14, 9, "[] true")
	for i := range int64(2 * tailMax) {
		r.publish(store.Entry{Kind: store.KindEvent, Room: 1, Pos: 15 + i, Ref: 115 + i})
	}
	last := int64(14 + 2*tailMax)
	check("long ago", 1, 11, last, 9, "[] false")
	check("the last", 1, last-1, last, 9, fmt.Sprintf("[%d] true", 100+last))
	if n := len(r.tails[1].events); n > tailMax {
		t.Errorf("%d events are kept", n)
	}
	for room := range int64(2 * tailsKept) {
		r.after(room+10, 0, 0, 1)
	}
	if n := len(r.tails); n > tailsKept {
		t.Errorf("%d rooms are kept", n)
	}
}
