package homeserver

import (
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

// peer is a server that others reach by TLS.
type peer struct {
	*Server
	name string
	tls  *httptest.Server
	// answer, if it is set, answers some requests in the server's place.
	answer func(http.ResponseWriter, *http.Request) bool
}

// peers starts servers that trust each other's certificates. Each asks the one before it for keys.
func peers(t *testing.T, n int) (out []*peer) {
	t.Helper()
	roots := x509.NewCertPool()
	for range n {
		p := &peer{}
		p.tls = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if p.answer == nil || !p.answer(w, r) {
				p.Federation().ServeHTTP(w, r)
			}
		}))
		p.tls.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
		p.name = p.tls.Listener.Addr().String()
		p.tls.EnableHTTP2 = true
		dir := t.TempDir()
		f := Federation{Enabled: true, RootCAs: roots, AllowPrivate: safedial.Loopback()}
		if len(out) > 0 {
			f.Notaries = []keyring.Notary{{Server: out[len(out)-1].name}}
		}
		var err error
		p.Server, err = Open(t.Context(), Options{Name: p.name, PublicURL: "http://" + p.name, Dir: dir, Database: filepath.Join(dir, "hs.db"),
			Media: MediaOptions{Dir: filepath.Join(dir, "media")}, Federation: f, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		p.tls.StartTLS()
		roots.AddCert(p.tls.Certificate())
		t.Cleanup(func() {
			p.tls.Close()
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		out = append(out, p)
	}
	return out
}

// TestKeysBetweenServers lets servers get each other's keys: from their owner, and when that is gone
// from the one before, which has met it.
func TestKeysBetweenServers(t *testing.T) {
	t.Parallel()
	p := peers(t, 3)
	target := p[0]
	if err := p[1].get(t, target); err != nil {
		t.Errorf("from the owner: %v", err)
	}
	target.tls.Close()
	if err := p[2].get(t, target); err != nil {
		t.Errorf("from a notary: %v", err)
	}
	if err := p[2].get(t, &peer{Server: target.Server, name: "127.0.0.1:1"}); err == nil {
		t.Error("there were keys of a server that never was")
	}
}

func (p *peer) get(t *testing.T, of *peer) error {
	key, err := p.outside.ring.RequestKey(t.Context(), of.name, of.signer.KeyID)
	if err == nil && !key.Equal(of.signer.Key.Public()) {
		t.Error("it is another key")
	}
	return err
}

// TestFederationEdge asks for what a server tells others of itself.
func TestFederationEdge(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.o.Federation.Enabled = true
	h.inbound = h.openInbound(nil)
	srv := httptest.NewServer(h.Federation())
	t.Cleanup(srv.Close)
	for _, tc := range []struct {
		method, path, body string
		status             int
		field, want        string
	}{
		{"GET", "/_matrix/federation/v1/version", "", 200, "server.name", "Landbridge"},
		{"POST", "/_matrix/federation/v1/version", "", 405, "errcode", "M_UNRECOGNIZED"},
		{"GET", "/_matrix/key/v2/server", "", 200, "server_name", "test"},
		{"GET", "/_matrix/key/v2/query/test", "", 200, "server_keys.0.server_name", "test"},
		{"GET", "/_matrix/key/v2/query/10.0.0.1", "", 200, "server_keys.#", "0"},
		{"GET", "/_matrix/key/v2/query/test?minimum_valid_until_ts=x", "", 400, "errcode", "M_INVALID_PARAM"},
		{"POST", "/_matrix/key/v2/query", `{"server_keys":{"test":{}}}`, 200, "server_keys.0.server_name", "test"},
		{"POST", "/_matrix/key/v2/query", `{`, 400, "errcode", "M_NOT_JSON"},
		{"POST", "/_matrix/key/v2/query", `{}`, 400, "errcode", "M_BAD_JSON"},
		{"DELETE", "/_matrix/key/v2/query", "", 405, "errcode", "M_UNRECOGNIZED"},
		{"GET", "/_matrix/federation/v1/nothing", "", 404, "errcode", "M_UNRECOGNIZED"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, srv.URL+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := gjson.GetBytes(raw, tc.field).String(); resp.StatusCode != tc.status || got != tc.want {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, resp.StatusCode, raw)
		}
	}
}
