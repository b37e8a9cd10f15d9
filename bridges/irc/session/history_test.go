package session_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// History is read page by page, as large as the server allows, and knows what earlier connections of the session have said: under
// its nick, one that it takes when that is in use, or through a relay, and from its host.
func TestHistoryInPages(t *testing.T) {
	t.Parallel()
	s, cfg := script(t)
	sess, r := start(t, cfg)
	s.accept()
	s.expect("CAP LS 302")
	s.expect("USER ")
	s.send(":srv CAP * LS :batch draft/chathistory message-tags server-time")
	for range 4 {
		s.send(":srv CAP * ACK :" + strings.TrimPrefix(s.expect("CAP REQ :"), "CAP REQ :"))
	}
	s.expect("CAP END")
	s.send(":srv 001 bridge_ :Welcome", ":srv 005 bridge_ CHATHISTORY=3 NICKLEN=9 :are supported", ":srv 422 bridge_ :No MOTD", ":bridge_!b@here JOIN #x")
	await[session.Registered](t, r, nil)
	said := []string{
		":bridge!b@here PRIVMSG #x :0", ":ann!a@there PRIVMSG #x :1", ":bridge_!b@here PRIVMSG #x :2",
		":bridge!b@elsewhere PRIVMSG #x :3", ":bridge2!b@here PRIVMSG #x :4", ":ben!b@here PRIVMSG #x :5",
		"draft/relaymsg=bridge :mia/m!b@here PRIVMSG #x :6",
	}
	after := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	type answer struct {
		said []session.Message
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		said, err := sess.History(t.Context(), "#x", after, 100)
		done <- answer{said, err}
	}()
	next := "timestamp=2026-01-02T03:04:05.000Z"
	for at := 0; at <= len(said); at += 3 {
		if got, want := s.expect("CHATHISTORY "), "CHATHISTORY AFTER #x "+next+" 3"; got != want {
			t.Errorf("it asks %q instead of %q", got, want)
		}
		s.send(fmt.Sprintf(":srv BATCH +h%d chathistory #x", at))
		for i, line := range said[at:min(at+3, len(said))] {
			tags, rest, tagged := strings.Cut(line, " :")
			if !tagged || strings.HasPrefix(line, ":") {
				tags, rest = "", strings.TrimPrefix(line, ":")
			} else {
				tags = ";" + tags
			}
			next = fmt.Sprintf("msgid=M%d", at+i)
			s.send(fmt.Sprintf("@batch=h%d;msgid=M%d;time=2026-01-02T03:05:05.%03dZ%s :%s", at, at+i, at+i, tags, rest))
		}
		s.send(fmt.Sprintf(":srv BATCH -h%d", at))
	}
	got := <-done
	if got.err != nil || len(got.said) != len(said) {
		t.Fatalf("%d of %d messages: %v", len(got.said), len(said), got.err)
	}
	var own []string
	for _, m := range got.said {
		if m.Echo {
			own = append(own, m.Text)
		}
	}
	if want := []string{"0", "2", "4", "6"}; !slices.Equal(own, want) {
		t.Errorf("its own are taken to be %v, not %v", own, want)
	}
}

// Pages overlap, for a server that goes by times passes over what is behind the end of a page and a little older; and what is
// said in a channel before the session is told that it has joined comes behind what was said before.
func TestGapInPages(t *testing.T) {
	t.Parallel()
	s, cfg := script(t)
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cfg.Since = func(string) time.Time { return begin }
	_, r := start(t, cfg)
	s.accept()
	s.expect("CAP LS 302")
	s.expect("USER ")
	s.send(":srv CAP * LS :batch draft/chathistory message-tags server-time")
	for range 4 {
		s.send(":srv CAP * ACK :" + strings.TrimPrefix(s.expect("CAP REQ :"), "CAP REQ :"))
	}
	s.expect("CAP END")
	s.send(":srv 001 bridge :Welcome", ":srv 422 bridge :No MOTD", "@msgid=early;time=2026-01-02T03:05:00.000Z :ann!a@there PRIVMSG #x :early", ":bridge!b@here JOIN #x")
	page := func(texts ...string) {
		s.send(":srv BATCH +h chathistory #x")
		for _, text := range texts {
			s.send(fmt.Sprintf("@batch=h;msgid=%s;time=2026-01-02T03:04:06.000Z :ann!a@there PRIVMSG #x :%s", text, text))
		}
		s.send(":srv BATCH -h")
	}
	var want, first []string
	for i := range 100 {
		first = append(first, fmt.Sprint("m", i))
	}
	s.expect("CHATHISTORY AFTER #x timestamp=2026-01-02T03:04:04.000Z 100")
	page(first...)
	s.expect("CHATHISTORY AFTER #x msgid=m89 100")
	page(append(slices.Clone(first[90:]), "older", "m100", "early")...)
	want = append(slices.Clone(first), "older", "m100", "early")
	s.send("@msgid=now :ann!a@there PRIVMSG #x :now")
	want = append(want, "now")
	var got []string
	for len(got) < len(want) {
		got = append(got, await[session.Message](t, r, nil).Text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("it heard %v, not %v", got, want)
	}
}
