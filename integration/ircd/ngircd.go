package ircd

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/landbridge-im/landbridge/internal/ports"
)

// NgIRCd starts an ngircd: ISUPPORT NICKLEN=9 and CASEMAPPING=ascii, prefixes
// (qaohv)~&@%+, and no capability but multi-prefix. The password is the
// server's, or empty for none.
func NgIRCd(t testing.TB, password string) *Server {
	t.Helper()
	return ngIRCd(t, password, "MaxPenaltyTime = 0")
}

func ngIRCd(t testing.TB, password, limits string) *Server {
	t.Helper()
	// Debian does not let it be installed beside ircd-hybrid; it needs none of its files.
	path := filepath.Join(unpacked(t, "ngircd"), "usr/sbin/ngircd")
	dir, port := t.TempDir(), ports.Port(t)
	pass := ""
	if password != "" {
		pass = "Password = " + password
	}
	conf := write(t, dir, "ngircd.conf", fmt.Sprintf(`[Global]
Name = ng.test.example
Info = Test server
Listen = 127.0.0.1
Ports = %d
ServerUID = root
ServerGID = root
MotdPhrase = "Test"
%s
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 100
%s
[Options]
DNS = no
Ident = no
PAM = no
OperCanUseMode = yes
`, port, pass, limits))
	s := &Server{t: t, Addr: loopback(port), args: []string{path, "-n", "-f", conf}}
	s.run()
	return s
}
