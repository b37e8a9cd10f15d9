package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request is a valid authorization request.
type request struct {
	client    *client
	redirect  string
	mode      string // "query" or "fragment"
	state     string
	challenge string
	grant     grant
	// prompt holds the values of prompt.
	prompt []string
	hint   string
}

const stateMax = 4096

// refusal is an error that the client is told of by a redirect.
type refusal struct {
	to string
}

func (*refusal) Error() string { return "oauth: the authorization request was refused" }

// parseRequest reads an authorization request. An error about client or redirect URI is for the person
// in front of the browser, who must not be sent to an address that nobody vouches for; other errors are
// a *refusal.
func (p *Provider) parseRequest(ctx context.Context, q url.Values) (*request, error) {
	for _, name := range [...]string{"client_id", "redirect_uri"} {
		if len(q[name]) > 1 {
			return nil, bad("invalid_request", name+" is there more than once.")
		}
	}
	c, err := p.client(ctx, q.Get("client_id"))
	if err != nil {
		return nil, err
	}
	r := &request{client: c, redirect: q.Get("redirect_uri"), mode: q.Get("response_mode"), state: q.Get("state"), challenge: q.Get("code_challenge"), hint: q.Get("login_hint")}
	// "Use pre-registered, strict redirect URIs."
	if r.redirect == "" || !matchRedirectURI(r.redirect, &c.clientMetadata) {
		return nil, bad("invalid_request", "The address to go back to is not one of those that the client registered.")
	}
	if r.mode == "" {
		r.mode = "query" // the default for the response type code
	}
	refuse := func(code, text string) (*request, error) {
		if r.mode != "fragment" {
			r.mode = "query"
		}
		return nil, &refusal{p.answer(r, url.Values{"error": {code}, "error_description": {printable(text)}})}
	}
	if len(r.state) > stateMax {
		r.state = ""
		return refuse("invalid_request", "state is too long.")
	}
	if name := repeated(q); name != "" {
		return refuse("invalid_request", "The parameter "+name+" is there more than once.")
	}
	if r.mode != "query" && r.mode != "fragment" {
		return refuse("invalid_request", `response_mode must be "query" or "fragment".`)
	}
	switch q.Get("response_type") {
	case "code":
	case "":
		return refuse("invalid_request", "response_type is missing.")
	default:
		return refuse("unsupported_response_type", `response_type must be "code".`)
	}
	if !c.may(grantCode) {
		return refuse("unauthorized_client", "The client has not registered the grant type authorization_code.")
	}
	if q.Get("request") != "" {
		return refuse("request_not_supported", "Requests in a JWT are not supported.")
	}
	if q.Get("request_uri") != "" {
		return refuse("request_uri_not_supported", "Requests at an address are not supported.")
	}
	// "Support PKCE using the S256 code challenge method". Nothing weaker is taken.
	switch {
	case r.challenge == "":
		return refuse("invalid_request", "code_challenge is missing.")
	case q.Get("code_challenge_method") != "S256":
		return refuse("invalid_request", `code_challenge_method must be "S256".`)
	case !validChallenge(r.challenge):
		return refuse("invalid_request", "code_challenge is not the SHA-256 of anything.")
	}
	if r.grant, err = parseScope(q.Get("scope")); err != nil {
		var e *protocolError
		if errors.As(err, &e) {
			return refuse(e.code, e.text)
		}
		return nil, err
	}
	r.prompt = strings.Fields(q.Get("prompt"))
	for _, v := range r.prompt {
		if !slices.Contains([]string{"create", "login", "none", "consent", "select_account"}, v) {
			return refuse("invalid_request", "prompt has a value that this server does not know.")
		}
	}
	if slices.Contains(r.prompt, "none") {
		// Each log-in allots a device, which its owner has to agree to.
		if len(r.prompt) > 1 {
			return refuse("invalid_request", "prompt can't be none and something else.")
		}
		return refuse("interaction_required", "The user has to agree to every log-in.")
	}
	return r, nil
}

// answer is the address that takes an answer to the client: "Whether the parameters are in the URL
// fragment or query parameters is determined by the response_mode value". RFC 9207 adds iss.
func (p *Provider) answer(r *request, v url.Values) string {
	if r.state != "" {
		v.Set("state", r.state)
	}
	v.Set("iss", p.Issuer())
	if r.mode == "fragment" {
		return r.redirect + "#" + v.Encode()
	}
	// The client's own query is left as it is.
	sep := "?"
	if strings.Contains(r.redirect, "?") {
		sep = "&"
	}
	return r.redirect + sep + v.Encode()
}

// formTarget is the source by which a page's policy lets a form's answer redirect to a client.
func formTarget(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil {
		return ""
	}
	// A policy can't name an address of IPv6.
	if (u.Scheme == "https" || u.Scheme == "http") && !strings.HasPrefix(u.Host, "[") {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}

// leave sends the browser to a client. The address is one that the client registered.
func (p *Provider) leave(w http.ResponseWriter, to string) {
	p.o.Pages.Headers(w.Header())
	// Not http.Redirect, which would change the path of schemes that it does not know.
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// authorize is the authorization endpoint: it shows who asks for what, to somebody who is signed in.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return bad("invalid_request", "The address is not valid.")
	}
	req, err := p.parseRequest(r.Context(), q)
	var no *refusal
	if errors.As(err, &no) {
		p.leave(w, no.to)
		return nil
	}
	if err != nil {
		return err
	}
	session, err := p.o.Pages.Session(r)
	if err != nil {
		return err
	}
	here := pathAuthorize + "?" + r.URL.RawQuery
	if slices.Contains(req.prompt, "create") && session == nil {
		p.toSignIn(w, r, PathSignUp, here, "")
		return nil
	}
	if session == nil || slices.Contains(req.prompt, "login") {
		// Whoever comes back has done it.
		q.Del("prompt")
		here = pathAuthorize + "?" + q.Encode()
		p.toSignIn(w, r, pathSignIn, here, req.hint)
		return nil
	}
	return p.showConsent(w, r, session, consent{Client: req.client, Grant: req.grant, Redirect: req.redirect, Action: here})
}

// decide is what the consent page sends.
func (p *Provider) decide(w http.ResponseWriter, r *http.Request) error {
	if err := p.form(w, r); err != nil {
		return err
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return bad("invalid_request", "The address is not valid.")
	}
	req, err := p.parseRequest(r.Context(), q)
	var no *refusal
	if errors.As(err, &no) {
		p.leave(w, no.to)
		return nil
	}
	if err != nil {
		return err
	}
	session, err := p.o.Pages.Session(r)
	if err != nil {
		return err
	}
	if session == nil {
		p.toSignIn(w, r, pathSignIn, pathAuthorize+"?"+r.URL.RawQuery, req.hint)
		return nil
	}
	if r.PostForm.Get("decision") != "allow" {
		p.leave(w, p.answer(req, url.Values{"error": {"access_denied"}, "error_description": {"The user did not allow it."}}))
		return nil
	}
	secret, err := p.addCode(r.Context(), req, session.User)
	if err != nil {
		return err
	}
	p.leave(w, p.answer(req, url.Values{"code": {secret}}))
	return nil
}
