package session

import (
	"fmt"
	"testing"
)

func TestModeChanges(t *testing.T) {
	t.Parallel()
	isup := newISupport()
	isup.add([]string{"PREFIX=(qaohv)~&@%+", "CHANMODES=Ibe,k,Hl,imnpst"})
	for _, tc := range []struct {
		modes string
		args  []string
		want  string
	}{
		{"+o", []string{"anna"}, "[{o true anna true false}]"},
		{"+t-i", nil, "[{t true  false false} {i false  false false}]"},
		{"+bov", []string{"*!*@x", "anna", "bob"}, "[{b true *!*@x false true} {o true anna true false} {v true bob true false}]"},
		{"-l+l-k", []string{"5", "key"}, "[{l false  false false} {l true 5 false false} {k false key false false}]"},
		{"+o", nil, "[{o true  true false}]"},
		{"", []string{"x"}, "[]"},
		{"+-+", nil, "[]"},
	} {
		got := "["
		for i, c := range isup.modeChanges(tc.modes, tc.args) {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprintf("{%c %v %s %v %v}", c.mode, c.on, c.arg, c.rank, c.list)
		}
		if got += "]"; got != tc.want {
			t.Errorf("%s %v: %s, want %s", tc.modes, tc.args, got, tc.want)
		}
	}
	var m Modes
	for _, c := range "tnsin" {
		m = m.with(byte(c), true)
	}
	if m = m.with('s', false); m != "int" || !m.Has('t') || m.Has('s') {
		t.Errorf("modes are %q", m)
	}
}

func TestIsSplit(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]bool{
		"hub.example.net leaf.example.net": true, "*.net *.split": true, "a.b c.d": true,
		"": false, "Quit: a.b c.d": false, "a.b a.b": false, "bye. now.": false, "see you. later": false,
		"a.b c.d e.f": false, "a.b  c.d": false, "http://a.b c.d": false, "Ping timeout": false,
	} {
		if got := isSplit(reason); got != want {
			t.Errorf("isSplit(%q) = %v", reason, got)
		}
	}
}

func FuzzModeChanges(f *testing.F) {
	f.Add("+o-v", "anna")
	f.Fuzz(func(t *testing.T, modes, arg string) {
		isup := newISupport()
		if n := len(isup.modeChanges(modes, []string{arg})); n > len(modes) {
			t.Errorf("%d changes of %q", n, modes)
		}
	})
}
