package slack_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

const oauthConfig = "          client_id: \"" + slacktest.ClientID + "\"\n          client_secret: " + slacktest.ClientSecret + "\n    admins: [\"@anna:test\"]\n"

// ask writes a command to the bridge's bot, in a room of its own, and returns what the bot answers.
func (k *talk) ask(room, command string, match func(string) bool) string {
	k.t.Helper()
	if _, err := k.anna.Say(k.ctx, room, "!slack "+command); err != nil {
		k.t.Fatal(err)
	}
	e, next, err := k.anna.Await(k.ctx, k.at, room, "an answer to "+command, func(e bridgetest.Event) bool {
		return e.Type == "m.room.message" && e.Sender == "@slackbot:test" && match(e.Body())
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.at = next
	return e.Body()
}

// withBot makes a room of anna and the bridge's bot.
func (k *talk) withBot() string {
	k.t.Helper()
	var made struct {
		ID string `json:"room_id"`
	}
	if err := k.anna.Do(k.ctx, "POST", "/v3/createRoom", obj{"preset": "private_chat", "invite": []string{"@slackbot:test"}, "is_direct": true}, &made); err != nil {
		k.t.Fatal(err)
	}
	k.until("the bot", func() bool {
		members, err := k.anna.Members(k.ctx, made.ID)
		return err == nil && len(members) == 2
	})
	return made.ID
}

var address = regexp.MustCompile(`https?://[^\s)>\]]+`)

// signIn shows the homeserver who a user of Slack is, by a browser in which they are signed in there, and returns the page on which
// that ends.
func (k *talk) signIn(user string) string {
	k.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		k.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	address, page := k.server.URL()+"/claim/slack/enter?with=acme", ""
	for range 2 { // the second time as one who has chosen on Slack's page
		resp, err := browser.Get(address)
		if err != nil {
			k.t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			k.t.Fatal(err)
		}
		address, page = resp.Request.URL.String()+"&as="+user, string(raw)
	}
	return page
}

// consent goes through the pages as a browser does, on which user is signed in to Slack.
func (k *talk) consent(start, user string) {
	k.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		k.t.Fatal(err)
	}
	var authorize string
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/oauth/v2/authorize") {
			authorize = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	get := func(b *http.Client, address string) (int, string) {
		k.t.Helper()
		resp, err := b.Get(address)
		if err != nil {
			k.t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			k.t.Fatal(err)
		}
		return resp.StatusCode, string(raw)
	}
	get(browser, start)
	if authorize == "" {
		k.t.Fatalf("%s does not lead to Slack", start)
	}
	back, err := k.slack.Authorize(user, authorize)
	if err != nil {
		k.t.Fatal(err)
	}
	// Another browser, whose owner was sent here, gets nothing.
	if status, _ := get(http.DefaultClient, back); status != http.StatusForbidden {
		k.t.Errorf("another browser gets %d", status)
	}
	if status, body := get(browser, back); status != http.StatusOK || !strings.Contains(body, "<button>") {
		k.t.Fatalf("%d %s", status, body)
	}
	u, err := url.Parse(back)
	if err != nil {
		k.t.Fatal(err)
	}
	form := url.Values{"code": {u.Query().Get("code")}, "state": {u.Query().Get("state")}}
	u.RawQuery = ""
	for i, want := range []int{http.StatusOK, http.StatusForbidden} { // good once
		resp, err := browser.PostForm(u.String(), form)
		if err != nil {
			k.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			k.t.Fatalf("try %d: %d", i, resp.StatusCode)
		}
	}
}

// direct waits for the room in which anna is with some people of Slack and no others.
func (k *talk) direct(users ...string) (room string) {
	k.t.Helper()
	k.until("the room of a direct message", func() bool {
		var joined struct {
			Rooms []string `json:"joined_rooms"`
		}
		if err := k.anna.Do(k.ctx, "GET", "/v3/joined_rooms", nil, &joined); err != nil {
			k.t.Fatal(err)
		}
		for _, id := range joined.Rooms {
			members, err := k.anna.Members(k.ctx, id)
			if err != nil || id == k.room {
				continue
			}
			ghosts := 0
			for _, user := range []string{k.bob, k.carol} {
				if members[k.ghost(user)] != "" {
					ghosts++
				}
			}
			if ghosts == len(users) && !slices.ContainsFunc(users, func(user string) bool { return members[k.ghost(user)] == "" }) {
				room = id
			}
		}
		return room != ""
	})
	return room
}

// ownVoice waits until what anna says is said by her own account: who has signed in is relayed until the bridge has gone through
// their channels.
func (k *talk) ownVoice(me string) {
	k.t.Helper()
	n := 0
	k.until("what is said to be her own", func() bool {
		n++
		text := fmt.Sprintf("is this me? %d", n)
		k.say(text)
		return k.inSlack("a message", withText(text))["user"] == me
	})
}

// signedIn is a talk of which anna is signed in as somebody of Slack.
func signedIn(t *testing.T) (k *talk, me string) {
	k = newTalkAfter(t, oauthConfig, func(k *talk) {
		me = k.slack.AddUser("anna", "Anna of Slack")
		k.slack.Join(me, k.channel)
	})
	bot := k.withBot()
	k.consent(address.FindString(k.ask(bot, "login", func(s string) bool { return strings.Contains(s, "/slack/login/") })), me)
	k.until("the sign-in", func() bool { return len(k.slack.Calls("users.conversations")) > 0 })
	return k, me
}

// TestDirectAway has somebody written to while the bridge is away, in direct and group messages that have no rooms yet and in
// one that has.
func TestDirectAway(t *testing.T) {
	t.Parallel()
	k, me := signedIn(t)
	channel := k.room
	old := k.slack.Direct(k.carol, me)
	k.slack.Say(k.carol, old, "before", nil)
	k.room = k.direct(k.carol)
	carols := k.room
	k.until("what is said before", func() bool { return k.count("before") == 1 })

	if err := k.server.Kill(); err != nil {
		t.Fatal(err)
	}
	k.slack.HangUp()
	dm, group := k.slack.Direct(k.bob, me), k.slack.Group(me, k.bob, k.carol)
	k.slack.Say(k.bob, dm, "are you there?", nil)
	k.slack.Say(k.bob, dm, "hello?", nil)
	k.slack.Say(k.carol, group, "all of us", nil)
	k.slack.Say(k.carol, old, "while you were away", nil)
	if err := k.server.Start(k.ctx); err != nil {
		t.Fatal(err)
	}
	k.room = channel
	bobs := k.direct(k.bob)
	for _, x := range []struct {
		room string
		want []string
	}{
		{bobs, []string{"are you there?", "hello?"}},
		{carols, []string{"before", "while you were away"}},
	} {
		k.room = x.room
		k.until(fmt.Sprint(x.want), func() bool { return slices.Equal(k.bodies(), x.want) })
	}
	k.room = channel
	groups := k.direct(k.bob, k.carol)
	k.room = groups
	k.until("what is said in the group", func() bool { return k.count("all of us") == 1 })

	// It goes on, and an outage of the connection alone loses nothing either.
	k.slack.AwaitConnected(t, 1)
	k.slack.Say(k.bob, dm, "now", nil)
	k.room = bobs
	k.until("what is said then", func() bool { return slices.Equal(k.bodies(), []string{"are you there?", "hello?", "now"}) })
	k.slack.HangUp()
	dana := k.slack.AddUser("dana", "Dana")
	danas := k.slack.Direct(dana, me)
	k.slack.Say(dana, danas, "in a gap", nil)
	k.room = channel
	k.until("what was said in a gap", func() bool {
		var joined struct {
			Rooms []string `json:"joined_rooms"`
		}
		if err := k.anna.Do(k.ctx, "GET", "/v3/joined_rooms", nil, &joined); err != nil {
			t.Fatal(err)
		}
		for _, id := range joined.Rooms {
			if members, err := k.anna.Members(k.ctx, id); err == nil && members[k.ghost(dana)] != "" && id != channel {
				k.room = id
				return k.count("in a gap") == 1
			}
		}
		return false
	})
}

// TestPersonal has somebody sign in and be themselves in Slack, in channels and in direct messages.
func TestPersonal(t *testing.T) {
	t.Parallel()
	var me string
	k := newTalkAfter(t, oauthConfig, func(k *talk) {
		me = k.slack.AddUser("anna", "Anna of Slack")
		k.slack.Join(me, k.channel)
	})
	bot := k.withBot()
	start := address.FindString(k.ask(bot, "login", func(s string) bool { return strings.Contains(s, "/slack/login/") }))
	k.consent(start, me)
	k.until("the sign-in", func() bool { return len(k.slack.Calls("users.conversations")) > 0 })
	k.ownVoice(me)

	first := k.say("as myself")
	m := k.inSlack("a message as herself", withText("as myself"))
	if m["user"] != me || m["username"] != nil {
		t.Errorf("the message is %v", m)
	}
	k.send("m.room.message", obj{"msgtype": "m.text", "body": "* better", "m.new_content": obj{"msgtype": "m.text", "body": "better"},
		"m.relates_to": obj{"rel_type": "m.replace", "event_id": first}})
	k.inSlack("the edit", func(x slacktest.Object) bool { return x["ts"] == m["ts"] && x["text"] == "better" })
	k.slack.Say(k.bob, k.channel, "after it", nil)
	k.await("what is said after it", message("after it"))
	if n := k.count("as myself"); n != 1 {
		t.Errorf("the message is there %d times", n)
	}

	// A direct message is a room.
	dm := k.slack.Direct(k.bob, me)
	k.slack.Say(k.bob, dm, "just you", nil)
	k.room = k.direct(k.bob)
	k.until("the direct message", func() bool { return k.count("just you") == 1 })
	k.say("me too")
	answer := k.slack.AwaitMessage(t, dm, "an answer", withText("me too"))
	if answer["user"] != me {
		t.Errorf("the answer is %v", answer)
	}
	k.slack.Say(k.bob, dm, "the end", nil)
	k.until("the end", func() bool { return k.count("the end") == 1 })
	if n := k.count("me too"); n != 1 {
		t.Errorf("the answer is there %d times", n)
	}
	k.slack.RevokePerson(me)
	if _, _, err := k.anna.Await(k.ctx, 0, bot, "the news", func(e bridgetest.Event) bool { return strings.Contains(e.Body(), "not signed in to Slack any more") }); err != nil {
		t.Fatal(err)
	}
}

// TestRevoked has the app removed and installed again, of which the administrators are told at once.
func TestRevoked(t *testing.T) {
	t.Parallel()
	k := newTalk(t, oauthConfig)
	bot := k.withBot()
	install := address.FindString(k.ask(bot, "install", func(s string) bool { return strings.Contains(s, "/slack/install/") }))
	k.slack.Revoke()
	k.slack.Again(slacktest.Object{"type": "app_uninstalled"})
	k.say("said meanwhile")
	if !strings.Contains(k.ask(bot, "help", func(s string) bool { return strings.Contains(s, "any more") }), "acme") {
		t.Error("the administrator is not told which workspace it is")
	}
	k.consent(install, k.bob)
	k.inSlack("what was said meanwhile", withText("said meanwhile"))
	k.slack.AwaitConnected(t, 1)
	k.slack.Say(k.bob, k.channel, "again", nil)
	k.await("a message", message("again"))
}

// TestTalkToBot has the bot answer, in a direct message and to a slash command.
func TestTalkToBot(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	dm := k.slack.Direct(k.bob, slacktest.BotUser)
	k.slack.Say(k.bob, dm, "hello", nil)
	k.slack.AwaitMessage(t, dm, "an answer", func(m slacktest.Object) bool {
		s, _ := m["text"].(string)
		return m["bot_id"] == slacktest.Bot && strings.Contains(s, "link CODE")
	})
	if got := k.slack.Command(k.bob, "link"); !strings.Contains(got, "/claim/") {
		t.Errorf("the answer is %q", got)
	}
}
