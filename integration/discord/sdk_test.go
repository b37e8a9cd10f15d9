package discord_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/tools"
)

// The stand-in of Discord serves discord.js, which nobody here has written, and its answers are as
// Discord's own description of its API has them.
func TestStandInWithDiscordJS(t *testing.T) {
	t.Parallel()
	node := tools.NewNode(t, "sdk")
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	dc.Token = "token.of.the.robot" // discord.js takes "Bot" from the beginning of a token
	owner, anna := dc.AddUser("owner"), dc.AddUser("anna")
	guild := dc.AddGuild("Guild", owner)
	general := dc.AddChannel(guild, 0, "general", "")
	dc.AddChannel(guild, 15, "forum", "")
	dc.AddMember(guild, anna)
	dc.AddMember(guild, dc.AddUser("victim"))
	dc.Grant(guild, discordtest.KickMembers|discordtest.BanMembers|discordtest.ModerateMembers|discordtest.ManageChannels|discordtest.ManageRoles|discordtest.ManageThreads)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node.Program, node.Script(t, filepath.Join("sdk", "day.mjs")), dc.URL(), dc.Token, guild.ID, general.ID)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	checked, done := map[string]bool{}, false
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x struct {
			Kind, Method, Path, Text string
			Problems                 []string
		}
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Errorf("the script says %q", lines.Bytes())
			continue
		}
		switch x.Kind {
		case "ready":
			m := dc.Say(general, anna, "good **morning**", nil)
			dc.React(m, owner, "🎉", true)
			dc.Edit(m, func(m *discordtest.Message) { m.Content = "good evening" })
		case "more":
			m := dc.Say(general, anna, "more", nil)
			dc.React(m, owner, "🎉", true)
			dc.React(m, owner, "🎉", false)
			dc.Delete(m, dc.Say(general, anna, "and more", nil))
			role := dc.AddRole(guild, "A role", 0)
			dc.UpdateRole(guild, role, func(r *discordtest.Role) { r.Name = "Another" })
			zoe := dc.AddUser("zoe")
			member := dc.AddMember(guild, zoe, role.ID)
			dc.UpdateMember(guild, member, func(m *discordtest.Member) { m.Roles = []string{} })
			dc.RemoveMember(guild, zoe)
			dc.Ban(guild, zoe)
			dc.Unban(guild, zoe)
			poll := dc.Say(general, anna, "", func(m *discordtest.Message) {
				m.Poll = discordtest.Poll("Tea?", []string{"yes", "no"}, false, 0, 0)
			})
			dc.Vote(poll, owner, 1, true)
			dc.Vote(poll, owner, 1, false)
			dc.Edit(poll, func(m *discordtest.Message) { m.Poll = discordtest.Poll("Tea?", []string{"yes", "no"}, true, 1, 0) })
			dc.Direct(anna, "to the bot alone")
			dc.Slash(general, anna, "matrix", "status", map[string]string{"code": "x"})
			voice, stage := dc.AddChannel(guild, 2, "voice", ""), dc.AddChannel(guild, 13, "stage", "")
			dc.Talk(guild, anna, voice)
			dc.Talk(guild, anna, nil)
			dc.Stage(stage, "On birds", true)
			dc.Stage(stage, "On birds", false)
			event := dc.Schedule(guild, anna, "Picnic", "The park", time.Now().Add(time.Hour))
			dc.Reschedule(event, func(e *discordtest.Event) { e.Status = 2 })
			dc.Unschedule(event)
			dc.Type(general, anna)
			dc.Show(guild, anna, "online")
			dc.Say(general, anna, "more kinds", func(m *discordtest.Message) {
				m.StickerItems = []map[string]any{{"id": "901", "name": "sticker", "format_type": 1}}
				m.Components = []map[string]any{{"type": 1, "id": 1, "components": []any{map[string]any{"type": 2, "id": 2, "style": 5, "label": "Docs", "url": "https://docs.example"}}}}
				m.Reference = &discordtest.Reference{Type: 1, MessageID: poll.ID, ChannelID: general.ID, GuildID: guild.ID}
			})
			side := dc.AddChannel(guild, 0, "side", "")
			dc.UpdateChannel(side, func(c *discordtest.Channel) { c.Name = "aside" })
			dc.Archive(dc.StartThread(side, nil, anna, "a thread"))
			dc.DeleteChannel(side)
		case "checked":
			checked[x.Method+" "+x.Path] = true
		case "mismatch":
			t.Errorf("%s %s is not as Discord describes it:\n%s", x.Method, x.Path, strings.Join(x.Problems, "\n"))
		case "unchecked":
			t.Errorf("%s %s is held against no schema", x.Method, x.Path)
		case "error":
			t.Error(x.Text)
		case "done":
			done = true
		}
	}
	if err := cmd.Wait(); err != nil || !done {
		t.Fatalf("discord.js: %v\n%s", err, complaints.String())
	}
	for _, route := range dc.Routes() {
		if dc.Answered(route) == 0 {
			t.Errorf("%s was not answered well, and so held against nothing", route)
		}
	}
	if len(checked) < 68 {
		t.Errorf("only %d kinds of answers and events were looked at: %v", len(checked), fmt.Sprint(checked))
	}
}
