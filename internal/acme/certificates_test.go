package acme_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/acme"
	"github.com/landbridge-im/landbridge/internal/acme/acmetest"
)

// site is a server with certificates of an authority.
type site struct {
	certs       *acme.Certificates
	https, http net.Listener
	stop        func()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve answers at two addresses of the loopback interface; run is whether certificates are asked for.
func serve(t *testing.T, s *site, o acme.Options, run bool) {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	var err error
	if s.certs, err = acme.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 3)
	plain := &http.Server{Handler: s.certs.HTTP()}
	safe := &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })}
	go func() { done <- plain.Serve(s.http) }()
	go func() { done <- safe.Serve(tls.NewListener(s.https, s.certs.TLS())) }()
	go func() {
		if run {
			done <- s.certs.Run(ctx)
		} else {
			done <- nil
		}
	}()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		plain.Close()
		safe.Close()
		for range 3 {
			if err := <-done; err != nil && !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		}
	}
	t.Cleanup(s.stop)
}

// handshake waits for a certificate.
func handshake(t *testing.T, s *site, a *acmetest.Authority, name string) (*x509.Certificate, error) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.Root)
	d := tls.Dialer{Config: &tls.Config{ServerName: name, RootCAs: roots}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", s.https.Addr().String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"tls-alpn-01", "http-01"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := &site{https: listen(t), http: listen(t)}
			a := acmetest.New(t, kind, func(string) string {
				if kind == "http-01" {
					return s.http.Addr().String()
				}
				return s.https.Addr().String()
			})
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(a.Trusted())
			dir := filepath.Join(t.TempDir(), "acme")
			o := acme.Options{Domains: []string{"example.org", "matrix.example.org"}, Email: "admin@example.org", Directory: a.URL, Dir: dir, Roots: roots}
			serve(t, s, o, true)
			for _, name := range o.Domains {
				cert, err := handshake(t, s, a, name)
				if err != nil {
					t.Fatal(err)
				}
				if err := cert.VerifyHostname(name); err != nil {
					t.Error(err)
				}
			}
			if _, err := handshake(t, s, a, "elsewhere.example"); err == nil {
				t.Error("a certificate for a name that isn't ours")
			}
			if got := a.Issued(); len(got) != 2 {
				t.Errorf("certificates were made for %v", got)
			}
			// Who comes without https is told to come with it.
			c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			res, err := c.Get("http://" + s.http.Addr().String() + "/_matrix/client/versions")
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusFound || res.Header.Get("Location") != "https://127.0.0.1:443/_matrix/client/versions" {
				t.Errorf("got %d to %q", res.StatusCode, res.Header.Get("Location"))
			}
			// They are kept: after a restart nobody is asked, not even for the account. Only the owner may read them.
			s.stop()
			again := &site{https: listen(t), http: listen(t)}
			serve(t, again, o, false)
			if _, err := handshake(t, again, a, "example.org"); err != nil {
				t.Fatal(err)
			}
			if got := a.Issued(); len(got) != 2 || a.Accounts() != 1 {
				t.Errorf("after a restart: certificates for %v, %d accounts", got, a.Accounts())
			}
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if i, err := f.Info(); err != nil || i.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s has the mode %v (%v)", f.Name(), i.Mode(), err)
				}
			}
		})
	}
}

// Who names no server gets the first one's certificate, as servers do that are reached by an address.
func TestNoName(t *testing.T) {
	t.Parallel()
	s := &site{https: listen(t), http: listen(t)}
	a := acmetest.New(t, "tls-alpn-01", func(string) string { return s.https.Addr().String() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.Trusted())
	serve(t, s, acme.Options{Domains: []string{"example.org"}, Directory: a.URL, Dir: t.TempDir(), Roots: roots}, true)
	conn, err := tls.Dial("tcp", s.https.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState().PeerCertificates[0].DNSNames; !slices.Equal(got, []string{"example.org"}) {
		t.Errorf("the certificate is for %v", got)
	}
}

// A refusal is not asked for again by everybody who comes.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := &site{https: listen(t), http: listen(t)}
	looked := make(chan string, 100)
	a := acmetest.New(t, "tls-alpn-01", func(domain string) string {
		looked <- domain
		return "127.0.0.1:1" // the authority reaches somebody else
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.Trusted())
	serve(t, s, acme.Options{Domains: []string{"example.org"}, Directory: a.URL, Dir: t.TempDir(), Roots: roots}, false)
	for range 5 {
		if _, err := handshake(t, s, a, "example.org"); err == nil {
			t.Fatal("there is a certificate that nobody made")
		}
	}
	if n := len(looked); n != 1 || len(a.Issued()) != 0 {
		t.Errorf("the authority looked %d times and made certificates for %v", n, a.Issued())
	}
}
