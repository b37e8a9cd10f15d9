package irc

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"
)

func TestPuppetNick(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ template, name, user, want string }{
		{"{localpart}[m]", "Mia", "@mia:x", "mia[m]"},
		{"{name}", "Mia Wallace", "@mia:x", "Mia_Wallace"},
		{"{name}", "Ünïcode", "@uni:x", "ncode"},
		{"{name}|m", "漢字", "@kanji:x", "kanji|m"},
		{"{localpart}", "", "@1up:x", "_1up"},
		{"{localpart}", "", "@-dash:x", "_-dash"},
		{"{localpart}[m]", "", "@a.b=c/d+e:x", "abcde[m]"},
		{"{localpart}[m]", "", "@" + strings.Repeat("long", 20) + ":x", strings.Repeat("long", 6) + "lon[m]"},
		{"m_{localpart}", "", "@漢字:x", "m_m123bae0b"},
	} {
		if got := puppetNick(c.template, c.name, id.UserID(c.user)); got != c.want || len(got) > maxNick+1 {
			t.Errorf("%s of %s (%s) is %q, wanted %q", c.template, c.user, c.name, got, c.want)
		}
	}
	for _, template := range []string{"", "bridge", "{nick}", "{localpart} x", "{localpart}é", "{name}:"} {
		if checkNickTemplate(template) == nil {
			t.Errorf("%q is taken", template)
		}
	}
	for user, want := range map[id.UserID]string{"@mia:x": "mia", "@a.b-c_d:x": "abcd", "@abcdefghijklmn:x": "abcdefghij", "@漢字:x": "matrix"} {
		if got := puppetUsername(user); got != want {
			t.Errorf("the user name of %s is %q", user, got)
		}
	}
}
