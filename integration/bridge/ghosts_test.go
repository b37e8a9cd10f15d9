package bridge_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
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

// manyOnIRC is how many people are in the IRC channel: a fifth of many, because the bridge makes
// them one after the other, each with commits of its own; LANDBRIDGE_MANY=10000 measures the rest.
func manyOnIRC(t *testing.T) int {
	text := os.Getenv("LANDBRIDGE_MANY")
	if text == "" {
		return many / 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestManyOnIRC has a bridge join a channel in which many people are already.
func TestManyOnIRC(t *testing.T) {
	many := manyOnIRC(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	addr := crowd(t, many)
	began := time.Now()
	s := testserver.New(t, testserver.Options{Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "crowd", Addr: addr, Channels: []string{"#chan"}})})
	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	room := ""
	for room == "" {
		if room, err = anna.Join(ctx, "#irc_crowd_#chan:test"); err != nil {
			if ctx.Err() != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	members := 0
	for members < many {
		list, err := anna.Members(ctx, room)
		if err != nil {
			t.Fatalf("with %d members: %v", members, err)
		}
		members = len(list)
		time.Sleep(500 * time.Millisecond) // to ask is work, too
	}
	took := time.Since(began)
	t.Logf("%d people of a channel in the room %v after the start", many, took.Round(time.Millisecond))
	if took > slack*allIn {
		t.Errorf("it took %v", took)
	}
}

// crowd is an IRC server with one channel and many people who never say
// anything. It returns its address.
func crowd(t *testing.T, n int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serveCrowd(c, n)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

func serveCrowd(c net.Conn, n int) {
	defer c.Close()
	w := bufio.NewWriter(c)
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		switch strings.ToUpper(words[0]) {
		case "CAP":
			if len(words) > 1 && words[1] == "LS" {
				fmt.Fprint(w, ":irc.test CAP * LS :\r\n")
			}
		case "USER":
			fmt.Fprint(w, ":irc.test 001 lbridge :Welcome\r\n:irc.test 005 lbridge CHANTYPES=# NICKLEN=30 :are supported\r\n:irc.test 422 lbridge :No MOTD\r\n")
		case "PING":
			fmt.Fprintf(w, ":irc.test PONG irc.test %s\r\n", words[len(words)-1])
		case "JOIN":
			fmt.Fprint(w, ":lbridge!l@host JOIN #chan\r\n")
			for i := 0; i < n; i += 20 {
				fmt.Fprint(w, ":irc.test 353 lbridge = #chan :")
				for j := i; j < min(i+20, n); j++ {
					fmt.Fprintf(w, "person%d ", j)
				}
				fmt.Fprint(w, "\r\n")
			}
			fmt.Fprint(w, ":irc.test 366 lbridge #chan :End\r\n")
		}
		if w.Flush() != nil {
			return
		}
	}
}
