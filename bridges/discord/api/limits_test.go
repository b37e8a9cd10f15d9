package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
)

// TestOddLimits: what an answer says of limits is understood in whatever form, and never fails a request that has
// succeeded.
func TestOddLimits(t *testing.T) {
	t.Parallel()
	for name, limited := range map[string]func(http.ResponseWriter){
		"a string":      func(w http.ResponseWriter) { fmt.Fprint(w, `{"retry_after": "0.2", "global": "false"}`) },
		"words":         func(w http.ResponseWriter) { fmt.Fprint(w, `{"retry_after": "soon"}`) },
		"a page":        func(w http.ResponseWriter) { fmt.Fprint(w, `<html>Cloudflare</html>`) },
		"nothing":       func(http.ResponseWriter) {},
		"not a number":  func(w http.ResponseWriter) { fmt.Fprint(w, `{"retry_after": NaN}`) },
		"less than one": func(w http.ResponseWriter) { fmt.Fprint(w, `{"retry_after": -1}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h := w.Header()
				for _, name := range []string{"X-RateLimit-Remaining", "X-RateLimit-Reset", "X-RateLimit-Reset-After", "Date"} {
					h.Set(name, "odd")
				}
				if asked.Add(1) == 1 {
					h.Set("Retry-After", "0.2")
					w.WriteHeader(http.StatusTooManyRequests)
					limited(w)
					return
				}
				fmt.Fprint(w, `{"ok": true}`)
			}))
			t.Cleanup(s.Close)
			c, err := api.New(api.Options{Token: "x", APIURL: s.URL})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			began := time.Now()
			var out struct{ OK bool }
			if err := c.Do(ctx, "GET", "/x", "", nil, &out); err != nil || !out.OK || asked.Load() != 2 {
				t.Errorf("%v, %v, asked %d times", err, out, asked.Load())
			}
			if took := time.Since(began); took < 150*time.Millisecond || took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestGlobalLimit: when the whole bot is limited, nothing else is asked until that is over.
func TestGlobalLimit(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(http.ResponseWriter){
		"in the body": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"retry_after": 0.5, "global": true}`)
		},
		"in a header": func(w http.ResponseWriter) {
			w.Header().Set("X-RateLimit-Scope", "global")
			w.Header().Set("Retry-After", "0.5")
			w.WriteHeader(http.StatusTooManyRequests)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var until atomic.Int64
			var early atomic.Bool
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				now := time.Now()
				switch end := until.Load(); {
				case end == 0 && until.CompareAndSwap(0, now.Add(490*time.Millisecond).UnixNano()):
					say(w)
				case now.UnixNano() < end:
					early.Store(true)
				}
			}))
			t.Cleanup(s.Close)
			c, err := api.New(api.Options{Token: "x", APIURL: s.URL})
			if err != nil {
				t.Fatal(err)
			}
			first := make(chan error)
			go func() { first <- c.Do(t.Context(), "GET", "/first", "", nil, nil) }()
			for until.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(50 * time.Millisecond) // for the answer to be read
			for i := range 3 {
				if err := c.Do(t.Context(), "GET", fmt.Sprint("/other/", i), "", nil, nil); err != nil {
					t.Error(err)
				}
			}
			if err := <-first; err != nil {
				t.Error(err)
			}
			if early.Load() {
				t.Error("something was asked before the limit was over")
			}
		})
	}
}
