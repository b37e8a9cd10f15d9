package sso

import (
	"net/url"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// ClientAddress checks where a browser is to go with a login token. Native clients have schemes of
// their own; those that run a script in the page are refused.
func ClientAddress(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if s == "" || err != nil || u.Scheme == "" {
		return nil, mxerror.InvalidParam("redirectUrl must be the address of a client.")
	}
	switch strings.ToLower(u.Scheme) {
	case "javascript", "data", "vbscript", "file", "blob", "about":
		return nil, mxerror.InvalidParam("redirectUrl is no address of a client.")
	case "http", "https":
		if u.Host == "" {
			return nil, mxerror.InvalidParam("redirectUrl must be the address of a client.")
		}
	}
	return u, nil
}
