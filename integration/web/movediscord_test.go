package web

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// TestMoveFromDiscord moves a server of Discord as TestMoveFromSlack does a workspace: an export with media, the live bridge, a
// claim by an invitation in a direct message, and the end of the bridge.
func TestMoveFromDiscord(t *testing.T) {
	t.Parallel()
	dc, err := discordtest.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dc.Close)
	owner, bob := dc.AddUser("owner"), dc.AddUser("bob")
	guild := dc.AddGuild("Guild", owner)
	general := dc.AddChannel(guild, 0, "general", "")
	dc.AddMember(guild, bob)
	dc.Say(general, bob, "first", nil)
	second := dc.Say(general, owner, "second", nil)
	dc.React(second, bob, "👍", true)
	var list []map[string]any
	for _, m := range dc.Messages(general.ID) {
		list = append(list, map[string]any{"id": m.ID, "type": "Default", "timestamp": m.Timestamp, "content": m.Content,
			"author": map[string]any{"id": m.Author.ID, "name": m.Author.Username, "discriminator": "0"}})
	}
	list[0]["attachments"] = []map[string]any{{"id": "900", "url": "general.json_Files/cat.png", "fileName": "cat.png", "fileSizeBytes": 5}}
	list[1]["type"], list[1]["reference"] = "Reply", map[string]any{"messageId": list[0]["id"]}
	list[1]["reactions"] = []map[string]any{{"emoji": map[string]any{"id": "", "name": "👍"}, "count": 1, "users": []map[string]any{{"id": bob.ID, "name": "bob"}}}}
	dir := t.TempDir()
	raw, err := json.Marshal(map[string]any{"guild": map[string]any{"id": guild.ID, "name": "Guild"}, "channel": map[string]any{"id": general.ID, "type": "GuildTextChat", "name": "general"}, "messages": list})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"general.json": raw, "general.json_Files/cat.png": []byte("no cat")} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := newMover(t, "discord", fmt.Sprintf("  - id: discord\n    module: discord\n    enabled: false\n    config: {token: %q, api_url: %q, cdn_url: %q}\n", dc.Token, dc.URL(), dc.CDN()), dir)
	m.bringIn("#discord_general:"+m.s.Name(), "space_audience: invited", "space_audience: anyone", "audience: invited", "audience: anyone\n    alias: discord_general")
	ghost := func(u *discordtest.User) string { return "@discord_" + u.ID + ":" + m.s.Name() }
	// Whether the bridge listens yet is not to be seen from here; what it missed it fetches.
	dc.Say(general, bob, "live", nil)
	m.anna.hears(ghost(bob), "live")
	shows(t, m.anna.history(m.anna.room), "bob: first", "bob: cat.png (file)", "owner: second", "bob:  m.annotation 👍 of \"second\"", "bob: live")

	dc.Edit(second, func(x *discordtest.Message) { x.Content = "second, better" })
	edit := m.anna.hears(ghost(owner), "* second, better")
	var c struct {
		Rel struct {
			To string `json:"event_id"`
		} `json:"m.relates_to"`
	}
	if err := json.Unmarshal(edit.Content, &c); err != nil {
		t.Fatal(err)
	}
	if _, err := m.anna.Send(m.ctx, m.anna.room, "m.reaction", map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": c.Rel.To, "key": "🎉"}}); err != nil {
		t.Fatal(err)
	}
	if err := dc.Wait(m.ctx, func() bool {
		return dc.Requests("PUT /channels/{channel}/messages/{message}/reactions/{emoji}/@me") > 0
	}); err != nil {
		t.Errorf("the reaction does not come to Discord: %v", err)
	}

	m.run("invite", "-bridge", "discord")
	said := func(channel, text string) (found string) {
		for _, x := range dc.Messages(channel) {
			if strings.Contains(x.Content, text) {
				found = x.Content
			}
		}
		return found
	}
	await := func(channel, text string) (found string) {
		t.Helper()
		if err := dc.Wait(m.ctx, func() bool { found = said(channel, text); return found != "" }); err != nil {
			t.Fatalf("%q is not said: %v; there is %+v", text, err, dc.Messages(channel))
		}
		return found
	}
	his := m.claim(await(dc.DirectWith(bob), "/claim/"), "robert")
	his.room = m.anna.room
	dc.Say(general, bob, "from my own account", nil)
	m.anna.hears(his.UserID, "from my own account")
	his.hears(his.UserID, "from my own account")
	if out := m.run("status", "-people"); !strings.Contains(out, his.UserID) {
		t.Errorf("status: %s", out)
	}
	if _, err := his.Say(m.ctx, m.anna.room, "said in Matrix"); err != nil {
		t.Fatal(err)
	}
	await(general.ID, "said in Matrix")
	// What was imported is theirs to be seen as: the ghost's profile says who it is.
	var profile map[string]any
	if err := m.anna.Do(m.ctx, "GET", "/v3/profile/"+ghost(bob), nil, &profile); err != nil || profile["im.landbridge.account"] != his.UserID {
		t.Errorf("the ghost's profile is %v, %v", profile, err)
	}
	m.cutOver(func(text string) { t.Helper(); await(general.ID, text) })
}
