package safedial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"1.1.1.1": true, "192.0.1.1": true, "172.32.0.1": true, "100.128.0.1": true, "223.255.255.255": true,
		"2606:4700:4700::1111": true, "2a00::1": true, "::ffff:8.8.8.8": true, "64:ff9b::808:808": true,
		"0.0.0.0": false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.1": false, "127.255.0.1": false, "169.254.169.254": false,
		"172.31.255.255": false, "192.168.0.1": false, "192.0.0.8": false, "198.19.0.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::7f00:1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false,
		"fc00::1": false, "fd12::1": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false,
		"2001::1": false, "2001:db8::1": false, "2002:7f00:1::": false, "3fff::1": false, "100::1": false,
	} {
		if got := Public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Public(%s) = %t", addr, got)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	prefixes := func(list ...string) (p []netip.Prefix) {
		for _, s := range list {
			p = append(p, netip.MustParsePrefix(s))
		}
		return p
	}
	for _, tc := range []struct {
		name    string
		policy  Policy
		addr    string
		allowed bool
	}{
		{"public", Policy{}, "1.1.1.1", true},
		{"private", Policy{}, "10.0.0.1", false},
		{"allowed", Policy{Allow: prefixes("10.0.0.0/24")}, "10.0.0.1", true},
		{"allowed, mapped", Policy{Allow: prefixes("10.0.0.0/24")}, "::ffff:10.0.0.1", true},
		{"allowed by a mapped range", Policy{Allow: prefixes("::ffff:10.0.0.0/120")}, "10.0.0.1", true},
		{"beside what is allowed", Policy{Allow: prefixes("10.0.0.0/24")}, "10.0.1.1", false},
		{"loopback", Policy{Allow: Loopback()}, "127.0.0.53", true},
		{"loopback of IPv6", Policy{Allow: Loopback()}, "::1", true},
		{"denied", Policy{Deny: prefixes("1.1.1.0/24")}, "1.1.1.1", false},
		{"denied wins", Policy{Allow: prefixes("10.0.0.0/8"), Deny: prefixes("10.1.0.0/16")}, "10.1.0.1", false},
	} {
		err := tc.policy.Check(netip.MustParseAddr(tc.addr))
		if (err == nil) != tc.allowed {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err != nil && !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v is not ErrDenied", tc.name, err)
		}
	}
}

// TestDial has a listener that must not see a connection unless the policy says so, also when
// it is reached by a name.
func TestDial(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "::ffff:127.0.0.1", "0.0.0.0"} {
		if c, err := (Policy{}).DialContext(context.Background(), "tcp", net.JoinHostPort(host, port)); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v, want ErrDenied", host, err)
			if c != nil {
				c.Close()
			}
		}
	}
	c, err := (Policy{Allow: Loopback()}).DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := (Policy{Allow: Loopback()}).DialContext(context.Background(), "unix", "/nonexistent"); !errors.Is(err, ErrDenied) {
		t.Errorf("unix: %v, want ErrDenied", err)
	}
}
