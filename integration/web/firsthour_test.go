package web

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// output keeps what a program prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// bare is the program as `make run` starts it: in a folder with nothing in it, with no configuration.
type bare struct {
	url, dir string
	out      *output
	env      []string
}

// startBare starts it in a folder, and waits until it is ready.
func startBare(t *testing.T, dir string) *bare {
	t.Helper()
	addr := ports.Addr(t)
	b := &bare{url: "http://" + addr, dir: dir, out: &output{}, env: append(os.Environ(), "LANDBRIDGE_DATA_DIR="+filepath.Join(dir, "data"), "LANDBRIDGE_SERVER_LISTEN="+addr, "LANDBRIDGE_SERVER_PUBLIC_URL=http://"+addr)}
	for i := 0; i < len(b.env); i++ { // the tests' own variable is none of the configuration
		if strings.HasPrefix(b.env[i], "LANDBRIDGE=") {
			b.env = append(b.env[:i], b.env[i+1:]...)
		}
	}
	cmd := exec.Command(testserver.Binary(), "serve")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, b.env, b.out, b.out
	child, err := testserver.StartChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Stop(time.Minute)
		if t.Failed() {
			t.Logf("the server says:\n%s", b.out)
		}
	})
	b.await(t, "Landbridge serves")
	return b
}

func (b *bare) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(b.out.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server does not say %q", text)
		}
	}
}

// command runs the program on the same data.
func (b *bare) command(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testserver.Binary(), args...)
	cmd.Dir, cmd.Env = b.dir, b.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("landbridge %s: %v %s", strings.Join(args, " "), err, out)
	}
}

// firstHourNames are on the pages.
var firstHourNames = []string{"anna", "Bob Builder", "bob", "Acme", "acme", "guild", "Guild", "general", "talk", "carol", "irc", "workspace", "slack", "discord", "Demo"}

