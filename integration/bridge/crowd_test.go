package bridge_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// manyOnIRC is how many people are in the IRC channel; LANDBRIDGE_MANY changes it.
func manyOnIRC(t *testing.T) int {
	text := os.Getenv("LANDBRIDGE_MANY")
	if text == "" {
		return many
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestManyOnIRC has a bridge join a channel in which many people are already, and
// another one in which somebody talks meanwhile.
func TestManyOnIRC(t *testing.T) {
	many := manyOnIRC(t)
	scale := time.Duration(max(many/10_000, 1))
	ctx, cancel := context.WithTimeout(t.Context(), scale*5*time.Minute)
	t.Cleanup(cancel)
	irc, err := bridgetest.NewCrowd(many)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(irc.Close)
	began := time.Now()
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "crowd", Addr: irc.Addr, Channels: []string{"#chan", "#side"}})})
	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	bert, err := bridgetest.Register(ctx, s.URL(), "bert", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bert.Close)
	room, side := joinRoom(ctx, t, anna, "#irc_crowd_#chan:test"), joinRoom(ctx, t, bert, "#irc_crowd_#side:test")
	if err := bert.Follow(ctx); err != nil {
		t.Fatal(err)
	}

	members := 0
	for members < many {
		var summary struct {
			Joined int `json:"num_joined_members"`
		}
		if err := anna.Do(ctx, "GET", "/v1/room_summary/"+room, nil, &summary); err != nil {
			t.Fatalf("with %d members: %v", members, err)
		}
		members = summary.Joined
		time.Sleep(100 * time.Millisecond) // to ask is work, too
	}
	took := time.Since(began)
	t.Logf("%d people of a channel in the room %v after the start", many, took.Round(time.Millisecond))
	if took > scale*slack*allIn {
		t.Errorf("it took %v", took)
	}

	// The large room works.
	sent := time.Now()
	if _, err := anna.SendTxn(ctx, room, "m.room.message", "hello", map[string]any{"msgtype": "m.text", "body": "hello"}); err != nil {
		t.Fatal(err)
	}
	select {
	case at := <-irc.Hello:
		t.Logf("a message to the large channel took %v", at.Sub(sent).Round(time.Millisecond))
		if at.Sub(sent) > slack*time.Second {
			t.Errorf("a message to the large channel took %v", at.Sub(sent))
		}
	case <-ctx.Done():
		t.Fatal("a message never came to the large channel")
	}

	// The small one was not held up meanwhile.
	said := irc.Stop()
	var talk bridgetest.Latencies
	for i, at := range said {
		e, _, err := bert.Await(ctx, 0, side, "a message of the small channel", func(e bridgetest.Event) bool {
			return e.Type == "m.room.message" && e.Body() == fmt.Sprintf("line %d", i)
		})
		if err != nil {
			t.Fatal(err)
		}
		talk = append(talk, e.At.Sub(at))
	}
	t.Logf("from the small channel meanwhile: %v", talk)
	if len(talk) == 0 || talk.Percentile(100) > slack*time.Second {
		t.Errorf("the small channel was held up: %v", talk)
	}
}

// joinRoom joins a room that the bridge may not have made yet.
func joinRoom(ctx context.Context, t *testing.T, m *bridgetest.Matrix, alias string) string {
	t.Helper()
	for {
		room, err := m.Join(ctx, alias)
		if err == nil {
			return room
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
