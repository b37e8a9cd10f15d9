package discordexport

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/migration/model"
)

// guildOf writes an export with a channel of each of some ids, and guild.json with some members and channels.
func guildOf(t *testing.T, members, channels string, ids ...string) *Export {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"guild.json": `{"format":"landbridge-discord-guild","guild":{"id":"100","name":"G","owner_id":"11","roles":[
		{"id":"100","permissions":"3072"},{"id":"101","permissions":"8"},{"id":"102","permissions":"0"}]},"members_known":true,
		"channels":[` + channels + `],"members":[` + members + `]}`}
	for _, id := range ids {
		files[id+".json"] = strings.Replace(begin, `"200"`, `"`+id+`"`, 1) + one + "]}"
	}
	for name, raw := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func memberJSON(id int, roles string) string {
	return fmt.Sprintf(`{"user":{"id":"%d","username":"u%d"},"roles":[%s]}`, id, id, roles)
}

// overwrite is one of a role's, of permissions that are 1024 for seeing and 2048 for writing.
func overwrite(role string, allow, deny int) string {
	return fmt.Sprintf(`{"id":"%s","type":0,"allow":"%d","deny":"%d"}`, role, allow, deny)
}

// TestRights: who sees a channel and who may write there is as the server's roles say.
func TestRights(t *testing.T) {
	t.Parallel()
	members := strings.Join([]string{memberJSON(11, ""), memberJSON(12, `"101"`), memberJSON(13, `"102"`), memberJSON(14, "")}, ",")
	for _, tc := range []struct {
		name, overwrites string
		want             model.Channel
	}{
		{"open", "", model.Channel{Kind: model.Public, Members: []string{"11", "12", "13", "14"}}},
		{"closed", overwrite("100", 0, 1024), model.Channel{Kind: model.Private, Members: []string{"11", "12"}}},
		{"for a role", overwrite("100", 0, 1024) + "," + overwrite("102", 1024, 0), model.Channel{Kind: model.Private, Members: []string{"11", "12", "13"}}},
		{"to be read", overwrite("100", 0, 2048), model.Channel{Kind: model.Public, Members: []string{"11", "12", "13", "14"}, ReadOnly: true}},
		{"where a role writes", overwrite("100", 0, 2048) + "," + overwrite("102", 2048, 0), model.Channel{Kind: model.Public, Members: []string{"11", "12", "13", "14"}, ReadOnly: true, Writers: []string{"13"}}},
		{"for a role, to be read", overwrite("100", 0, 1024) + "," + overwrite("102", 1024, 2048), model.Channel{Kind: model.Private, Members: []string{"11", "12", "13"}, ReadOnly: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := guildOf(t, members, `{"id":"200","type":0,"name":"general","permission_overwrites":[`+tc.overwrites+`]}`, "200")
			c := e.Channels()[0]
			if c.Kind != tc.want.Kind || !slices.Equal(c.Members, tc.want.Members) || !c.MembersKnown || c.ReadOnly != tc.want.ReadOnly || !slices.Equal(c.Writers, tc.want.Writers) {
				t.Errorf("%s %v %v %v", c.Kind, c.Members, c.ReadOnly, c.Writers)
			}
			if p := e.Problems(); len(p) > 0 {
				t.Errorf("%v", p)
			}
		})
	}
}

// TestManyWriters: a room's power levels have to fit into an event.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	var members []string
	for id := 20; id < 20+maxEverywhere+1; id++ {
		members = append(members, memberJSON(id, `"102"`))
	}
	e := guildOf(t, strings.Join(members, ","), `{"id":"200","type":0,"name":"general","permission_overwrites":[`+overwrite("100", 0, 2048)+","+overwrite("102", 2048, 0)+`]}`, "200")
	c := e.Channels()[0]
	if c.ReadOnly || len(c.Writers) > 0 || c.MembersKnown || len(c.Members) > 0 {
		t.Errorf("%v, %d writers, %d members", c.ReadOnly, len(c.Writers), len(c.Members))
	}
	if p := e.Problems(); len(p) != 1 || !strings.Contains(p[0].What, "too many") {
		t.Errorf("%v", p)
	}
}

// TestPrivateThread: also in an export that says nothing of rights, what was said in a private thread is not for all who are in
// its channel.
func TestPrivateThread(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	thread := `{"guild":{"id":"100","name":"G"},"channel":{"id":"300","type":"GuildPrivateThread","categoryId":"200","name":"whispers"},"messages":[` +
		strings.Replace(one, "200000000000", "300000000000", 1) + "]}"
	for name, raw := range map[string]string{"a.json": begin + one + "]}", "b.json": thread} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if list := all(t, e, "whispers"); len(list) != 1 || list[0].Thread != "" {
		t.Errorf("in the thread are %v", list)
	}
	if list := all(t, e, "general"); len(list) != 1 {
		t.Errorf("in the channel are %v", list)
	}
	for _, c := range e.Channels() {
		if c.Name == "whispers" && (c.Kind != model.Private || c.Thread != "200") {
			t.Errorf("the thread is %+v", c)
		}
	}
}
