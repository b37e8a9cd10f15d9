package homeserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
)

// BenchmarkWake measures what an event costs in a room whose members all wait for it with /sync: the
// answers, and the requests that come back for the next.
func BenchmarkWake(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkWake(b, n) })
	}
}

func benchmarkWake(b *testing.B, n int) {
	h := start(b)
	alice := h.user("alice")
	room := h.room(alice, obj{"preset": "public_chat"})
	tokens, since := make([]string, n), make([]string, n)
	handler := h.Client()
	call := func(token, path string) string {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/_matrix/client/v3"+path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	for i := range tokens {
		l, err := h.accounts.Register(b.Context(), accounts.Registration{Localpart: fmt.Sprint("user", i), Login: true})
		if err != nil {
			b.Fatal(err)
		}
		tokens[i] = l.AccessToken
		h.join(l.AccessToken, room)
	}
	for i, t := range tokens {
		since[i] = gjson.Get(call(t, "/sync?filter={\"room\":{\"timeline\":{\"limit\":1}}}"), "next_batch").Str
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.text(alice, room, fmt.Sprint("w", i), "wake up")
		var wg sync.WaitGroup
		for u, t := range tokens {
			wg.Go(func() {
				answer := call(t, "/sync?timeout=10000&since="+since[u])
				since[u] = gjson.Get(answer, "next_batch").Str
			})
		}
		wg.Wait()
	}
}
