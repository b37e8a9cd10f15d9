package homeserver

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mail"
	"github.com/landbridge-im/landbridge/homeserver/mail/mailtest"
)

// withMail starts a server that sends mail to a mail server of the test.
func withMail(t *testing.T, change func(*Options)) (*hs, *mailtest.Server) {
	t.Helper()
	srv := mailtest.Start(t, mailtest.Options{User: "hs", Password: "hunter2"})
	m, err := mail.New(mail.Options{From: "noreply@test", Server: mail.Server{Address: srv.Address(), Security: mail.StartTLS, User: "hs", Password: "hunter2", TLS: srv.Client}})
	if err != nil {
		t.Fatal(err)
	}
	return startWith(t, func(o *Options) {
		o.Mailer = m
		if change != nil {
			change(o)
		}
	}), srv
}

var linkInMail = regexp.MustCompile(`http://\S+`)

// follow opens the link of a message as a person does: the page, and the button of one that asks.
func (h *hs) follow(m mailtest.Message) reply {
	h.Helper()
	link := linkInMail.FindString(m.Text)
	u, err := url.Parse(link)
	if err != nil || link == "" || !strings.HasPrefix(link, h.url) {
		h.Fatalf("no link in %q", m.Text)
	}
	r := h.ask("", "GET", u.RequestURI(), nil)
	asks := strings.Contains(r.raw, "<form method=\"post\"")
	if asks != strings.Contains(m.Text, "password") {
		h.Errorf("the page for %q: %d %s", m.Text, r.status, r.raw)
	}
	if !asks {
		return r
	}
	return h.ask("", "POST", u.Path+"/confirm?"+u.RawQuery, "")
}

func tokenRequest(email string, attempt int) obj {
	return obj{"client_secret": "s3cret.s", "email": email, "send_attempt": attempt}
}

func creds(sid string) obj { return obj{"sid": sid, "client_secret": "s3cret.s"} }

