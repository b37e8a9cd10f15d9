package homeserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
)

// hs is a server under test, called over a real socket.
type hs struct {
	testing.TB
	*Server
	url  string
	http *http.Client
}

func start(t testing.TB, change ...func(*Options)) *hs {
	t.Helper()
	dir := t.TempDir()
	o := Options{Name: "test", PublicURL: "http://test", Dir: dir, Database: filepath.Join(dir, "hs.db"), Media: MediaOptions{Dir: filepath.Join(dir, "media")},
		Settings: client.Settings{OpenRegistration: true, MaxBody: 1 << 20, SyncTimeout: time.Minute},
		Log:      slog.New(slog.DiscardHandler)}
	for _, fn := range change {
		fn(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Client())
	t.Cleanup(func() {
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	tr := &http.Transport{MaxIdleConnsPerHost: 256}
	t.Cleanup(tr.CloseIdleConnections)
	return &hs{t, s, srv.URL, &http.Client{Transport: tr}}
}

// call makes a request and decodes the answer.
func (h *hs) call(token, method, path string, body, out any) int {
	h.Helper()
	if body == nil {
		body = struct{}{}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		h.Fatal(err)
	}
	req, err := http.NewRequestWithContext(h.Context(), method, h.url+"/_matrix/client"+path, bytes.NewReader(raw))
	if err != nil {
		h.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := h.http.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	defer res.Body.Close()
	raw, err = io.ReadAll(res.Body)
	if err != nil {
		h.Fatal(err)
	}
	if out != nil && res.StatusCode < 300 {
		if err := json.Unmarshal(raw, out); err != nil {
			h.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	if res.StatusCode >= 300 {
		h.Logf("%s %s: %d %s", method, path, res.StatusCode, raw)
	}
	return res.StatusCode
}

func (h *hs) must(token, method, path string, body, out any) {
	h.Helper()
	if status := h.call(token, method, path, body, out); status/100 != 2 {
		h.Fatalf("%s %s: %d", method, path, status)
	}
}

// user signs somebody up.
func (h *hs) user(name string) (token string) {
	h.Helper()
	var out struct {
		Token string `json:"access_token"`
	}
	h.must("", "POST", "/v3/register", map[string]any{"username": name, "password": "long enough", "auth": map[string]string{"type": "m.login.dummy"}}, &out)
	return out.Token
}

func (h *hs) room(token string, opts map[string]any) string {
	h.Helper()
	var out struct {
		RoomID string `json:"room_id"`
	}
	h.must(token, "POST", "/v3/createRoom", opts, &out)
	return out.RoomID
}

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
