package discordtest

import (
	"crypto/rand"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ClientSecret is the secret of the bot's application for OAuth 2.0.
const ClientSecret = "client-secret"

// consent is what somebody has agreed to on the page.
type consent struct{ user, redirect string }

// openOAuth serves the page on which people sign in, and tokens for its codes. Discord: "OAuth2", "Authorization Code Grant".
func (s *Server) openOAuth(mux *http.ServeMux) {
	mux.HandleFunc("GET /oauth2/authorize", s.authorize)
	mux.HandleFunc("POST /api/v10/oauth2/token", s.token)
	mux.HandleFunc("POST /api/v10/oauth2/token/revoke", s.revoke)
}

var authorizePage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><title>Discord</title>
<p>Allow the application to know your name?</p><ul>{{range .People}}<li><a href="{{$.Page}}&amp;as={{.ID}}">{{.Username}}</a></li>{{end}}</ul>
<p><a href="{{.Page}}&amp;as=">Cancel</a></p></html>`))

// authorize asks who is before it, and sends them back.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	redirect, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || !redirect.IsAbs() || q.Get("client_id") != s.AppID || q.Get("response_type") != "code" || q.Get("scope") != "identify" || q.Get("state") == "" {
		http.Error(w, "Invalid OAuth2 authorize request", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.redirects) > 0 && !slices.Contains(s.redirects, q.Get("redirect_uri")) {
		http.Error(w, "Invalid OAuth2 redirect_uri", http.StatusBadRequest)
		return
	}
	if !q.Has("as") {
		people := slices.SortedFunc(maps.Values(s.users), func(a, b *User) int { return strings.Compare(a.Username, b.Username) })
		_ = authorizePage.Execute(w, map[string]any{"People": people, "Page": template.URL(r.URL.RequestURI())})
		return
	}
	back := url.Values{"state": {q.Get("state")}}
	if u := s.users[q.Get("as")]; u != nil {
		code := rand.Text()
		s.consents[code] = consent{u.ID, q.Get("redirect_uri")}
		back.Set("code", code)
	} else {
		back.Set("error", "access_denied")
	}
	redirect.RawQuery = back.Encode()
	http.Redirect(w, r, redirect.String(), http.StatusFound)
}

// AddRedirect adds an address to which people may be sent back. Before there is one they may be sent anywhere.
func (s *Server) AddRedirect(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redirects = append(s.redirects, address)
}

// known tells whether a request shows the application's secret; it is answered if not.
func (s *Server) known(w http.ResponseWriter, r *http.Request) bool {
	if id, secret, _ := r.BasicAuth(); id == s.AppID && secret == ClientSecret {
		return true
	}
	answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
	return false
}

// token gives a token for a code, once.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known(w, r) {
		return
	}
	if r.PostFormValue("grant_type") != "authorization_code" {
		answer(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	c, ok := s.consents[r.PostFormValue("code")]
	delete(s.consents, r.PostFormValue("code"))
	if !ok || c.redirect != r.PostFormValue("redirect_uri") {
		answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "error_description": `Invalid "code" in request.`})
		return
	}
	token := rand.Text()
	s.bearers[token] = c.user
	answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": token, "expires_in": 604800, "refresh_token": rand.Text(), "scope": "identify"})
}

func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known(w, r) {
		return
	}
	delete(s.bearers, r.PostFormValue("token"))
	answer(w, http.StatusOK, map[string]any{})
	s.notify()
}

// Bearers is how many tokens of people are good.
func (s *Server) Bearers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bearers)
}

// bearer is whose token a request has; nil if it has none. s.mu is held.
func (s *Server) bearer(r *http.Request) *User {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return s.users[s.bearers[token]]
}