// TestFirstHour is a newcomer's: with no configuration, and but for a Matrix client in the browser alone, and with the keyboard alone, they make their
// account, talk with the demonstration, set Slack and Discord up, bring an export in, have somebody claim who they are, and
// make a backup; restored elsewhere, everything is there.
func TestFirstHour(t *testing.T) {
	t.Parallel()
	slack := slacktest.New(t)
	bob := slack.AddUser("bob", "Bob Builder")
	general := slack.AddChannel("general", false, bob, slacktest.BotUser)
	discord, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(discord.Close)
	guild := discord.AddGuild("Guild", discord.AddUser("carol"))
	discord.AddChannel(guild, 0, "talk", "")
	ctx := t.Context()

	s := startBare(t, shortDir(t))
	b := newBrowserWith(t, s.url, how{Keyboard: true, Known: firstHourNames})
	b.visit("/", "Get an account.")
	s.await(t, "registration token is")
	token := regexp.MustCompile(`registration token is\s+(\S+)`).FindStringSubmatch(s.out.String())[1]
	b.click("text=sign up here")
	b.look("first-sign-up")
	b.fill("#user", "anna")
	b.fill("#password", client.Password)
	b.fill("#token", token)
	b.click("text=Make account")
	b.see("@anna:localhost")

	// The demonstration, in a Matrix client.
	anna, err := (&client.Client{URL: s.url}).Login(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	var lobby struct {
		RoomID string `json:"room_id"`
	}
	for deadline := time.Now().Add(time.Minute); anna.Do(ctx, "POST", client.Path("join", "#irc_demo_#lobby:localhost"), nil, struct{}{}, &lobby) != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the demonstration's room is not there")
		}
	}
	if _, err := anna.Send(ctx, lobby.RoomID, "m.room.message", "1", client.Message("hello, ada")); err != nil {
		t.Fatal(err)
	}
	_, err = anna.Follow(ctx, client.SyncOptions{}, func(y *client.Sync) bool {
		for _, e := range y.Rooms.Join[lobby.RoomID].Timeline.Events {
			if e.Type == "m.room.message" && strings.HasPrefix(e.Sender, "@irc_") {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Errorf("nobody of the demonstration is heard: %v", err)
	}

	// Slack and Discord, by pages.
	setUp := func(kind, api string, fields map[string]string) {
		t.Helper()
		b.goTo("/console/setup/with/" + kind)
		for at, text := range fields {
			b.fill("#"+at, text)
		}
		b.click("summary")
		b.fill("#api", api)
		b.click("button[value=channels]")
		b.see("The tokens are good")
		b.do(step{Do: "check", At: "input[name=all]"})
		b.click("button[value=review]")
		b.see("The module has checked it")
		b.see("Looked at everything.")
		b.click("button[value=done]")
		b.see("has been started")
		b.see("All is there.")
		b.look("first-" + kind)
	}
	setUp("slack", slack.URL, map[string]string{"app_token": slacktest.AppToken, "bot_token": slacktest.BotToken, "id": "acme"})
	setUp("discord", discord.URL(), map[string]string{"token": discord.Token, "id": "guild"})
	slack.AwaitConnected(t, 1)
	slack.Say(bob, general, "hello from Slack", nil)

	// An export.
	export := filepath.Join(t.TempDir(), "Old.zip")
	pack(t, "../../migration/testdata/slack/workspace", export)
	b.goTo("/console/migrate")
	b.do(step{Do: "file", At: "#export", Text: export})
	b.click("#upload summary")
	b.fill("#up-workspace", "old")
	b.fill("#up-bridge", "old")
	b.click("#upload button")
	b.see("What it becomes")
	b.click("button[value=run]")
	b.click("text=Bring it in")
	b.see("events are new")
	b.click("button[value=verify]")
	b.see("Everything is as the export has it.")

	// A claim: Bob is invited by the bot, and comes with an account of his own.
	b.visit("/console/claims?bridge=slack-acme", "people have come")
	b.click("button[value=invite] >> nth=0")
	b.click("text=Invite them")
	b.see("written to now")
	invitation := slack.AwaitMessage(t, slack.Direct(bob, slacktest.BotUser), "an invitation", func(o slacktest.Object) bool {
		text, _ := o["text"].(string)
		return strings.Contains(text, "/claim/")
	})["text"].(string)
	his := newBrowserWith(t, s.url, how{Keyboard: true, Known: firstHourNames})
	his.visit("/claim/"+regexp.MustCompile(`/claim/([\w-]+)`).FindStringSubmatch(invitation)[1], "You are invited as")
	his.click("text=Make an account")
	his.fill("#user", "robert")
	his.fill("#password", "a long password of robert")
	his.click("text=Make account")
	his.click("text=Yes, I am")
	his.see("You are linked")
	his.visit("/account/linked", "Bob")
	his.look("first-linked")

	// A backup, restored in another place.
	b.goTo("/console/backups")
	b.click("text=Make a backup now")
	b.see("asked for")
	found, err := filepath.Glob(filepath.Join(s.dir, "data", "backups", "*.tar.zst"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	there := &bare{dir: shortDir(t), env: append(os.Environ(), "LANDBRIDGE_SERVER_NAME=localhost")}
	there.env = append(there.env, "LANDBRIDGE_DATA_DIR="+filepath.Join(there.dir, "data"))
	for i, kv := range there.env {
		if strings.HasPrefix(kv, "LANDBRIDGE=") {
			there.env = append(there.env[:i], there.env[i+1:]...)
			break
		}
	}
	there.command(t, "restore", found[0])
	s2 := startBare(t, there.dir)
	again, err := (&client.Client{URL: s2.url}).Login(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	history, err := again.History(ctx, lobby.RoomID, "b", 100)
	if err != nil {
		t.Fatal(err)
	}
	ok := false
	for _, e := range history {
		ok = ok || e.Body() == "hello, ada"
	}
	if !ok {
		t.Errorf("what was said is gone: %v", history)
	}
	other := newBrowser(t, s2.url)
	other.goTo("/console/users")
	other.fill("#user", "anna")
	other.fill("#password", client.Password)
	other.click("main button")
	other.see("@robert:localhost")
	for _, id := range []string{"irc", "slack-acme", "discord-guild"} {
		other.visit("/console/bridges", id)
	}
	if text := fmt.Sprint(s.out); strings.Contains(text, "panicked") {
		t.Error("something has panicked")
	}
}
