// Package acmetest is a small certificate authority that speaks ACME (RFC 8555) for tests. It looks at what it is told
// as a real one does, over TLS-ALPN-01 or HTTP-01, and refuses what doesn't prove anything.
package acmetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Authority is such an authority. The fields are set before it is asked for anything.
type Authority struct {
	// URL is that of its directory.
	URL string
	// Root is its certificate.
	Root *x509.Certificate
	// Challenge is the one kind of proof that it offers: "tls-alpn-01" or "http-01".
	Challenge string
	// Reach gives the address (host:port) at which it looks for a domain.
	Reach func(domain string) string
	// Lifetime is that of the certificates that it makes.
	Lifetime time.Duration

	srv *httptest.Server
	key *ecdsa.PrivateKey

	mu       sync.Mutex
	nonces   map[string]bool
	accounts []*jose.JSONWebKey
	orders   []*order
	issued   []string
}

type order struct {
	domain, token, status string
	account               int
	cert                  []byte // DER
	why                   string
}

// New starts an authority that ends with the test.
func New(t *testing.T, challenge string, reach func(domain string) string) *Authority {
	t.Helper()
	a := &Authority{Challenge: challenge, Reach: reach, Lifetime: 90 * 24 * time.Hour, nonces: map[string]bool{}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority of tests"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(10 * 365 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.Root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.srv = httptest.NewTLSServer(http.HandlerFunc(a.serve))
	a.URL = a.srv.URL + "/directory"
	t.Cleanup(a.srv.Close)
	return a
}

// Trusted has the certificates, in PEM, of the authority and of its own address.
func (a *Authority) Trusted() []byte {
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Root.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.srv.Certificate().Raw})...)
}

// Issued lists the domains for which certificates were made, in order.
func (a *Authority) Issued() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.issued)
}

// Accounts is how many have introduced themselves.
func (a *Authority) Accounts() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.accounts)
}

func (a *Authority) problem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail})
}

func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	nonce := rand.Text()
	a.nonces[nonce] = true
	w.Header().Set("Replay-Nonce", nonce)
	base := a.srv.URL
	switch r.URL.Path {
	case "/directory":
		_ = json.NewEncoder(w).Encode(map[string]any{"newNonce": base + "/nonce", "newAccount": base + "/account", "newOrder": base + "/order",
			"meta": map[string]any{"termsOfService": base + "/terms"}})
		return
	case "/nonce":
		return
	}
	payload, account, err := a.signed(r)
	if err != nil {
		a.problem(w, 400, "malformed", err.Error())
		return
	}
	a.answer(w, r, payload, account)
}

// signed reads a request's body: RFC 8555, 6.2.
func (a *Authority) signed(r *http.Request) (payload []byte, account int, err error) {
	var raw json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&raw); err != nil {
		return nil, 0, err
	}
	sig, err := jose.ParseSignedJSON(string(raw), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, 0, err
	}
	h := sig.Signatures[0].Protected
	if !a.nonces[h.Nonce] {
		return nil, 0, fmt.Errorf("the nonce %q is not ours", h.Nonce)
	}
	delete(a.nonces, h.Nonce)
	if url := h.ExtraHeaders["url"]; url != a.srv.URL+r.URL.Path {
		return nil, 0, fmt.Errorf("it is signed for %v", url)
	}
	account = len(a.accounts)
	key := h.JSONWebKey
	if key == nil {
		n, err := strconv.Atoi(strings.TrimPrefix(h.KeyID, a.srv.URL+"/account/"))
		if err != nil || n < 0 || n >= len(a.accounts) {
			return nil, 0, fmt.Errorf("there is no account %q", h.KeyID)
		}
		account, key = n, a.accounts[n]
	} else {
		for n, k := range a.accounts {
			if thumbprint(k) == thumbprint(key) {
				account = n
			}
		}
		if account == len(a.accounts) {
			a.accounts = append(a.accounts, key)
		}
	}
	payload, err = sig.Verify(key)
	return payload, account, err
}

