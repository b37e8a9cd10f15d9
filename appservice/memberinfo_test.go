package appservice_test

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// TestUnknownSender: somebody whom the bridge's copy of the member list misses (who
// has joined while it was fetched) is relayed under their name nevertheless.
func TestUnknownSender(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hs.Name(alice, "Alice")
	r.add(r.host, echo("lobby"))
	r.start(r.host, "echo")
	room := r.room("lobby")
	r.hs.SendText(room, alice, "first")
	if sent := r.waitSent(1); sent[0].Name != "Alice" {
		t.Fatalf("sent %+v", sent[0])
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(r.dir, "echo", "bridge.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i, gap := range []string{
		"DELETE FROM mx_user_profile WHERE user_id = '@alice:test.example'",
		"UPDATE mx_user_profile SET membership = 'invite', displayname = '' WHERE user_id = '@alice:test.example'",
	} {
		if _, err := db.Exec(gap); err != nil {
			t.Fatal(err)
		}
		r.hs.SendText(room, alice, "next")
		if sent := r.waitSent(2 + i)[1+i]; sent.Name != "Alice" {
			t.Errorf("after %s: sent %+v", gap, sent)
		}
		var membership, name string
		err := db.QueryRow("SELECT membership, displayname FROM mx_user_profile WHERE user_id = '@alice:test.example'").Scan(&membership, &name)
		if err != nil || membership != "join" || name != "Alice" {
			t.Errorf("after %s: the gap is not filled: %q, %q, %v", gap, membership, name, err)
		}
	}
	r.wait("everything to be handled", func() bool { return r.host.Status()[0].Waiting == 0 })
}
