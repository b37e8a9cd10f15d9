package event

import (
	"strings"
	"testing"
)

func TestRelationOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		content string
		want    Relation
		ok      bool
	}{
		{`{"m.relates_to":{"rel_type":"m.thread","event_id":"$a"}}`, Relation{"$a", "m.thread", ""}, true},
		{`{"m.relates_to":{"rel_type":"m.annotation","event_id":"$a","key":"x"}}`, Relation{"$a", "m.annotation", "x"}, true},
		{`{"m.relates_to":{"rel_type":"m.annotation","event_id":"$a","key":5}}`, Relation{"$a", "m.annotation", ""}, true},
		{`{"m.relates_to":{"m.in_reply_to":{"event_id":"$a"}}}`, Relation{}, false},
		{`{"m.relates_to":{"rel_type":5,"event_id":"$a"}}`, Relation{}, false},
		{`{"m.relates_to":{"rel_type":"m.thread"}}`, Relation{}, false},
		{`{"m.relates_to":"m.thread"}`, Relation{}, false},
		{`{"m":{"relates_to":{"rel_type":"m.thread","event_id":"$a"}}}`, Relation{}, false},
		{`{"m.relates_to":{"rel_type":"m.thread","event_id":"` + strings.Repeat("x", 300) + `"}}`, Relation{}, false},
		{`{}`, Relation{}, false},
	} {
		got, ok := RelationOf([]byte(tc.content))
		if ok != tc.ok || ok && got != tc.want {
			t.Errorf("%s: %+v, %v", tc.content, got, ok)
		}
	}
}

func FuzzRelationOf(f *testing.F) {
	f.Add([]byte(`{"m.relates_to":{"rel_type":"m.thread","event_id":"$a","key":"x"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, ok := RelationOf(raw); ok && (r.Parent == "" || r.Type == "" || len(r.Parent) > MaxFieldSize || len(r.Type) > MaxFieldSize) {
			t.Errorf("%q: %+v", raw, r)
		}
	})
}
