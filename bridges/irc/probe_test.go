package irc

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// script is a server that answers lines by their first word.
func script(t *testing.T, answers map[string]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				lines := bufio.NewScanner(c)
				for lines.Scan() {
					word, _, _ := strings.Cut(lines.Text(), " ")
					if word == "QUIT" {
						return
					}
					fmt.Fprint(c, answers[word])
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestProbe(t *testing.T) {
	t.Parallel()
	const welcome = ":s 001 n :hi\r\n:s 005 n NETWORK=Net CHANTYPES=# :are supported\r\nPING :x\r\n:s 376 n :end\r\n"
	at := script(t, map[string]string{"USER": welcome, "LIST": ":s 322 n #a 3 :about a\r\n:s 322 n #b 30 :\r\n:s 323 n :end\r\n"})
	found, err := Probe(t.Context(), at, false, "n")
	if err != nil || found.Network != "Net" || found.Nick != "n" || len(found.Channels) != 2 || found.Channels[0] != (FoundChannel{"#b", "", 30}) || found.Channels[1].Topic != "about a" {
		t.Errorf("%+v %v", found, err)
	}
	for name, test := range map[string]struct {
		at        string
		encrypted bool
		want      string
	}{
		"no port":   {"irc.example.org", false, "no host and port"},
		"nobody":    {"127.0.0.1:1", false, "nobody answers"},
		"banned":    {script(t, map[string]string{"USER": "ERROR :go away\r\n"}), false, "go away"},
		"bad nick":  {script(t, map[string]string{"NICK": ":s 432 * n :no\r\n"}), false, "not allowed"},
		"nick used": {script(t, map[string]string{"NICK": ":s 433 * n :no\r\n"}), false, `"n___" is in use`},
		"no TLS":    {at, true, "no TLS"},
		"password":  {script(t, map[string]string{"USER": ":s 464 * :who are you\r\n"}), false, "without a password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if _, err := Probe(ctx, test.at, test.encrypted, "n"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
