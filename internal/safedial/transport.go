package safedial

import (
	"net/http"
	"net/netip"
	"time"
)

// Everywhere are all addresses, for Policy.Allow: for tests and closed networks.
func Everywhere() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
}

// Transport is an http.Transport for a few requests to many places: without a proxy, which would
// look names up itself, and with bounds on everything.
func (p Policy) Transport() *http.Transport {
	return &http.Transport{
		DialContext: p.DialContext, ForceAttemptHTTP2: true,
		MaxIdleConns: 64, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
