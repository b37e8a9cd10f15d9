package discord_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// journal is a log that can be looked at.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(words string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), words)
}

// otherwise has the bridge of a rig meet a server that says some things in another way.
func (r *rig) otherwise(how discordtest.Oddities) {
	r.Helper()
	odd, err := discordtest.NewOdd(r.dc, how)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(odd.Close)
	r.odd, r.log = odd, new(journal)
}

// without takes keys out of each object of a list.
func without(v any, keys ...string) any {
	list, _ := v.([]any)
	for _, m := range list {
		for _, k := range keys {
			if m, ok := m.(map[string]any); ok {
				delete(m, k)
			}
		}
	}
	return v
}

// TestNamelessMembers: a list of members that does not say who they are is no reason to have everybody leave, nor to ask for
// it for ever.
func TestNamelessMembers(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"a few", "a full page", "none, and no count"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "")
			r.dc.Grant(r.guild, discordtest.BanMembers)
			r.otherwise(discordtest.Oddities{
				Missing: func(_, path string) bool {
					return what == "none, and no count" && strings.HasSuffix(path, "/members")
				},
				Answer: func(_, path string, v any) any {
					members, bans := strings.HasSuffix(path, "/members"), strings.HasSuffix(path, "/bans")
					if what == "a full page" && (members || bans) {
						v = make([]any, 1000)
						for i := range v.([]any) {
							v.([]any)[i] = map[string]any{"nick": nil}
						}
					}
					if members {
						return without(v, "user", "roles")
					}
					return v
				},
				Event: func(kind string, v map[string]any) bool {
					if kind == "GUILD_CREATE" {
						delete(v, "members")
						if what == "none, and no count" {
							delete(v, "member_count")
						}
					}
					return true
				},
			})
			r.start()
			room := r.room("general")
			r.dc.Say(r.general, r.anna, "hello", nil)
			r.said(room, ghost(r.anna), "hello")
			r.dc.DropConnections()
			r.dc.ForgetSessions()
			r.dc.Say(r.general, r.anna, "after a new session", nil)
			r.said(room, ghost(r.anna), "after a new session")
			r.dc.Grant(r.guild, discordtest.KickMembers) // whereupon the room is compared with the channel
			r.dc.Say(r.general, r.anna, "after it", nil)
			r.said(room, ghost(r.anna), "after it")
			r.member(room, ghost(r.anna), "anna is there", is("join"))
			for _, e := range r.hs.Events(room, "m.room.member") {
				if e.StateKey != nil && *e.StateKey == string(ghost(r.anna)) && e.Get("membership") == "leave" {
					t.Error("anna has left")
				}
			}
			if n := r.log.(*journal).count("the members of a guild cannot be listed"); n != 2 {
				t.Errorf("the log says %d times why nobody is shown, and there were two sessions", n)
			}
		})
	}
}

// TestMissedMessages: that a channel has a newer message than was told of has it fetched, also where threads are told of as
// channels are.
func TestMissedMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.otherwise(discordtest.Oddities{Event: func(kind string, v map[string]any) bool {
		content, _ := v["content"].(string)
		return kind != "THREAD_UPDATE" && !strings.HasPrefix(content, "untold")
	}})
	r.start()
	room := r.room("general")
	begin := r.dc.Say(r.general, r.anna, "begin", nil)
	r.said(room, ghost(r.anna), "begin")
	thread := r.dc.StartThread(r.general, begin, r.anna, "a thread")
	for i, ch := range []*discordtest.Channel{r.general, thread} {
		texts := []string{"untold in the channel", "untold in the thread"}
		m := r.dc.Say(ch, r.anna, texts[i], nil)
		update := obj{"id": ch.ID, "guild_id": r.guild.ID, "type": ch.Type, "name": ch.Name, "parent_id": ch.ParentID, "last_message_id": m.ID}
		r.dc.Dispatch(r.guild.ID, "CHANNEL_UPDATE", update)
		r.said(room, ghost(r.anna), texts[i])
		r.dc.Dispatch(r.guild.ID, "CHANNEL_UPDATE", update) // it is there
		r.dc.Say(ch, r.anna, "told "+texts[i], nil)
		r.said(room, ghost(r.anna), "told "+texts[i])
	}
	seen := map[string]int{}
	for _, e := range r.hs.Events(room, "m.room.message") {
		seen[e.Get("body")]++
	}
	for body, n := range seen {
		if n != 1 {
			t.Errorf("%q is there %d times", body, n)
		}
	}
	if r.hs.RoomByName("a thread") != "" {
		t.Error("the thread has a room of its own")
	}
}

// TestExamineOther: where guilds come without their roles and nobody keeps intents, the doctor says what is so.
func TestExamineOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.otherwise(discordtest.Oddities{Answer: func(_, path string, v any) any {
		m, ok := v.(map[string]any)
		if ok && path == "/guilds/"+r.guild.ID {
			delete(m, "roles")
		}
		if ok && path == "/applications/@me" {
			m["flags"] = 0
		}
		return v
	}})
	r.start()
	r.room("general")
	err := r.bridge.Examine(r.ctx, func(f appservice.Finding) {
		if f.Verdict == appservice.Bad {
			t.Errorf("%s: %s", f.What, f.Detail)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
