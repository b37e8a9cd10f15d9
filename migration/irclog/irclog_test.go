package irclog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/migration/model"
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
		{"Limnoria", "logs/#lobby/#lobby.2024-01-02.log", "2024-01-02T15:04:05  *** ann <ann!~a@h> has joined #lobby\n2024-01-02T15:04:06  <ann> hello\n2024-01-02T15:04:07  * ann waves\n" +
			"2024-01-02T15:04:08  *** ann changes topic to \"it's new\"\n2024-01-02T15:04:09  *** bob is now known as bob_\n2024-01-02T15:04:10  -bob_- listen\n2024-01-02T15:04:11  *** bob_ was kicked by ann (out)\n" +
			"2024-01-02T15:04:12  *** ann <ann!~a@h> has quit IRC (bye)\n2024-01-02T15:04:13  *** eve has joined #lobby\n",
			[]string{"0102 15:04:05 ann joined ", "0102 15:04:06 ann  hello", "0102 15:04:07 ann emote waves", "0102 15:04:08 ann topic it's new", "0102 15:04:10 bob_ notice listen", "0102 15:04:11 bob_ left ", "0102 15:04:12 ann left ", "0102 15:04:13 eve joined "}},
		{"eggdrop", "logs/#lobby.log.20240102", "[15:04] --- Tue Jan  2 2024\n[15:05] ann (~a@h) joined #lobby.\n[15:06] <ann> hello\n[15:07] Action: ann waves\n[15:08] #lobby: mode change '+o ann' by bob!b@h\n" +
			"[15:09] Topic changed on #lobby by ann!~a@h: new\n[15:10] Nick change: bob -> bob_\n[15:11] ann (~a@h) left irc: bye\n[15:12] bob_ kicked from #lobby by eve: out\n[00:00] --- Wed Jan  3 2024\n[00:01] <eve> hi\n",
			[]string{"0102 15:05:00 ann joined ", "0102 15:06:00 ann  hello", "0102 15:07:00 ann emote waves", "0102 15:09:00 ann topic new", "0102 15:11:00 ann left ", "0102 15:12:00 bob_ left ", "0103 00:01:00 eve  hi"}},
		{"irssi in German", "libera/#lobby.log", "--- Log opened Fr M\xe4r 01 15:00:00 2024\n15:04 <@ann> hello\n--- Day changed Sa M\xe4r 02 2024\n00:01 <bob> hi\n--- Day changed Mi Mai 01 2024\n00:02 <bob> ho\n",
			[]string{"0301 15:04:00 ann  hello", "0302 00:01:00 bob  hi", "0501 00:02:00 bob  ho"}},
		{"irssi in Spanish", "libera/#lobby.log", "--- Log opened mar mar 05 15:00:00 2024\n15:04 <@ann> hello\n--- Day changed mi\u00e9 ene 01 2025\n00:01 <bob> hi\n",
			[]string{"0305 15:04:00 ann  hello", "0101 00:01:00 bob  hi"}},
		{"irssi in Japanese", "libera/#lobby.log", "--- Log opened \u706b  1\u6708 02 15:00:00 2024\n15:04 <@ann> hello\n--- Day changed \u6c34 12\u6708 03 2024\n00:01 <bob> hi\n",
			[]string{"0102 15:04:00 ann  hello", "1203 00:01:00 bob  hi"}},
		{"what irssi says itself", "libera/#lobby.log", "--- Log opened Tue Jan 02 15:00:00 2024\n15:04 [Users #lobby]\n15:04 [@ann ] [ bob ]\n15:04 -!- Irssi: #lobby: Total of 2 nicks [1 ops, 0 halfops, 0 voices, 1 normal]\n15:04 -!- ann was kicked from #lobby by bob [out]\n" +
			"15:05 !irc.example.org *** hi\n15:06 -!- Netsplit a.example <-> b.example quits: ann, bob\n15:07 <bob> \n",
			[]string{"0102 15:04:00 ann left ", "0102 15:07:00 bob  "}},
		{"WeeChat with a kick", "irc.libera.#lobby.weechatlog", "2024-01-02 15:04:05\t<--\tann has kicked bob (out)\n2024-01-02 15:04:06\t--\tMode #lobby [+o ann] by bob\n2024-01-02 15:04:07\t\tDay changed\n2024-01-02 15:04:08\t-->\tann (~a@h) a rejoint #lobby\n",
			[]string{"0102 15:04:05 bob left ", "0102 15:04:08 ann joined "}},
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

