package irc

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

func TestSeal(t *testing.T) {
	t.Parallel()
	block, _ := aes.NewCipher(make([]byte, 32))
	gcm, _ := cipher.NewGCM(block)
	s := &store{aead: gcm}
	sealed, err := s.seal("net", "@mia:x", &accountSecret{User: "mia", Password: "hunter2"})
	if err != nil || strings.Contains(sealed, "hunter2") {
		t.Fatalf("%q, %v", sealed, err)
	}
	if got, err := s.unseal("net", "@mia:x", sealed); err != nil || got.Password != "hunter2" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.unseal("net", "@eve:x", sealed); err == nil {
		t.Error("somebody else's secret was read")
	}
	if _, err := new(store).seal("net", "@mia:x", &accountSecret{}); err == nil {
		t.Error("a secret was stored without a key")
	}
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	secret, prints, err := newCertificate("@mia:x")
	if err != nil || len(prints[0]) != 64 || len(prints[1]) != 128 {
		t.Fatalf("%v, %v", prints, err)
	}
	if pair, err := secret.certificate(); err != nil || pair == nil {
		t.Errorf("%v, %v", pair, err)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		prefix string
		number int64
		want   string
	}{
		{"2001:db8::/64", 1, "2001:db8::1"}, {"2001:db8::/64", 65537, "2001:db8::1:1"},
		{"2001:db8::/120", 255, "2001:db8::ff"}, {"2001:db8::/120", 256, ""}, {"2001:db8::/64", 0, ""},
		{"127.7.0.0/16", 258, "127.7.1.2"}, {"127.7.0.0/24", 256, ""},
	} {
		got, err := address(netip.MustParsePrefix(c.prefix), c.number)
		if c.want == "" && err == nil || c.want != "" && got.String() != c.want {
			t.Errorf("%s %d: %v, %v", c.prefix, c.number, got, err)
		}
	}
}

func TestIdentAnswer(t *testing.T) {
	t.Parallel()
	i := newIdent()
	i.users[[2]int{5000, 6697}] = "mia"
	for line, want := range map[string]string{
		"5000 , 6697\r\n": "5000 , 6697 : USERID : UNIX : mia\r\n", "5000,6668\r\n": "5000 , 6668 : ERROR : NO-USER\r\n",
		"x,1\r\n": "0 , 0 : ERROR : INVALID-PORT\r\n", "": "0 , 0 : ERROR : INVALID-PORT\r\n", "0,70000\r\n": "0 , 0 : ERROR : INVALID-PORT\r\n",
	} {
		if got := i.answer(line); got != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// A server that asks whose a connection is before the connecting has ended hears it all the same.
func TestIdentWhileDialing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	i := newIdent()
	answers := make(chan string, 1)
	conn, err := i.connect("mia", func() (net.Conn, error) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		asking := make(chan struct{})
		go func() {
			close(asking)
			answers <- i.answer(fmt.Sprintf("%d , %d", conn.LocalAddr().(*net.TCPAddr).Port, l.Addr().(*net.TCPAddr).Port))
		}()
		<-asking
		return conn, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := <-answers; !strings.HasSuffix(got, " : USERID : UNIX : mia\r\n") {
		t.Errorf("the answer is %q", got)
	}
}

func TestMeets(t *testing.T) {
	t.Parallel()
	bob := session.User{Nick: "Bob[1]", Username: "~b", Host: "host.example", Account: "bob"}
	for mask, want := range map[string]bool{
		"bob{1}!*@*": true, "*!*@host.example": true, "*!*@*.org": false, "*!~?@host*": true, "$a:bob": true, "$a:eve": false,
		"R:bob": true, "bob[1]": true, "*!*@host.example$#overflow": true, "$r:*": false, "m:*!*@*": false, "*": true,
	} {
		if got := meets(session.CasemapRFC1459, mask, bob); got != want {
			t.Errorf("%s: %v", mask, got)
		}
	}
	if unknown := (session.User{Nick: "bob"}); meets(session.CasemapASCII, "*!*@host", unknown) || !meets(session.CasemapASCII, "b?b!*@*", unknown) {
		t.Error("of somebody whose host is not known only the nick counts")
	}
}

func TestGateSlows(t *testing.T) {
	t.Parallel()
	g := new(gate)
	g.ended(errOf("Closing link: Too many connections from your host"))
	g.ended(errOf("Trying to reconnect too fast"))
	if g.slow < 2e9 {
		t.Errorf("it waits for %v", g.slow)
	}
	if g.ended(nil); g.slow > 1e9 {
		t.Errorf("afterwards for %v", g.slow)
	}
}

type errOf string

func (e errOf) Error() string { return string(e) }
