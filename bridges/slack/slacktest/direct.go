package slacktest

import (
	"crypto/rand"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ClientID and ClientSecret are those of the app.
const (
	ClientID     = "111.222"
	ClientSecret = "client-secret"
)

// Authorize is what somebody does who consents on Slack's page: it returns where their browser is sent then.
func (s *Server) Authorize(user, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	q := u.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	code := rand.Text()
	s.codes[code] = grant{user, q.Get("redirect_uri"), q.Get("user_scope") != ""}
	return q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), nil
}

// configurer stands for who reads the app's settings; it is nobody of the workspace.
const configurer = "configuration"

// grant is what a code stands for.
type grant struct {
	user, redirect string
	personal       bool
}

// oauthAccess answers oauth.v2.access.
func (s *Server) oauthAccess(w http.ResponseWriter, r *http.Request) {
	f := form(r)
	id, secret, _ := r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{"oauth.v2.access", f})
	s.touch()
	if s.limits["oauth.v2.access"].hit(w) {
		return
	}
	if id != ClientID || secret != ClientSecret {
		reply(w, Object{"ok": false, "error": "bad_client_secret"})
		return
	}
	out := Object{"ok": true, "app_id": App, "team": Object{"id": s.teamID, "name": "Acme"}, "enterprise": nil, "is_enterprise_install": false}
	if old := f["refresh_token"]; old != "" {
		user, ok := s.refresh[old]
		if !ok {
			reply(w, Object{"ok": false, "error": "invalid_refresh_token"})
			return
		}
		delete(s.refresh, old)
		if user == BotUser {
			access, next := s.issueBot()
			out["access_token"], out["refresh_token"], out["expires_in"], out["token_type"] = access, next, s.TokenLife, "bot"
			out["scope"], out["bot_user_id"] = s.Scopes, BotUser
			reply(w, s.watched("oauth.v2.access", out))
			return
		}
		access, next := s.issue(user)
		out["access_token"], out["refresh_token"], out["expires_in"], out["token_type"] = access, next, s.TokenLife, "user"
		reply(w, s.watched("oauth.v2.access", out))
		return
	}
	g, ok := s.codes[f["code"]]
	delete(s.codes, f["code"])
	if !ok || g.redirect != f["redirect_uri"] {
		reply(w, Object{"ok": false, "error": "invalid_code"})
		return
	}
	if !g.personal {
		s.revoked = false
		if s.TokenLife > 0 {
			access, next := s.issueBot()
			out["access_token"], out["refresh_token"], out["expires_in"], out["token_type"] = access, next, s.TokenLife, "bot"
			out["scope"], out["bot_user_id"], out["authed_user"] = s.Scopes, BotUser, Object{"id": g.user}
			reply(w, s.watched("oauth.v2.access", out))
			return
		}
		out["access_token"], out["token_type"], out["scope"], out["bot_user_id"], out["authed_user"] = BotToken, "bot", s.Scopes, BotUser, Object{"id": g.user}
		reply(w, s.watched("oauth.v2.access", out))
		return
	}
	access, next := s.issue(g.user)
	person := Object{"id": g.user, "scope": "chat:write", "access_token": access, "token_type": "user"}
	if s.TokenLife > 0 {
		person["refresh_token"], person["expires_in"] = next, s.TokenLife
	}
	out["authed_user"] = person
	reply(w, s.watched("oauth.v2.access", out))
}

