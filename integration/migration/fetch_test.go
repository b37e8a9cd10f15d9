package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestFetchedDiscord: a Discord server is fetched by its API with a command that is killed again and again, and brought in by
// one that is killed, too, together with the server. Then a client sees what was there.
func TestFetchedDiscord(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	owner, bob, mod := dc.AddUser("owner"), dc.AddUser("bob"), dc.AddUser("mod")
	guild := dc.AddGuild("Guild", owner)
	role := dc.AddRole(guild, "mods", discordtest.ManageMessages)
	dc.AddMember(guild, bob)
	dc.AddMember(guild, mod, role.ID)
	general := dc.AddChannel(guild, 0, "general", "")
	secret := dc.AddChannel(guild, 0, "secret", "", discordtest.Overwrite{ID: guild.ID, Type: 0, Allow: "0", Deny: fmt.Sprint(discordtest.ViewChannel)},
		discordtest.Overwrite{ID: role.ID, Type: 0, Allow: fmt.Sprint(discordtest.ViewChannel), Deny: "0"},
		discordtest.Overwrite{ID: dc.AppID, Type: 1, Allow: fmt.Sprint(discordtest.ViewChannel), Deny: "0"})
	const messages = 4500
	for i := range messages {
		dc.Say(general, []*discordtest.User{owner, bob, mod}[i%3], fmt.Sprint("message ", i), nil)
	}
	address := dc.AddFile("/attachments/pic.png", []byte("a picture"))
	with := dc.Say(general, bob, "look", func(m *discordtest.Message) {
		m.Attachments = append(m.Attachments, discordtest.Attachment{ID: "77", Filename: "pic.png", Size: 9, URL: address, ContentType: "image/png"})
	})
	dc.React(with, owner, "🎉", true)
	dc.Archive(dc.StartThread(general, with, bob, "Pictures"))
	dc.Say(secret, mod, "for moderators", nil)

	token := filepath.Join(t.TempDir(), "token")
	writeText(t, token, dc.Token+"\n")
	dir := filepath.Join(t.TempDir(), "export")
	fetch := func() *exec.Cmd {
		return exec.CommandContext(ctx, testserver.Binary(), "migrate", "fetch", "-guild", guild.ID, "-token-file", token, "-o", dir, "-api", dc.URL(), "-cdn", dc.CDN())
	}
	const pages = "GET /channels/{channel}/messages"
	for range 3 {
		// After some more pages; each attempt writes parts of ten pages.
		until := dc.Requests(pages) + 13
		cmd := fetch()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		err := dc.Wait(ctx, func() bool { return dc.Requests(pages) >= until })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		waitFor(cmd)
		if err != nil {
			t.Fatal(err)
		}
	}
	out, err := fetch().CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Guild: 2 channels, 1 threads, 3 members") {
		t.Fatalf("%v\n%s", err, out)
	}

	mapping := filepath.Join(t.TempDir(), "mapping.yaml")
	calm := testserver.New(t, testserver.Options{})
	must(t, calm, "plan", dir, "-o", mapping)
	replace(t, mapping, "space_audience: invited", "space_audience: anyone")
	replace(t, mapping, "server: "+calm.Name()+"\n", "")
	began := time.Now()
	must(t, calm, "run", dir, "-mapping", mapping, "-no-files")
	took := time.Since(began)

	s := testserver.New(t, testserver.Options{})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.Log())
		}
	})
	for i := range 4 {
		cmd := command(ctx, s, "run", dir, "-mapping", mapping, "-no-files")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pause(t, took/5*time.Duration(i+1))
		if i%2 == 0 {
			s.Kill()
		} else {
			_ = cmd.Process.Kill() // it may have ended by itself
		}
		waitFor(cmd)
		if i%2 == 0 {
			if err := s.Start(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	must(t, s, "run", dir, "-mapping", mapping, "-no-files")
	same(t, rooms(t, calm, "discord:"+guild.ID), rooms(t, s, "discord:"+guild.ID))
	must(t, s, "verify", dir, "-mapping", mapping)

	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := anna.Join(ctx, "#discord_"+guild.ID+":"+s.Name()); err != nil {
		t.Fatal(err)
	}
	room, err := anna.Join(ctx, "#discord_"+guild.ID+"_general:"+s.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := anna.Follow(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(anna.Close)
	if _, err := anna.Say(ctx, room, "I am here"); err != nil {
		t.Fatal(err)
	}
	(&watcher{t: t, ctx: ctx, m: anna, room: room}).await("what anna says", said("I am here"))
	all, err := anna.History(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	seen, file, party := map[string]int{}, false, false
	for _, e := range all {
		switch e.Type {
		case "m.room.message":
			seen[e.Body()]++
			file = file || e.Body() == "pic.png"
		case "m.reaction":
			_, _, key := relation(e)
			party = party || key == "🎉"
		}
	}
	for i := range messages {
		if n := seen[fmt.Sprint("message ", i)]; n != 1 {
			t.Fatalf("message %d is there %d times", i, n)
		}
	}
	if !file || !party {
		t.Errorf("the file is there: %v, the reaction: %v", file, party)
	}
	var power struct {
		Users map[string]int `json:"users"`
	}
	if err := anna.State(ctx, room, "m.room.power_levels", "", &power); err != nil || power.Users["@discord_"+mod.ID+":"+s.Name()] != 50 || power.Users["@discord_"+owner.ID+":"+s.Name()] != 100 {
		t.Errorf("the power is %v, %v", power.Users, err)
	}
	members, err := anna.Members(ctx, room)
	if err != nil || members["@discord_"+bob.ID+":"+s.Name()] != "bob" || members["@discord_"+dc.AppID+":"+s.Name()] != "" {
		t.Errorf("the members are %v, %v", members, err)
	}
	closed := roomOf(t, s, "discord:"+guild.ID, "channel/"+secret.ID)
	if _, err := anna.Join(ctx, closed); err == nil {
		t.Error("anna comes into the private channel")
	}
	var in wire.Joined
	if err := console(s).Do(ctx, "members", wire.Members{RoomID: closed}, &in); err != nil {
		t.Fatal(err)
	}
	if who := strings.Join(in.Joined, " "); strings.Contains(who, bob.ID) || !strings.Contains(who, mod.ID) || !strings.Contains(who, owner.ID) {
		t.Errorf("in the private channel are %s", who)
	}
}

func writeText(t *testing.T, name, text string) {
	t.Helper()
	put(t, name, json.RawMessage(`""`))
	replace(t, name, `""`, text)
}

// roomOf is the room of a channel.
func roomOf(t *testing.T, s *testserver.Server, source, remote string) string {
	t.Helper()
	var seen wire.Looked
	if err := console(s).Do(t.Context(), "look", wire.Look{Source: source, Remotes: []string{"room/" + remote}}, &seen); err != nil {
		t.Fatal(err)
	}
	if len(seen.Items) == 0 {
		t.Fatalf("%s has no room", remote)
	}
	return seen.Items[0].RoomID
}
