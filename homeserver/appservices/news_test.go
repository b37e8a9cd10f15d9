package appservices

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// TestNews: what changed several times is told once, in the order of the last changes, and memory is bounded.
func TestNews(t *testing.T) {
	t.Parallel()
	n := &news{}
	start := n.last()
	for _, nid := range []int64{1, 2, 3, 1} {
		n.note(nid)
	}
	got, upto := n.after(start, 2)
	if !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("the first are %v", got)
	}
	n.note(2)
	if got, upto = n.after(upto, 10); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("the next are %v", got)
	}
	if got, _ = n.after(upto, 10); len(got) != 0 {
		t.Errorf("then there are %v", got)
	}
	for i := range int64(3 * newsMax) {
		n.note(i % (2 * newsMax))
		n.note(7)
	}
	if len(n.at) > newsMax || len(n.log) > 2*newsMax+1000 {
		t.Errorf("it remembers %d in %d items", len(n.at), len(n.log))
	}
	if got, _ = n.after(n.last()-1, 10); !slices.Equal(got, []int64{7}) {
		t.Errorf("the newest is %v", got)
	}
}

// gated is a service that answers when its gate is open.
type gated struct {
	open <-chan struct{}
	http.RoundTripper
}

func (g gated) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-g.open:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return g.RoundTripper.RoundTrip(r)
}

// TestManyPresences: a service that takes nothing for a while is then told of everybody.
func TestManyPresences(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, open := newBridge(), make(chan struct{})
	stop := r.serve(map[string]http.RoundTripper{"irc": gated{open, b}})
	defer stop()
	const many = 2500
	users := make([]int64, many)
	err := r.store.Write(t.Context(), func(tx *store.Tx) (err error) {
		for i := range users {
			if users[i], err = tx.NameUser(fmt.Sprintf("@irc_%d:test", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	for i, nid := range users {
		r.there[nid] = presence.State{User: nid, UserID: fmt.Sprintf("@irc_%d:test", i), Presence: presence.Unavailable}
	}
	r.mu.Unlock()
	for _, nid := range users {
		r.now.PresenceChanged(nid)
	}
	close(open)
	got := b.ephemeral(t, "m.presence", many)
	slices.Sort(got)
	if got = slices.Compact(got); len(got) != many {
		t.Errorf("%d of %d are told", len(got), many)
	}
}
