package discord_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

type requestOf = http.Request

func bit(n int64) string { return strconv.FormatInt(n, 10) }

// TestFreeze: the Discord side is closed, says so, and is as it was when it is opened again; Matrix stays open.
func TestFreeze(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	writers := r.dc.AddRole(r.guild, "Writers", 0)
	news := r.dc.AddChannel(r.guild, 0, "news", "",
		discordtest.Overwrite{ID: writers.ID, Allow: bit(discordtest.SendMessages | discordtest.AttachFiles), Deny: "0"})
	r.dc.UpdateChannel(r.general, func(ch *discordtest.Channel) { topic := "what we talk of"; ch.Topic = &topic })
	r.start()
	room := r.room("general")
	r.room("news")
	if err := r.bridge.CatchUp(r.ctx); err != nil { // when it returns, all rooms are there
		t.Fatal(err)
	}

	undone, err := r.bridge.Freeze(r.ctx, "We have moved to Matrix")
	if err != nil || len(undone) < 4 || !strings.Contains(strings.Join(undone, " "), "Manage Channels") {
		t.Errorf("without the rights: %q, %v", undone, err)
	}
	r.dc.Grant(r.guild, discordtest.ManageChannels|discordtest.ManageRoles)
	for range 2 {
		if undone, err := r.bridge.Freeze(r.ctx, "We have moved to Matrix"); err != nil || len(undone) > 0 {
			t.Errorf("undone: %q, %v", undone, err)
		}
	}
	said := 0
	for _, m := range r.dc.Messages(r.general.ID) {
		if m.Content == "We have moved to Matrix" {
			said++
		}
	}
	if ch := r.dc.Channel(r.general.ID); said != 1 || ch.Topic == nil || *ch.Topic != "We have moved to Matrix" || !denied(ch.Overwrites, r.guild.ID) {
		t.Errorf("said %d times; the channel is %+v", said, ch)
	}
	if ch := r.dc.Channel(news.ID); !denied(ch.Overwrites, r.guild.ID) || allowed(ch.Overwrites, writers.ID) != discordtest.AttachFiles {
		t.Errorf("news: %+v", ch.Overwrites)
	}
	// Matrix does not mind.
	r.hs.SendText(room, mia, "are you coming?")
	r.onDiscord(r.general.ID, content("are you coming?"))
	var levels struct {
		EventsDefault int `json:"events_default"`
	}
	if err := json.Unmarshal(r.hs.State(room, "m.room.power_levels", ""), &levels); err != nil || levels.EventsDefault != 0 {
		t.Errorf("in Matrix writing takes %d, %v", levels.EventsDefault, err)
	}

	// Also after a restart.
	r.host.StopAll()
	if err := r.host.Start(r.ctx, "discord"); err != nil {
		t.Fatal(err)
	}
	r.dc.Say(r.general, r.owner, "the owner can still", nil)
	r.said(room, ghost(r.owner), "the owner can still")
	if undone, err := r.bridge.Thaw(r.ctx); err != nil || len(undone) > 0 {
		t.Errorf("undone: %q, %v", undone, err)
	}
	if ch := r.dc.Channel(r.general.ID); ch.Topic == nil || *ch.Topic != "what we talk of" || len(ch.Overwrites) != 0 {
		t.Errorf("the channel is %+v", ch)
	}
	if ch := r.dc.Channel(news.ID); len(ch.Overwrites) != 1 || allowed(ch.Overwrites, writers.ID) != discordtest.AttachFiles|discordtest.SendMessages {
		t.Errorf("news: %+v", ch.Overwrites)
	}
}

func denied(list []discordtest.Overwrite, id string) bool {
	for _, o := range list {
		n, _ := strconv.ParseInt(o.Deny, 10, 64)
		if o.ID == id && n&discordtest.SendMessages != 0 && n&discordtest.SendInThreads != 0 && n&discordtest.CreateThreads != 0 {
			return true
		}
	}
	return false
}

func allowed(list []discordtest.Overwrite, id string) int64 {
	for _, o := range list {
		if o.ID == id {
			n, _ := strconv.ParseInt(o.Allow, 10, 64)
			return n
		}
	}
	return 0
}

// TestCatchUp: when it returns, the rooms have what had been said before, also what the gateway has not told.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	r.dc.Say(r.general, r.anna, "first", nil)
	r.said(room, ghost(r.anna), "first")
	for range 5 {
		r.dc.SayQuietly(r.general, r.anna, "not told")
	}
	if err := r.bridge.CatchUp(r.ctx); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range r.hs.Events(room, "m.room.message") {
		if e.Get("body") == "not told" {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d of 5 messages are there", n)
	}
}

// TestExamine: what keeps the bot from working is found, and what to click is said.
func TestExamine(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.dc.AddChannel(r.guild, 0, "hidden", "", discordtest.Overwrite{ID: r.guild.Roles[1].ID, Deny: bit(discordtest.ManageWebhooks), Allow: "0"})
	r.start()
	look := func() (all string) {
		err := r.bridge.Examine(r.ctx, func(f appservice.Finding) {
			all += string(f.Verdict) + " | " + f.What + " | " + f.Detail + " | " + f.Remedy + "\n"
			if f.Verdict == appservice.Bad && f.Remedy == "" {
				t.Errorf("no remedy for %+v", f)
			}
		})
		if err != nil {
			t.Error(err)
		}
		return all
	}
	contains := func(all string, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if !strings.Contains(all, line) {
				t.Errorf("%q is not in\n%s", line, all)
			}
		}
	}
	contains(look(), "good | the bot's token", "good | Server Members Intent", "good | connections to Discord",
		"doubtful | the server Guild | The bot lacks Kick Members", "bad | #hidden of server Guild | The bot lacks", "Manage Webhooks")
	r.dc.DisallowIntents()
	contains(look(), "bad | Message Content Intent | It is switched off", "discord.com/developers/applications")
	r.dc.Token = "another"
	contains(look(), "bad | the bot's token | Discord does not accept it", "Reset Token")
	r.dc.Close()
	contains(look(), "bad | the connection to Discord")
}

// TestExamineSignIn: what keeps people from signing in is found.
func TestExamineSignIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ secret, redirect, want string }{
		{"wrong", "https://matrix.example.org/claim/discord/back", "bad: Discord does not take client_secret."},
		{discordtest.ClientSecret, "https://matrix.example.org/elsewhere", "bad: The application has no address to which people come back."},
		{discordtest.ClientSecret, "https://matrix.example.org/claim/discord/back", "good: Discord takes the secret, and has an address to which people come back."},
		{"", "", ""},
	} {
		r := newRig(t, "client_secret: "+test.secret+"\n")
		r.dc.AddRedirect(test.redirect)
		r.start()
		got := ""
		err := r.bridge.Examine(r.ctx, func(f appservice.Finding) {
			if f.What == "signing in with Discord" {
				got += string(f.Verdict) + ": " + f.Detail
			}
		})
		if err != nil || got != test.want {
			t.Errorf("with %q and %q: %s, %v", test.secret, test.redirect, got, err)
		}
	}
}
