package irc

import (
	"context"
	"path/filepath"
	"testing"

	"maunium.net/go/mautrix/bridgev2/networkid"
)

func TestIdentities(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "x.db")
	present := map[string]bool{}
	st := openTestStore(t, path)
	var ids *identities
	// load stores what is new, as the inbox does, and reads it again.
	load := func() *identities {
		t.Helper()
		if ids != nil {
			if err := st.turnInbox(ctx, "net", []*entry{{ties: ids.changes()}}, nil); err != nil {
				t.Fatal(err)
			}
		}
		ids, err := loadIdentities(ctx, "net", st, func(nick string) bool { return present[nick] })
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	check := func(got, want networkid.UserID) {
		t.Helper()
		if got != want {
			t.Errorf("ghost = %q, want %q", got, want)
		}
	}
	ids = load()
	present["bob"] = true
	check(ids.ghost("Bob", "bob"), "net.bob")
	delete(present, "bob")
	present["robert"] = true
	check(ids.rename("bob", "Robert", "robert"), "net.bob")
	if nick, _ := ids.nick("net.bob"); nick != "Robert" {
		t.Errorf("nick = %q", nick)
	}
	// Another bob comes while the ghost is in use.
	present["bob"] = true
	check(ids.ghost("bob", "bob"), "net.bob~2")
	// A restart changes nothing.
	ids = load()
	check(ids.ghost("Robert", "robert"), "net.bob")
	check(ids.ghost("bob", "bob"), "net.bob~2")
	// When Robert is gone the ghost is free, but the second bob keeps his own.
	delete(present, "robert")
	ids.end("robert")
	check(ids.ghost("bob", "bob"), "net.bob~2")
	delete(present, "bob")
	ids.end("bob")
	present["bob"] = true
	check(ids.ghost("bob", "bob"), "net.bob")
	// Two people swap nicks.
	present["eve"] = true
	check(ids.ghost("eve", "eve"), "net.eve")
	check(ids.rename("eve", "tmp", "tmp"), "net.eve")
	check(ids.rename("bob", "eve", "eve"), "net.bob")
	check(ids.rename("tmp", "bob", "bob"), "net.eve")
	check(ids.ghost("bob", "bob"), "net.eve")
	// A tie of someone who left while the bridge was away gives way.
	present = map[string]bool{"eve2": true}
	ids = load()
	present["bob"], present["eve"] = false, false
	check(ids.ghost("eve2", "eve2"), "net.eve2")
	present["xyz"] = true
	check(ids.ghost("xyz", "xyz"), "net.xyz")
}
