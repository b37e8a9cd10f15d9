package endpoints

import (
	"fmt"
	"net/url"
	"regexp"

	"github.com/landbridge-im/landbridge/homeserver/mail/mailtest"
	"github.com/landbridge-im/landbridge/integration/client"
)

const secretOfClient = "monkeys_are_GREAT"

var threePIDScenarios = map[string]scenario{
	"requestTokenTo3PIDEmail":          mailed,
	"requestTokenToRegisterEmail":      mailed,
	"requestTokenToResetPasswordEmail": mailed,
	// There is no way to send messages to telephones.
	"requestTokenTo3PIDMSISDN":          telephoned,
	"requestTokenToRegisterMSISDN":      telephoned,
	"requestTokenToResetPasswordMSISDN": telephoned,
	"add3PID": func(s *stage) call {
		return call{body: s.confirmed(object{"client_secret": secretOfClient, "sid": s.validated()})}
	},
	"post3PIDs": func(s *stage) call {
		return call{body: s.confirmed(object{"three_pid_creds": object{"client_secret": secretOfClient, "sid": s.validated(),
			"id_server": "id.example.org", "id_access_token": "x"}})}
	},
	"bind3PID": func(*stage) call { // there is no identity server to bind it at
		return call{body: object{"client_secret": secretOfClient, "sid": "1", "id_server": "id.example.org", "id_access_token": "x"}, status: 400}
	},
}

func (s *stage) address() string { return fmt.Sprintf("somebody%d@example.org", s.n.Add(1)) }

// mailed is a call that sends a message.
func mailed(s *stage) call {
	return call{body: object{"client_secret": secretOfClient, "email": s.address(), "send_attempt": 1}}
}

func telephoned(*stage) call {
	return call{body: object{"client_secret": secretOfClient, "country": "GB", "phone_number": "07700900001", "send_attempt": 1}, status: 400}
}

// mailTo waits for a message to an address.
func (s *stage) mailTo(address string) mailtest.Message {
	for n := 0; ; n++ {
		if m := s.box.Next(n); m.To == address {
			return m
		}
	}
}

var linkInMail = regexp.MustCompile(`http://\S+`)

// validated is a session in which alice has shown that an address is hers.
func (s *stage) validated() (sid string) {
	s.Helper()
	address := s.address()
	var out struct{ Sid string }
	s.post(s.alice(), "POST", client.Path("account", "3pid", "email", "requestToken"),
		object{"client_secret": secretOfClient, "email": address, "send_attempt": 1}, &out)
	link, err := url.Parse(linkInMail.FindString(s.mailTo(address).Text))
	s.ok(err)
	s.post(s.anon, "POST", link.Path, object{"client_secret": secretOfClient, "sid": out.Sid, "token": link.Query().Get("token")}, nil)
	return out.Sid
}
