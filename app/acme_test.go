package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/acme/acmetest"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// TestServeACME has a certificate made by an authority, by which clients and other servers are served.
func TestServeACME(t *testing.T) {
	t.Parallel()
	dir, https, federation := t.TempDir(), ports.Addr(t), ports.Addr(t)
	a := acmetest.New(t, "tls-alpn-01", func(string) string { return https })
	ca := writeFile(t, filepath.Join(dir, "ca.pem"), string(a.Trusted()))
	conf := writeFile(t, filepath.Join(dir, "landbridge.yaml"), fmt.Sprintf(`
server: {name: example.org, public_url: "https://matrix.example.org", listen: ["127.0.0.1:0"]}
data_dir: %q
acme: {enabled: true, agree_to_terms: true, listen: [%q], http_listen: [], directory: %q}
federation: {enabled: true, listen: [%q], extra_ca: %q}
bridges: []
`, filepath.Join(dir, "data"), https, a.URL, federation, ca))
	ctx, cancel := context.WithCancel(t.Context())
	var out strings.Builder
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"serve", "-c", conf}, stdio{In: strings.NewReader(""), Out: io.Discard, Err: &out, build: testBuild})
	}()
	defer func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve ended with %d", code)
		}
		if t.Failed() {
			t.Log(out.String())
		}
	}()
	roots := x509.NewCertPool()
	roots.AddCert(a.Root)
	for name, at := range map[string][2]string{
		"matrix.example.org": {https, "/_matrix/client/versions"},
		"example.org":        {federation, "/_matrix/key/v2/server"},
	} {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name}}}
		var res *http.Response
		var err error
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if res, err = c.Get("https://" + at[0] + at[1]); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%s answers %d for %s", name, res.StatusCode, at[1])
		}
		c.CloseIdleConnections()
	}
}
