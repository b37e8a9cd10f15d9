package safedial

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.32.0.1": true, "2606:4700::1111": true, "2a00:1450:4001::1": true,
		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.100.100.200": false, "224.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true, "fe80::1": false, "fe80::1%eth0": false,
		"fd00:ec2::254": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "ff02::1": false, "2001:db8::1": false,
	} {
		if got := Public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Public(%s) = %v", addr, got)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
	d := New(Options{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}})
	if !d.Allows(netip.MustParseAddr("10.1.2.3")) || d.Allows(netip.MustParseAddr("10.2.2.3")) || !d.Allows(netip.MustParseAddr("::ffff:10.1.2.3")) {
		t.Error("the allowed network")
	}
}

// TestDial: what counts is where the connection goes, whatever the name and however it was come to.
func TestDial(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer inside.Close()
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	get := func(o Options, url string) (int, error) {
		tr := New(o).Transport()
		defer tr.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: tr}).Do(req)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		return res.StatusCode, nil
	}
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"} {
		if status, err := get(Options{}, "http://"+host+":"+port); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %d, %v", host, status, err)
		}
	}
	redirecting := httptest.NewServer(http.RedirectHandler("http://127.0.0.2:"+port, http.StatusFound))
	defer redirecting.Close()
	if status, err := get(Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, redirecting.URL); !errors.Is(err, ErrDenied) {
		t.Errorf("redirected: %d, %v", status, err)
	}
	for name, o := range map[string]Options{"everything": {AllowPrivate: true}, "loopback": {Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}} {
		if status, err := get(o, inside.URL); err != nil || status != http.StatusTeapot {
			t.Errorf("%s allowed: %d, %v", name, status, err)
		}
	}
	if _, err := New(Options{AllowPrivate: true}).DialContext(t.Context(), "unix", "/x"); !errors.Is(err, ErrDenied) {
		t.Errorf("a socket file: %v", err)
	}
}
