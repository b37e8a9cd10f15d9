package room

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// TestManyTips has a room with more ends than an event can cite.
func TestManyTips(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "11")
	ctx := t.Context()
	row, err := b.s.LoadRoom(ctx, b.room.NID)
	if err != nil {
		t.Fatal(err)
	}
	end, err := b.s.Event(ctx, row.Extremities[0])
	if err != nil {
		t.Fatal(err)
	}
	const n = 70
	for i := range n {
		proto := event.Proto{Version: "11", RoomID: a.room.ID, Type: "m.room.topic", StateKey: str(""), Sender: b.user("bob"), TS: int64(1000 + i), Depth: end.Depth + 1,
			Content: fmt.Appendf(nil, `{"topic":"%d"}`, i), Prev: []string{end.ID}}
		for _, k := range []string{"m.room.create ", "m.room.power_levels ", "m.room.member " + b.user("bob")} {
			proto.Auth = append(proto.Auth, b.now()[k])
		}
		e, err := event.Build(proto, b.m.o.Signer)
		if err != nil {
			t.Fatal(err)
		}
		if out := a.take(e); out.Rejected != nil || out.SoftFailed != nil {
			t.Fatalf("%d: %+v", i, out)
		}
	}
	a.inStep()
	tips := func() int {
		row, err := a.s.LoadRoom(ctx, a.room.NID)
		if err != nil {
			t.Fatal(err)
		}
		return len(row.Extremities)
	}
	if tips() != tipsMax {
		t.Errorf("%d extremities", tips())
	}
	e := a.send(a.room, text(a.user("alice"), "hello"))
	if len(e.PrevEvents) != citeMax || tips() != tipsMax-citeMax+1 {
		t.Errorf("%d previous events, and %d extremities after", len(e.PrevEvents), tips())
	}
	for tips() > 1 {
		a.send(a.room, text(a.user("alice"), "and again"))
	}
	a.inStep()
	topic, err := a.s.EventByID(ctx, a.now()["m.room.topic "])
	if err != nil || topic.ContentString("topic") != fmt.Sprint(n-1) {
		t.Errorf("the topic is %s, %v", topic.Content, err)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	a, b := pair(t, "11")
	a.m.o.MergeAfter = 1 // the actor that is there has the old one
	a.m.Close()
	a.m = NewManager(a.m.o)
	t.Cleanup(a.m.Close)
	fork := b.send(b.room, text(b.user("bob"), "fork"))
	a.take(fork)
	for range citeMax + 1 {
		proto := event.Proto{Version: "11", RoomID: a.room.ID, Type: "m.room.message", Sender: b.user("bob"), TS: rand.Int64N(1e9), Depth: fork.Depth + 1,
			Content: []byte(`{}`), Prev: []string{fork.ID}}
		for _, x := range fork.AuthEvents {
			proto.Auth = append(proto.Auth, string(x))
		}
		e, err := event.Build(proto, b.m.o.Signer)
		if err != nil {
			t.Fatal(err)
		}
		a.take(e)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		last, err := a.s.LastEvent(t.Context(), a.room.NID, 1<<62)
		if err != nil {
			t.Fatal(err)
		}
		if last.Type == mergeType {
			if len(last.PrevEvents) != citeMax || string(last.Sender) != a.user("alice") {
				t.Errorf("%s joins %d", last.Sender, len(last.PrevEvents))
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing joins the ends of the room")
		}
	}
}