var signInPage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><title>Slack</title>
<p>Who are you?</p><ul>{{range .People}}<li><a href="{{$.Page}}&amp;as={{.id}}">{{.name}}</a></li>{{end}}</ul>
<p><a href="{{.Page}}&amp;as=other-U1">somebody of another workspace</a></p></html>`))

// signIn is the page of "Sign in with Slack": it asks who is before it, and sends them back.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("scope") != "openid profile" || q.Get("state") == "" || q.Get("team") != s.teamID {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	if !q.Has("as") {
		var people []Object
		for _, id := range s.order {
			people = append(people, s.users[id])
		}
		_ = signInPage.Execute(w, map[string]any{"People": people, "Page": template.URL(r.URL.RequestURI())})
		return
	}
	code := rand.Text()
	s.codes[code] = grant{q.Get("as"), q.Get("redirect_uri"), true}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

// openIDToken answers openid.connect.token.
func (s *Server) openIDToken(w http.ResponseWriter, r *http.Request) {
	f := form(r)
	id, secret, _ := r.BasicAuth()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{"openid.connect.token", f})
	s.touch()
	if s.limits["openid.connect.token"].hit(w) {
		return
	}
	g, ok := s.codes[f["code"]]
	delete(s.codes, f["code"])
	switch {
	case id != ClientID || secret != ClientSecret:
		reply(w, Object{"ok": false, "error": "bad_client_secret"})
	case !ok || g.redirect != f["redirect_uri"] || f["grant_type"] != "authorization_code":
		reply(w, Object{"ok": false, "error": "invalid_code"})
	default:
		access := "xoxp-" + rand.Text()
		s.identities[access] = g.user
		reply(w, s.watched("openid.connect.token", Object{"ok": true, "access_token": access, "token_type": "Bearer", "id_token": "e30.e30.e30"}))
	}
}

// openIDUser answers openid.connect.userInfo. Who begins with "other-" is of another workspace.
func (s *Server) openIDUser(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{"openid.connect.userInfo", form(r)})
	s.touch()
	if s.limits["openid.connect.userInfo"].hit(w) {
		return
	}
	user := s.identities[bearer(r)]
	if user == "" {
		reply(w, Object{"ok": false, "error": "invalid_auth"})
		return
	}
	team := s.teamID
	if rest, ok := strings.CutPrefix(user, "other-"); ok {
		user, team = rest, "T0OTHER"
	}
	reply(w, s.watched("openid.connect.userInfo", Object{"ok": true, "sub": user, "https://slack.com/user_id": user, "https://slack.com/team_id": team, "name": "Anna", "locale": "en-US"}))
}

// issue makes a token of a person; s.mu is held.
func (s *Server) issue(user string) (access, refresh string) {
	access, refresh = "xoxp-"+rand.Text(), "xoxe-1-"+rand.Text()
	s.persons[access], s.refresh[refresh] = user, user
	return access, refresh
}

// issueBot makes a token of the bot that ends; the ones before are good for a while longer. s.mu is held.
func (s *Server) issueBot() (access, refresh string) {
	access, refresh = "xoxe.xoxb-1-"+rand.Text(), "xoxe-1-"+rand.Text()
	s.botTokens[access], s.refresh[refresh] = true, BotUser
	return access, refresh
}

// ForgetRefresh makes all tokens useless with which others could be got.
func (s *Server) ForgetRefresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.refresh)
}

// Expire ends a token.
func (s *Server) Expire(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.botTokens, token)
	delete(s.persons, token)
}

// Token is the token by which a method was last called.
func (s *Server) Token(method string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used[method]
}

// RevokePerson makes the tokens of a person invalid, and tells the app.
func (s *Server) RevokePerson(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for access, of := range s.persons {
		if of == user {
			delete(s.persons, access)
		}
	}
	s.dispatch(Object{"type": "tokens_revoked", "tokens": Object{"oauth": []string{user}, "bot": []string{}}})
}

// Direct returns the direct message of two people, which is made if it is not there.
func (s *Server) Direct(one, other string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.openDirect(one, other).info["id"].(string)
}

func (s *Server) openDirect(one, other string) *channel {
	for _, id := range s.corder {
		if ch := s.channels[id]; ch.info["is_im"] == true && ch.members[one] && ch.members[other] {
			return ch
		}
	}
	id := s.id("D")
	ch := &channel{members: map[string]bool{one: true, other: true}, info: Object{
		"id": id, "is_im": true, "is_channel": false, "is_group": false, "is_mpim": false, "is_private": true, "is_archived": false, "created": s.last / 1e6,
	}}
	s.channels[id] = ch
	s.corder = append(s.corder, id)
	return ch
}

// Group returns a new group message of several people.
func (s *Server) Group(users ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.id("G")
	ch := &channel{members: map[string]bool{}, info: Object{
		"id": id, "name": "mpdm-" + strings.ToLower(id), "is_im": false, "is_channel": false, "is_group": false, "is_mpim": true, "is_private": true,
		"is_archived": false, "created": s.last / 1e6,
	}}
	for _, user := range users {
		ch.members[user] = true
	}
	s.channels[id] = ch
	s.corder = append(s.corder, id)
	return id
}

// isDirect reports whether a conversation is a direct or group message.
func (ch *channel) isDirect() bool { return ch.info["is_im"] == true || ch.info["is_mpim"] == true }

// seesDirect reports whether the app is told of a direct message: one with its bot, or with somebody whose token it has.
func (s *Server) seesDirect(ch *channel) bool {
	if ch.members[BotUser] {
		return true
	}
	for _, user := range s.persons {
		if ch.members[user] {
			return true
		}
	}
	return false
}

func direct() map[string]method {
	return map[string]method{
		"conversations.open": func(s *Server, f map[string]string) (Object, string) {
			u := s.users[f["users"]]
			switch {
			case u == nil:
				return nil, "user_not_found"
			case u["deleted"] == true:
				return nil, "user_disabled"
			}
			ch := s.openDirect(s.actor, f["users"])
			return Object{"channel": Object{"id": ch.info["id"], "created": ch.info["created"], "is_im": true, "is_archived": false, "user": f["users"]},
				"no_op": false, "already_open": false}, ""
		},
		"conversations.leave": in(func(s *Server, ch *channel, _ map[string]string) (Object, string) {
			s.leave(s.actor, ch)
			return nil, ""
		}),
		"users.conversations": func(s *Server, f map[string]string) (Object, string) {
			list := []Object{}
			for _, id := range s.corder {
				ch := s.channels[id]
				kind := "public_channel"
				switch {
				case ch.info["is_im"] == true:
					kind = "im"
				case ch.info["is_mpim"] == true:
					kind = "mpim"
				case ch.info["is_private"] == true:
					kind = "private_channel"
				}
				if ch.members[s.actor] && slices.Contains(strings.Split(f["types"], ","), kind) {
					o := s.channelInfo(ch)
					delete(o, "is_member")
					list = append(list, o)
				}
			}
			some, meta := page(list, f, 1000)
			return Object{"channels": some, "response_metadata": meta}, ""
		},
		"auth.revoke": func(s *Server, _ map[string]string) (Object, string) {
			for access, of := range s.persons {
				if of == s.actor {
					delete(s.persons, access)
				}
			}
			return Object{"revoked": true}, ""
		},
	}
}

// Command has somebody give a slash command, and returns what the app answers: by Socket Mode, so it is asked for over the
// connection.
func (s *Server) Command(user, text string) string {
	s.mu.Lock()
	id := s.id("command-")
	answer := make(chan string, 1)
	s.answers[id] = answer
	if len(s.socks) > 0 {
		s.socks[0].send(Object{"envelope_id": id, "type": "slash_commands", "accepts_response_payload": true, "payload": Object{
			"command": "/matrix", "text": text, "user_id": user, "team_id": s.teamID, "channel_id": "C1", "api_app_id": App,
		}})
	}
	s.mu.Unlock()
	select {
	case text := <-answer:
		return text
	case <-s.closed:
		return ""
	}
}
