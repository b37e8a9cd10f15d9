package api

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

func TestSeen(t *testing.T) {
	t.Parallel()
	var s seen
	event := func(seq int, text string) frame {
		return frame{Seq: wire.Int(seq), Type: "X", Data: json.RawMessage(fmt.Sprintf("%q", text))}
	}
	for i, test := range []struct {
		f    frame
		want bool
	}{
		{event(1, "a"), false}, {event(1, "a"), true}, {event(2, "a"), false}, {event(2, "b"), false}, {event(1, "a"), true},
		{event(0, "a"), false}, {event(0, "a"), false}, // not numbered
	} {
		if got := s.before(test.f); got != test.want {
			t.Errorf("%d: %v", i, got)
		}
	}
	for i := range 3 * memory {
		s.before(event(i+10, "more"))
	}
	if len(s.have) > memory {
		t.Errorf("%d events are remembered", len(s.have))
	}
	if s.before(event(1, "a")) {
		t.Error("nothing is forgotten")
	}
}

// What was not handed on is told again when the session is resumed, also if something later was.
func TestResumeAfterGap(t *testing.T) {
	t.Parallel()
	var s seen
	s.done(7, true)
	for _, n := range []int64{8, 10, 11} {
		s.done(n, false)
	}
	if s.upto != 8 {
		t.Errorf("resumed after %d", s.upto)
	}
	s.done(9, false)
	if s.upto != 11 || len(s.ahead) != 0 {
		t.Errorf("resumed after %d, with %d ahead", s.upto, len(s.ahead))
	}
	for n := range int64(maxAhead + 1) { // what does not come is not waited for
		s.done(100+n, false)
	}
	if s.upto != 100+maxAhead {
		t.Errorf("resumed after %d", s.upto)
	}
}
