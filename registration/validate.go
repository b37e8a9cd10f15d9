package registration

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
)

// Validate checks a registration made in the program. One that [Parse] returned has been
// checked. The error, if any, is a [Problems].
func (r *Registration) Validate() error {
	return r.validate(nil, nil).Err()
}

// validate checks the values. seen are the keys that the file has, or nil if there is no
// file; bad are the keys that have been complained of already.
func (r *Registration) validate(seen, bad map[string]bool) Problems {
	v := validator{reg: r, seen: seen, bad: bad}
	v.id()
	v.target()
	v.token("as_token", r.ASToken)
	v.token("hs_token", r.HSToken)
	v.localpart()
	if seen != nil && !seen["namespaces"] {
		v.missing("namespaces", "add namespaces: {} if the service claims none")
	}
	for i, p := range r.Protocols {
		if p == "" && !bad[fmt.Sprintf("protocols[%d]", i)] {
			v.error(fmt.Sprintf("protocols[%d]", i), "is empty", "name a protocol, irc say")
		}
	}
	for _, area := range r.areas() {
		v.namespaces(area)
	}
	return v.problems
}

type validator struct {
	reg       *Registration
	seen, bad map[string]bool
	problems  Problems
}

func (v *validator) error(key, message, fix string) {
	v.problems = append(v.problems, v.reg.problem(diag.Error, key, message, fix))
}

func (v *validator) warn(key, message, fix string) {
	v.problems = append(v.problems, v.reg.problem(diag.Warning, key, message, fix))
}

func (v *validator) missing(key, fix string) {
	p := v.reg.problem(diag.Error, "", "the key "+key+" is missing", fix)
	p.Line, p.Column = 1, 1
	v.problems = append(v.problems, p)
}

// present is whether a required text is there to be looked at; if not, it has been said.
func (v *validator) present(key, value, fix string) bool {
	switch {
	case v.bad[key]:
		return false
	case v.seen != nil && !v.seen[key]:
		v.missing(key, fix)
		return false
	case value == "" && (v.seen == nil || v.hasPlace(key)):
		v.error(key, "is empty", fix)
		return false
	}
	return value != ""
}

func (v *validator) hasPlace(key string) bool {
	_, ok := v.reg.origin.places[key]
	return ok
}

func (v *validator) id() {
	id := v.reg.ID
	if !v.present("id", id, "add a name that will never change: id: irc") {
		return
	}
	switch {
	case len(id) > maxIDLength:
		v.error("id", fmt.Sprintf("has %d bytes, more than the limit of %d", len(id), maxIDLength), "choose a short name")
	case hasControl(id) || strings.TrimSpace(id) != id:
		v.error("id", diag.Quote(id)+" has control characters, or space around it", "use letters, digits, - and _")
	case strings.ContainsAny(id, "|/"):
		v.warn("id", diag.Quote(id)+" has characters that some homeservers refuse", "use letters, digits, - and _")
	}
}