func TestEmailLife(t *testing.T) {
	t.Parallel()
	h, box := withMail(t, nil)
	alice := h.user("alice")
	if r := h.ask(alice, "GET", "/v3/capabilities", nil); !strings.Contains(r.raw, `"m.3pid_changes":{"enabled":true}`) {
		t.Errorf("capabilities: %s", r.raw)
	}
	// Add an address.
	r := h.want(200, "", "", "POST", "/v3/account/3pid/email/requestToken", tokenRequest("Alice.Strauß@Example.org", 1))
	sid := r.str("sid")
	if sid == "" || !strings.HasPrefix(r.str("submit_url"), h.url) {
		t.Fatalf("requestToken: %s", r.raw)
	}
	msg := box.Next(0)
	if msg.To != "alice.strauss@example.org" || !msg.Encrypted || msg.User != "hs" {
		t.Errorf("%+v", msg)
	}
	if r := h.want(200, "", "", "POST", "/v3/account/3pid/email/requestToken", tokenRequest("alice.strauss@example.org", 1)); r.str("sid") != sid || box.Count() != 1 {
		t.Errorf("the same attempt: %s, %d messages", r.raw, box.Count())
	}
	auth := func(o obj) obj { o["auth"] = passwordAuth("alice"); return o }
	h.want(403, "M_THREEPID_AUTH_FAILED", alice, "POST", "/v3/account/3pid/add", auth(creds(sid)))
	if r := h.follow(msg); r.status != 200 || !strings.Contains(r.raw, "Thank you") {
		t.Errorf("the link: %d %s", r.status, r.raw)
	}
	if r := h.want(401, "", alice, "POST", "/v3/account/3pid/add", creds(sid)); r.str("session") == "" {
		t.Errorf("no confirmation was asked for: %s", r.raw)
	}
	h.want(403, "M_THREEPID_AUTH_FAILED", alice, "POST", "/v3/account/3pid/add", auth(obj{"sid": sid, "client_secret": "another"}))
	h.want(200, "", alice, "POST", "/v3/account/3pid/add", auth(creds(sid)))
	list := h.want(200, "", alice, "GET", "/v3/account/3pid", nil)
	if !strings.Contains(list.raw, `"address":"alice.strauss@example.org"`) || !strings.Contains(list.raw, `"validated_at":18`) {
		t.Errorf("the list: %s", list.raw)
	}
	// Older clients add one at another path, without a password.
	older := h.want(200, "", "", "POST", "/v3/account/3pid/email/requestToken", tokenRequest("old@example.org", 1))
	withOld := obj{"three_pid_creds": obj{"sid": older.str("sid"), "client_secret": "s3cret.s", "id_server": "id.example"}}
	h.want(403, "M_THREEPID_AUTH_FAILED", alice, "POST", "/v3/account/3pid", withOld)
	h.follow(box.Next(1))
	h.want(200, "", alice, "POST", "/v3/account/3pid", withOld)
	h.want(200, "", alice, "POST", "/v3/account/3pid/delete", obj{"medium": "email", "address": "old@example.org"})
	// Log in with it, in both forms.
	for _, who := range []obj{{"medium": "email", "address": "ALICE.STRAUSS@example.org"}, {"identifier": obj{"type": "m.id.thirdparty", "medium": "email", "address": "alice.strauss@example.org"}},
		{"identifier": obj{"medium": "email", "address": "alice.strauss@example.org"}}} {
		who["type"], who["password"] = "m.login.password", "long enough"
		h.want(200, "", "", "POST", "/v3/login", who)
	}
	// Somebody else can't have it, and is not told so.
	bob := h.user("bob")
	other := h.want(200, "", "", "POST", "/v3/account/3pid/email/requestToken", obj{"client_secret": "bobs", "email": "alice.strauss@example.org", "send_attempt": 1})
	if m := box.Next(2); linkInMail.MatchString(m.Text) || !strings.Contains(m.Text, "belongs to") {
		t.Errorf("the message about a known address: %q", m.Text)
	}
	h.want(403, "M_THREEPID_AUTH_FAILED", bob, "POST", "/v3/account/3pid/add", obj{"sid": other.str("sid"), "client_secret": "bobs", "auth": passwordAuth("bob")})

	// Forget the password.
	unknown := h.want(200, "", "", "POST", "/v3/account/password/email/requestToken", tokenRequest("nobody@example.org", 1))
	if m := box.Next(3); unknown.str("sid") == "" || !strings.Contains(m.Text, "no\naccount") {
		t.Errorf("%s, %q", unknown.raw, m.Text)
	}
	reset := h.want(200, "", "", "POST", "/v3/account/password/email/requestToken", tokenRequest("alice.strauss@example.org", 1))
	first := h.want(401, "M_MISSING_TOKEN", "", "POST", "/v3/account/password", obj{"new_password": "quite another"})
	if !strings.Contains(first.raw, `"m.login.email.identity"`) {
		t.Errorf("flows: %s", first.raw)
	}
	change := obj{"new_password": "quite another", "auth": obj{"type": "m.login.email.identity", "session": first.str("session"), "threepid_creds": creds(reset.str("sid"))}}
	h.want(401, "M_THREEPID_AUTH_FAILED", "", "POST", "/v3/account/password", change)
	h.follow(box.Next(4))
	h.want(200, "", "", "POST", "/v3/account/password", change)
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/login", passwordAuth("alice"))
	h.want(401, "M_UNKNOWN_TOKEN", alice, "GET", "/v3/account/whoami", nil)
	again := h.want(200, "", "", "POST", "/v3/login", obj{"type": "m.login.password", "user": "alice", "password": "quite another"})
	alice = again.str("access_token")
	// A session is good for one purpose.
	h.want(401, "M_THREEPID_AUTH_FAILED", "", "POST", "/v3/account/password", obj{"new_password": "yet another", "auth": obj{"type": "m.login.email.identity", "threepid_creds": creds(sid)}})

	// Remove it.
	for range 2 {
		if r := h.want(200, "", alice, "POST", "/v3/account/3pid/delete", obj{"medium": "email", "address": "Alice.Strauss@example.org"}); r.str("id_server_unbind_result") != "no-support" {
			t.Errorf("delete: %s", r.raw)
		}
	}
	if r := h.want(200, "", alice, "GET", "/v3/account/3pid", nil); r.raw != `{"threepids":[]}` {
		t.Errorf("the list: %s", r.raw)
	}
}

func TestRegisterByEmail(t *testing.T) {
	t.Parallel()
	h, box := withMail(t, func(o *Options) { o.Settings.RequireEmail = true })
	start := h.want(401, "", "", "POST", "/v3/register", obj{"username": "carol", "password": "long enough"})
	if strings.Contains(start.raw, "m.login.dummy") || !strings.Contains(start.raw, `{"stages":["m.login.email.identity"]}`) {
		t.Errorf("flows: %s", start.raw)
	}
	q := tokenRequest("carol@example.org", 1)
	q["next_link"] = "https://client.example.org/next?a=b"
	sid := h.want(200, "", "", "POST", "/v3/register/email/requestToken", q).str("sid")
	auth := obj{"type": "m.login.email.identity", "session": start.str("session"), "threepid_creds": creds(sid)}
	body := obj{"username": "carol", "password": "long enough", "auth": auth}
	for range 15 { // clients ask again and again
		h.want(401, "M_THREEPID_AUTH_FAILED", "", "POST", "/v3/register", body)
	}
	h.clock.advance(20 * time.Minute) // mail takes its time
	if r := h.follow(box.Next(0)); r.status != 302 || r.header.Get("Location") != "https://client.example.org/next?a=b" {
		t.Errorf("after the link: %d %s", r.status, r.header.Get("Location"))
	}
	token := h.want(200, "", "", "POST", "/v3/register", body).str("access_token")
	if r := h.ask(token, "GET", "/v3/account/3pid", nil); !strings.Contains(r.raw, "carol@example.org") {
		t.Errorf("addresses: %s", r.raw)
	}
	// The old name of the credentials, and an address that was taken meanwhile.
	box2 := box.Count()
	h.want(200, "", "", "POST", "/v3/register/email/requestToken", obj{"client_secret": "x", "email": "carol@example.org", "send_attempt": 1})
	if m := box.Next(box2); linkInMail.MatchString(m.Text) {
		t.Errorf("a known address was sent a link: %q", m.Text)
	}
}

