package preview

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// parseURL reads the address of a page.
func parseURL(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, mxerror.InvalidParam("url is longer than %d bytes.", maxURL)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, mxerror.InvalidParam("url is not a web address.")
	}
	if err := checkURL(u); err != nil {
		return nil, mxerror.InvalidParam("url is not a web address that can be previewed: %s.", err.Error())
	}
	u.Fragment, u.RawFragment = "", ""
	u.Host = strings.ToLower(u.Host)
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// checkURL tells what keeps an address from being fetched at all.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("only http and https are")
	case u.Hostname() == "":
		return fmt.Errorf("it names no host")
	case u.User != nil:
		return fmt.Errorf("it holds a user name or password")
	}
	// The lower ports belong to other protocols, which an answer could be taken for.
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < 1024 {
			return fmt.Errorf("port %s is not for web pages", port)
		}
	}
	return nil
}

// pattern is a pattern of addresses.
type pattern struct{ host, path string }

// CheckPattern tells what is wrong with a pattern of Config.Allow or Config.Deny.
func CheckPattern(text string) error {
	_, err := parsePattern(text)
	return err
}

func parsePattern(text string) (pattern, error) {
	host, rest, hasPath := strings.Cut(text, "/")
	p := pattern{host: strings.ToLower(host)}
	if hasPath {
		p.path = "/" + rest
	}
	if host == "" || strings.ContainsAny(text, " \t\r\n") || strings.Contains(text, "://") {
		return p, fmt.Errorf("%q is no pattern of pages: want a host and perhaps a path, such as *.example.org or example.org/private/*", text)
	}
	for _, glob := range []string{p.host, p.path} {
		if strings.ContainsAny(glob, `[]\`) {
			return p, fmt.Errorf(`the pattern %q may hold * and ?, but not [, ] or \`, text)
		}
	}
	return p, nil
}

func (p pattern) matches(u *url.URL) bool {
	return glob(p.host, strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")) && (p.path == "" || glob(p.path, path.Clean("/"+u.Path)) || glob(p.path, u.Path))
}

// glob matches a whole text, with * for any characters and ? for one.
func glob(pattern, text string) bool {
	// Where the last * was, and which text it has taken so far.
	star, taken := -1, 0
	i, j := 0, 0
	for j < len(text) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, taken = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == text[j]):
			i, j = i+1, j+1
		case star >= 0:
			taken++
			i, j = star+1, taken
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// permits tells whether the configuration lets a page be read.
func (p *Previewer) permits(u *url.URL) bool {
	for _, d := range p.deny {
		if d.matches(u) {
			return false
		}
	}
	for _, a := range p.allow {
		if a.matches(u) {
			return true
		}
	}
	return len(p.allow) == 0
}
