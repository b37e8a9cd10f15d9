package slack

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What Slack's documentation says (https://docs.slack.dev/reference/methods and /events): which scopes of a bot the methods and events
// need that the module uses; "" for none. With several, each is for a kind of conversation.
var (
	methodScopes = map[string]string{
		"apps.connections.open": "", "apps.manifest.export": "", "auth.revoke": "", "auth.test": "", "oauth.v2.access": "", "openid.connect.token": "", "openid.connect.userInfo": "",
		"bookmarks.list": "bookmarks:read", "bots.info": "users:read",
		"chat.delete": "chat:write", "chat.postMessage": "chat:write chat:write.customize", "chat.update": "chat:write",
		"conversations.history": "channels:history groups:history im:history", "conversations.replies": "channels:history groups:history im:history",
		"conversations.info": "channels:read groups:read im:read", "conversations.list": "channels:read groups:read",
		"conversations.members": "channels:read groups:read", "conversations.invite": "channels:manage groups:write",
		"conversations.join": "channels:join", "conversations.kick": "channels:manage groups:write", "conversations.open": "im:write",
		"conversations.rename": "channels:manage groups:write", "conversations.setTopic": "channels:manage groups:write",
		"emoji.list": "emoji:read", "files.completeUploadExternal": "files:write", "files.getUploadURLExternal": "files:write", "files.info": "files:read",
		"pins.add": "pins:write", "pins.list": "pins:read", "pins.remove": "pins:write",
		"reactions.add": "reactions:write", "reactions.remove": "reactions:write", "team.info": "team:read",
		"usergroups.list": "usergroups:read", "users.info": "users:read", "users.list": "users:read",
		"conversations.leave": "", "users.conversations": "", // by persons alone
	}
	eventScopes = map[string]string{
		"app_uninstalled": "", "tokens_revoked": "",
		"channel_archive": "channels:read", "channel_created": "channels:read", "channel_deleted": "channels:read", "channel_left": "channels:read",
		"channel_rename": "channels:read", "channel_unarchive": "channels:read", "channel_shared": "channels:read groups:read",
		"channel_unshared": "channels:read groups:read", "channel_history_changed": "channels:history", "group_history_changed": "groups:history",
		"emoji_changed": "emoji:read", "group_archive": "groups:read", "group_deleted": "groups:read", "group_left": "groups:read",
		"group_rename": "groups:read", "group_unarchive": "groups:read", "member_joined_channel": "channels:read groups:read",
		"member_left_channel": "channels:read groups:read", "message.channels": "channels:history", "message.groups": "groups:history",
		"message.im": "im:history", "pin_added": "pins:read", "pin_removed": "pins:read", "reaction_added": "reactions:read",
		"reaction_removed": "reactions:read", "subteam_created": "usergroups:read", "subteam_members_changed": "usergroups:read",
		"subteam_updated": "usergroups:read", "team_join": "users:read", "team_rename": "team:read", "user_change": "users:read",
	}
)

// The manifest asks for the scopes that the methods and events need which are used, and for no others.
func TestScopesAreThoseNeeded(t *testing.T) {
	t.Parallel()
	want := map[string]bool{"commands": true} // of the slash command
	need := func(kind, name, scopes string, ok bool) {
		t.Helper()
		if !ok {
			t.Errorf("what the %s %s needs is not known", kind, name)
		}
		for _, s := range strings.Fields(scopes) {
			want[s] = true
		}
	}
	for _, name := range botEvents {
		scopes, ok := eventScopes[name]
		need("event", name, scopes, ok)
	}
	// The methods are those that stand in calls and in errors.
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	method := regexp.MustCompile(`"((?:apps|auth|bookmarks|bots|chat|conversations|emoji|files|oauth|openid|pins|reactions|team|usergroups|users)\.[a-zA-Z0-9.]+)[":]`)
	used := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range method.FindAllStringSubmatch(string(raw), -1) {
			if m[1] != "files.download" { // by an address
				used[m[1]] = true
			}
		}
	}
	for _, m := range []string{"conversations.invite", "conversations.kick", "pins.add", "pins.remove"} { // by slack-go, under other names
		used[m] = true
	}
	if len(used) < 30 {
		t.Fatalf("only %d methods are used: %v", len(used), used)
	}
	for name := range used {
		scopes, ok := methodScopes[name]
		need("method", name, scopes, ok)
	}
	var have []string
	for _, s := range botScopes {
		have = append(have, s.name)
		if !want[s.name] {
			t.Errorf("%s is not needed", s.name)
		}
		delete(want, s.name)
	}
	for s := range want {
		t.Errorf("%s is missing", s)
	}
	if !slices.IsSorted(have) {
		t.Errorf("the scopes are %q", have)
	}
}
