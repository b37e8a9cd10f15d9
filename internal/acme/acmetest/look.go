package acmetest

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/asn1"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// look asks a domain for its proof.
func (a *Authority) look(o *order) error {
	proof := o.token + "." + thumbprint(a.accounts[o.account])
	if a.Challenge == "http-01" {
		return a.lookHTTP(o, proof)
	}
	return a.lookTLS(o, proof)
}

// lookHTTP is RFC 8555, 8.3.
func (a *Authority) lookHTTP(o *order, proof string) error {
	req, err := http.NewRequest(http.MethodGet, "http://"+a.Reach(o.domain)+"/.well-known/acme-challenge/"+o.token, nil)
	if err != nil {
		return err
	}
	req.Host = o.domain
	c := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err != nil {
		return err
	}
	if res.StatusCode != 200 || string(bytes.TrimSpace(body)) != proof {
		return fmt.Errorf("%s answered %d %q", o.domain, res.StatusCode, body)
	}
	return nil
}

// acmeIdentifier is the extension of RFC 8737, 3.
var acmeIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

// lookTLS is RFC 8737.
func (a *Authority) lookTLS(o *order, proof string) error {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", a.Reach(o.domain),
		&tls.Config{ServerName: o.domain, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true}) // the certificate is the proof, and signed by nobody
	if err != nil {
		return err
	}
	defer conn.Close()
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != "acme-tls/1" || len(state.PeerCertificates) != 1 {
		return fmt.Errorf("%s speaks %q with %d certificates", o.domain, state.NegotiatedProtocol, len(state.PeerCertificates))
	}
	cert := state.PeerCertificates[0]
	if err := cert.VerifyHostname(o.domain); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(proof))
	want, err := asn1.Marshal(sum[:])
	if err != nil {
		return err
	}
	for _, x := range cert.Extensions {
		if x.Id.Equal(acmeIdentifier) && x.Critical && bytes.Equal(x.Value, want) {
			return nil
		}
	}
	return fmt.Errorf("the certificate of %s proves nothing", o.domain)
}
