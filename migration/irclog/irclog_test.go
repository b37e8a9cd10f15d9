package irclog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func open(t testing.TB, files map[string]string) *Export {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Open(dir, Options{Network: "libera"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// lines are what the only channel of logs has, a line each.
func lines(t testing.TB, e *Export) (out []string) {
	t.Helper()
	c := e.Channels()[0]
	names := map[string]bool{}
	for m, err := range e.Messages(t.Context(), &c) {
		if err != nil {
			t.Fatal(err)
		}
		if names[m.Name] {
			t.Errorf("the name %s is there twice", m.Name)
		}
		names[m.Name] = true
		text := m.Value
		if m.Render != nil {
			text = m.Render(nil).Body
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", m.Time.UTC().Format("0102 15:04:05"), m.Alias.Name, m.What, text))
	}
	return out
}

func TestClients(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, file, text string
		want             []string
	}{
		{"WeeChat", "irc.libera.#lobby.weechatlog", "2024-01-02 15:04:05\t-->\tann (~a@h) has joined #lobby\n2024-01-02 15:04:06\t@ann\thello\n2024-01-02 15:04:06\t@ann\thello\n" +
			"2024-01-02 15:04:07\t *\tann waves\n2024-01-02 15:04:08\t--\tann has changed topic for #lobby to \"new\"\n2024-01-02 15:04:09\t<--\tann (~a@h) has quit (bye)\n",
			[]string{"0102 15:04:05 ann joined ", "0102 15:04:06 ann  hello", "0102 15:04:06 ann  hello", "0102 15:04:07 ann emote waves", "0102 15:04:08 ann topic new", "0102 15:04:09 ann left "}},
		{"irssi", "libera/#lobby.log", "--- Log opened Tue Jan 02 15:00:00 2024\n15:04 -!- ann [~a@h] has joined #lobby\n15:04 <@ann> hello\n15:05  * ann waves\n" +
			"15:06 -!- ann changed the topic of #lobby to: new\n--- Day changed Wed Jan 03 2024\n00:01 < bob> hi\n00:02 -!- ann [~a@h] has quit [bye]\n--- Log closed Wed Jan 03 01:00:00 2024\n",
			[]string{"0102 15:04:00 ann joined ", "0102 15:04:00 ann  hello", "0102 15:05:00 ann emote waves", "0102 15:06:00 ann topic new", "0103 00:01:00 bob  hi", "0103 00:02:00 ann left "}},
		{"ZNC", "libera/#lobby/2024-01-02.log", "[15:04:05] *** Joins: ann (~a@h)\n[15:04:06] <ann> hello\n[15:04:07] * ann waves\n[15:04:08] *** ann changes topic to 'new'\n[15:04:09] -bob- listen\n[15:04:10] *** Quits: ann (~a@h) (bye)\n[15:04:11] *** bob sets mode: +o ann\n",
			[]string{"0102 15:04:05 ann joined ", "0102 15:04:06 ann  hello", "0102 15:04:07 ann emote waves", "0102 15:04:08 ann topic new", "0102 15:04:09 bob notice listen", "0102 15:04:10 ann left "}},
		{"WeeChat since 4.4", "irc.libera.#lobby.weechatlog", "2024-01-02T15:04:06.123456Z\t@ann\thello\n2024-01-02T15:04:07.000000Z\t *\tann waves\n2024-01-02T17:04:08.5+02:00\tbob\t<x> 10:00\n",
			[]string{"0102 15:04:06 ann  hello", "0102 15:04:07 ann emote waves", "0102 15:04:08 bob  <x> 10:00"}},
		{"irssi with dates", "libera/#lobby.log", "2024-01-02 15:04:06 <@ann> hello\n[2024-01-02 15:04:07]  * ann waves\n2024-01-02T15:04:08+0000 < bob> hi\n2024-01-02 15:04:09 -bob:#lobby- listen\n",
			[]string{"0102 15:04:06 ann  hello", "0102 15:04:07 ann emote waves", "0102 15:04:08 bob  hi", "0102 15:04:09 bob notice listen"}},
		{"old ZNC", "libera_#lobby_20240102.log", "[15:04:05] *** Parts: ann (~a@h) (bye)\n[15:04:06] <ann> <bob> said so\n[15:04:07] *** ann is now known as anna\n",
			[]string{"0102 15:04:05 ann left ", "0102 15:04:06 ann  <bob> said so"}},
		{"EnergyMech", "#lobby_20240102.log", "[15:04:05] *** Joins: ann (~a@h)\n[15:04:06] <ann> hello\n[15:04:10] *** ann was kicked by bob (out)\n",
			[]string{"0102 15:04:05 ann joined ", "0102 15:04:06 ann  hello", "0102 15:04:10 ann left "}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := open(t, map[string]string{tc.file: tc.text})
			if got := lines(t, e); !slices.Equal(got, tc.want) {
				t.Errorf("lines %q", got)
			}
			if c := e.Channels()[0]; c.Key != "libera/#lobby" || c.Name != "#lobby" {
				t.Errorf("the channel is %+v", c)
			}
			if p := e.Problems(); len(p) != 0 {
				t.Errorf("problems %v", p)
			}
		})
	}
}

func TestOdd(t *testing.T) {
	t.Parallel()
	e := open(t, map[string]string{"#lobby/2024-01-02.log": "[15:04:06] <ann> gr\xfc\xdfe\nno line\n[25:99:99] <ann> x\n", "#lobby/2024-01-01.log": "[15:04:06] <ann> before\n", "readme.txt": "x"})
	if got, want := lines(t, e), []string{"0101 15:04:06 ann  before", "0102 15:04:06 ann  grüße"}; !slices.Equal(got, want) {
		t.Errorf("lines %q", got)
	}
	if p := e.Problems(); len(p) != 3 {
		t.Errorf("problems %v", p)
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil {
		t.Error("an empty folder is taken for logs")
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"2024-01-02 15:04:05\tann\tx", "[15:04:06] <ann> x", "--- Day changed Wed Jan 03 2024", "2024-01-02T15:04:06.123456Z\tann\thi", "[2024-01-02 15:04:07+0200] * a b", "15:04 -!- a [b] has quit [c]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := &parser{zone: time.UTC, day: time.Unix(0, 0).UTC()}
		if e, ok := p.line(s); ok && e.nick != "" && e.at.IsZero() {
			t.Errorf("%q is %+v", s, e)
		}
	})
}
