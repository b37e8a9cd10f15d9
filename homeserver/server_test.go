package homeserver

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTalk(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	room := h.room(alice, map[string]any{"preset": "public_chat", "room_alias_name": "talk", "name": "Talk"})
	h.must(bob, "POST", "/v3/join/%23talk:test", nil, nil)
	var s struct {
		Next string `json:"next_batch"`
	}
	h.must(bob, "GET", "/v3/sync", nil, &s)
	got := make(chan string, 1)
	go func() {
		var out struct {
			Rooms struct {
				Join map[string]struct {
					Timeline struct {
						Events []struct {
							Content struct{ Body string }
						}
					}
				}
			}
		}
		h.call(bob, "GET", "/v3/sync?timeout=10000&since="+s.Next, nil, &out)
		for _, e := range out.Rooms.Join[room].Timeline.Events {
			got <- e.Content.Body
		}
	}()
	h.must(alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/1", map[string]string{"msgtype": "m.text", "body": "hello"}, nil)
	select {
	case body := <-got:
		if body != "hello" {
			t.Fatalf("got %q", body)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the waiting sync was not woken")
	}
}

func BenchmarkHTTPSend(b *testing.B) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := start(b)
			alice := h.user("alice")
			room := h.room(alice, map[string]any{})
			body := `{"msgtype":"m.text","body":"` + strings.Repeat("word ", 20) + `"}`
			var i atomic.Int64
			b.SetParallelism(n / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, _ := http.NewRequest("PUT", fmt.Sprintf("%s/_matrix/client/v3/rooms/%s/send/m.room.message/%d", h.url, room, i.Add(1)), strings.NewReader(body))
					req.Header.Set("Authorization", "Bearer "+alice)
					res, err := h.http.Do(req)
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if res.StatusCode != 200 {
						b.Error(res.Status)
					}
				}
			})
		})
	}
}
