package sync

import (
	"bytes"
	"context"
	"testing"
	"time"
)

type fixedCount Unread

func (c fixedCount) Unread(context.Context, int64, string, int64, int64) (Unread, error) {
	return Unread(c), nil
}

func TestUnread(t *testing.T) {
	t.Parallel()
	n := fixedCount{Notifications: 3, Highlights: 1, Threads: map[string]Unread{"$a": {Notifications: 2, Highlights: 2}, "$b": {}}}
	for _, tc := range []struct {
		counter Counter
		threads bool
		want    string
	}{
		{nil, false, `"unread_notifications":{"highlight_count":0,"notification_count":0}`},
		{n, false, `"unread_notifications":{"highlight_count":3,"notification_count":5}`},
		{n, true, `"unread_notifications":{"highlight_count":1,"notification_count":3},"unread_thread_notifications":{"$a":{"highlight_count":2,"notification_count":2}}`},
	} {
		b := &builder{s: &Syncer{o: Options{Counter: tc.counter}}, out: &stream{w: &bytes.Buffer{}}}
		b.q.Filter.Room.Timeline.UnreadThreads = tc.threads
		if err := b.unread(t.Context(), Standing{}); err != nil {
			t.Fatal(err)
		}
		if got := string(b.out.buf); got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
}

func TestEventFields(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		paths []string
		want  string
	}{
		{[]string{"type"}, `{"type":"t"}`},
		{[]string{"content.a"}, `{"content":{"a":1}}`},
		{[]string{"content.a", "content.b.c"}, `{"content":{"a":1,"b":{"c":2}}}`},
		{[]string{`content.d\.e`, `content.f\\g`}, `{"content":{"d.e":3,"f\\g":4}}`},
		{[]string{"content.a.x", "content.none", "none", ""}, `{}`},
		{[]string{"content", "content.a"}, `{"content":{"a":1,"b":{"c":2,"x":5},"d.e":3,"f\\g":4}}`},
	} {
		got, err := pick(nil, []byte(`{"type":"t","sender":"s","content":{"a":1,"b":{"c":2,"x":5},"d.e":3,"f\\g":4}}`), tc.paths)
		if err != nil || string(got) != tc.want {
			t.Errorf("%q: got %s, %v; want %s", tc.paths, got, err, tc.want)
		}
	}
}

func TestLazyMemory(t *testing.T) {
	t.Parallel()
	m := NewLazyMemory(10)
	k := LazyKey{1, 2, "@a:x"}
	m.Add(k, 7, 100)
	for _, tc := range []struct {
		event, since int64
		want         bool
	}{{7, 99, false}, {7, 100, true}, {8, 200, false}} {
		if got := m.Has(k, tc.event, tc.since); got != tc.want {
			t.Errorf("event %d for a client at %d: %t", tc.event, tc.since, got)
		}
	}
	m.Add(k, 7, 150) // sent once more does not make it less known
	if !m.Has(k, 7, 120) {
		t.Error("what was known is not known any more")
	}
}

func TestTypingBound(t *testing.T) {
	t.Parallel()
	ty := NewTyping(time.Now, func(int64) {})
	defer ty.Close()
	for room := range int64(3 * typingMax) {
		ty.Set(room, "@a:x", time.Minute)
		ty.Set(room, "@a:x", 0)
	}
	ty.Set(-1, "@a:x", time.Minute)
	if got := ty.In(-1); len(got) != 1 {
		t.Error("nobody can type any more")
	}
	if len(ty.rooms) > typingMax {
		t.Errorf("%d rooms are remembered", len(ty.rooms))
	}
}

// TestRecent makes sure that what is known of new events without a look-up is all there is.
func TestRecent(t *testing.T) {
	t.Parallel()
	r := &activeRoom{from: 10}
	for pos := int64(11); pos < 500; pos++ {
		r.add(recentEvent{pos: pos, nid: 1000 + pos})
		st := Standing{recent: r.recent, from: r.from}
		for _, after := range []int64{9, r.from - 1, r.from, pos - 3, pos} {
			nids, ok := st.news(after, pos)
			if want := after >= r.from; ok != want {
				t.Fatalf("after %d at %d: known %t, want %t", after, pos, ok, want)
			}
			if ok && int64(len(nids)) != pos-max(after, 10) {
				t.Fatalf("after %d at %d: %d events", after, pos, len(nids))
			}
		}
		if len(r.recent) > recentMax {
			t.Fatalf("%d events are kept", len(r.recent))
		}
	}
}
