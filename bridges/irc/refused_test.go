package irc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/ircd"
)

// Who is not let into a channel leaves its room, with the reason.
func TestRefusedPuppet(t *testing.T) {
	t.Parallel()
	s := ircd.InspIRCd(t)
	alice := ircd.Dial(t, s.Addr, "alice")
	alice.Join("#room")
	alice.Join("#Other")
	r := newRig(t, networkConfig(s.Addr, "    puppets: {nick: \"{localpart}[m]\", spread: 0s}\n"))
	room, other := r.hs.byAlias("irc_net_#room"), r.hs.byAlias("other")
	r.hs.await(other, 0, "join of alice", memberEvent(ghostAlice, "join"))
	alice.Send("MODE #Other +R")
	alice.Expect("MODE #Other")
	r.hs.enter(room, userMia, "Mia")
	alice.Expect(":mia[m]!")
	r.hs.enter(other, userMia, "Mia")
	e, _ := r.hs.await(other, 0, "her removal", memberEvent(userMia, "leave"))
	if reason := fmt.Sprint(e.Content["reason"]); !strings.HasPrefix(reason, "cannot join #Other: ") {
		t.Errorf("the reason is %q", reason)
	}
}
