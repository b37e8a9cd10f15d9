package oauth

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// checkRedirectURI applies the specification's "Redirect URI validation" when a client registers.
func checkRedirectURI(raw, applicationType string, clientURI *url.URL) string {
	if len(raw) > uriMax {
		return "is too long"
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || !plainURI(raw) {
		return "is no valid URI"
	}
	// "In all cases, the redirect URI MUST NOT have a fragment component."
	if u.Fragment != "" || strings.Contains(raw, "#") {
		return "must not have a fragment"
	}
	switch {
	case u.Scheme == "https":
		return checkClaimed(u, clientURI)
	case applicationType != "native":
		return `must use the https scheme, for the application_type is "web"`
	case u.Scheme == "http":
		return checkLoopback(u)
	}
	// "The scheme MUST be prefixed with the client URI hostname in reverse-DNS notation."
	host := strings.ToLower(clientURI.Hostname())
	labels := strings.Split(host, ".")
	if len(labels) < 2 || net.ParseIP(host) != nil {
		return "can't have a scheme of its own: the host of client_uri is no domain name"
	}
	slices.Reverse(labels)
	reversed := strings.Join(labels, ".")
	if scheme := strings.ToLower(u.Scheme); scheme != reversed && !strings.HasPrefix(scheme, reversed+".") {
		return "must have a scheme that begins with " + reversed + ", the host of client_uri in reverse"
	}
	// "There MUST NOT be an authority component. This means that the URI MUST have either a single
	// slash or none immediately following the scheme".
	if rest := raw[len(u.Scheme)+1:]; strings.HasPrefix(rest, "//") || u.Host != "" || u.User != nil {
		return "must not have two slashes after its scheme"
	}
	return ""
}

// checkClaimed applies the rules for web clients.
func checkClaimed(u, clientURI *url.URL) string {
	switch {
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return "has no host"
	case u.User != nil:
		return "must not have a user or password"
	case !within(u, clientURI):
		return "must be on the host of client_uri, or on a subdomain of it"
	}
	return ""
}

// checkLoopback applies the rules for http URIs on the loopback interface.
func checkLoopback(u *url.URL) string {
	switch {
	case !loopback(u):
		return "must use https, or the host localhost, 127.0.0.1 or [::1]"
	case u.User != nil:
		return "must not have a user or password"
	case strings.Contains(strings.TrimPrefix(u.Host, "[::1]"), ":"):
		// "There MUST NOT be a port. The homeserver MUST then accept any port number during the
		// authorisation flow."
		return "must not have a port; any is taken when somebody logs in"
	}
	return ""
}

func loopback(u *url.URL) bool {
	switch strings.ToLower(u.Hostname()) {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}

// within tells whether an address is on the host of client_uri: "either on the same host or on a
// subdomain of the host of the client_uri. The port number, path and query components MAY be
// different."
func within(u, clientURI *url.URL) bool {
	host, base := strings.ToLower(u.Hostname()), strings.ToLower(clientURI.Hostname())
	return host != "" && (host == base || net.ParseIP(base) == nil && strings.HasSuffix(host, "."+base))
}

// plainURI refuses what browsers and url.Parse may read differently.
func plainURI(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", c) })
}

// matchRedirectURI tells whether a client may be answered at an address: one that it registered, to
// the letter, but for the port on the loopback interface.
func matchRedirectURI(raw string, m *clientMetadata) bool {
	if slices.Contains(m.RedirectURIs, raw) {
		return true
	}
	if m.ApplicationType != "native" || len(raw) > uriMax || !plainURI(raw) {
		return false
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || !loopback(u) || u.User != nil || strings.Contains(raw, "#") || u.Port() == "" {
		return false
	}
	// Only the port may differ, so the rest is compared as it was written.
	bare := strings.Replace(raw, ":"+u.Port(), "", 1)
	if strings.HasPrefix(u.Host, "[") {
		bare = strings.Replace(raw, "]:"+u.Port(), "]", 1)
	}
	return slices.Contains(m.RedirectURIs, bare)
}
