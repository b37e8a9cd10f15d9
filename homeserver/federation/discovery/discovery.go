package discovery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/internal/flight"
)

// Dialer connects to a host (a name or an address) and port.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Resolver looks SRV records up; *net.Resolver does. The records come sorted by priority and
// randomised by weight within a priority.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
}

var _ Resolver = (*net.Resolver)(nil)

// Options say what a Finder needs.
type Options struct {
	Dial     Dialer
	Resolver Resolver // nil means net.DefaultResolver
	// RootCAs vouch for servers; nil means the system's.
	RootCAs *x509.CertPool
	Log     *slog.Logger
	Now     func() time.Time // nil means time.Now
	// Timeout bounds one request for .well-known and one look-up; 0 means 10 seconds.
	Timeout time.Duration
	// Entries is how many servers are remembered; 0 means 10,000.
	Entries int
}

// Server is where a server name leads.
type Server struct {
	// Host is the Host header.
	Host string
	// TLSName is the host name or IP address that the certificate must be for.
	TLSName string
	// Addresses are host:port, in the order in which to try them.
	Addresses []string
}

// Finder finds servers. It is safe for concurrent use. Close ends it.
type Finder struct {
	o      Options
	client *http.Client
	known  *lru.Cache[string, *entry]
	// sessions spare whole handshakes with servers that were met before.
	sessions tls.ClientSessionCache
	flight   *flight.Group[Server]
}

// entry is what is known of one server name.
type entry struct {
	server Server
	until  time.Time
	// delegate is what .well-known said last, valid until trusted at most, and failures how
	// often it has failed since.
	delegate  string
	wellKnown time.Time // until when it is not asked again
	trusted   time.Time
	failures  int
}

// New makes a Finder.
func New(o Options) (*Finder, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Entries == 0 {
		o.Entries = 10_000
	}
	f := &Finder{o: o, flight: flight.NewGroup[Server](3 * o.Timeout), sessions: tls.NewLRUClientSessionCache(1024)}
	var err error
	if f.known, err = lru.New[string, *entry](o.Entries); err != nil {
		return nil, fmt.Errorf("making the cache of servers: %w", err)
	}
	f.client = f.newClient()
	return f, nil
}

// How long what SRV records said is kept: the resolver doesn't tell their lifetime.
const (
	srvLifetime    = 30 * time.Minute
	srvErrLifetime = time.Minute
	defaultPort    = 8448
)

// Find finds a server. An error means that the name is not one, or ctx ended; a server that can't
// be reached is found out by dialling.
func (f *Finder) Find(ctx context.Context, name string) (Server, error) {
	n, err := ParseName(name)
	if err != nil {
		return Server{}, err
	}
	if s, ok := direct(name, n); ok {
		return s, nil
	}
	if e, ok := f.known.Get(name); ok && f.o.Now().Before(e.until) {
		return e.server, nil
	}
	return f.flight.Do(ctx, name, func(ctx context.Context) (Server, error) {
		return f.find(ctx, name), ctx.Err()
	})
}

// Close ends look-ups under way and waits for them.
func (f *Finder) Close() {
	f.flight.Close()
	f.client.CloseIdleConnections()
}

// Forget drops what is known of a server, when it turned out to be wrong. What .well-known said
// stays, for its lifetime is the server's to say.
func (f *Finder) Forget(name string) {
	if e, ok := f.known.Get(name); ok {
		c := *e
		c.until = time.Time{}
		f.known.Add(name, &c)
	}
}

// direct are steps 1 and 2, which need no look-up: "If the hostname is an IP literal, then that IP
// address should be used, together with the given port number, or 8448 if no port is given", and
// "If the hostname is not an IP literal, and the server name includes an explicit port, resolve
// the hostname to an IP address".
func direct(name string, n Name) (Server, bool) {
	port := n.Port
	if !n.IP.IsValid() && port == 0 {
		return Server{}, false
	}
	if port == 0 {
		port = defaultPort
	}
	return Server{Host: name, TLSName: n.Host, Addresses: []string{join(n.Host, port)}}, true
}

