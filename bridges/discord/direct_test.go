package discord_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// links keeps ties in memory.
type links struct {
	mu    sync.Mutex
	ties  map[networkid.UserID]id.UserID
	codes map[string]id.UserID
	slow  time.Duration
}

func newLinks() *links {
	return &links{ties: map[networkid.UserID]id.UserID{}, codes: map[string]id.UserID{}}
}

func (l *links) Offer(_ context.Context, p appservice.RemotePerson) (appservice.Offer, error) {
	time.Sleep(l.slow)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ties[p.ID] != "" {
		return appservice.Offer{}, appservice.ErrLinked
	}
	return appservice.Offer{URL: "https://claims.example/" + string(p.ID), Code: "offer-of-" + p.Name}, nil
}

func (l *links) Confirm(_ context.Context, p appservice.RemotePerson, code string) (id.UserID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	account := l.codes[code]
	if account == "" {
		return "", appservice.ErrBadCode
	}
	delete(l.codes, code)
	l.ties[p.ID] = account
	return account, nil
}

func (l *links) Ask(_ context.Context, account id.UserID) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	code := "code-" + account.Localpart()
	l.codes[code] = account
	return code, nil
}

func (l *links) Account(_ context.Context, person networkid.UserID) (id.UserID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ties[person], nil
}

func (l *links) Person(_ context.Context, account id.UserID) (networkid.UserID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, a := range l.ties {
		if a == account {
			return p, nil
		}
	}
	return "", nil
}

func (l *links) Unlink(_ context.Context, person networkid.UserID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ties, person)
	return nil
}

// told waits for an answer of the bot in a room.
func (r *rig) told(room id.RoomID, words ...string) {
	r.Helper()
	r.event(room, "m.room.message", "an answer with "+strings.Join(words, ", "), func(e *appservicetest.Event) bool {
		for _, w := range words {
			if !strings.Contains(e.Get("body"), w) {
				return false
			}
		}
		return e.Sender == "@discordbot:"+domain
	})
}

// answered waits for the answer to a slash command.
func (r *rig) answered(token string, words ...string) {
	r.Helper()
	got := ""
	if err := r.dc.Wait(r.ctx, func() bool {
		got = r.dc.Answer(token)
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(got, w) })
	}); err != nil {
		r.Fatalf("an answer with %q: %v; it is %q", words, err, got)
	}
}

// TestLinking: a person of Discord and an account are tied together from either side, by direct messages, slash
// commands and commands in Matrix.
func TestLinking(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	ties := newLinks()
	r.links = ties
	r.start()
	room := r.room("general")
	if err := r.dc.Wait(r.ctx, func() bool { return slices.Contains(r.dc.Commands(), "matrix") }); err != nil {
		t.Fatalf("the slash command is not registered: %v", err)
	}

	dm := r.dc.Direct(r.anna, "hello?")
	r.onDiscord(dm, func(m *discordtest.Message) bool { return m.Author.Bot && strings.Contains(m.Content, "`link`") })
	r.dc.Direct(r.anna, "link")
	r.onDiscord(dm, func(m *discordtest.Message) bool {
		return m.Author.Bot && strings.Contains(m.Content, "https://claims.example/"+r.anna.ID) && strings.Contains(m.Content, "offer-of-anna")
	})
	r.answered(r.dc.Slash(r.general, r.anna, "matrix", "link", nil), "https://claims.example/"+r.anna.ID)
	r.answered(r.dc.Slash(r.general, r.anna, "matrix", "link", map[string]string{"code": "wrong"}), "not valid")

	r.hs.SendText(room, mia, "!discord link")
	r.told(room, "/matrix link code-mia")
	r.answered(r.dc.Slash(r.general, r.anna, "matrix", "link", map[string]string{"code": "code-mia"}), "linked to @mia:test.example")
	r.answered(r.dc.Slash(r.general, r.anna, "matrix", "status", nil), "linked to @mia:test.example", "This channel is bridged", "discord_"+r.general.ID)
	r.hs.SendText(room, mia, "!discord unlink")
	r.told(room, "not linked to Discord any more")
	r.dc.Direct(r.anna, "unlink")
	r.onDiscord(dm, func(m *discordtest.Message) bool { return strings.Contains(m.Content, "not linked to an account") })

	ties.slow = 2 * time.Second // longer than Discord waits for
	r.answered(r.dc.Slash(r.general, r.anna, "matrix", "link", nil), "https://claims.example/"+r.anna.ID)
}

