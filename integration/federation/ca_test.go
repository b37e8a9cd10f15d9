package federation

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/landbridge-im/landbridge/integration/ca"
)

// authority vouches for the servers of a test.
type authority struct {
	dir string
	ca  *ca.Authority
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	var err error
	a.ca, err = ca.New()
	ok(t, err)
	ok(t, os.WriteFile(a.file(), a.ca.PEM(), 0o600))
	return a
}

// file has the certificate of the authority.
func (a *authority) file() string { return filepath.Join(a.dir, "ca.pem") }

// certify makes a certificate for 127.0.0.1 and its key, in files.
func (a *authority) certify(t *testing.T) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	certPEM, keyPEM, err := a.ca.Certify()
	ok(t, err)
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	ok(t, os.WriteFile(cert, certPEM, 0o600))
	ok(t, os.WriteFile(key, keyPEM, 0o600))
	return cert, key
}
