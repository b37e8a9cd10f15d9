package discord_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// oddWorld is a world in which Discord is not quite as documented.
func oddWorld(t *testing.T, how discordtest.Oddities) (w *world, general *discordtest.Channel, odd *discordtest.Odd) {
	t.Helper()
	w = newWorld(t, func(w *world) {
		cat := w.dc.AddChannel(w.guild, 4, "Talk", "")
		general = w.dc.AddChannel(w.guild, 0, "general", cat.ID)
		var err error
		if odd, err = discordtest.NewOdd(w.dc, how); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(odd.Close)
		w.api, w.cdn = odd.URL(), odd.CDN()
	})
	return w, general, odd
}

// A server that others have written is understood: whatever it says beside, or in another way, or twice, or in another
// order, everything of a day works, and is there once.
func TestOtherServer(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]discordtest.Oddities{
		"strings":  {Strings: true},
		"unknown":  {Unknown: true},
		"twice":    {Twice: true},
		"shuffled": {Shuffled: true},
		"all":      {Strings: true, Unknown: true, Twice: true, Shuffled: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, general, _ := oddWorld(t, how)
			mia := w.user("mia")
			room := w.join(mia, general)
			w.talk(mia, room, general, w.anna, "one")
			// Again, after the connection was lost, with and without its session.
			w.dc.DropConnections()
			w.talk(mia, room, general, w.anna, "two")
			w.dc.ForgetSessions()
			w.dc.DropConnections()
			w.talk(mia, room, general, w.anna, "three")
			// A message and its edit come as they like; the room ends up with the edit, and what was deleted is gone.
			for i := range 20 {
				m := w.dc.Say(general, w.anna, fmt.Sprint("before ", i), nil)
				w.dc.Edit(m, func(m *discordtest.Message) { m.Content = fmt.Sprint("after ", i) })
				w.dc.Delete(w.dc.Say(general, w.anna, fmt.Sprint("short ", i), nil))
				if i%4 == 0 { // a reaction that is taken back at once is not there, whatever of it comes first
					w.dc.React(m, w.anna, "👀", true)
					w.dc.React(m, w.anna, "👀", false)
				}
			}
			for i := range 20 {
				w.says(mia, room, w.ghost(w.anna), fmt.Sprintf("after %d\"", i))
			}
			// What is said in a channel may come before the channel.
			fresh := w.dc.AddChannel(w.guild, 0, "fresh", "")
			w.dc.Say(fresh, w.anna, "in the new channel", nil)
			w.eventually("the message of the new channel", func() bool {
				history, err := mia.History(w.ctx, w.join(mia, fresh))
				return err == nil && slices.ContainsFunc(history, func(e event) bool { return e.Body() == "in the new channel" })
			})
			w.dc.Say(general, w.anna, "the end", nil)
			w.await(mia, room, w.ghost(w.anna), "the end")
			w.eventually("all that was deleted is gone", func() bool {
				history, err := mia.History(w.ctx, room)
				return err == nil && !slices.ContainsFunc(history, func(e event) bool { return strings.HasPrefix(e.Body(), "short") })
			})
			w.eventually("all that was taken back is gone", func() bool {
				history, err := mia.History(w.ctx, room)
				return err == nil && !slices.ContainsFunc(history, func(e event) bool { return e.Type == "m.reaction" && strings.Contains(plain(e), "👀") })
			})
			for _, tag := range []string{"one", "two", "three"} {
				for _, body := range []string{" hello", " answer", " in the thread"} {
					if n := count(mia, room, w.ghost(w.anna), tag+body); n != 1 {
						t.Errorf("%q came %d times", tag+body, n)
					}
				}
			}
		})
	}
}

// What a server does not have is missing, and nothing else.
func TestMissingEndpoints(t *testing.T) {
	t.Parallel()
	path := func(words ...string) func(method, path string) bool {
		return func(method, path string) bool {
			for _, word := range words {
				if m, p, _ := strings.Cut(word, " "); (m == "*" || m == method) && strings.Contains(path, p) {
					return true
				}
			}
			return false
		}
	}
	// What is asked for at the start.
	atStart := path("GET /gateway/bot", "GET /members", "GET /bans", "* /applications", "GET /users/@me", "GET /threads/")
	w, general, odd := oddWorld(t, discordtest.Oddities{Missing: atStart})
	mia := w.user("mia")
	room := w.join(mia, general)
	w.talk(mia, room, general, w.anna, "start")
	if odd.Missed() == 0 {
		t.Error("nothing was missed")
	}
	for i, words := range [][]string{
		{"GET /webhooks"}, {"GET /pins"}, {"GET /reactions"}, {"GET /messages"}, {"GET /channels/"}, {"* /cdn"}, {"POST /typing"},
	} {
		odd.Be(discordtest.Oddities{Missing: path(words...)})
		ch := w.dc.AddChannel(w.guild, 0, fmt.Sprint("channel-", i), "")
		in := w.join(mia, ch)
		if strings.Contains(words[0], "GET /messages") {
			w.dc.ForgetSessions()
			w.dc.DropConnections()
			// What is said before it has connected again cannot be known.
			w.eventually("a new connection", func() bool { return w.dc.Connections() == 1 })
		}
		w.talk(mia, in, ch, w.anna, fmt.Sprint("without ", i))
	}
	// What takes the feature itself away is told to who wanted it; the rest goes on.
	for i, test := range []struct {
		words []string
		kind  string
		do    obj
	}{
		{[]string{"POST /webhooks/"}, "m.room.message", obj{"msgtype": "m.text", "body": "never there"}},
		{[]string{"POST /webhooks"}, "m.room.message", obj{"msgtype": "m.text", "body": "never there"}},
		{[]string{"PUT /reactions/"}, "m.reaction", nil},
	} {
		odd.Be(discordtest.Oddities{Missing: path(test.words...)})
		ch := w.dc.AddChannel(w.guild, 0, fmt.Sprint("lost-", i), "")
		in := w.join(mia, ch)
		w.dc.Say(ch, w.anna, "hello", nil)
		e := w.await(mia, in, w.ghost(w.anna), "hello")
		if test.do == nil {
			test.do = obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": e.ID, "key": "👍"}}
		}
		w.send(mia, in, test.kind, test.do)
		w.says(mia, in, "", "m.notice", "Discord refuses it")
		w.dc.Say(ch, w.anna, "still there", nil)
		w.await(mia, in, w.ghost(w.anna), "still there")
		odd.Be(discordtest.Oddities{})
		w.send(mia, in, "m.room.message", obj{"msgtype": "m.text", "body": "here again"})
		w.onDiscord(ch.ID, "here again")
	}
}
