package thirdparty

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/integration/tools"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// TestFramework has a bridge on matrix-appservice-bridge do what bridges do: portals by alias, ghosts,
// direct messages, look-ups, a directory of its own; and has either side restart while people talk.
func TestFramework(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	node := tools.NewNode(t, ".")
	net6667 := ircd.NgIRCd(t, "")
	dir := t.TempDir()
	for _, name := range []string{"bridge.mjs", "nocrypto.cjs"} {
		script, err := os.ReadFile(name)
		ok(t, err)
		ok(t, os.WriteFile(filepath.Join(dir, name), script, 0o644))
	}
	ok(t, os.Symlink(node.Modules, filepath.Join(dir, "node_modules")))
	ok(t, os.Mkdir(filepath.Join(dir, "registrations"), 0o755))
	file := filepath.Join(dir, "registrations", "jsirc.yaml")
	run(t, dir, node.Program, "--require", "./nocrypto.cjs", "bridge.mjs", "register", file, "http://"+ports.Addr(t))
	s := testserver.New(t, testserver.Options{Registrations: []string{filepath.Dir(file)}})
	_, port, err := net.SplitHostPort(net6667.Addr)
	ok(t, err)
	bridge := newProgram(t, dir, "ready", node.Program, "--require", "./nocrypto.cjs", "bridge.mjs", "run", file, s.URL(), port)
	alice := newPerson(t, ctx, s, "alice")

	// Who joins an alias that nobody has made finds the portal that the bridge has made meanwhile.
	room, err := alice.Join(ctx, "#jsirc_town:test")
	ok(t, err)
	bridge.says("portal " + room)
	bob := ircd.Dial(t, net6667.Addr, "bob")
	bob.Join("#town")
	bob.Send("PRIVMSG #town :hello from afar")
	alice.sees("@jsirc_bob:test", "hello from afar")
	members, err := alice.Members(ctx, room)
	ok(t, err)
	if members["@jsirc_bob:test"] != "bob (IRC)" {
		t.Errorf("the members are %v", members)
	}
	alice.say(room, "hello to you")
	bob.Expect("PRIVMSG #town :<alice> hello to you")
	bob.Send("PART #town")
	gone := func() bool {
		members, err := alice.Members(ctx, room)
		ok(t, err)
		return members["@jsirc_bob:test"] == ""
	}
	for !gone() {
		if ctx.Err() != nil {
			t.Fatal("the ghost stays")
		}
	}
	bob.Join("#town")

	// What passes: typing, receipts, presence.
	last := alice.sees("@jsirc_bob:test", "hello from afar")
	ok(t, alice.Do(ctx, "PUT", "/v3/rooms/"+url.PathEscape(room)+"/typing/"+alice.UserID, map[string]any{"typing": true, "timeout": 30000}, nil))
	bridge.says("typing @alice:test")
	ok(t, alice.Do(ctx, "POST", "/v3/rooms/"+url.PathEscape(room)+"/receipt/m.read/"+url.PathEscape(last.ID), map[string]any{}, nil))
	bridge.says("receipt " + last.ID)
	ok(t, alice.Do(ctx, "PUT", "/v3/presence/"+alice.UserID+"/status", map[string]any{"presence": "unavailable"}, nil))
	bridge.says("presence @alice:test unavailable")

	// A ghost that nobody has heard of is made when it is invited.
	var direct struct {
		RoomID string `json:"room_id"`
	}
	ok(t, alice.Do(ctx, "POST", "/v3/createRoom", map[string]any{"is_direct": true, "preset": "trusted_private_chat", "invite": []string{"@jsirc_carol:test"}}, &direct))
	bridge.says("direct carol")
	var profile struct{ Displayname string }
	ok(t, alice.Do(ctx, "GET", "/v3/profile/@jsirc_carol:test", nil, &profile))
	if profile.Displayname != "carol (IRC)" {
		t.Errorf("the ghost's name is %q", profile.Displayname)
	}
	carol := ircd.Dial(t, net6667.Addr, "carol")
	alice.say(direct.RoomID, "psst")
	carol.Expect("PRIVMSG carol :<alice> psst")
	carol.Send("PRIVMSG jsbot :what is it")
	alice.sees("@jsirc_carol:test", "what is it")

	thirdParty(t, alice, room)

	// Nothing is lost or doubled when either side is away.
	bridge.kill()
	for _, body := range numbered("missed", 30) {
		alice.say(room, body)
	}
	ok(t, s.Kill())
	ok(t, s.Start(ctx))
	bridge.start()
	for _, body := range numbered("missed", 30) {
		expectNext(t, bob, "#town :<alice> missed", body)
	}
	for i, body := range numbered("said", 30) {
		bob.Send("PRIVMSG #town :" + body)
		if i == 10 {
			ok(t, s.Kill())
		}
		if i == 20 {
			ok(t, s.Start(ctx))
		}
	}
	alice.sees("@jsirc_bob:test", "said 29")
	if got := alice.bodies(room, "@jsirc_bob:test", "said"); !slices.Equal(got, numbered("said", 30)) {
		t.Errorf("of what bob said there is %q", got)
	}
}

// expectNext reads on to the next line with begin, which must be the message.
func expectNext(t *testing.T, c *ircd.Client, begin, body string) {
	t.Helper()
	if line := c.Expect(begin); !strings.HasSuffix(line, body) {
		t.Fatalf("instead of %q came %q", body, line)
	}
}

// thirdParty looks things up in the bridge's network, and in its directory.
func thirdParty(t *testing.T, alice *person, room string) {
	t.Helper()
	var protocols map[string]struct {
		Instances []struct {
			InstanceID string `json:"instance_id"`
		}
	}
	ok(t, alice.Do(alice.ctx, "GET", "/v3/thirdparty/protocols", nil, &protocols))
	if len(protocols["jsirc"].Instances) != 1 {
		t.Fatalf("the protocols are %+v", protocols)
	}
	var found []struct{ Alias, UserID string }
	ok(t, alice.Do(alice.ctx, "GET", "/v3/thirdparty/location/jsirc?channel=%23town", nil, &found))
	if len(found) != 1 || found[0].Alias != "#jsirc_town:test" {
		t.Errorf("the channel is %+v", found)
	}
	ok(t, alice.Do(alice.ctx, "GET", "/v3/thirdparty/user?userid=@jsirc_bob:test", nil, &found))
	if len(found) != 1 || found[0].UserID != "@jsirc_bob:test" {
		t.Errorf("the user is %+v", found)
	}
	var list struct {
		Chunk []struct {
			RoomID string `json:"room_id"`
		}
	}
	ok(t, alice.Do(alice.ctx, "POST", "/v3/publicRooms", map[string]any{"third_party_instance_id": protocols["jsirc"].Instances[0].InstanceID}, &list))
	if len(list.Chunk) != 1 || list.Chunk[0].RoomID != room {
		t.Errorf("the network's directory is %+v", list)
	}
	ok(t, alice.Do(alice.ctx, "POST", "/v3/publicRooms", map[string]any{}, &list))
	if len(list.Chunk) != 0 {
		t.Errorf("the server's own directory is %+v", list)
	}
}