// target checks url and x-module.
func (v *validator) target() {
	r := v.reg
	if v.seen != nil && !v.seen["url"] {
		const fix = "add url: http://localhost:29328, say, or url: null if no events are to be sent to the service"
		if v.seen["x-module"] {
			v.warn("x-module", "other homeservers refuse a registration without the key url", "add url: null")
		} else {
			v.missing("url", fix)
		}
	}
	if v.seen != nil && v.hasPlace("x-module") && r.Module == "" && !v.bad["x-module"] {
		v.error("x-module", "is empty", "name a bridge module, irc say, or remove the key")
	}
	if r.Module != "" {
		if strings.Trim(r.Module, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || len(r.Module) > 64 {
			v.error("x-module", diag.Quote(r.Module)+" is no module name", "use lower-case letters, digits, - and _")
		}
		if r.URL != "" {
			v.error("x-module", "url is set too, so it is undecided where events go",
				"write url: null for a module in this process, or remove x-module for a bridge of its own")
		}
	}
	if r.URL == "" {
		return
	}
	const fix = "write http:// or https://, the host and the port: http://localhost:29328"
	u, err := url.Parse(r.URL)
	switch {
	case len(r.URL) > maxURLLength:
		v.error("url", fmt.Sprintf("has %d bytes, more than the limit of %d", len(r.URL), maxURLLength), "")
	case err != nil:
		v.error("url", diag.Quote(redactURL(r.URL))+" is no URL", fix)
	case u.Scheme != "http" && u.Scheme != "https":
		v.error("url", diag.Quote(redactURL(r.URL))+" is neither http nor https", fix)
	case u.Hostname() == "":
		v.error("url", diag.Quote(redactURL(r.URL))+" names no host", fix)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		v.error("url", diag.Quote(redactURL(r.URL))+" has a ? or # part, to which no path can be added", "end it after the host or a path")
	case u.User != nil:
		v.warn("url", "holds a user name or password, which is shown wherever the address is", "rely on hs_token instead")
	}
}

func (v *validator) token(key, token string) {
	if !v.present(key, token, "`landbridge registration generate` makes strong tokens") {
		return
	}
	switch {
	case len(token) > maxTokenLength:
		v.error(key, fmt.Sprintf("has %d bytes, more than the limit of %d", len(token), maxTokenLength), "use 64 letters and digits")
	case !isVisibleASCII(token):
		v.error(key, "has spaces or characters other than plain ASCII, which an HTTP header cannot carry", "use letters and digits")
	}
}

func (v *validator) localpart() {
	lp := v.reg.SenderLocalpart
	if !v.present("sender_localpart", lp, "add the name of the bridge's bot: sender_localpart: ircbot") {
		return
	}
	// "A localpart MUST NOT contain :"; what else old user ids may hold is printable ASCII.
	switch bare, _, _ := strings.Cut(strings.TrimPrefix(lp, "@"), ":"); {
	case bare != lp && bare != "":
		v.error("sender_localpart", diag.Quote(lp)+" is more than a localpart", fmt.Sprintf("write only what stands between @ and the colon: %s", diag.Shorten(bare, 60)))
	case !isVisibleASCII(lp) || bare == "":
		v.error("sender_localpart", diag.Quote(lp)+" has characters that no user id may hold", "use a-z, 0-9 and . _ = - /")
	case len(lp) > maxUserIDLength-3:
		v.error("sender_localpart", fmt.Sprintf("has %d bytes, but a whole user id may have only %d", len(lp), maxUserIDLength), "choose a short name")
	}
}

func (v *validator) namespaces(a area) {
	if len(a.list) > MaxNamespaces {
		v.error("namespaces."+a.kind, fmt.Sprintf("has %d entries, more than the limit of %d", len(a.list), MaxNamespaces), "join them into fewer expressions")
		return
	}
	for i, ns := range a.list {
		key := a.key(i)
		if v.bad[key] || v.bad[key+".regex"] || v.seen != nil && !v.hasPlace(key+".regex") {
			continue
		}
		if _, err := compilePattern(ns.Regex); err != nil {
			v.error(key+".regex", err.message, err.fix)
		}
	}
}

// area is one of the three lists of namespaces.
type area struct {
	kind  string // "users", "aliases", "rooms"
	sigil string
	list  []Namespace
}

func (a area) key(i int) string { return fmt.Sprintf("namespaces.%s[%d]", a.kind, i) }

func (r *Registration) areas() [3]area {
	return [3]area{
		{"users", "@", r.Namespaces.Users},
		{"aliases", "#", r.Namespaces.Aliases},
		{"rooms", "!", r.Namespaces.Rooms},
	}
}

func isVisibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// redactURL hides a password in a URL, even in one that cannot be parsed.
func redactURL(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Redacted()
	}
	if before, after, ok := strings.Cut(raw, "@"); ok {
		scheme, _, _ := strings.Cut(before, "//")
		return scheme + "//xxxxx@" + after
	}
	return raw
}
