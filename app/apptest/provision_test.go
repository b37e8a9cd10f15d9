package apptest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

const secret = "a secret of some length"

// get asks the provisioning API of the bridge "echo".
func get(t *testing.T, s *apptest.Server, path, token string, out any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/_bridge/echo/_matrix/provision/v3/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK && out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			t.Errorf("%s: %v in %s", path, err, body)
		}
	}
	return resp.StatusCode
}

// TestProvisioningAndStatus: other programs may ask a bridge with its secret alone; what became of each message is told in
// the room and to an endpoint, which gets what it has not taken again.
func TestProvisioningAndStatus(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	steps, refused := map[string]string{}, false
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got struct {
			Checkpoints []struct {
				EventID string `json:"event_id"`
				Step    string `json:"step"`
				Status  string `json:"status"`
				Info    string `json:"info"`
			} `json:"checkpoints"`
		}
		mu.Lock()
		defer mu.Unlock()
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get("Authorization") != "Bearer token" || !refused {
			refused = true
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		for _, c := range got.Checkpoints {
			steps[c.EventID+" "+c.Step] = c.Status + " " + c.Info
		}
	}))
	t.Cleanup(endpoint.Close)
	net := appservicetest.NewNetwork()
	s := apptest.Start(t, "  - id: echo\n    module: echo\n    config: {channels: [town]}\n    provisioning: {secret: "+secret+"}\n"+
		"    message_status: {events: true, url: "+endpoint.URL+", token: token}\n", net.Module())
	alice := s.Person("alice")
	town := alice.Enter("#echo_town:" + apptest.Domain)
	id, err := alice.Say(t.Context(), town, "hello")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = alice.Await(t.Context(), 0, town, "the status", func(e bridgetest.Event) bool {
		return e.Type == "com.beeper.message_send_status" && e.Sender == bot && e.Field("status") == "SUCCESS" && strings.Contains(string(e.Content), id)
	})
	if err != nil {
		t.Error(err)
	}
	until(t, "the checkpoints of the message", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return steps[id+" BRIDGE"] == "SUCCESS " && steps[id+" REMOTE"] == "SUCCESS "
	})

	for path, want := range map[string]int{"landbridge/rooms": 401, "whoami?user_id=@alice:test": 401} {
		if got := get(t, s, path, "", nil); got != want {
			t.Errorf("%s without a token: %d", path, got)
		}
		if got := get(t, s, path, "another secret of some length", nil); got != want {
			t.Errorf("%s with a wrong token: %d", path, got)
		}
		if got := get(t, s, path, "openid:token", nil); got != want {
			t.Errorf("%s with an OpenID token: %d", path, got)
		}
	}
	var list struct {
		Rooms []struct {
			Channel string `json:"channel"`
			Room    string `json:"room_id"`
		} `json:"rooms"`
	}
	if got := get(t, s, "landbridge/rooms", secret, &list); got != 200 || len(list.Rooms) != 1 || list.Rooms[0].Channel != "town" || list.Rooms[0].Room != town {
		t.Errorf("%d, %+v", got, list)
	}
	var status struct{ State string }
	if got := get(t, s, "landbridge/status", secret, &status); got != 200 || status.State != "running" {
		t.Errorf("%d, %+v", got, status)
	}
	// The framework's own API is for who may log in: here administrators only.
	if got := get(t, s, "whoami?user_id=@alice:test", alice.Token, nil); got != 403 {
		t.Errorf("whoami of somebody: %d", got)
	}
	s.Run("user", "admin", "alice")
	var who struct {
		Network struct{ Displayname string } `json:"network"`
	}
	if got := get(t, s, "whoami?user_id=@alice:test", alice.Token, &who); got != 200 || who.Network.Displayname != "Echo" {
		t.Errorf("whoami of an administrator: %d, %+v", got, who)
	}
	// What the homeserver sends does not come this way.
	resp, err := http.Post(s.URL+"/_bridge/echo/_matrix/app/v1/ping", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("ping: %d", resp.StatusCode)
	}
}
