package discord_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// TestSlowRoot: while Discord does not say which message a thread hangs on, what is said in the thread waits, in order, and nothing else.
func TestSlowRoot(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	other := r.dc.AddChannel(r.guild, 0, "other", "")
	old := r.dc.SayAt(r.general, r.anna, "long ago", time.Now().Add(-time.Hour))
	r.start()
	room, second := r.room("general"), r.room("other")
	r.dc.Say(r.general, r.anna, "begin", nil)
	r.said(room, ghost(r.anna), "begin")
	r.dc.HoldAnswers("/channels/" + r.general.ID + "/messages/" + old.ID)
	thread := r.dc.StartThread(r.general, old, r.owner, "A thread")
	for i := range 3 {
		r.dc.Say(thread, r.owner, fmt.Sprint("in the thread ", i), nil)
	}
	r.dc.Say(other, r.anna, "elsewhere", nil)
	r.said(second, ghost(r.anna), "elsewhere")
	r.dc.Say(r.general, r.anna, "beside it", nil)
	r.said(room, ghost(r.anna), "beside it")
	r.dc.ReleaseAnswers()
	last := r.said(room, ghost(r.owner), "in the thread 2")
	root := r.said(room, ghost(r.anna), "long ago")
	if rel := relation(last); rel.Type != "m.thread" || rel.EventID != string(root.ID) {
		t.Errorf("in the thread: %+v", rel)
	}
	if got := strings.Join(r.bodies(room), ", "); got != "begin, beside it, long ago, in the thread 0, in the thread 1, in the thread 2" {
		t.Errorf("the room has %s", got)
	}
}

// TestSilentChannels: channels of whose past Discord says nothing hold up the past of no others.
func TestSilentChannels(t *testing.T) {
	t.Parallel()
	r := newRig(t, "history: all")
	day := time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)
	var list []*discordtest.Channel
	for i := range 8 {
		ch := r.dc.AddChannel(r.guild, 0, fmt.Sprint("channel-", i), "")
		r.dc.SayAt(ch, r.anna, "long ago", day)
		list = append(list, ch)
	}
	r.dc.Fail(func(req *http.Request) int {
		for _, ch := range list[:6] {
			if strings.HasSuffix(req.URL.Path, ch.ID+"/messages") {
				return 503
			}
		}
		return 0
	})
	r.start()
	for i := 6; i < 8; i++ {
		r.said(r.room(list[i].Name), ghost(r.anna), "long ago")
	}
	r.dc.Fail(nil)
	for i := range 6 {
		r.said(r.room(list[i].Name), ghost(r.anna), "long ago")
	}
}

// TestHistoryOverSessions: what is fetched of a channel's past between the beginning of a session and what that tells of the guild is not lost.
func TestHistoryOverSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t, "history: all")
	day := time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)
	var want []string
	var second *discordtest.Message
	for i := range 250 {
		want = append(want, fmt.Sprint("old ", i))
		if m := r.dc.SayAt(r.general, r.anna, want[i], day.Add(time.Duration(i)*time.Minute)); i == 99 {
			second = m
		}
	}
	var open atomic.Bool
	r.dc.Fail(func(req *http.Request) int {
		if strings.HasSuffix(req.URL.Path, r.general.ID+"/messages") && req.URL.Query().Get("after") == second.ID && !open.Load() {
			return 502
		}
		return 0
	})
	r.start()
	room := r.room("general")
	r.said(room, ghost(r.anna), "old 99")
	r.dc.HoldGuilds()
	r.dc.ForgetSessions()
	r.dc.DropConnections()
	if err := r.dc.Wait(r.ctx, func() bool { return r.dc.Connections() == 1 }); err != nil {
		t.Fatal(err)
	}
	open.Store(true)
	r.said(room, ghost(r.anna), "old 249")
	r.dc.ReleaseGuilds()
	r.dc.Say(r.general, r.anna, "live", nil)
	r.said(room, ghost(r.anna), "live")
	if have := r.bodies(room); !slices.Equal(have, append(want, "live")) {
		t.Errorf("the room has %d messages, not %d: %q", len(have), len(want)+1, have)
	}
}
