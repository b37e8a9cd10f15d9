package web

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/examples/linechat"
	"github.com/landbridge-im/landbridge/examples/linechat/linechattest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// TestClaim: somebody of a bridged network gets an invitation by its bot, makes an account with it though registration is
// closed, and is in their rooms; another one types a code, on either side; and one wants no more messages.
func TestClaim(t *testing.T) {
	t.Parallel()
	n := linechattest.New(t)
	s := apptest.StartWith(t, "registration: {open: false, admin_signup_token: false}\nclaims: {community: The Town, messages_per_minute: 6000}",
		fmt.Sprintf("  - {id: lines, module: linechat, config: {address: %q, channels: [town]}}\n", n.Addr()), linechat.Module())
	password := func(name string) string { return "a long password of " + name }
	s.RunWith(password("alice"), "user", "create", "alice", "-password-file", "-")
	alice := s.LogIn("alice")
	town := alice.Enter("#lines_town:" + apptest.Domain)
	for _, nick := range []string{"bob", "carol", "dave"} {
		n.Say("town", nick, "I am "+nick)
		alice.Hears(town, "@lines_"+nick+":"+apptest.Domain, "I am "+nick)
	}
	if out := s.Run("migrate", "invite", "-bridge", "lines", "-dry-run"); !strings.Contains(out, "3 people would be invited") {
		t.Errorf("a dry run: %s", out)
	}
	if out := s.Run("migrate", "invite", "-bridge", "lines"); !strings.Contains(out, "3 people are written to now") {
		t.Errorf("inviting: %s", out)
	}
	address := func(nick string) string {
		t.Helper()
		text := n.Hears("@" + nick + " bridge Hello " + nick + ", The Town has a home of its own now")
		_, rest, ok := strings.Cut(text, s.URL+"/claim/")
		if !ok {
			t.Fatalf("no address in %s", text)
		}
		return "/claim/" + strings.Fields(rest)[0]
	}
	b := newBrowser(t, s.URL)
	b.visit("/claim", "I have got a code")
	b.look("claim")
	b.fill("#code", "AAAAA-AAAAA")
	b.click("text=Go on")
	b.see("This code is not valid")

	// A new account on the strength of the invitation.
	b.visit(address("bob"), "You are invited as bob of Line chat")
	b.look("claim-offer")
	b.click("text=Make an account")
	if text := b.do(step{Do: "text"}); !strings.Contains(text, "User name") || strings.Contains(text, "Those who run this server give it to you") {
		t.Errorf("the page for signing up wants a token: %s", text)
	}
	b.fill("#password", password("bob")) // and the name is proposed
	b.click("text=Make account")
	b.see("will speak here as @bob:test")
	b.look("claim-confirm")
	b.click("text=Yes, I am bob")
	b.see("You are linked")
	b.look("claim-done")
	bob := s.LogIn("bob")
	n.Say("town", "bob", "from my own account")
	alice.Hears(town, "@bob:"+apptest.Domain, "from my own account")
	bob.Hears(town, "@bob:"+apptest.Domain, "from my own account") // /sync has the room
	b.do(step{Do: "go", Path: address("bob"), Status: 404})
	b.see("This invitation is not valid")

	// The same browser, another person: a code, and the account that is there.
	text := n.Hears("@carol bridge Hello carol, The Town has a home")
	_, code, _ := strings.Cut(text, "Or type the code ")
	b.goTo("/claim")
	b.fill("#code", strings.ToLower(strings.Fields(code)[0]))
	b.click("text=Go on")
	b.see("Is this you on both sides?")
	b.click("text=Use another account")
	b.fill("#user", "alice")
	b.fill("#password", password("alice"))
	b.click("main button")
	b.see("will speak here as @alice:test")
	b.click("text=Yes, I am carol")
	b.see("You are linked")
	n.Say("town", "carol", "I am alice now")
	alice.Hears(town, alice.UserID, "I am alice now")
	b.click("text=Unlink")
	b.see("The link is gone")
	n.Say("town", "carol", "and carol again")
	alice.Hears(town, "@lines_carol:"+apptest.Domain, "and carol again")

	// The other way round: the page gives a code, and the bot is told.
	b.goTo("/claim")
	b.click("text=A code for Line chat")
	b.look("claim-ask")
	said := strings.TrimSpace(b.do(step{Do: "text"}))
	_, said, _ = strings.Cut(said, "link ")
	n.Say("@bridge", "carol", "link "+strings.Fields(said)[0])
	n.Hears("@carol bridge You are " + alice.UserID + " now.")

	// Who wants no messages gets none.
	stop := address("dave") + "/stop"
	b.visit(stop, "Shall nobody write to dave")
	b.look("claim-stop")
	b.click("text=No more messages >> nth=-1")
	b.see("You get no more messages")
	if out := s.Run("migrate", "remind", "-bridge", "lines"); !strings.Contains(out, "0 people are reminded") {
		t.Errorf("reminding: %s", out)
	}
	out := s.Run("migrate", "status", "-people")
	for _, want := range []string{"lines (Line chat): 2 of 3 have moved", "1 want no messages", "@bob:test", "stopped"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in the status:\n%s", want, out)
		}
	}
}

