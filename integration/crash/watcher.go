package crash

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

// watcher is a client that follows a room by /sync over all crashes, with the tokens that it has.
type watcher struct {
	*client.Client
	room  string
	since string
	seen  []string // event ids as they came
	// old is the first token of all, from before every crash, and oldSeen what came before it.
	old     string
	oldSeen int
}

func (w *watcher) begin(ctx context.Context) error {
	if err := w.step(ctx, 0); err != nil {
		return err
	}
	w.old, w.oldSeen = w.since, len(w.seen)
	return nil
}

// follow syncs until the server is gone.
func (w *watcher) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.step(context.WithoutCancel(ctx), 10*time.Second); gone(err) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// step makes one request and takes note of what it brings.
func (w *watcher) step(ctx context.Context, timeout time.Duration) error {
	next, got, err := w.read(ctx, w.since, timeout)
	if err != nil {
		return err
	}
	w.since = next
	w.seen = append(w.seen, got...)
	return nil
}

// read makes one request. What a limited timeline leaves out is paged through.
func (w *watcher) read(ctx context.Context, since string, timeout time.Duration) (next string, got []string, err error) {
	s, err := w.Sync(ctx, client.SyncOptions{Since: since, Timeout: timeout,
		Filter: map[string]any{"room": map[string]any{"timeline": map[string]any{"limit": 50}}}})
	if err != nil {
		return "", nil, err
	}
	tl := s.Rooms.Join[w.room].Timeline
	got = ids(tl.Events)
	if tl.Limited {
		gap, err := w.gap(ctx, tl.PrevBatch, since)
		if err != nil {
			return "", nil, err
		}
		got = append(gap, got...)
	}
	return s.Next, got, nil
}

// gap pages from a timeline's beginning back to where the last one ended.
func (w *watcher) gap(ctx context.Context, from, to string) ([]string, error) {
	var out []string
	for from != "" {
		q := map[string][]string{"dir": {"b"}, "limit": {"100"}, "from": {from}}
		if to != "" {
			q["to"] = []string{to}
		}
		var p client.Page
		if err := w.Do(ctx, "GET", client.Path("rooms", w.room, "messages"), q, nil, &p); err != nil {
			return nil, err
		}
		out = append(out, ids(p.Chunk)...)
		from = p.End
	}
	slices.Reverse(out)
	return out, nil
}

// catchUp reads on until nothing new comes, and compares what came in all with the history: by
// the newest token, and in one go from the oldest.
func (w *watcher) catchUp(ctx context.Context, history []client.Event) error {
	for n := -1; n != len(w.seen); {
		n = len(w.seen)
		if err := w.step(ctx, 0); err != nil {
			return err
		}
	}
	want := ids(history)
	if err := same("/sync, followed over the crashes", w.seen, want); err != nil {
		return err
	}
	_, got, err := w.read(ctx, w.old, 0)
	if err != nil {
		return err
	}
	return same("/sync from a token from before the first crash", append(slices.Clone(w.seen[:w.oldSeen]), got...), want)
}

func same(what string, got, want []string) error {
	if slices.Equal(got, want) {
		return nil
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	return fmt.Errorf("%s brought %d events and the history has %d; they differ from number %d on", what, len(got), len(want), at)
}
