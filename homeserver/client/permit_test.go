package client

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestEndpoint: what guests and suspended users may do is told by names that must be those of routes.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ method, pattern, want string }{
		{"GET", "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey...}", "GET /rooms/{}/state/{}/{}"},
		{"HEAD", "/_matrix/client/r0/sync", "GET /sync"},
		{"PUT", "/_matrix/client/unstable/uk.tcpip.msc4133/profile/{userId}/{keyName}", "PUT /profile/{}/{}"},
		{"POST", "/_matrix/media/v3/upload", "POST /media/upload"},
		{"GET", "/_matrix/client/v1/media/download/{serverName}/{mediaId}", "GET /media/download/{}/{}"},
		{"GET", "/.well-known/matrix/client", "GET /.well-known/matrix/client"},
	} {
		if got := endpoint(tc.method, tc.pattern); got != tc.want {
			t.Errorf("%s %s: %q, want %q", tc.method, tc.pattern, got, tc.want)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tc := range []struct{ peer, forwarded, want, key string }{
		{"192.0.2.1:99", "6.6.6.6", "192.0.2.1", "192.0.2.1"}, // no proxy: the header is anybody's
		{"10.0.0.1:99", "", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1:99", "192.0.2.1", "192.0.2.1", "192.0.2.1"},
		{"[::ffff:10.0.0.1]:99", "192.0.2.1", "192.0.2.1", "192.0.2.1"},
		{"10.0.0.1:99", "6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1", "192.0.2.1"},
		{"10.0.0.1:99", "6.6.6.6, nonsense", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1:99", "192.0.2.1:1234", "192.0.2.1", "192.0.2.1"},
		{"[fd00::1]:99", "[2001:db8::1]:5", "2001:db8::1", "2001:db8::/64"},
		{"10.0.0.1:99", "10.0.0.3", "10.0.0.3", "10.0.0.3"},
		{"pipe", "192.0.2.1", "pipe", "pipe"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.peer
		if tc.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tc.forwarded)
		}
		c := &call{api: &API{o: Options{TrustedProxies: proxies}}, r: r}
		if got, key := c.address(), c.limitKey(); got != tc.want || key != tc.key {
			t.Errorf("%s %q: %s %s, want %s %s", tc.peer, tc.forwarded, got, key, tc.want, tc.key)
		}
	}
}

func FuzzAddress(f *testing.F) {
	f.Add("1.2.3.4, [::1]:80")
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["X-Forwarded-For"] = []string{header}
		c := &call{api: &API{o: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}, r: r}
		if _, err := netip.ParseAddr(c.address()); err != nil {
			t.Error(err)
		}
	})
}