// TestClaimAfterTheEnd: a bridge has ended and is out of the configuration; who comes late is invited by a link, and is in their rooms.
func TestClaimAfterTheEnd(t *testing.T) {
	t.Parallel()
	n := linechattest.New(t)
	s := apptest.StartWith(t, "registration: {open: false, admin_signup_token: false}\nclaims: {community: The Town}",
		fmt.Sprintf("  - {id: lines, module: linechat, config: {address: %q, channels: [town, cellar]}}\n", n.Addr()), linechat.Module())
	password := func(name string) string { return "a long password of " + name }
	s.RunWith(password("alice"), "user", "create", "alice", "-password-file", "-")
	alice := s.LogIn("alice")
	town, cellar := alice.Enter("#lines_town:"+apptest.Domain), alice.Enter("#lines_cellar:"+apptest.Domain)
	for _, room := range []string{"town", "cellar"} {
		n.Say(room, "bob", "I am bob in "+room)
	}
	alice.Hears(town, "@lines_bob:"+apptest.Domain, "I am bob in town")
	alice.Hears(cellar, "@lines_bob:"+apptest.Domain, "I am bob in cellar")
	s.Run("migrate", "finish", "-bridge", "lines", "-admin", "alice")
	// Nobody comes into one of the rooms by themselves.
	if err := alice.SetState(t.Context(), cellar, "m.room.join_rules", "", map[string]string{"join_rule": "invite"}); err != nil {
		t.Fatal(err)
	}
	s.Run("migrate", "confirm", "-bridge", "lines")
	s.Configure("")
	s.Restart()

	if out := s.Run("migrate", "status", "-bridge", "lines", "-people"); !strings.Contains(out, "0 of 1 have moved") || !strings.Contains(out, "bob") {
		t.Errorf("the status says %s", out)
	}
	list := filepath.Join(t.TempDir(), "links.csv")
	if out := s.Run("migrate", "invite", "-bridge", "lines", "-by", "list", "-o", list); !strings.Contains(out, "1 people have a link") {
		t.Errorf("inviting: %s", out)
	}
	raw, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), s.URL+"/claim/")
	if !ok {
		t.Fatalf("no address in %s", raw)
	}
	token, _, _ := strings.Cut(rest, ",")
	b := newBrowser(t, s.URL)
	b.visit("/claim/"+token, "You are invited as bob")
	b.click("text=Make an account")
	b.fill("#password", password("bob"))
	b.click("text=Make account")
	b.see("will speak here as @bob:test")
	b.click("text=Yes, I am bob")
	b.see("You are linked")
	bob := s.LogIn("bob")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		members, err := alice.Members(t.Context(), cellar)
		if _, in := members[bob.UserID]; in && err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("bob is not in the other room: %v, %v", members, err)
		}
	}
	bob.Tell(town, "here I am")
	alice.Hears(town, bob.UserID, "here I am")
	history, err := bob.History(t.Context(), cellar)
	if err != nil || !slices.ContainsFunc(history, func(e bridgetest.Event) bool { return e.Body() == "I am bob in cellar" }) {
		t.Errorf("the other room has %v, %v", history, err)
	}
	if out := s.Run("migrate", "status", "-bridge", "lines", "-people"); !strings.Contains(out, "1 of 1 have moved") {
		t.Errorf("the status says %s", out)
	}
}
