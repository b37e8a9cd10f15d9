package ircd

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/landbridge-im/landbridge/internal/ports"
)

// openDir makes a folder that others may enter.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "landbridge-hybrid-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// nobody is the user without rights, in numbers.
const nobody = 65534

// Hybrid starts an ircd-hybrid, of those that large networks run, with few capabilities: userhost-in-names and extended-join,
// but neither tags nor echoes.
func Hybrid(t testing.TB) *Server {
	t.Helper()
	return hybrid(t, "exceed_limit, can_flood, no_tilde")
}

func hybrid(t testing.TB, flags string) *Server {
	t.Helper()
	const path = "/usr/sbin/ircd-hybrid"
	need(t, "ircd-hybrid", path)
	dir, port := openDir(t), ports.Port(t)
	write(t, dir, "motd", "Test\n")
	conf := write(t, dir, "ircd.conf", fmt.Sprintf(`
serverinfo {
	name = "hybrid.test.example"; sid = "0HY"; description = "Test server"; network_name = "TestNet";
	default_max_clients = 1000; max_nick_length = 30; max_topic_length = 300;
};
admin { name = "test"; description = "test"; email = "<test@example.org>"; };
class { name = "users"; ping_time = 2 minutes; number_per_ip_local = 1000; number_per_ip_global = 1000; max_number = 1000; sendq = 1 megabyte; recvq = 8000 bytes; };
auth { user = "*@*"; class = "users"; flags = %[3]s; };
listen { host = "127.0.0.1"; port = %[2]d; };
channel { disable_fake_channels = yes; invite_client_count = 100; max_channels = 100; max_bans = 100; default_join_flood_count = 0; invite_client_time = 0; invite_delay_channel = 0; };
general {
	anti_nick_flood = no; disable_auth = yes; throttle_count = 1000; throttle_time = 1 second;
	ping_cookie = no; pace_wait_simple = 0 seconds; pace_wait = 0 seconds; min_nonwildcard = 1; dline_min_cidr = 16; invisible_on_connect = no;
};
log { use_logging = no; };
modules { path = "/usr/lib/ircd-hybrid/modules"; path = "/usr/lib/ircd-hybrid/modules/autoload"; };
`, dir, port, flags))
	s := &Server{t: t, Addr: loopback(port), args: []string{path, "-foreground", "-configfile", conf, "-pidfile", dir + "/pid", "-logfile", dir + "/log"}}
	if os.Geteuid() == 0 { // as which it does not run
		for _, path := range []string{dir, conf, filepath.Join(dir, "motd")} {
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		s.as = nobody
	}
	s.run()
	return s
}
