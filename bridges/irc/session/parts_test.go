package session

import (
	"bufio"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		value, in, want string
	}{
		{"rfc1459", `A[]\~Z`, "a{}|^z"},
		{"", `A[]\~`, "a{}|^"},
		{"rfc1459-strict", `A[]\~`, "a{}|~"},
		{"strict-rfc1459", `[~`, "{~"},
		{"ascii", `A[]\~É`, `a[]\~É`},
		{"rfc7613", "ABC", "abc"},
	} {
		if got := ParseCasemapping(tc.value).Fold(tc.in); got != tc.want {
			t.Errorf("%s: Fold(%q) = %q, want %q", tc.value, tc.in, got, tc.want)
		}
	}
}

func TestISupport(t *testing.T) {
	t.Parallel()
	s := newISupport()
	s.add(strings.Fields(`CASEMAPPING=ascii CHANTYPES=#! PREFIX=(qaohv)~&@%+ CHANMODES=beI,k,l,imn,extra NICKLEN=9 TOPICLEN=300 LINELEN=1024 NETWORK=A\x20B STATUSMSG=@+ SAFELIST`))
	if s.Casemapping != CasemapASCII || s.ChanTypes != "#!" || s.PrefixModes != "qaohv" || s.PrefixSymbols != "~&@%+" ||
		s.ChanModes != [4]string{"beI", "k", "l", "imn"} || s.NickLen != 9 || s.TopicLen != 300 || s.LineLen != 1024 || s.Network != "A B" {
		t.Errorf("ISupport = %+v", s)
	}
	if !s.IsChannel("!x") || s.IsChannel("&x") || s.IsChannel("") || s.splitStatus("@#x") != "#x" || s.splitStatus("@x") != "@x" {
		t.Error("channels are told wrongly")
	}
	s.add([]string{"-PREFIX", "-NICKLEN", "LINELEN=0"})
	if s.PrefixModes != "ov" || s.NickLen != 0 || s.LineLen != 1024 {
		t.Errorf("after removal: %+v", s)
	}
}

func TestAltNick(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		try, limit int
		want       string
	}{
		{1, 0, "bridge_"}, {2, 0, "bridge__"}, {3, 0, "bridge1"}, {12, 0, "bridge10"},
		{1, 6, "bridg_"}, {12, 6, "brid10"}, {1, 20, "bridge_"},
	} {
		if got := altNick("bridge", tc.try, tc.limit); got != tc.want {
			t.Errorf("altNick(%d, %d) = %q, want %q", tc.try, tc.limit, got, tc.want)
		}
	}
}

func TestJoinLines(t *testing.T) {
	t.Parallel()
	var wants []*want
	for _, name := range strings.Fields("#a #b #c #d #e #f #g #h #i #j #k #l") {
		wants = append(wants, &want{name: name})
	}
	wants[2].key = "key"
	want := []string{"JOIN #a,#b", "JOIN #c key", "JOIN #d,#e,#f,#g,#h,#i,#j,#k,#l"}
	if got := joinLines(wants); !slices.Equal(got, want) {
		t.Errorf("joinLines = %q", got)
	}
	wants[2].key = ""
	if got := joinLines(wants); len(got) != 2 || got[1] != "JOIN #k,#l" {
		t.Errorf("joinLines = %q", got)
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	b := Backoff{Min: time.Second, Max: 10 * time.Second}
	for failures, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 5: 10 * time.Second, 1000: 10 * time.Second} {
		for range 50 {
			if d := b.delay(failures); d < want*3/4 || d > want*5/4+1 {
				t.Errorf("delay(%d) = %v, want about %v", failures, d, want)
			}
		}
	}
}

func TestBucket(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	b := newBucket(2, 4, now)
	for range 2 {
		if b.take(now) != 0 {
			t.Fatal("the burst is not free")
		}
	}
	wait := b.take(now)
	if wait < 250*time.Millisecond || wait > 260*time.Millisecond {
		t.Errorf("wait = %v, want 250 ms", wait)
	}
	if b.take(now.Add(wait)) != 0 {
		t.Error("no token after the wait")
	}
	for i, free := range []bool{true, true, false} {
		if (b.take(now.Add(time.Hour)) == 0) != free {
			t.Errorf("take %d after an hour: the burst is 2, neither more nor less", i+1)
		}
	}
}