// TestUnknown: what is not understood is told, all of it, and nothing is guessed.
func TestUnknown(t *testing.T) {
	t.Parallel()
	long := ""
	for i := range 20 {
		long += fmt.Sprintf("ann: %d\n", i)
	}
	for _, tc := range []struct {
		name, file, text string
		want             []string // lines
		problems         []string
	}{
		{"a day in an unknown language is not the day before", "#lobby.log", "--- Log opened Tue Jan 02 15:00:00 2024\n15:04 <ann> a\n--- Day changed xx yyy 03 2024\n00:01 <ann> b\n00:02 <ann> c\n--- Day changed Thu Jan 04 2024\n00:03 <ann> d\n",
			[]string{"0102 15:04:00 ann  a", "0104 00:03:00 ann  d"},
			[]string{"#lobby.log:3: says another day, which can't be read: the lines up to the next day are lost", "#lobby.log:4: is no line of a log that is known", "#lobby.log:5: is no line of a log that is known"}},
		{"a line with a time alone", "#lobby.log", "2024-01-02 15:04:05 <ann> a\n2024-01-02 15:04:06 ann: b\n", []string{"0102 15:04:05 ann  a"}, []string{"#lobby.log:2: is no line of a log that is known"}},
		{"WeeChat with prefixes of its own", "irc.libera.#lobby.weechatlog", "2024-01-02 15:04:05\t\u2192\tann (~a@h) has joined #lobby\n2024-01-02 15:04:06\t\u26a1\tMode +o\n2024-01-02 15:04:07\tann\ta\n",
			[]string{"0102 15:04:05 ann joined ", "0102 15:04:07 ann  a"}, []string{"irc.libera.#lobby.weechatlog:2: is no line of a log that is known"}},
		{"many lines", "#lobby.log", "2024-01-02 15:04:05 <ann> a\n" + long, []string{"0102 15:04:05 ann  a"},
			[]string{"#lobby.log:2: is no line of a log that is known", "#lobby.log:3: is no line of a log that is known", "#lobby.log:4: is no line of a log that is known", "#lobby.log:5: is no line of a log that is known", "#lobby.log:6: is no line of a log that is known",
				"#lobby.log: has 15 more lines that are of no log that is known"}},
		{"no log", "#lobby.log", long, nil, []string{"#lobby.log: is not read: none of its 20 lines is one of a log of WeeChat, irssi, ZNC, EnergyMech, Limnoria or eggdrop"}},
		{"HexChat", "Libera-#lobby.log", "**** BEGIN LOGGING AT Tue Jan  2 15:00:00 2024\n\nJan 02 15:04:05 *\tNow talking on #lobby\nJan 02 15:04:06 <ann>\thello\n", nil, []string{"Libera-#lobby.log: is not read: it is a log of HexChat or XChat, whose lines say no year and nothing of what they are"}},
		{"mIRC", "#lobby.20240102.log", "Session Start: Tue Jan 02 15:00:00 2024\nSession Ident: #lobby\n[15:04] * Now talking in #lobby\n[15:05] * ann sets mode: +o bob\n", nil,
			[]string{"#lobby.20240102.log: is not read: it is a log of mIRC, which does not tell what people do from what the program says"}},
		{"another ending", "#lobby.log.gz", "", nil, []string{"#lobby.log.gz: is not read: its name ends neither in .log, .weechatlog nor .txt"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := open(t, map[string]string{tc.file: tc.text, "#a/2024-01-01.log": ""})
			var got []string
			for _, c := range e.Channels() {
				if c.Name == "#lobby" {
					e.channels = []model.Channel{c}
					got = lines(t, e)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("lines %q", got)
			}
			var problems []string
			for _, p := range e.Problems() {
				problems = append(problems, p.Where+": "+p.What)
			}
			if !slices.Equal(problems, tc.problems) {
				t.Errorf("problems %q", problems)
			}
		})
	}
}

// TestTwice: what is said twice at one time by the clock, as in the hour that comes twice in autumn, is there twice.
func TestTwice(t *testing.T) {
	t.Parallel()
	e := open(t, map[string]string{"#lobby/2024-10-27.log": "[02:30] <ann> yes\n[02:40] <bob> no\n[02:30] <ann> yes\n"})
	if got, want := lines(t, e), []string{"1027 02:30:00 ann  yes", "1027 02:40:00 bob  no", "1027 02:30:00 ann  yes"}; !slices.Equal(got, want) {
		t.Errorf("lines %q", got)
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"2024-01-02 15:04:05\tann\tx", "[15:04:06] <ann> x", "--- Day changed Wed Jan 03 2024", "2024-01-02T15:04:06.123456Z\tann\thi", "[2024-01-02 15:04:07+0200] * a b", "15:04 -!- a [b] has quit [c]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := &parser{zone: time.UTC, day: time.Unix(0, 0).UTC()}
		if e, err := p.line(s); err == nil && e.nick != "" && e.at.IsZero() {
			t.Errorf("%q is %+v", s, e)
		}
	})
}
