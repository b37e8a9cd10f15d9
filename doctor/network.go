package doctor

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 256 << 10

func (d *doctor) tlsConfig(name string) *tls.Config {
	return &tls.Config{RootCAs: d.Roots, ServerName: name}
}

// address is the public address of the server.
func (d *doctor) address() (*url.URL, error) { return url.Parse(d.Config.PublicURL()) }

// local tells whether a name means this machine, for everybody.
func local(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// private says why the checks from the world's side make no sense, or nothing.
func (d *doctor) private() sentence.Text {
	u, err := d.address()
	if err == nil && local(u.Hostname()) {
		return sentence.Say("the public address %s is this machine's alone", u.String())
	}
	return sentence.Text{}
}

// dns looks up the public address.
func (d *doctor) dns(ctx context.Context) []Finding {
	if why := d.private(); !why.IsZero() {
		return skipped("%s", why)
	}
	u, err := d.address()
	if err != nil {
		return bad("mend server.public_url", "%v", err)
	}
	if net.ParseIP(u.Hostname()) != nil {
		return doubt("give it a name, for a certificate", "the public address has no name")
	}
	list, err := d.Resolver.LookupHost(ctx, u.Hostname())
	if err != nil {
		return bad(fmt.Sprintf("make an A record (and AAAA for IPv6) for %s at whoever runs your domain's DNS", u.Hostname()), "%v", err)
	}
	return good("%s is %s", u.Hostname(), strings.Join(list, ", "))
}

// shortLife is how long a certificate should last at least.
const shortLife = 14 * 24 * time.Hour

// tls looks at the certificate of the public address.
func (d *doctor) tls(ctx context.Context) []Finding {
	u, err := d.address()
	if err != nil {
		return bad("mend server.public_url", "%v", err)
	}
	if u.Scheme == "http" {
		if local(u.Hostname()) {
			return skipped("%s", d.private())
		}
		return bad("put a reverse proxy with TLS in front (configs/caddy, configs/nginx) and set server.public_url to its https address", "passwords and messages travel to %s without encryption", u)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	conn, err := connect(ctx, d.Dial, net.JoinHostPort(u.Hostname(), port), d.tlsConfig(u.Hostname()))
	if err != nil {
		var unknown x509.UnknownAuthorityError
		var wrong x509.HostnameError
		switch {
		case errors.As(err, &unknown):
			return bad("serve the whole chain of certificates (fullchain.pem), or get one of Let's Encrypt", "the certificate is of nobody whom others trust: %v", err)
		case errors.As(err, &wrong):
			return bad(sentence.Say("get a certificate for %s", u.Hostname()), "%v", err)
		}
		return bad(sentence.Say("let port %s through the firewall to the reverse proxy, and see that it runs", port), "%v", err)
	}
	defer conn.Close()
	chain := conn.ConnectionState().PeerCertificates
	left := chain[0].NotAfter.Sub(d.Now())
	if left < shortLife {
		return doubt("see that it is renewed by itself", "the certificate of %s ends in %d days", u.Hostname(), int(left.Hours()/24))
	}
	return good("the certificate of %s is good for %d days", u.Hostname(), int(left.Hours()/24))
}

// get asks for JSON.
func (d *doctor) get(ctx context.Context, address string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := d.client.Do(req)
	if err != nil {
		return err
	}
	return answer(res, address, out)
}

func answer(res *http.Response, address string, out any) error {
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, res.Status)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s answers something other than JSON", address)
	}
	return nil
}

// public asks for the versions as clients do.
func (d *doctor) public(ctx context.Context) []Finding {
	var out struct {
		Versions []string `json:"versions"`
	}
	address := d.Config.PublicURL() + "/_matrix/client/versions"
	err := d.get(ctx, address, &out)
	switch {
	case err != nil && !d.private().IsZero():
		return doubt("start the server", "%v", err)
	case err != nil:
		return bad(sentence.Say("the reverse proxy must pass /_matrix on to %s", strings.Join(d.Config.Server.Listen, ", ")), "clients can't reach the server: %v", err)
	case len(out.Versions) == 0:
		return bad(sentence.Say("the reverse proxy must pass /_matrix on to %s", strings.Join(d.Config.Server.Listen, ", ")), "%s is something else", address)
	}
	return good("%s answers", d.Config.PublicURL())
}

