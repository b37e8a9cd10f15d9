package app

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

// privateRanges are where servers of a closed network are.
var privateRanges = [...]string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"}

// federationOptions are what the configuration says of other servers.
func federationOptions(f config.Federation, roots *x509.CertPool) (homeserver.Federation, error) {
	out := homeserver.Federation{Enabled: f.Enabled, RootCAs: roots}
	if f.AllowLoopback {
		out.AllowPrivate = safedial.Loopback()
		for _, p := range privateRanges {
			out.AllowPrivate = append(out.AllowPrivate, netip.MustParsePrefix(p))
		}
	}
	for _, name := range f.KeyServers {
		out.Notaries = append(out.Notaries, keyring.Notary{Server: name})
	}
	return out, nil
}

// extraRoots are the authorities that federation.extra_ca names, and the system's; nil for the latter alone.
func extraRoots(f config.Federation) (*x509.CertPool, error) {
	if f.ExtraCA == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(f.ExtraCA)
	if err != nil {
		return nil, fmt.Errorf("reading federation.extra_ca: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificate authorities: %w", err)
	}
	if !roots.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("federation.extra_ca: %s has no certificates in PEM", f.ExtraCA)
	}
	return roots, nil
}
