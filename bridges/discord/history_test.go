package discord_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// bodies are the texts in a room, in order.
func (r *rig) bodies(room id.RoomID) (list []string) {
	for _, e := range r.hs.Events(room, "m.room.message") {
		list = append(list, e.Get("body"))
	}
	return list
}

func TestHistory(t *testing.T) {
	t.Parallel()
	r := newRig(t, "history: all")
	gone := r.dc.AddUser("gone") // in the guild no more
	day := time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)
	var want []string
	for i := range 250 {
		m := r.dc.SayAt(r.general, r.anna, fmt.Sprintf("old %d", i), day.Add(time.Duration(i)*time.Minute))
		want = append(want, m.Content)
		if i == 120 {
			r.dc.React(m, r.owner, "🎉", true)
		}
		if i == 130 { // more than one page of people
			for k := range 130 {
				u := r.dc.AddUser(fmt.Sprint("fan", k))
				r.dc.AddMember(r.guild, u)
				r.dc.React(m, u, "👍", true)
			}
		}
	}
	first := r.dc.SayAt(r.general, gone, "first", day.Add(-time.Hour))
	want = append([]string{"first"}, want...)
	answer := r.dc.SayAt(r.general, r.owner, "an answer", day.Add(5*time.Hour))
	answer.Type, answer.Reference = 19, &discordtest.Reference{MessageID: first.ID, ChannelID: r.general.ID, GuildID: r.guild.ID}
	answer.Pinned = true
	want = append(want, "an answer")

	var roots []*discordtest.Message
	for i := range 3 { // more than one page of archived threads
		root := r.dc.SayAt(r.general, r.anna, fmt.Sprintf("root %d", i), day.Add(6*time.Hour+time.Duration(i)*time.Minute))
		thread := r.dc.StartThread(r.general, root, r.anna, "a thread")
		r.dc.SayAt(thread, r.owner, fmt.Sprintf("in thread %d", i), day.Add(7*time.Hour+time.Duration(i)*time.Minute))
		r.dc.Archive(thread)
		roots, want = append(roots, root), append(want, root.Content)
	}
	active := r.dc.StartThread(r.general, nil, r.anna, "active")
	r.dc.SayAt(active, r.owner, "in the active thread", time.Now())

	r.start()
	room := r.room("general")
	r.said(room, ghost(r.owner), "in the active thread")
	r.dc.Say(r.general, r.anna, "live", nil)
	r.said(room, ghost(r.anna), "live")

	have := r.bodies(room)
	main := slices.DeleteFunc(slices.Clone(have), func(s string) bool { return strings.HasPrefix(s, "in ") })
	if want := append(want, "started the thread active", "live"); !slices.Equal(main, want) {
		t.Errorf("the room has %d messages, wanted %d:\n%q", len(main), len(want), main)
	}
	old := r.said(room, ghost(r.anna), "old 7")
	if at := time.UnixMilli(old.Timestamp); !at.Equal(day.Add(7 * time.Minute)) {
		t.Errorf("what was said on %v is from %v", day.Add(7*time.Minute), at)
	}
	if got := relation(r.said(room, ghost(r.owner), "an answer")); got.ReplyTo.EventID != string(r.said(room, ghost(gone), "first").ID) {
		t.Errorf("the answer relates to %+v", got)
	}
	for i, root := range roots {
		rel := relation(r.said(room, ghost(r.owner), fmt.Sprintf("in thread %d", i)))
		if rel.Type != "m.thread" || rel.EventID != string(r.said(room, ghost(r.anna), root.Content).ID) {
			t.Errorf("thread %d: %+v", i, rel)
		}
	}
	liked, fans := r.said(room, ghost(r.anna), "old 130"), map[id.UserID]bool{}
	r.event(room, "m.reaction", "the reactions of all", func(e *appservicetest.Event) bool {
		if rel := relation(e); rel.EventID == string(liked.ID) && strings.HasPrefix(rel.Key, "👍") {
			fans[e.Sender] = true
		}
		return len(fans) == 130
	})
	target := r.said(room, ghost(r.anna), "old 120")
	r.event(room, "m.reaction", "the reaction", func(e *appservicetest.Event) bool {
		rel := relation(e)
		return e.Sender == ghost(r.owner) && rel.EventID == string(target.ID) && rel.Key == "🎉"
	})
	r.event(room, "m.room.pinned_events", "the pin", func(e *appservicetest.Event) bool { return strings.Contains(string(e.Content), "$") })
	r.event(room, "m.room.member", "the one who is gone", func(e *appservicetest.Event) bool {
		return e.StateKey != nil && *e.StateKey == string(ghost(gone)) && e.Get("membership") == "leave"
	})
}