func join(host string, port uint16) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }

// find are steps 3 to 6.
func (f *Finder) find(ctx context.Context, name string) Server {
	was, _ := f.known.Get(name)
	e := f.refresh(ctx, name, was)
	e.server, e.until = f.follow(ctx, name, e)
	if ctx.Err() == nil {
		f.known.Add(name, e)
	}
	return e.server
}

// follow goes from what .well-known said to addresses.
func (f *Finder) follow(ctx context.Context, name string, e *entry) (Server, time.Time) {
	host := name
	if e.delegate != "" {
		n, err := ParseName(e.delegate)
		if err == nil {
			if s, ok := direct(e.delegate, n); ok { // steps 3.1 and 3.2
				return s, e.wellKnown
			}
			host = e.delegate
		}
	}
	// Steps 3.3 to 3.5 for the delegated host name, 4 to 6 for the server's own.
	addresses, lifetime := f.lookup(ctx, host)
	until := f.o.Now().Add(lifetime)
	if e.wellKnown.Before(until) {
		until = e.wellKnown
	}
	return Server{Host: host, TLSName: host, Addresses: addresses}, until
}

// lookup looks SRV records up, first under the registered name, then under the deprecated one;
// without any it is port 8448 of the host itself.
func (f *Finder) lookup(ctx context.Context, host string) ([]string, time.Duration) {
	lifetime := srvLifetime
	for _, service := range []string{"matrix-fed", "matrix"} {
		addresses, err := f.srv(ctx, service, host)
		var dns *net.DNSError
		switch {
		case err == nil:
			return addresses, lifetime
		case errors.As(err, &dns) && dns.IsNotFound:
		default:
			lifetime = srvErrLifetime
			f.o.Log.Debug("looking an SRV record up", "service", service, "host", host, "err", err)
		}
	}
	return []string{join(host, defaultPort)}, lifetime
}

// maxRecords bounds how many addresses of one server are tried.
const maxRecords = 16

func (f *Finder) srv(ctx context.Context, service, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	_, records, err := f.o.Resolver.LookupSRV(ctx, service, "tcp", host)
	if err != nil && len(records) == 0 {
		return nil, err
	}
	var out []string
	for _, r := range records[:min(len(records), maxRecords)] {
		target := r.Target
		if len(target) > 1 && target[len(target)-1] == '.' {
			target = target[:len(target)-1]
		}
		// RFC 2782: "A Target of '.' means that the service is decidedly not available at this
		// domain." Then there is nothing to try here either.
		if target == "." || target == "" || r.Port == 0 {
			continue
		}
		out = append(out, join(target, r.Port))
	}
	if len(out) == 0 {
		return nil, &net.DNSError{Err: "no usable SRV record", Name: host, IsNotFound: true}
	}
	return out, nil
}

// Dial connects to a server by TLS. It tries all addresses in order until one answers with a
// certificate for the right name.
func (f *Finder) Dial(ctx context.Context, name string) (*tls.Conn, error) {
	s, err := f.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, address := range s.Addresses {
		conn, err := f.handshake(ctx, address, s.TLSName)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", address, err))
		if ctx.Err() != nil {
			break
		}
	}
	f.Forget(name)
	return nil, fmt.Errorf("connecting to %s: %w", name, errors.Join(failed...))
}

func (f *Finder) handshake(ctx context.Context, address, tlsName string) (*tls.Conn, error) {
	raw, err := f.o.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	// "The target server must present a valid certificate for" the name, which crypto/tls checks,
	// for IP addresses too.
	conn := tls.Client(raw, &tls.Config{ServerName: tlsName, RootCAs: f.o.RootCAs, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12, ClientSessionCache: f.sessions})
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}