func TestLineFormat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		line Line
		want string
	}{
		{Line{Command: "PRIVMSG", Params: []string{"#a", ""}}, "PRIVMSG #a :"},
		{Line{Command: "PRIVMSG", Params: []string{"#a", ":x y"}}, "PRIVMSG #a ::x y"},
		{Line{Command: "AWAY"}, "AWAY"},
		{Line{Command: "PRIVMSG", Params: []string{"#a b", "x"}}, ""},
		{Line{Command: "PRIVMSG", Params: []string{":a", "x"}}, ""},
		{Line{Command: "PRIVMSG", Params: []string{"", "x"}}, ""},
		{Line{Command: "PRIVMSG", Params: []string{"#a", "x\ry"}}, ""},
		{Line{Command: "PRIVMSG", Params: []string{"#a", "x\x00"}}, ""},
	} {
		if got, err := tc.line.format(); got != tc.want || (err != nil) != (tc.want == "") {
			t.Errorf("format(%q) = %q, %v; want %q", tc.line.Params, got, err, tc.want)
		}
	}
}

func TestReadLine(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 4094, 4095, 4096, 4097, 8191, maxLine - 2} { // around the reader's buffer
		want := strings.Repeat("x", n)
		r := bufio.NewReader(strings.NewReader(want + "\r\nnext\n"))
		if got, err := readLine(r); err != nil || got != want {
			t.Errorf("a line of %d bytes: %d bytes, %v", n, len(got), err)
		}
		if got, err := readLine(r); err != nil || got != "next" {
			t.Errorf("after a line of %d bytes: %q, %v", n, got, err)
		}
	}
	for _, n := range []int{maxLine, maxLine + 1, 1 << 20} {
		if _, err := readLine(bufio.NewReader(strings.NewReader(strings.Repeat("x", n) + "\n"))); !errors.Is(err, errLineTooLong) {
			t.Errorf("a line of %d bytes: %v", n, err)
		}
	}
}

func TestStateOfItselfOnly(t *testing.T) {
	t.Parallel()
	s := newState("me", true)
	s.open("#x")
	for _, nick := range []string{"other", "Me", "third"} {
		s.add("#x", nick, "@")
	}
	if _, ok := s.member("#x", "me"); !ok || s.countOf("#x") != 1 {
		t.Errorf("%d members are remembered, itself %v; want itself alone", s.countOf("#x"), ok)
	}
	s.rename("me", "I")
	if _, ok := s.member("#x", "i"); !ok || s.countOf("#x") != 1 {
		t.Errorf("after its new nick %d members are remembered, itself %v", s.countOf("#x"), ok)
	}
	s.quit("I")
	if s.countOf("#x") != 0 {
		t.Error("it is remembered after it has gone")
	}
}

// FuzzParseLine checks that no line of a server makes the parser panic or lets
// anything through that is not text.
func FuzzParseLine(f *testing.F) {
	for _, s := range []string{
		"PING :x", ":a!b@c PRIVMSG #x :hi", "@time=2020;a=\\:\\s :a JOIN #x", "@a ", "@a :b ", ":", " ", "@ :  x", "caf\xe9 \x00", "@a=b  :c   001  d",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		line, err := readLine(bufio.NewReader(strings.NewReader(in + "\n")))
		if err != nil {
			return
		}
		m, err := parseLine(line)
		if err != nil {
			return
		}
		if m.Command == "" {
			t.Fatalf("%q has no command", in)
		}
		for _, p := range append(m.Params, m.Command) {
			if !utf8.ValidString(p) || strings.ContainsAny(p, "\n\x00") {
				t.Fatalf("%q has the parameter %q", in, p)
			}
		}
	})
}

func TestBucketKeepsTokensForMessages(t *testing.T) {
	now := time.Unix(1000, 0)
	b := newBucket(5, 1, now)
	for i := range 3 {
		if wait := b.spare(now); wait != 0 {
			t.Fatalf("question %d waits %v", i, wait)
		}
	}
	if wait := b.spare(now); wait < time.Second {
		t.Errorf("a question that leaves less than %d tokens waits %v", keep, wait)
	}
	for i := range keep {
		if wait := b.take(now); wait != 0 {
			t.Errorf("message %d waits %v", i, wait)
		}
	}
}
