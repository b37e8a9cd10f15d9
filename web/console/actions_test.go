package console

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// action is something that an administrator does by a form: where it is posted, the form, what the server is asked to
// do then, what the audit log has, and whether the page asks first.
type action struct {
	path string
	form string
	did  string
	log  string
	ask  bool
}

// actions are all that the console can do. Those of migrations have their own test, with a desk.
var actions = []action{
	{"/users/do", "id=@berta:x&do=suspend", "@anna:x PUT /v1/suspend/@berta:x", "suspend @berta:x", false},
	{"/users/do", "id=@berta:x&do=unsuspend", "@anna:x PUT /v1/suspend/@berta:x", "unsuspend @berta:x", false},
	{"/users/do", "id=@berta:x&do=lock", "@anna:x PUT /v2/users/@berta:x", "lock @berta:x", false},
	{"/users/do", "id=@berta:x&do=unlock", "@anna:x PUT /v2/users/@berta:x", "unlock @berta:x", false},
	{"/users/do", "id=@berta:x&do=admin", "@anna:x PUT /v1/users/@berta:x/admin", "admin @berta:x", true},
	{"/users/do", "id=@berta:x&do=unadmin", "@anna:x PUT /v1/users/@berta:x/admin", "unadmin @berta:x", true},
	{"/users/do", "id=@berta:x&do=deactivate", "@anna:x POST /v1/deactivate/@berta:x", "deactivate @berta:x", true},
	{"/users/do", "id=@berta:x&do=erase", "@anna:x POST /v1/deactivate/@berta:x", "erase @berta:x", true},
	{"/users/do", "id=@berta:x&do=redact", "@anna:x POST /v1/user/@berta:x/redact", "redact @berta:x", true},
	{"/users/do", "id=@berta:x&do=quarantine", "@anna:x POST /v1/user/@berta:x/media/quarantine", "quarantine @berta:x", true},
	{"/users/do", "id=@berta:x&do=password&password=secret", "@anna:x POST /v1/reset_password/@berta:x", "set the password of @berta:x", true},
	{"/users/do", "id=@berta:x&do=device&device=D", "@anna:x DELETE /v2/users/@berta:x/devices/D", "sign out a device of @berta:x", true},
	{"/users/create", "name=Carla&password=secret", "@anna:x PUT /v2/users/@carla:x", "create @carla:x", false},
	{"/rooms/do", "id=!r:x&do=block", "@anna:x PUT /v1/rooms/%21r:x/block", "block !r:x", false},
	{"/rooms/do", "id=!r:x&do=unblock", "@anna:x PUT /v1/rooms/%21r:x/block", "unblock !r:x", false},
	{"/rooms/do", "id=!r:x&do=quarantine", "@anna:x POST /v1/room/%21r:x/media/quarantine", "quarantine the media of !r:x", true},
	{"/rooms/do", "id=!r:x&do=delete", "@anna:x DELETE /v2/rooms/%21r:x", "delete !r:x", true},
	{"/rooms/do", "id=!r:x&do=purge&days=30", "@anna:x POST /v1/purge_history/%21r:x", "purge the history of !r:x", true},
	{"/rooms/do", "id=!r:x&do=admin", "@anna:x POST /v1/rooms/%21r:x/make_room_admin|@anna:x acts POST /join/%21r:x", "become an administrator of !r:x", false},
	{"/rooms/do", "id=!r:x&do=redact&event=$e", "@anna:x acts PUT /rooms/%21r:x/redact/$e", "remove the message $e in !r:x", true},
	{"/rooms/do", "id=!r:x&do=set&name=New&join=public&listed=yes&reading=yes", "@anna:x acts PUT /rooms/%21r:x/state/m.room.name|@anna:x acts PUT /rooms/%21r:x/state/m.room.join_rules|" +
		"@anna:x acts PUT /directory/list/room/%21r:x|@anna:x acts PUT /rooms/%21r:x/state/im.landbridge.reading", "change the settings of !r:x", false},
	{"/media/do", "mxc=mxc://x/a&do=quarantine", "@anna:x POST /v1/media/quarantine/x/a", "quarantine mxc://x/a", false},
	{"/media/do", "mxc=mxc://x/a&do=unquarantine", "@anna:x POST /v1/media/unquarantine/x/a", "unquarantine mxc://x/a", false},
	{"/media/do", "mxc=mxc://x/a&do=delete", "@anna:x DELETE /v1/media/x/a", "delete mxc://x/a", true},
	{"/tokens/do", "do=create&uses=3", "@anna:x POST /v1/registration_tokens/new", "create registration token", false},
	{"/tokens/do", "do=delete&token=t", "@anna:x DELETE /v1/registration_tokens/t", "delete registration token", true},
	{"/reports/do", "id=1", "", "dismiss report 1", true},
	{"/reports/do", "do=redact&room=!r:x&event=$e", "@anna:x acts PUT /rooms/%21r:x/redact/$e", "remove the message $e in !r:x", true},
	{"/federation/do", "server=y.example", "retry y.example", "retry y.example", false},
	{"/bridges/do", "id=irc&do=start", "start irc", "start bridge irc", false},
	{"/bridges/do", "id=irc&do=restart", "restart irc", "restart bridge irc", false},
	{"/bridges/do", "id=irc&do=stop", "stop irc", "stop bridge irc", true},
	{"/bridges/letters", "id=irc&do=retry&event=$e", "retry letters irc $e", "retry dead letters of bridge irc", false},
	{"/bridges/letters", "id=irc&do=drop&event=$e", "drop letters irc $e", "drop dead letters of bridge irc", true},
	{"/setup/irc", "step=done&id=ex&name=Ex&address=irc.example.org:6697&nick=lb&channel=%23go", "add ", "set up bridge irc-ex", false},
	{"/backups/do", "", "backup", "create backup", false},
	{"/claims/do", "bridge=irc&do=invite", "invite", "invite people of irc", true},
	{"/claims/do", "bridge=irc&do=links", "", "make links to hand out for people of irc", false},
	{"/claims/do", "bridge=irc&do=remind", "remind irc", "remind people of irc", true},
	{"/claims/do", "bridge=irc&do=unlink&person=U1", "unlink irc U1", "unlink people of irc", true},
	{"/claims/do", "bridge=irc&do=announce&text=Hello", "announced|irc|Hello", "announce the end of bridge irc", true},
	{"/claims/do", "bridge=irc&do=freeze", "frozen|irc", "freeze the end of bridge irc", true},
	{"/claims/do", "bridge=irc&do=finish&admins=@anna:x", "detached|irc", "finish the end of bridge irc", true},
	{"/claims/do", "bridge=irc&do=confirm", "confirmed|irc", "confirm the end of bridge irc", true},
	{"/claims/do", "bridge=irc&do=undo", "open|irc", "undo the end of bridge irc", true},
}

