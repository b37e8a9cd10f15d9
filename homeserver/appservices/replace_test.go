package appservices

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/registration"
)

// TestReplaceUnderLoad: registrations come, change and go while people talk and services are slow: nobody gets
// anything twice, too late or not at all.
func TestReplaceUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	steady, changing := newBridge(), newBridge()
	n := 0
	changing.fault = func() fault {
		n++
		return []fault{fine, refuse, fine, takeAndFail, fine, broken}[n%6]
	}
	stop := r.serve(map[string]http.RoundTripper{"steady": steady, "changing": changing})
	defer stop()
	name := r.room("@steady_eve:test", "@changing_eve:test")
	base := r.now.Set()
	const total = 300
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range total {
			r.say(name, strconv.Itoa(i))
		}
	}()
	replace := func(i int) {
		t.Helper()
		var regs []*registration.Registration
		for _, reg := range base.All() {
			c := *reg
			if c.ID == "changing" { // what is changed does not change what it is to get
				c.Namespaces.Aliases = []registration.Namespace{{Regex: fmt.Sprintf("#changing%d_.*", i), Exclusive: true}}
			}
			regs = append(regs, &c)
		}
		if i%3 == 0 { // one that comes and goes, and can't be reached
			regs = append(regs, &registration.Registration{ID: "guest", URL: "http://guest", ASToken: "guest-as", HSToken: "guest-hs", SenderLocalpart: "guest"})
		}
		set, err := registration.NewSet(server, regs...)
		if err != nil || len(set.All()) != len(regs) {
			t.Fatal(err, set.Problems())
		}
		r.now.Replace(set)
	}
	for i := 0; ; i++ {
		replace(i)
		select {
		case <-done:
		case <-time.After(3 * time.Millisecond):
			continue
		}
		break
	}
	var want []string
	for i := range total {
		want = append(want, strconv.Itoa(i))
	}
	for id, b := range map[string]*bridge{"steady": steady, "changing": changing} {
		if got := b.wait(t, total); !slices.Equal(got, want) {
			t.Errorf("%s got %q", id, got)
		}
	}
}