func TestHistoryOfForum(t *testing.T) {
	t.Parallel()
	r := newRig(t, "history: 30d")
	forum := r.dc.AddChannel(r.guild, 15, "help", "")
	post, _ := r.dc.Post(forum, r.anna, "how to", "how do I?")
	r.dc.Say(post, r.owner, "like this", nil)
	r.dc.Archive(post)
	old := time.Now().Add(-60 * 24 * time.Hour)
	r.dc.SayAt(r.general, r.anna, "too old", old)
	r.dc.SayAt(r.general, r.anna, "recent", time.Now().Add(-time.Hour))
	r.start()
	help := r.room("help")
	reply := r.said(help, ghost(r.owner), "like this")
	if rel := relation(reply); rel.Type != "m.thread" {
		t.Errorf("the answer in the post relates to %+v", rel)
	}
	general := r.room("general")
	r.said(general, ghost(r.anna), "recent")
	if list := r.bodies(general); slices.Contains(list, "too old") {
		t.Errorf("the room has %q", list)
	}
}

// What happens while history comes in is neither lost nor doubled, also over a restart.
func TestHistoryMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t, "history: 2020-01-01")
	day := time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)
	var list []*discordtest.Message
	for i := range 450 {
		list = append(list, r.dc.SayAt(r.general, r.anna, fmt.Sprint("old ", i), day.Add(time.Duration(i)*time.Minute)))
	}
	other := r.dc.AddChannel(r.guild, 0, "other", "")
	r.dc.SayAt(other, r.anna, "there", day)
	// The third page is held back until the test says so.
	var held, open atomic.Bool
	r.dc.Fail(func(req *http.Request) int {
		if strings.HasSuffix(req.URL.Path, r.general.ID+"/messages") && req.URL.Query().Get("after") == list[199].ID && !open.Load() {
			held.Store(true)
			return 502
		}
		return 0
	})
	r.start()
	room := r.room("general")
	r.said(room, ghost(r.anna), "old 199")
	r.wait("the third page", held.Load)
	r.dc.Say(r.general, r.owner, "meanwhile", nil)
	r.dc.Edit(list[10], func(m *discordtest.Message) { m.Content = "changed early" })
	r.dc.Edit(list[300], func(m *discordtest.Message) { m.Content = "changed late" })
	r.dc.Delete(list[301])
	// Others do not wait.
	r.said(r.room("other"), ghost(r.anna), "there")
	r.dc.Say(other, r.owner, "quick", nil)
	r.said(r.room("other"), ghost(r.owner), "quick")
	r.host.StopAll()
	r.dc.Say(r.general, r.owner, "while away", nil)
	open.Store(true)
	r.start()
	r.said(room, ghost(r.owner), "while away")
	r.dc.Say(r.general, r.owner, "live", nil)
	r.said(room, ghost(r.owner), "live")

	var want []string
	for i := range list {
		switch i {
		case 300:
			want = append(want, "changed late")
		case 301:
		default:
			want = append(want, fmt.Sprint("old ", i))
		}
	}
	want = append(want, "meanwhile", "while away", "live")
	var have []string
	edited := false
	for _, e := range r.hs.Events(room, "m.room.message") {
		if rel := relation(&e); rel.Type == "m.replace" {
			edited = edited || strings.Contains(string(e.Content), "changed early")
			continue
		}
		have = append(have, e.Get("body"))
	}
	if !slices.Equal(have, want) {
		t.Errorf("the room has %d messages, wanted %d: %q", len(have), len(want), have)
	}
	if !edited {
		t.Error("the edit of a message that was there already is lost")
	}
}
