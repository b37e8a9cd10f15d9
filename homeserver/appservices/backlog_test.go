package appservices

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

var backlog = flag.Int("backlog", 5_000, "how many events TestBacklog has wait for a service")

// counter is a service that takes numbered messages and remembers no more than the last number. In every
// few requests it fails, in one of the ways in which services do.
type counter struct {
	mu      sync.Mutex
	next    int             // the number that must come next
	taken   map[string]bool // the last transactions
	order   []string
	wrong   string
	away    bool
	rng     *rand.Rand
	faults  map[string]int
	patient time.Duration // of the homeserver
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	id, ok := strings.CutPrefix(r.URL.Path, "/_matrix/app/v1/transactions/")
	if !ok {
		return answer(http.StatusNotFound), nil
	}
	var txn struct {
		Events []struct {
			Type    string
			Content struct{ N *int }
		}
	}
	if err := json.UnmarshalRead(r.Body, &txn, json.MatchCaseInsensitiveNames(true)); err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.away {
		c.mu.Unlock()
		return nil, fmt.Errorf("connection refused")
	}
	how := "well"
	if c.rng.IntN(40) == 0 {
		how = []string{"refuses", "takes and fails", "takes and hangs", "takes and restarts"}[c.rng.IntN(4)]
	}
	c.faults[how]++
	if how != "refuses" && !c.taken[id] {
		for _, e := range txn.Events {
			if e.Content.N == nil {
				continue
			}
			if *e.Content.N != c.next && c.wrong == "" {
				c.wrong = fmt.Sprintf("%d came instead of %d, in transaction %s", *e.Content.N, c.next, id)
			}
			c.next++
		}
		c.taken[id] = true
		if c.order = append(c.order, id); len(c.order) > 10 {
			delete(c.taken, c.order[0])
			c.order = c.order[1:]
		}
	}
	c.mu.Unlock()
	switch how {
	case "well":
		return answer(http.StatusOK), nil
	case "takes and hangs":
		// It answers, but after the homeserver has given up.
		select {
		case <-time.After(2 * c.patient):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	case "takes and restarts":
		return nil, fmt.Errorf("connection reset")
	}
	return answer(http.StatusInternalServerError), nil
}

// TestBacklog has very many events wait for a service that is away, and then for one that fails in every
// way: all come, once and in order, memory stays flat, and another service notices nothing.
func TestBacklog(t *testing.T) {
	r := newRig(t)
	r.timeout = 250 * time.Millisecond
	flaky := &counter{away: true, taken: map[string]bool{}, rng: rand.New(rand.NewPCG(3, 4)), faults: map[string]int{}, patient: r.timeout}
	well := newBridge()
	stop := r.serve(map[string]http.RoundTripper{"flaky": flaky, "well": well})
	defer stop()
	crowded, quiet := r.room("@flaky_eve:test"), r.room("@well_eve:test")
	const each = 500
	began := time.Now()
	for n := 0; n < *backlog; n += each {
		var batch []room.Proposal
		for i := n; i < min(n+each, *backlog); i++ {
			batch = append(batch, room.Proposal{Sender: "@alice:test", Type: "m.room.message", Content: jsontext.Value(fmt.Sprintf(`{"n":%d,"msgtype":"m.text"}`, i))})
		}
		if _, err := r.rooms.SendAll(t.Context(), crowded.NID, batch); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d events wait after %v", *backlog, time.Since(began))
	if st := status(r.now, "flaky"); st.Reachable || st.Behind < int64(*backlog) {
		t.Errorf("the status of the service that is away: %+v", st)
	}
	before := heap()
	flaky.mu.Lock()
	flaky.away = false
	flaky.mu.Unlock()
	began = time.Now()
	most, said := uint64(0), 0
	for deadline := time.Now().Add(4*time.Minute + time.Duration(*backlog)*2*time.Millisecond); ; time.Sleep(50 * time.Millisecond) {
		// The other service gets what is said meanwhile.
		r.sayTo(quiet, said)
		said++
		well.wait(t, said)
		most = max(most, heap())
		flaky.mu.Lock()
		next, wrong := flaky.next, flaky.wrong
		flaky.mu.Unlock()
		if wrong != "" {
			t.Fatal(wrong)
		}
		if next == *backlog {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d events have come: %+v", next, *backlog, status(r.now, "flaky"))
		}
	}
	t.Logf("delivered in %v, with %d MiB at most, %d before: %v", time.Since(began), most>>20, before>>20, flaky.faults)
	if most > before+(96<<20) {
		t.Errorf("memory grew from %d to %d MiB", before>>20, most>>20)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if st := status(r.now, "flaky"); st.Reachable && st.Behind == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the status at the end: %+v", st)
		}
	}
}

func (r *rig) sayTo(name store.RoomName, n int) {
	r.Helper()
	r.say(name, fmt.Sprint("well ", n))
}

func status(s *Services, id string) Status {
	for _, st := range s.Status() {
		if st.ID == id {
			return st
		}
	}
	return Status{}
}

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
