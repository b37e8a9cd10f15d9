package migration

import (
	"encoding/json/jsontext"
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"

	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestBadRequests asks the importer for what can't be: it says so, and the rest of a batch is there.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Options{})
	c := console(s)
	ctx := t.Context()
	if _, err := c.People(ctx, wire.People{Service: "slack", People: []wire.Person{{Localpart: "slackbot", Name: "Bot"}, {Localpart: "slack_u1", Name: "Ann"}}}); err != nil {
		t.Fatal(err)
	}
	room, err := c.Room(ctx, wire.Room{Source: "a", Remote: "r", Creator: "@slackbot:test", TS: 1, State: []wire.State{{Type: "m.room.join_rules", Content: jsontext.Value(`{"join_rule":"invite"}`)}}})
	if err != nil || !room.Fresh {
		t.Fatal(room, err)
	}
	if again, err := c.Room(ctx, wire.Room{Source: "a", Remote: "r", Creator: "@slackbot:test", TS: 1}); err != nil || again.Fresh || again.RoomID != room.RoomID {
		t.Errorf("the room again: %+v, %v", again, err)
	}
	var none any
	for verb, q := range map[string]any{
		"batch":      wire.Batch{Source: "a", RoomID: "!none:test"},
		"room":       wire.Room{Source: "a", Remote: "x", Creator: "@nobody:test", TS: 1},
		"people":     wire.People{People: []wire.Person{{Localpart: "x"}}},
		"ledger":     wire.Ledger{},
		"look":       wire.Look{Source: "a", Remotes: make([]string, wire.MaxItems+1)},
		"timeline":   map[string]any{"unknown": 1},
		"media/have": wire.HaveMedia{IDs: make([]string, 1001)},
	} {
		if err := c.Do(ctx, verb, q, &none); err == nil {
			t.Errorf("%s: %+v is taken", verb, q)
		}
	}
	if _, err := c.PutMedia(ctx, "../evil", "@slackbot:test", "x", "text/plain", strings.NewReader("x")); err == nil {
		t.Error("a media id with a way out is taken")
	}
	good := wire.Item{Remote: "m/1", Sender: "@slack_u1:test", Type: "m.room.message", TS: 5, Content: jsontext.Value(`{"msgtype":"m.text","body":"good"}`)}
	items := []wire.Item{good}
	for n, change := range []func(*wire.Item){
		func(i *wire.Item) { i.TS = 0 },
		func(i *wire.Item) { i.TS = 1 << 60 },
		func(i *wire.Item) { i.Sender = "ann" },
		func(i *wire.Item) { i.Sender = "@ann:elsewhere.example" },
		func(i *wire.Item) { i.Type = "m.room.create" },
		func(i *wire.Item) { i.Content = jsontext.Value(`[]`) },
		func(i *wire.Item) { i.Content = jsontext.Value(`{"body":1.5}`) },
		func(i *wire.Item) {
			i.Content = jsontext.Value(`{"body":"` + strings.Repeat("x", wire.MaxContent) + `"}`)
		},
		func(i *wire.Item) { i.Remote = strings.Repeat("x", wire.MaxRemote+1) },
		func(i *wire.Item) { i.Kind = wire.KindRedact },
	} {
		bad := good
		bad.Remote = fmt.Sprintf("m/bad/%d", n)
		change(&bad)
		items = append(items, bad)
	}
	last := good
	last.Remote = "m/2"
	out, err := c.Batch(ctx, wire.Batch{Source: "a", RoomID: room.RoomID, Creator: "@slackbot:test", Items: append(items, last)})
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range out.Items {
		if bad := i > 0 && i < len(items); bad != (d.Problem != "") || bad == (d.EventID != "") {
			t.Errorf("item %d has become %+v", i, d)
		}
	}
}
