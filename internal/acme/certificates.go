package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// How long a domain waits that got no certificate; the time doubles. Authorities let nobody fail more than a few times
// an hour.
const (
	retryMin = 65 * time.Second // autocert itself doesn't try again within a minute
	retryMax = 6 * time.Hour
)

// callTimeout bounds one request to the authority.
const callTimeout = 30 * time.Second

// Options say for whom certificates are made, and by whom.
type Options struct {
	// Domains are the names to have certificates for, one each. The first one's is for who names none.
	Domains []string
	// Email is where the authority may write to; may be empty.
	Email string
	// Directory is the address at which the authority begins; empty means Let's Encrypt.
	Directory string
	// Dir is the folder for the account's key and the certificates. It is made if it isn't there.
	Dir string
	// Roots vouch for the authority's own address; nil means the system's.
	Roots *x509.CertPool
	// UserAgent is how this program calls itself.
	UserAgent string
	Log       *slog.Logger
}

// Certificates are those of this server. They are safe for concurrent use.
type Certificates struct {
	o Options
	m *autocert.Manager
	// ending is over when Run ends.
	ending context.Context
	end    context.CancelFunc

	mu sync.Mutex
	// refused are the domains that have no certificate, with why, until they are tried again.
	refused map[string]refusal
}

type refusal struct {
	err   error
	tries int
	again time.Time
}

// New prepares certificates. It makes no requests: see Run.
func New(o Options) (*Certificates, error) {
	if len(o.Domains) == 0 {
		return nil, errors.New("acme: there is no domain to have a certificate for")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: o.Roots}
	ending, end := context.WithCancel(context.Background())
	return &Certificates{o: o, ending: ending, end: end, refused: map[string]refusal{}, m: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(o.Dir), HostPolicy: autocert.HostWhitelist(o.Domains...), Email: o.Email,
		Client: &acme.Client{DirectoryURL: o.Directory, UserAgent: o.UserAgent, HTTPClient: &http.Client{Transport: mortal{ending, t}, Timeout: callTimeout}},
	}}, nil
}

// TLS is for listeners: with the certificates, and the answers that the authority looks for there (TLS-ALPN-01, RFC 8737).
func (c *Certificates) TLS() *tls.Config {
	return &tls.Config{GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1", acme.ALPNProto}}
}

// HTTP answers on port 80: what the authority looks for there (HTTP-01, RFC 8555, 8.3), and to everybody else
// that they are to come by https.
func (c *Certificates) HTTP() http.Handler { return c.m.HTTPHandler(nil) }

// modern is what is said for every caller: that they understand elliptic curves. Without it, who speaks as if of 2010
// could have a second certificate made for each domain.
func modern(name string, protos []string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: name, SupportedProtos: protos, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
		SupportedCurves: []tls.CurveID{tls.CurveP256}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

// get is tls.Config.GetCertificate.
func (c *Certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return c.m.GetCertificate(modern(name, hello.SupportedProtos))
	}
	name = cmp.Or(name, c.o.Domains[0])
	if !slices.Contains(c.o.Domains, name) {
		return nil, fmt.Errorf("acme: no certificate is wanted for %.253q", name)
	}
	c.mu.Lock()
	r, failed := c.refused[name]
	c.mu.Unlock()
	if failed {
		return nil, r.err // Run tries again; not everybody who comes may
	}
	return c.obtain(name)
}

// obtain gives a domain's certificate, which is made if there is none.
func (c *Certificates) obtain(name string) (*tls.Certificate, error) {
	cert, err := c.m.GetCertificate(modern(name, nil))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.refused, name)
		return cert, nil
	}
	r := c.refused[name]
	if time.Now().Before(r.again) {
		return nil, err // of several who waited the first one counts
	}
	err = fmt.Errorf("having a certificate made for %s: %w", name, err)
	pause := min(retryMin<<min(r.tries, 12), retryMax)
	c.refused[name] = refusal{err, r.tries + 1, time.Now().Add(pause)}
	if c.ending.Err() == nil {
		c.o.Log.Error("a certificate could not be had", "domain", name, "again", pause, "err", err)
	}
	return nil, err
}

// Run has the certificates made that aren't there yet, until ctx ends. The listeners must be served meanwhile: the
// authority looks at them. Renewing is done without it, when a third of a certificate's time is left. It is called once.
func (c *Certificates) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, c.end)
	defer stop()
	defer c.end()
	there := map[string]bool{}
	for {
		wait := retryMax
		for _, name := range c.o.Domains {
			if ctx.Err() != nil {
				return nil
			}
			c.mu.Lock()
			again := c.refused[name].again
			c.mu.Unlock()
			if left := time.Until(again); left > 0 {
				wait = min(wait, left)
				continue
			}
			cert, err := c.obtain(name)
			switch {
			case err != nil:
				wait = retryMin // one that was just refused is looked at again by then
			case !there[name]:
				there[name] = true
				c.o.Log.Info("a certificate is there", "domain", name, "until", cert.Leaf.NotAfter)
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// mortal makes requests that end with this server: autocert waits for an authority for minutes otherwise.
type mortal struct {
	ending context.Context
	t      http.RoundTripper
}

func (m mortal) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(m.ending, cancel)
	context.AfterFunc(r.Context(), func() { stop() })
	return m.t.RoundTrip(r.WithContext(ctx))
}