func thumbprint(k *jose.JSONWebKey) string {
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// answer does what a request asks for.
func (a *Authority) answer(w http.ResponseWriter, r *http.Request, payload []byte, account int) {
	base := a.srv.URL
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if kind == "account" {
		w.Header().Set("Location", base+"/account/"+strconv.Itoa(account))
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "valid"})
		return
	}
	if kind == "order" && rest == "" {
		var q struct {
			Identifiers []struct{ Type, Value string } `json:"identifiers"`
		}
		if err := json.Unmarshal(payload, &q); err != nil || len(q.Identifiers) != 1 {
			a.problem(w, 400, "malformed", "an order is for one domain")
			return
		}
		a.orders = append(a.orders, &order{domain: q.Identifiers[0].Value, token: rand.Text(), status: "pending", account: account})
		w.Header().Set("Location", base+"/order/"+strconv.Itoa(len(a.orders)-1))
		w.WriteHeader(http.StatusCreated)
		a.order(w, len(a.orders)-1)
		return
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n < 0 || n >= len(a.orders) || a.orders[n].account != account {
		a.problem(w, 404, "malformed", "there is no such order")
		return
	}
	o := a.orders[n]
	switch kind {
	case "order":
		a.order(w, n)
	case "authz":
		status := map[string]string{"pending": "pending", "invalid": "invalid"}[o.status]
		if status == "" {
			status = "valid"
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "identifier": map[string]any{"type": "dns", "value": o.domain},
			"challenges": []any{a.challenge(n)}})
	case "challenge":
		if o.status == "pending" {
			if err := a.look(o); err != nil {
				o.status, o.why = "invalid", err.Error()
			} else {
				o.status = "ready"
			}
		}
		_ = json.NewEncoder(w).Encode(a.challenge(n))
	case "finalize":
		if err := a.issue(o, payload); err != nil {
			a.problem(w, 403, "badCSR", err.Error())
			return
		}
		a.order(w, n)
	case "cert":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		for _, der := range [][]byte{o.cert, a.Root.Raw} {
			_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der})
		}
	default:
		a.problem(w, 404, "malformed", "there is nothing here")
	}
}

func (a *Authority) order(w http.ResponseWriter, n int) {
	o, base, id := a.orders[n], a.srv.URL, strconv.Itoa(n)
	out := map[string]any{"status": o.status, "identifiers": []any{map[string]any{"type": "dns", "value": o.domain}},
		"authorizations": []string{base + "/authz/" + id}, "finalize": base + "/finalize/" + id}
	if o.cert != nil {
		out["certificate"] = base + "/cert/" + id
	}
	w.Header().Set("Location", base+"/order/"+id)
	_ = json.NewEncoder(w).Encode(out)
}

func (a *Authority) challenge(n int) map[string]any {
	o := a.orders[n]
	status := map[string]string{"pending": "pending", "invalid": "invalid"}[o.status]
	if status == "" {
		status = "valid"
	}
	out := map[string]any{"type": a.Challenge, "url": a.srv.URL + "/challenge/" + strconv.Itoa(n), "token": o.token, "status": status}
	if o.why != "" {
		out["error"] = map[string]any{"type": "urn:ietf:params:acme:error:unauthorized", "detail": o.why}
	}
	return out
}

// issue makes the certificate: RFC 8555, 7.4.
func (a *Authority) issue(o *order, payload []byte) error {
	var q struct {
		CSR string `json:"csr"`
	}
	if err := json.Unmarshal(payload, &q); err != nil {
		return err
	}
	der, err := base64.RawURLEncoding.DecodeString(q.CSR)
	if err != nil {
		return err
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return err
	}
	if err := csr.CheckSignature(); err != nil {
		return err
	}
	if o.status != "ready" || !slices.Equal(csr.DNSNames, []string{o.domain}) {
		return fmt.Errorf("%v is not what was proven (%s: %s)", csr.DNSNames, o.domain, o.status)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(int64(len(a.issued) + 2)), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(a.Lifetime),
		DNSNames: csr.DNSNames, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if o.cert, err = x509.CreateCertificate(rand.Reader, tmpl, a.Root, csr.PublicKey, a.key); err != nil {
		return err
	}
	o.status = "valid"
	a.issued = append(a.issued, o.domain)
	return nil
}
