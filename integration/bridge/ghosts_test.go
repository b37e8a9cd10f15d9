package bridge_test

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

const (
	// many is how many ghosts join one room.
	many = 10_000
	// allIn is how long they may take.
	allIn = 10 * time.Second
	// slack is for machines that do other things meanwhile.
	slack = 6
)

// TestGhosts has an application service of its own process fill a room.
func TestGhosts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	dir := t.TempDir()
	reg, err := bridgetest.WriteRegistration(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := testserver.New(t, testserver.Options{Dir: dir, Registrations: []string{reg}})
	service := bridgetest.NewService(s.URL(), s.Name())
	t.Cleanup(service.Close)
	var room struct {
		RoomID string `json:"room_id"`
	}
	if err := service.Do(ctx, http.MethodPost, "/v3/createRoom", map[string]any{"preset": "public_chat"}, &room); err != nil {
		t.Fatal(err)
	}
	registered, err := service.Register(ctx, many, 16)
	if err != nil {
		t.Fatal(err)
	}
	joined, err := service.JoinAll(ctx, room.RoomID, many, 16)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d ghosts: registered in %v, joined in %v", many, registered.Round(time.Millisecond), joined.Round(time.Millisecond))
	if joined > slack*allIn {
		t.Errorf("the joins took %v", joined)
	}
	members, err := service.Members(ctx, room.RoomID)
	if err != nil {
		t.Fatal(err)
	}
	if len(members) != many+1 {
		t.Errorf("there are %d members", len(members))
	}
}
