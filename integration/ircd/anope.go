package ircd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/ports"
)

// servicesName is the name of the server of the services.
const servicesName = "services.test.example"

// Services starts an inspircd with anope: NickServ and ChanServ, and SASL with passwords and certificates.
func Services(t testing.TB) *Server {
	t.Helper()
	const path = "/usr/sbin/anope"
	need(t, "anope", path)
	link := ports.Port(t)
	s := inspIRCd(t, insp{extra: fmt.Sprintf(`
<module name="sasl">
<sasl target="%[1]s">
<module name="sslinfo">
<module name="spanningtree">
<module name="chghost">
<module name="hidechans">
<module name="botmode">
<bind address="127.0.0.1" port="%[2]d" type="servers">
<link name="%[1]s" ipaddr="127.0.0.1" port="%[2]d" allowmask="127.0.0.0/8" sendpass="link" recvpass="link">
<uline server="%[1]s" silent="yes">
`, servicesName, link)})
	dir := t.TempDir()
	write(t, dir, "services.motd", "")
	conf := write(t, dir, "services.conf", fmt.Sprintf(`
uplink { host = "127.0.0.1"; ipv6 = no; ssl = no; port = %[2]d; password = "link" }
serverinfo { name = "%[3]s"; description = "Services"; pid = "%[1]s/pid"; motd = "%[1]s/services.motd" }
module { name = "inspircd3" }
networkinfo {
	networkname = "TestNet"; nicklen = 31; userlen = 10; hostlen = 64; chanlen = 32;
	vhost_chars = "abcdefghijklmnopqrstuvwxyz0123456789-."; nick_chars = ""
}
options {
	casemap = "rfc1459"; strictpasswords = no; badpasslimit = 100; badpasstimeout = 1h; updatetimeout = 5m; expiretimeout = 30m;
	readtimeout = 1s; warningtimeout = 4h; timeoutcheck = 1s; retrywait = 1s; seed = 4711
}
log { target = "services.log"; logage = 1; admin = "*"; override = "*"; commands = "*"; servers = "*"; users = "*" }
module { name = "enc_sha256" }
module { name = "db_flatfile"; database = "anope.db"; keepbackups = 1 }
service { nick = "NickServ"; user = "services"; host = "%[3]s"; gecos = "Nicks" }
module { name = "nickserv"; client = "NickServ"; emailexpire = 1d; guestnickprefix = "Guest"; modesonid = no; confirmemailchanges = no; regdelay = 0s }
module { name = "ns_register"; registration = "none"; nickregdelay = 0s; resenddelay = 0s }
command { service = "NickServ"; name = "REGISTER"; command = "nickserv/register" }
module { name = "ns_identify" }
command { service = "NickServ"; name = "IDENTIFY"; command = "nickserv/identify" }
module { name = "ns_group"; maxaliases = 16; nogroupchange = no }
command { service = "NickServ"; name = "GROUP"; command = "nickserv/group" }
module { name = "ns_recover" }
command { service = "NickServ"; name = "RECOVER"; command = "nickserv/recover" }
module { name = "ns_cert"; max = 5 }
command { service = "NickServ"; name = "CERT"; command = "nickserv/cert" }
module { name = "m_sasl" }
`, dir, link, servicesName))
	services := &Server{t: t, args: []string{
		path, "--nofork", "--confdir=" + dir, "--dbdir=" + dir, "--logdir=" + dir,
		"--localedir=/usr/share/locale", "--modulesdir=/usr/lib/anope", "--config=" + filepath.Base(conf),
	}}
	services.spawn()
	t.Cleanup(services.Stop)
	services.awaitLink(dir)
	return s
}

// awaitLink waits until services have come to their network.
func (s *Server) awaitLink(dir string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		logs, _ := filepath.Glob(filepath.Join(dir, "services.log*"))
		for _, path := range logs {
			if raw, err := os.ReadFile(path); err == nil && strings.Contains(string(raw), servicesName+" (Services) is done syncing") {
				return
			}
		}
		select {
		case <-s.done:
			s.t.Fatalf("%s ended at once:\n%s", strings.Join(s.args, " "), s.out)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s has not come to the network:\n%s", s.args[0], s.out)
		}
	}
}
