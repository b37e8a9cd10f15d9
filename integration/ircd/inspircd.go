package ircd

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/ports"
)

// InspIRCd starts an inspircd with TLS and most of the capabilities of IRCv3:
// message-tags, echo-message, labeled-response, server-time, batch, account-tag,
// extended-join, setname, away-notify, chghost.
func InspIRCd(t testing.TB) *Server {
	t.Helper()
	return inspIRCd(t, insp{})
}

// insp is how an inspircd is.
type insp struct {
	name, id string // insp.test.example and 001, if empty
	limits   string // lenient, if empty
	extra    string // more configuration
}

// What a client may send: as much as a test wants, or as much as the server's own example allows.
const (
	lenient = `recvq="65536" threshold="1000" commandrate="100000" fakelag="no"`
	strict  = `recvq="8192" threshold="10" commandrate="1000" fakelag="on"`
)

func inspIRCd(t testing.TB, o insp) *Server {
	t.Helper()
	o.name, o.id, o.limits = cmp.Or(o.name, "insp.test.example"), cmp.Or(o.id, "001"), cmp.Or(o.limits, lenient)
	const path = "/usr/sbin/inspircd"
	need(t, "inspircd", path)
	dir, port, tlsPort := t.TempDir(), ports.Port(t), ports.Port(t)
	ca, key := certificate(t, dir)
	conf := write(t, dir, "inspircd.conf", fmt.Sprintf(`
<config format="xml">
<server name="%[8]s" description="Test server" network="TestNet" id="%[9]s">
<admin name="test" nick="test" email="test@example.org">
<path configdir="%[1]s" datadir="%[1]s" logdir="%[1]s" runtimedir="%[1]s" moduledir="/usr/lib/inspircd/modules">
<bind address="127.0.0.1" port="%[2]d" type="clients">
<bind address="127.0.0.1" port="%[3]d" type="clients" sslprofile="test">
<sslprofile name="test" provider="gnutls" certfile="%[4]s" keyfile="%[5]s" hash="sha256">
<connect allow="*" timeout="60" pingfreq="120" sendq="1048576" %[7]s localmax="1000" globalmax="1000"
         maxchans="100" resolvehostnames="no" useident="no">
<channels users="100">
<options prefixquit="Quit: " defaultmodes="not" syntaxhints="no">
<performance softlimit="10000" clonesonconnect="no">
<security hideserver="" customversion="test">
<dns server="127.0.0.1" timeout="1">
<log method="file" type="*" level="default" target="%[1]s/log">
<class name="all" commands="*" privs="*" usermodes="*" chanmodes="*">
<type name="admin" classes="all">
<oper name="root" password="oper" host="*@*" type="admin">
<module name="ssl_gnutls">
<module name="globops">
<module name="ircv3">
<module name="ircv3_accounttag">
<module name="ircv3_batch">
<module name="ircv3_capnotify">
<module name="ircv3_chghost">
<module name="ircv3_ctctags">
<module name="ircv3_echomessage">
<module name="ircv3_invitenotify">
<module name="ircv3_labeledresponse">
<module name="ircv3_msgid">
<module name="ircv3_servertime">
<module name="services_account">
<module name="setname">
<module name="muteban">
<module name="cap">
<module name="namesx">
<module name="uhnames">
%[6]s
`, dir, port, tlsPort, ca, key, o.extra, o.limits, o.name, o.id))
	s := &Server{
		t: t, Addr: loopback(port), TLSAddr: loopback(tlsPort), CA: ca,
		args: []string{path, "--config", conf, "--nofork", "--nopid", "--runasroot"},
	}
	s.run()
	return s
}

// certificate makes a certificate for irc.test.example that signs itself.
func certificate(t testing.TB, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "irc.test.example"},
		DNSNames:              []string{"irc.test.example"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}
