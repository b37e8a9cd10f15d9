package app

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/oauth"
)

// greet tells that the server is there and, while nobody has an account, what to do next.
func (s *serving) greet(ctx context.Context) error {
	c := s.cfg
	s.log.Info("ready", "server", c.Server.Name, "address", c.PublicURL(), "after", time.Since(s.began).Round(time.Millisecond))
	out := s.std.Out
	fmt.Fprintf(out, "\nLandbridge serves %s at %s\n", c.Server.Name, c.PublicURL())
	if c.Registration.AdminSignupToken {
		token, err := s.hs.Accounts().EnsureAdminToken(ctx)
		if err != nil {
			return err
		}
		if token != "" {
			fmt.Fprintf(out, `
Nobody has an account yet. Make the administrator's in a browser, or with a Matrix client such as Element:
  in a browser, open     %[3]s
  in a client, choose "Edit" beside the homeserver and enter  %[1]s
  create an account; the registration token is   %[2]s   (good for one account)
Later, log in with the name and password that you chose; the administrators' pages are at %[1]s/console/
`, c.PublicURL(), token, c.PublicURL()+oauth.PathSignUp)
		}
	}
	return nil
}

// greetDemo tells how to meet the people of the demonstration network.
func (s *serving) greetDemo() {
	b := s.irc.Load()
	if b == nil || b.DemoAddr() == "" {
		return
	}
	host, port, err := net.SplitHostPort(b.DemoAddr())
	if err != nil {
		return
	}
	fmt.Fprintf(s.std.Out, `
No network is configured, so a small demonstration IRC network runs inside:
  with an IRC client     connect to %[2]s port %[3]s (without TLS) and /join #lobby
  with a Matrix client   join the space #irc_demo:%[1]s, or the room #irc_demo_#lobby:%[1]s
To bridge a real network, put this into landbridge.yaml, with its name and your channels,
and start "landbridge serve -c landbridge.yaml":

  bridges:
    - id: irc
      module: irc
      config:
        networks:
          - id: libera
            name: Libera Chat
            address: irc.libera.chat:6697
            tls: true
            nick: my-bridge
            channels: [{name: "#my-channel"}]

`, s.cfg.Server.Name, host, port)
}

// demo tells whether the demonstration network runs.
func (s *serving) demo() bool {
	return s.file() == "" && len(s.cfg.Bridges) == 0
}
