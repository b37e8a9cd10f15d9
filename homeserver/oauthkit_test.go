package homeserver

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
)

// oauthServer is a server with the OAuth 2.0 API.
func oauthServer(t testing.TB, change ...func(*Options)) *hs {
	return startWith(t, func(o *Options) {
		o.OAuth.Enabled = true
		for _, fn := range change {
			fn(o)
		}
	})
}

func somePolicies() []accounts.Policy {
	return []accounts.Policy{{ID: "tos", Version: "1", Language: "de", Name: "Bedingungen", URL: "https://example.org/de"},
		{ID: "tos", Version: "1", Language: "en", Name: "Terms in English", URL: "https://example.org/en"}}
}

const (
	verifier = "0123456789012345678901234567890123456789012"
	scopeOf  = "urn:matrix:client:api:* urn:matrix:client:device:"
)

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// webApp is what a web client says of itself.
func webApp() obj {
	return obj{"client_name": "My App", "client_uri": "https://example.com/", "redirect_uris": []string{"https://app.example.com/callback", "https://app.example.com/other?a=b"},
		"token_endpoint_auth_method": "none", "response_types": []string{"code"}, "application_type": "web",
		"grant_types": []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"}}
}

// registerClient registers a client and returns its id.
func (h *hs) registerClient(metadata obj) string {
	h.Helper()
	r := h.ask("", "POST", "/oauth2/registration", metadata)
	if r.status != 201 || r.str("client_id") == "" {
		h.Fatalf("registering: %d %s", r.status, r.raw)
	}
	return r.str("client_id")
}

// form posts a form as a client does.
func (h *hs) form(path string, v url.Values) reply {
	h.Helper()
	return h.ask("", "POST", path, v.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// person is somebody with a browser.
type person struct {
	h    *hs
	http *http.Client
	// page and at are what the browser shows.
	page   string
	at     *url.URL
	status int
	header http.Header
}

func (h *hs) person() *person {
	h.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.Fatal(err)
	}
	own := strings.TrimPrefix(h.url, "http://")
	p := &person{h: h}
	p.http = &http.Client{Transport: h.http.Transport, Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != own {
			return http.ErrUseLastResponse // a client is no part of the test
		}
		return nil
	}}
	return p
}

func (p *person) do(method, path string, v url.Values, header ...string) *person {
	p.h.Helper()
	if strings.HasPrefix(path, "/") {
		path = p.h.url + path
	}
	req, err := http.NewRequestWithContext(p.h.Context(), method, path, strings.NewReader(v.Encode()))
	if err != nil {
		p.h.Fatal(err)
	}
	if method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := p.http.Do(req)
	if err != nil {
		p.h.Fatal(err)
	}
	defer res.Body.Close()
	raw := new(strings.Builder)
	if _, err := io.Copy(raw, res.Body); err != nil {
		p.h.Fatal(err)
	}
	p.page, p.status, p.at, p.header = raw.String(), res.StatusCode, res.Request.URL, res.Header
	return p
}

func (p *person) open(path string) *person { p.h.Helper(); return p.do("GET", path, nil) }

var (
	formText   = regexp.MustCompile(`(?s)<form[^>]*method="post"[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	hiddenText = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// send fills in the form of the page that goes to this path, and sends it.
func (p *person) send(action string, fields ...string) *person {
	p.h.Helper()
	for _, m := range formText.FindAllStringSubmatch(p.page, -1) {
		to := html.UnescapeString(m[1])
		if path, _, _ := strings.Cut(to, "?"); path != action {
			continue
		}
		v := url.Values{}
		for _, in := range hiddenText.FindAllStringSubmatch(m[2], -1) {
			v.Set(in[1], html.UnescapeString(in[2]))
		}
		for i := 0; i+1 < len(fields); i += 2 {
			v.Set(fields[i], fields[i+1])
		}
		return p.do("POST", to, v)
	}
	p.h.Fatalf("no form %s at %s in: %s", action, p.at, p.page)
	return nil
}

func (p *person) has(status int, texts ...string) *person {
	p.h.Helper()
	if p.status != status {
		p.h.Errorf("%s: %d, not %d: %s", p.at, p.status, status, p.page)
	}
	for _, text := range texts {
		if !strings.Contains(html.UnescapeString(p.page), text) {
			p.h.Errorf("%s: %q is missing in %s", p.at, text, p.page)
		}
	}
	return p
}

// signIn signs in with the password that user gives.
func (p *person) signIn(name string) *person {
	p.h.Helper()
	return p.open("/account/sign-in").send("/account/sign-in", "user", name, "password", "long enough").has(200, "Your account")
}

// request is a whole authorization request, with changes: pairs of names and values, "" to leave out.
func request(clientID, device string, change ...string) string {
	q := url.Values{"client_id": {clientID}, "response_type": {"code"}, "response_mode": {"fragment"}, "redirect_uri": {"https://app.example.com/callback"},
		"scope": {scopeOf + device}, "state": {"the state"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(change); i += 2 {
		q.Del(change[i])
		if change[i+1] != "" {
			q.Set(change[i], change[i+1])
		}
	}
	return "/oauth2/authorize?" + q.Encode()
}

// back are the parameters with which the browser was sent to a client.
func (p *person) back() url.Values {
	p.h.Helper()
	u, err := url.Parse(p.header.Get("Location"))
	if err != nil || p.status != 303 {
		p.h.Fatalf("not sent back: %d %s", p.status, p.page)
	}
	v, err := url.ParseQuery(u.Fragment)
	if u.Fragment == "" {
		v, err = url.ParseQuery(u.RawQuery)
	}
	if err != nil {
		p.h.Fatal(err)
	}
	return v
}

// code lets a client in.
func (p *person) code(clientID, device string, change ...string) string {
	p.h.Helper()
	v := p.open(request(clientID, device, change...)).has(200, "Allow My App?").send("/oauth2/authorize", "decision", "allow").back()
	if v.Get("code") == "" || v.Get("state") != "the state" || v.Get("iss") != p.h.url+"/" {
		p.h.Fatalf("sent back with %v", v)
	}
	return v.Get("code")
}

func exchange(clientID, code string, change ...string) url.Values {
	v := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://app.example.com/callback"}, "client_id": {clientID}, "code_verifier": {verifier}}
	for i := 0; i+1 < len(change); i += 2 {
		v.Del(change[i])
		if change[i+1] != "" {
			v.Set(change[i], change[i+1])
		}
	}
	return v
}

// oauthLogin logs a client in and returns its tokens.
func (p *person) oauthLogin(clientID, device string) reply {
	p.h.Helper()
	r := p.h.form("/oauth2/token", exchange(clientID, p.code(clientID, device)))
	if r.status != 200 || r.str("access_token") == "" || r.str("refresh_token") == "" {
		p.h.Fatalf("no tokens: %d %s", r.status, r.raw)
	}
	return r
}

// refused checks an error of the protocol.
func (h *hs) denied(what string, r reply, status int, code string) {
	h.Helper()
	if r.status != status || r.str("error") != code {
		h.Errorf("%s: %d %s, want %d %s", what, r.status, r.raw, status, code)
	}
}