// TestPrivateInvitations: who is linked gets into the private channels that they see on Discord, and no others.
func TestPrivateInvitations(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	ties := newLinks()
	ties.ties[networkid.UserID(r.anna.ID)] = zoe
	r.links = ties
	hidden := discordtest.Overwrite{ID: r.guild.ID, Deny: bit(discordtest.ViewChannel), Allow: "0"}
	bot := discordtest.Overwrite{ID: r.dc.AppID, Type: 1, Allow: bit(discordtest.ViewChannel), Deny: "0"}
	r.dc.AddChannel(r.guild, 0, "theirs", "", hidden, bot)
	mine := r.dc.AddChannel(r.guild, 0, "annas", "", hidden, bot, discordtest.Overwrite{ID: r.anna.ID, Type: 1, Allow: bit(discordtest.ViewChannel), Deny: "0"})
	r.start()
	room := r.room("general")
	var private id.RoomID
	for _, name := range []string{"theirs", "annas"} {
		r.wait("the room of "+name, func() bool { private = r.hs.RoomByName(name); return private != "" })
	}
	r.hs.SendText(room, zoe, "!discord invite theirs")
	r.told(room, "no such channel")
	r.dc.Say(mine, r.anna, "here", nil) // when it is in the room, the bridge knows of the room, too
	r.said(private, ghost(r.anna), "here")
	r.hs.SendText(room, zoe, "!discord list")
	r.told(room, "discord_"+r.general.ID, "annas")
	for _, e := range r.hs.Events(room, "m.room.message") {
		if strings.Contains(e.Get("body"), "theirs (") {
			t.Errorf("the list has a channel that Zoe does not see: %s", e.Content)
		}
	}
	r.hs.SendText(room, zoe, "!discord invite annas")
	r.member(private, zoe, "Zoe is invited", is("invite"))
	r.answered(r.dc.Slash(mine, r.anna, "matrix", "invite", nil), "are invited, or there already")
	// Somebody who is linked and is banned on Discord is so in Matrix.
	r.dc.Ban(r.guild, r.anna)
	r.member(room, zoe, "Zoe is banned", is("ban"))
}

// TestMessenger: what is to be said to somebody in private arrives once for each key, also when an answer was lost.
func TestMessenger(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	r.room("general")
	anna := networkid.UserID(r.anna.ID)
	const text = "Your account waits: https://claims.example/x_y"
	lose := true
	r.dc.FailAfter(func(req *requestOf) bool {
		lost := lose && req.Method == "POST" && strings.HasSuffix(req.URL.Path, "/messages")
		lose = lose && !lost
		return lost
	})
	if err := r.bridge.Message(r.ctx, anna, "invitation", text); err == nil {
		t.Error("a lost answer was no error")
	}
	for range 2 {
		if err := r.bridge.Message(r.ctx, anna, "invitation", text); err != nil {
			t.Fatal(err)
		}
	}
	if list := r.dc.Messages(r.dc.DirectWith(r.anna)); len(list) != 1 || !strings.Contains(list[0].Content, "https://claims.example/x_y") {
		t.Errorf("anna has %+v", list)
	}
	ben := r.dc.AddUser("ben")
	r.dc.CloseDirect(ben)
	if err := r.bridge.Message(r.ctx, networkid.UserID(ben.ID), "invitation", text); !errors.Is(err, appservice.ErrNotReachable) {
		t.Errorf("ben, who takes none: %v", err)
	}
}
