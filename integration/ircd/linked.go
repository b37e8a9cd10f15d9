package ircd

import (
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/internal/ports"
)

// Linked are two inspircds of one network. The second one connects to the first at the address that through
// makes of the first one's, again every second.
func Linked(t testing.TB, through func(addr string) (host string, port int)) (hub, leaf *Server) {
	t.Helper()
	const hubName, leafName = "hub.test.example", "leaf.test.example"
	port := ports.Port(t)
	link := func(name, host string, port int) string {
		return fmt.Sprintf(`
<module name="spanningtree">
<link name="%s" ipaddr="%s" port="%d" allowmask="127.0.0.0/8" sendpass="link" recvpass="link">
`, name, host, port)
	}
	hub = inspIRCd(t, insp{name: hubName, extra: link(leafName, "127.0.0.1", port) + fmt.Sprintf(`<bind address="127.0.0.1" port="%d" type="servers">`, port)})
	host, out := through(loopback(port))
	leaf = inspIRCd(t, insp{name: leafName, id: "002", extra: link(hubName, host, out) + fmt.Sprintf(`<autoconnect period="1" server="%s">`, hubName)})
	return hub, leaf
}
