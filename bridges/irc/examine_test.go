package irc_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/irc"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/internal/ports"
)

// examine has a bridge that does not run look around; what it finds is keyed by what was looked at and the verdict.
func examine(t *testing.T, config string) map[string]appservice.Finding {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(config), &node); err != nil {
		t.Fatal(err)
	}
	b, err := irc.New(t.Context(), &node, irc.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]appservice.Finding)
	err = b.Examine(t.Context(), func(f appservice.Finding) {
		if f.Verdict != appservice.Good && f.Remedy == "" {
			t.Errorf("no remedy for %+v", f)
		}
		key := strings.TrimPrefix(f.What, "net: ") + "/" + string(f.Verdict)
		if before, ok := out[key]; ok {
			f.Detail = before.Detail + " " + f.Detail
			f.Remedy = before.Remedy + " " + f.Remedy
		}
		out[key] = f
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An examination says what keeps the bridge from its channels, and joins none of them.
func TestExamine(t *testing.T) {
	t.Parallel()
	withServers(t, func(t *testing.T, s *ircd.Server, tags bool) {
		alice := ircd.Dial(t, s.Addr, "alice")
		for _, name := range []string{"#open", "#closed", "#keyed"} {
			alice.Join(name)
		}
		alice.Send("MODE #closed +i")
		alice.Send("MODE #keyed +k sesame")
		alice.Expect("sesame")
		bridge := ircd.Dial(t, s.Addr, "bridge") // one that runs already
		config := networkConfig(s.Addr, "")
		channels := func(list string) string {
			return strings.Replace(config, `["#room", {name: "#Other", room_alias: other}]`, list, 1)
		}
		got := examine(t, channels(`["#open", "#closed", "#keyed", "#new"]`))
		if _, ok := got["the connection/good"]; !ok {
			t.Errorf("found %v", got)
		}
		if f := got["channels/good"]; !strings.Contains(f.Detail, "#open") || !strings.Contains(f.Detail, "#new") || strings.Contains(f.Detail, "#closed") {
			t.Errorf("of open channels: %+v", f)
		}
		if f := got["channels/doubtful"]; !strings.Contains(f.Detail, "#closed is for who is invited") || !strings.Contains(f.Remedy, "/invite bridge #closed") {
			t.Errorf("of closed channels: %+v", f)
		}
		if f := got["channels/bad"]; !strings.Contains(f.Detail, "#keyed") {
			t.Errorf("of channels with a key: %+v", f)
		}
		if f := got["what the server can do/good"]; strings.Contains(f.Detail, "of the old kind") == tags {
			t.Errorf("of the server: %+v", f)
		}
		got = examine(t, channels(`[{name: "#keyed", key: sesame}]`))
		if f := got["channels/good"]; !strings.Contains(f.Detail, "#keyed") {
			t.Errorf("with the key: %v", got)
		}
		bridge.Send("PRIVMSG #open :hello") // not in it, and neither was the examination
		alice.Send("NAMES #open")
		if line := alice.Expect(" 353 "); strings.Contains(line, "bridge") {
			t.Errorf("it has joined: %s", line)
		}
	})
}

// What keeps the bridge from the network is told, too.
func TestExamineRefusals(t *testing.T) {
	t.Parallel()
	locked := ircd.NgIRCd(t, "open-sesame")
	open := ircd.NgIRCd(t, "")
	plain := listenPlain(t)
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ports.Addr(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := silent.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ config, key, detail string }{
		"no password":    {networkConfig(locked.Addr, ""), "the account/bad", "password"},
		"wrong password": {networkConfig(locked.Addr, "    server_password: wrong"), "the account/bad", "assword"},
		"nobody":         {networkConfig(silent.Addr().String(), ""), "the connection/bad", "Nobody answers"},
		"no such name":   {networkConfig("irc.invalid:6667", ""), "the connection/bad", "no such address"},
		"no TLS":         {strings.Replace(networkConfig(plain, ""), "tls: false", "tls: true", 1), "the connection/bad", "no TLS"},
		"no accounts":    {networkConfig(open.Addr, "    sasl: {mechanism: plain, user: x, password: y, allow_cleartext: true}"), "the account/bad", "SASL"},
		"in the clear":   {networkConfig("irc.invalid:6667", ""), "encryption/doubtful", "not encrypted"},
		"a long nick":    {strings.Replace(networkConfig(open.Addr, ""), "nick: bridge", "nick: bridgeofthetown", 1), "the nick/doubtful", "9 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := examine(t, tc.config)
			if f, ok := got[tc.key]; !ok || !strings.Contains(f.Detail, tc.detail) {
				t.Error(fmt.Sprint(got))
			}
		})
	}
}

// listenPlain is a server that greets in the clear.
func listenPlain(t *testing.T) string {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ports.Addr(t))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(":irc.example NOTICE * :*** Looking up your hostname\r\n"))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}
