package web

import (
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/examples/linechat"
	"github.com/landbridge-im/landbridge/examples/linechat/linechattest"
)

// TestMoveByPages: an administrator invites a community, sees who has come, and ends the bridge, by pages alone.
func TestMoveByPages(t *testing.T) {
	t.Parallel()
	n := linechattest.New(t)
	s := apptest.StartWith(t, "registration: {open: true, admin_signup_token: false}\nclaims: {community: The Town, messages_per_minute: 6000}",
		fmt.Sprintf("  - {id: lines, module: linechat, config: {address: %q, channels: [town]}}\n", n.Addr()), linechat.Module())
	s.RunWith("a long password of alice", "user", "create", "alice", "-admin", "-password-file", "-")
	s.RunWith("a long password of robert", "user", "create", "robert", "-password-file", "-")
	alice, robert := s.LogIn("alice"), s.LogIn("robert")
	town := alice.Enter("#lines_town:" + apptest.Domain)
	for _, nick := range []string{"bob", "carol"} {
		n.Say("town", nick, "I am "+nick)
		alice.Hears(town, "@lines_"+nick+":"+apptest.Domain, "I am "+nick)
	}
	b := newBrowser(t, s.URL)
	b.goTo("/console/bridges/show?id=lines")
	b.fill("#user", "alice")
	b.fill("#password", "a long password of alice")
	b.click("main button")
	b.visit("/console/bridges/show?id=lines", "Who has come, and cut over")
	b.click("text=Who has come, and cut over")
	b.see("0 of 2 people have come")
	b.see("Nobody yet.")
	b.look("claims-empty")
	b.click("button[value=invite] >> nth=0")
	b.see("Are you sure?")
	b.click("text=Invite them")
	b.see("2 people are written to now")
	text := n.Hears("@bob bridge Hello bob, The Town has a home of its own now")
	_, code, _ := strings.Cut(text, "Or type the code ")

	// Bob comes, in a browser of his own.
	his := newBrowser(t, s.URL)
	his.goTo("/claim")
	his.fill("#code", strings.Fields(code)[0])
	his.click("text=Go on")
	his.click("text=Sign in with the account you have")
	his.fill("#user", "robert")
	his.fill("#password", "a long password of robert")
	his.click("main button")
	his.click("text=Yes, I am bob")
	his.see("You are linked")
	n.Say("town", "bob", "here I am")
	alice.Hears(town, robert.UserID, "here I am")

	b.visit("/console/claims?bridge=lines", "1 of 2 people have come")
	b.see("@robert:test")
	b.see("1 were invited")
	b.look("claims")
	b.click("button[value=remind]")
	b.click("text=Remind them")
	b.see("1 people are reminded now")
	b.goTo("/console/claims?bridge=lines&state=moved")
	if page := b.do(step{Do: "text"}); !strings.Contains(page, "bob") || strings.Contains(page, "carol") {
		t.Errorf("those who have moved: %s", page)
	}

	b.fill("#text", "We move on Sunday.")
	b.click("button[value=announce]")
	b.click("main button >> text=Announce it")
	b.see("Next, close the other side.")
	alice.Hears(town, "@linesbot:"+apptest.Domain, "We move on Sunday.")
	n.Hears("town bridge We move on Sunday.")
	b.fill("#notice", "Closed.")
	b.click("button[value=freeze]")
	b.click("main button >> text=Close the other side")
	b.see("The other side is closed. Next")
	b.see("can't keep people from writing")
	n.Hears("town bridge Closed.")
	b.look("claims-frozen")
	b.fill("#admins", "@nobody:test")
	b.click("button[value=finish]")
	b.click("main button >> text=Take the bridge out")
	b.see("There is no user @nobody:test here")
	finish := func() {
		t.Helper()
		b.fill("#admins", "@alice:test")
		b.click("button[value=finish]")
		b.click("main button >> text=Take the bridge out")
		b.see("Look whether all is well")
		b.see("1 rooms.")
	}
	finish()
	b.look("claims-detached")
	b.click("button[value=undo]")
	b.click("main button >> text=Undo it")
	b.see("nothing of its end has begun")
	n.Hears("town bridge This channel is open again.")
	n.Say("town", "carol", "back again")
	alice.Hears(town, "@lines_carol:"+apptest.Domain, "back again")
	b.click("button[value=freeze]")
	b.click("main button >> text=Close the other side")
	b.see("The other side is closed. Next")
	finish()
	b.click("button[value=confirm]")
	b.click("main button >> text=End the bridge for good")
	b.see("The bridge has ended")
	alice.Tell(town, "life goes on")
	b.visit("/console/audit", "confirm the end of")
}
