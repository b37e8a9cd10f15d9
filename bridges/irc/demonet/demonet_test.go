package demonet_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc/demonet"
	"github.com/landbridge-im/landbridge/integration/ircd"
)

func start(t *testing.T, people bool) *demonet.Server {
	t.Helper()
	s, err := demonet.Start(demonet.Options{Listen: "127.0.0.1:0", People: people, Pace: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestCommands(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	a, b := ircd.Dial(t, s.Addr(), "anna"), ircd.Dial(t, s.Addr(), "ben")
	for _, tc := range []struct {
		who          *ircd.Client
		send, expect string
		reader       *ircd.Client
	}{
		{a, "JOIN #x", "366 anna #x", a},
		{b, "JOIN #x", "JOIN #x", a},
		{b, "MODE #x +m", "482 ben #x", b},
		{a, "MODE #x +mt-n", "MODE #x +m-n", b},
		{b, "PRIVMSG #x :hi", "404 ben #x", b},
		{a, "MODE #x +v ben", "MODE #x +v ben", b},
		{b, "PRIVMSG #x :hi :there", ":ben!~ben@127.0.0.1 PRIVMSG #x :hi :there", a},
		{b, "NAMES #x", "353 ben = #x :+ben @anna", b},
		{b, "TOPIC #x :no", "482 ben #x", b},
		{a, "TOPIC #x :yes", "TOPIC #x :yes", b},
		{b, "TOPIC #x", "332 ben #x :yes", b},
		{b, "WHO #x", "352 ben #x", b},
		{b, "WHOIS anna", "311 ben anna ~anna", b},
		{b, "WHOIS nobody", "401 ben nobody", b},
		{b, "LIST", "322 ben #x 2 :yes", b},
		{a, "PRIVMSG ben :psst", "PRIVMSG ben :psst", b},
		{a, "PRIVMSG nobody :psst", "401 anna nobody", a},
		{a, "PRIVMSG #none :psst", "403 anna #none", a},
		{b, "NICK anna", "433 ben anna", b},
		{b, "NICK 1x", "432 ben 1x", b},
		{b, "NICK benny", "NICK :benny", a},
		{a, "MODE #x +b benny", "MODE #x +b benny!*@*", b},
		{a, "KICK #x benny :out", "KICK #x benny :out", b},
		{b, "JOIN #x", "474 benny #x", b},
		{a, "MODE #x b", "367 anna #x benny!*@*", a},
		{a, "MODE #x -b+k benny key", "MODE #x -b+k benny!*@* key", a},
		{b, "JOIN #x", "475 benny #x", b},
		{b, "JOIN #x key", "366 benny #x", b},
		{a, "MODE #x -k+i *", "MODE #x", a},
		{b, "PART #x :bye", "PART #x :bye", a},
		{b, "JOIN #x", "473 benny #x", b},
		{a, "INVITE benny #x", "INVITE benny #x", b},
		{b, "JOIN #x", "366 benny #x", b},
		{b, "AWAY :lunch", "306 benny", b},
		{a, "PRIVMSG benny :?", "301 anna benny :lunch", a},
		{b, "PING token", "PONG", b},
		{b, "FROB", "421 benny FROB", b},
		{b, "JOIN", "461 benny JOIN", b},
		{b, "JOIN x", "403 benny x", b},
		{b, "USER a b c d", "462 benny", b},
		{b, "QUIT :gone", "QUIT :Quit: gone", a},
	} {
		tc.who.Send(tc.send)
		tc.reader.Expect(tc.expect)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	a := ircd.Dial(t, s.Addr(), "anna")
	a.Send("CAP REQ :message-tags server-time echo-message")
	a.Expect("CAP anna ACK")
	a.Send("JOIN #x")
	a.Expect("366")
	a.Send("PRIVMSG #x :hi")
	if line := a.Expect("PRIVMSG #x :hi"); !strings.HasPrefix(line, "@time=") || !strings.Contains(line, "msgid=") {
		t.Errorf("echo = %q", line)
	}
	a.Send("CAP REQ :nonsense")
	a.Expect("CAP anna NAK :nonsense")
}

// TestLimits does what a stranger might.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := start(t, false)
	a := ircd.Dial(t, s.Addr(), "anna")
	a.Send(strings.Repeat("JOIN ", 50) + "x")
	a.Send("@" + strings.Repeat("a", 100))
	a.Send("@a ")
	a.Send(":")
	a.Send("NICK " + strings.Repeat("n", 100))
	a.Expect("432")
	a.Send("JOIN #" + strings.Repeat("x", 100))
	a.Expect("403")
	a.Send("JOIN #x")
	a.Send("TOPIC #x :" + strings.Repeat("t", 450))
	if line := a.Expect(" TOPIC "); len(line) > 460 {
		t.Errorf("topic of %d bytes", len(line))
	}
	for i := range 60 {
		a.Send(fmt.Sprintf("JOIN #c%d", i))
	}
	a.Expect("405 anna")
	for i := range 60 {
		a.Send(fmt.Sprintf("MODE #x +b n%d", i))
	}
	a.Expect("478 anna #x")
	a.Send("MODE #x +oooooooooooooooooooooo anna anna anna anna anna anna")
	a.Send("PRIVMSG #x,#y,#z :hi\xff\x00")
	a.Send("PING :alive")
	a.Expect("PONG")

	// A line without end is no line.
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = conn.Write([]byte(strings.Repeat("x", 1<<20))) }()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 4096)
	for {
		if _, err := conn.Read(buf); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("an endless line is read on")
			}
			break
		}
	}
}

func TestPeople(t *testing.T) {
	t.Parallel()
	s := start(t, true)
	a := ircd.Dial(t, s.Addr(), "anna")
	a.Join("#lobby")
	a.Expect("PRIVMSG #lobby :") // they talk unasked
	a.Send("PRIVMSG #lobby :<Mia> what do you say, carla?")
	for {
		line := a.Expect("PRIVMSG #lobby :")
		if strings.HasPrefix(line, ":carla!") && strings.Contains(line, "Mia") {
			break
		}
	}
	a.Send("PRIVMSG brian :hello")
	a.Expect(":brian!~demo@localhost PRIVMSG anna :")
}