// wellKnown looks at what clients find under the server's name.
func (d *doctor) wellKnown(ctx context.Context) []Finding {
	host, _, _ := strings.Cut(d.Config.Server.Name, ":")
	if local(host) {
		return skipped("the server is called %s", d.Config.Server.Name)
	}
	address := "https://" + d.Config.Server.Name + "/.well-known/matrix/client"
	mend := sentence.Say(`serve {"m.homeserver": {"base_url": %q}} there, or let the web server of %s pass /.well-known/matrix/ on`, d.Config.PublicURL(), d.Config.Server.Name)
	var out struct {
		Homeserver struct {
			BaseURL string `json:"base_url"`
		} `json:"m.homeserver"`
	}
	if err := d.get(ctx, address, &out); err != nil {
		return bad(mend, "people who enter %s in a client don't find the server: %v", d.Config.Server.Name, err)
	}
	if got := strings.TrimRight(out.Homeserver.BaseURL, "/"); got != d.Config.PublicURL() {
		return bad(mend, "%s names %q, and the public address is %s", address, got, d.Config.PublicURL())
	}
	return good("%s leads to %s", d.Config.Server.Name, d.Config.PublicURL())
}

// federation finds the server as other servers do, and asks for its keys.
func (d *doctor) federation(ctx context.Context) []Finding {
	if !d.Config.Federation.Enabled {
		return skipped("federation is switched off")
	}
	name := d.Config.Server.Name
	const mend = "set well_known.server to host:port, or make an SRV record _matrix-fed._tcp, or let port 8448 through; the certificate must be for the name that is found"
	finder, err := d.finder()
	if err != nil {
		return bad("", "%v", err)
	}
	defer finder.Close()
	found, err := finder.Find(ctx, name)
	if err != nil {
		return bad(mend, "other servers don't find %s: %v", name, err)
	}
	conn, err := d.reach(ctx, found)
	if err != nil {
		return bad(mend, "other servers can't reach %s at %s: %v", name, strings.Join(found.Addresses, ", "), err)
	}
	defer conn.Close()
	key, err := serverKeys(ctx, conn, found.Host)
	if err != nil {
		return bad("the reverse proxy must pass /_matrix/federation and /_matrix/key on", "%s is reached, but %v", name, err)
	}
	return d.compareKeys(name, strings.Join(found.Addresses, ", "), key)
}

// connect makes a connection with TLS.
func connect(ctx context.Context, dial discovery.Dialer, address string, conf *tls.Config) (*tls.Conn, error) {
	raw, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}

// reach connects to the first of a server's addresses that answers with the right certificate.
func (d *doctor) reach(ctx context.Context, s discovery.Server) (*tls.Conn, error) {
	var failed []error
	for _, address := range s.Addresses {
		conn, err := connect(ctx, d.others, address, d.tlsConfig(s.TLSName))
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// keyAnswer is what a server says of its keys.
type keyAnswer struct {
	Server string `json:"server_name"`
	Keys   map[string]struct {
		Key string `json:"key"`
	} `json:"verify_keys"`
}

// serverKeys asks for a server's keys on a connection.
func serverKeys(ctx context.Context, conn net.Conn, host string) (out keyAnswer, err error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return out, err
		}
	}
	const path = "/_matrix/key/v2/server"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+path, nil)
	if err != nil {
		return out, err
	}
	req.Close = true
	if err := req.Write(conn); err != nil {
		return out, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return out, err
	}
	return out, answer(res, path, &out)
}

// compareKeys makes sure that the server that others reach is this one.
func (d *doctor) compareKeys(name, at string, got keyAnswer) []Finding {
	if got.Server != name {
		return bad("let the reverse proxy pass /_matrix on to this server", "at %s another server answers: %q", at, got.Server)
	}
	path := filepath.Join(d.Config.DataDir, "signing.key")
	if _, err := os.Stat(path); err != nil { // Load would make one
		return doubt("", "%s answers at %s; its key could not be compared: %v", name, at, err)
	}
	own, err := keyring.Load(path, name)
	if err != nil {
		return doubt("", "%s answers at %s; its key could not be compared: %v", name, at, err)
	}
	s := own.Signer()
	public, isKey := s.Key.Public().(ed25519.PublicKey)
	if want := base64.RawStdEncoding.EncodeToString(public); !isKey || got.Keys[s.KeyID].Key != want {
		return bad("see that only one server has the name, and that it has this data folder's signing.key", "at %s a server answers that has another key than %s", at, s.KeyID)
	}
	return good("other servers reach %s at %s", name, at)
}
