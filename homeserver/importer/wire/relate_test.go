package wire

import (
	"testing"
)

func TestRelated(t *testing.T) {
	t.Parallel()
	find := func(remote string) string {
		return map[string]string{"root": "$root", "last": "$last", "said": "$said"}[remote]
	}
	for _, tc := range []struct {
		name     string
		relates  *Relation
		want     string
		resolved bool
	}{
		{"nothing", nil, `{"body":"x"}`, true},
		{"a reply", &Relation{Rel: RelReply, To: "said"}, `{"body":"x","m.relates_to":{"m.in_reply_to":{"event_id":"$said"}}}`, true},
		{"a thread", &Relation{Rel: RelThread, To: "root", Last: "last"}, `{"body":"x","m.relates_to":{"event_id":"$root","is_falling_back":true,"m.in_reply_to":{"event_id":"$last"},"rel_type":"m.thread"}}`, true},
		{"the first in a thread", &Relation{Rel: RelThread, To: "root"}, `{"body":"x","m.relates_to":{"event_id":"$root","is_falling_back":true,"m.in_reply_to":{"event_id":"$root"},"rel_type":"m.thread"}}`, true},
		{"a reply in a thread", &Relation{Rel: RelThread, To: "root", Last: "last", Reply: "said"},
			`{"body":"x","m.relates_to":{"event_id":"$root","is_falling_back":false,"m.in_reply_to":{"event_id":"$said"},"rel_type":"m.thread"}}`, true},
		{"a reply in a thread to what is not here", &Relation{Rel: RelThread, To: "root", Last: "last", Reply: "gone"},
			`{"body":"x","m.relates_to":{"event_id":"$root","is_falling_back":true,"m.in_reply_to":{"event_id":"$last"},"rel_type":"m.thread"}}`, true},
		{"a thread that is not here", &Relation{Rel: RelThread, To: "gone", Last: "last"}, `{"body":"x"}`, false},
		{"a reaction", &Relation{Rel: RelReaction, To: "said", Key: "+"}, `{"body":"x","m.relates_to":{"event_id":"$said","key":"+","rel_type":"m.annotation"}}`, true},
	} {
		it := &Item{Content: []byte(`{"body":"x"}`), Relates: tc.relates}
		if got, resolved := it.Related(find); string(got) != tc.want || resolved != tc.resolved {
			t.Errorf("%s: %s, %v", tc.name, got, resolved)
		}
	}
}