func TestRequestTokenRules(t *testing.T) {
	t.Parallel()
	h, box := withMail(t, func(o *Options) { o.TellKnown = true })
	off := startWith(t, nil)
	bad := map[string]struct {
		change obj
		code   string
	}{
		"no secret":      {obj{"client_secret": nil}, "M_MISSING_PARAM"},
		"odd secret":     {obj{"client_secret": "a b"}, "M_INVALID_PARAM"},
		"long secret":    {obj{"client_secret": strings.Repeat("a", 256)}, "M_INVALID_PARAM"},
		"no attempt":     {obj{"send_attempt": nil}, "M_MISSING_PARAM"},
		"text attempt":   {obj{"send_attempt": "1"}, "M_BAD_JSON"},
		"no address":     {obj{"email": nil}, "M_MISSING_PARAM"},
		"odd address":    {obj{"email": "not an address"}, "M_INVALID_PARAM"},
		"named address":  {obj{"email": "A <a@b.c>"}, "M_INVALID_PARAM"},
		"header in it":   {obj{"email": "a@b.c\r\nBcc: x@y.z"}, "M_INVALID_PARAM"},
		"script as link": {obj{"next_link": "javascript:alert(1)"}, "M_INVALID_PARAM"},
	}
	for _, prefix := range []string{"/v3/register", "/v3/account/password", "/r0/account/3pid"} {
		for what, tc := range bad {
			q := tokenRequest("a@b.example", 1)
			for k, v := range tc.change {
				if q[k] = v; v == nil {
					delete(q, k)
				}
			}
			if r := h.ask("", "POST", prefix+"/email/requestToken", q); r.status != 400 || r.code() != tc.code {
				t.Errorf("%s, %s: %s", prefix, what, r.raw)
			}
		}
		off.want(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED", "", "POST", prefix+"/email/requestToken", tokenRequest("a@b.example", 1))
		phone := obj{"client_secret": "s", "country": "GB", "phone_number": "07700900001", "send_attempt": 1}
		h.want(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED", "", "POST", prefix+"/msisdn/requestToken", phone)
		delete(phone, "country")
		h.want(400, "M_MISSING_PARAM", "", "POST", prefix+"/msisdn/requestToken", phone)
	}
	h.want(400, "M_THREEPID_NOT_FOUND", "", "POST", "/v3/account/password/email/requestToken", tokenRequest("a@b.example", 1))
	if box.Count() != 0 {
		t.Errorf("%d messages were sent", box.Count())
	}
	alice := h.user("alice")
	h.want(400, "M_SERVER_NOT_TRUSTED", alice, "POST", "/v3/account/3pid/bind", obj{"client_secret": "s", "sid": "x", "id_server": "id.example", "id_access_token": "t"})
	h.want(400, "M_MISSING_PARAM", alice, "POST", "/v3/account/3pid/bind", obj{})
	if r := h.want(200, "", alice, "POST", "/v3/account/3pid/unbind", obj{"medium": "email", "address": "a@b.c"}); r.str("id_server_unbind_result") != "no-support" {
		t.Errorf("unbind: %s", r.raw)
	}
	h.want(400, "M_INVALID_PARAM", alice, "POST", "/v3/account/3pid/delete", obj{"medium": "pigeon", "address": "coo"})
	h.want(400, "M_MISSING_PARAM", alice, "POST", "/v3/account/3pid", obj{})
	h.want(403, "M_THREEPID_AUTH_FAILED", alice, "POST", "/v3/account/3pid", obj{"three_pid_creds": creds("x")})
}

// TestSubmitToken: a client may submit what it finds in the message; guessing is of no use.
func TestSubmitToken(t *testing.T) {
	t.Parallel()
	h, box := withMail(t, func(o *Options) { o.Settings.MessagesOut = client.Rate{PerSecond: 0.001, Burst: 2} })
	r := h.want(200, "", "", "POST", "/v3/register/email/requestToken", tokenRequest("a@b.example", 1))
	submit := strings.TrimPrefix(r.str("submit_url"), h.url)
	u, err := url.Parse(linkInMail.FindString(box.Next(0).Text))
	if err != nil {
		t.Fatal(err)
	}
	token := u.Query().Get("token")
	if !strings.Contains(box.Next(0).Text, "\n    "+token+"\n") {
		t.Errorf("the code is not in the message: %q", box.Next(0).Text)
	}
	try := func(token string) any {
		q := creds(r.str("sid"))
		q["token"] = token
		return h.want(200, "", "", "POST", submit, q).json["success"]
	}
	if try("wrong") != false || try(token) != true || try(token) != true {
		t.Error("the token was not judged rightly")
	}
	if r := h.ask("", "GET", submit, nil); r.status != http.StatusBadRequest {
		t.Errorf("a page without parameters: %d", r.status)
	}
	h.want(200, "", "", "POST", "/v3/register/email/requestToken", tokenRequest("a@b.example", 2))
	if try(token) != false {
		t.Error("the token of the message before is still good")
	}
	second, err := url.Parse(linkInMail.FindString(box.Next(1).Text))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		try("wrong")
	}
	if try(second.Query().Get("token")) != false {
		t.Error("the right token was taken after ten wrong ones")
	}
	if r := h.ask("", "POST", "/v3/register/email/requestToken", tokenRequest("a@b.example", 3)); r.status != 429 || r.header.Get("Retry-After") == "" {
		t.Errorf("the limit: %d %s", r.status, r.raw)
	}
	h.clock.advance(25 * time.Hour)
	if try(token) != false {
		t.Error("an old token is good")
	}
}

// TestUnsubscribe: who gets e-mail about what is unread can end it, by the page and by the mail program's own button,
// and an address that was taken from the account gets none.
func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	h, box := withMail(t, nil)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	alice, bob := h.user("alice"), h.user("bob")
	for i, end := range []string{"the page", "the mail program", "the address is removed"} {
		address := fmt.Sprintf("bob%d@example.org", i)
		n := box.Count()
		sid, _ := h.want(200, "", bob, "POST", "/v3/account/3pid/email/requestToken", tokenRequest(address, 1)).json["sid"].(string)
		h.follow(box.Next(n))
		h.want(200, "", bob, "POST", "/v3/account/3pid/add", obj{"sid": sid, "client_secret": "s3cret.s",
			"auth": obj{"type": "m.login.password", "identifier": obj{"type": "m.id.user", "user": "bob"}, "password": "long enough"}})
		h.want(200, "", bob, "POST", "/v3/pushers/set", obj{"kind": "email", "app_id": "m.email", "pushkey": strings.ToUpper(address[:1]) + address[1:], "app_display_name": "m", "device_display_name": "d", "lang": "en", "data": obj{}})
		room, _ := h.want(200, "", alice, "POST", "/v3/createRoom", obj{"preset": "public_chat"}).json["room_id"].(string)
		h.want(200, "", bob, "POST", "/v3/join/"+room, obj{})
		say := func(txn string) {
			h.want(200, "", alice, "PUT", "/v3/rooms/"+room+"/send/m.room.message/"+txn, obj{"msgtype": "m.text", "body": txn})
		}
		pushers := func() int {
			list, _ := h.want(200, "", bob, "GET", "/v3/pushers", nil).json["pushers"].([]any)
			return len(list)
		}
		say("one")
		h.clock.advance(24 * time.Hour)
		say("two")
		m := box.Next(n + 1)
		link := strings.Trim(m.Header.Get("List-Unsubscribe"), "<>")
		if !strings.HasPrefix(link, h.url+"/_matrix/") || m.Header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" || !strings.Contains(m.Text, link) || !strings.Contains(m.HTML, "No more such messages</a>") {
			t.Fatalf("%v\n%s\n%s", m.Header, m.Text, m.HTML)
		}
		path := strings.TrimPrefix(link, h.url)
		if r := h.ask("", "GET", path, nil); r.status != 200 || !strings.Contains(r.raw, "Yes, stop it") || pushers() != 1 {
			t.Errorf("the page: %d %s", r.status, r.raw)
		}
		if r := h.ask("", "GET", path+"x", nil); r.status != 403 {
			t.Errorf("another link: %d", r.status)
		}
		if r := h.ask("", "POST", path+"x", nil); r.status != 403 || pushers() != 1 {
			t.Errorf("another link: %d", r.status)
		}
		switch end {
		case "the address is removed":
			h.want(200, "", bob, "POST", "/v3/account/3pid/delete", obj{"medium": "email", "address": address})
		default:
			if r := h.ask("", "POST", path, "List-Unsubscribe=One-Click"); r.status != 200 || !strings.Contains(r.raw, "no more e-mail") {
				t.Errorf("%s: %d %s", end, r.status, r.raw)
			}
		}
		if n := pushers(); n != 0 {
			t.Errorf("%s: %d pushers", end, n)
		}
	}
}