// otherPosts are forms that have a test of their own.
var otherPosts = map[string]string{"/sign-out": "TestForms", "/setup/with/{kind}": "TestSetupWithTokens", "/migrate/edit": "TestMigrationPages", "/migrate/new": "TestMigrationPages", "/migrate/do": "TestMigrationPages"}

// TestActions goes through everything that the console can change: nobody but an administrator can, by a form of the
// console's alone; what can't be undone is asked about; and each change is in the audit log, once, with who did it.
func TestActions(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, a := range actions {
		tested[a.path] = true
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bpost\("([^"]+)"`).FindAllStringSubmatch(string(raw), -1) {
			if !tested[m[1]] && otherPosts[m[1]] == "" {
				t.Errorf("%s: what is posted to %s has no test", name, m[1])
			}
		}
	}

	r := newRig(t)
	err = r.store.Write(t.Context(), func(tx *store.Tx) error {
		return tx.AddRoom(store.Room{NID: 1, ID: "!r:x", Version: "12", CreatedTS: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	audits := func() []store.Audit {
		t.Helper()
		list, err := r.store.Audits(t.Context(), 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	post := func(a action, csrf string, sure bool, header ...string) int {
		t.Helper()
		form, err := url.ParseQuery(a.form)
		if err != nil {
			t.Fatal(err)
		}
		form.Set("csrf", csrf)
		if sure {
			form.Set("sure", "yes")
		}
		return r.do("POST", "/console"+a.path, form, header...).Code
	}
	refused := func(who string, csrf string, header ...string) {
		t.Helper()
		for _, a := range actions {
			if code := post(a, csrf, true, header...); code != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d", who, a.path, a.form, code)
			}
		}
		if len(r.fake.did) > 0 || len(audits()) > 0 {
			t.Fatalf("%s: something was done: %v", who, r.fake.did)
		}
	}
	refused("nobody", r.token("/console/sign-in"))
	r.signIn("berta")
	refused("no administrator", r.token("/console/sign-in"))
	r.signIn("anna")
	csrf := r.token("/console/")
	refused("no token", "")
	refused("a wrong token", "AAAA")
	refused("another origin", csrf, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
	refused("a subdomain", csrf, "Sec-Fetch-Site", "same-site", "Origin", "https://evil.m.x")
	for _, a := range actions {
		r.fake.did = nil
		before := len(audits())
		if a.ask {
			if code := post(a, csrf, false); code != http.StatusOK || len(r.fake.did) > 0 || len(audits()) != before {
				t.Errorf("%s %s is not asked about: %d %v", a.path, a.form, code, r.fake.did)
			}
		}
		if code := post(a, csrf, a.ask); code != http.StatusSeeOther && code != http.StatusOK {
			t.Errorf("%s %s: %d", a.path, a.form, code)
		}
		if got := strings.Join(r.fake.did, "|"); !strings.HasPrefix(got, a.did) || a.did == "" && got != "" {
			t.Errorf("%s %s: the server was asked for %q, not %q", a.path, a.form, got, a.did)
		}
		list := audits()
		if len(list) != before+1 || list[0].Who != "@anna:x" || list[0].Did+" "+list[0].To != a.log && list[0].Did != a.log {
			t.Errorf("%s %s: %d entries more, the newest %+v, want %q", a.path, a.form, len(list)-before, list[0], a.log)
		}
		if strings.Contains(list[0].More, "secret") {
			t.Errorf("a secret is in the log: %+v", list[0])
		}
	}
}
