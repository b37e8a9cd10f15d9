package sync

import "testing"

func FuzzPosition(f *testing.F) {
	for _, s := range []string{"s1_2_3_4", "s1_2_3", "t5_-6", "t5_6_7", "s1_2_3_4.abc.5", "s", "t", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if tok, err := ParseToken(s); err == nil {
			if again, err := ParseToken(tok.String()); err != nil || again != tok {
				t.Errorf("%q became %q and then %v, %v", s, tok, again, err)
			}
		}
		if p, err := ParsePosition(s); err == nil {
			if again, err := ParsePosition(p.String()); err != nil || again != p {
				t.Errorf("%q became %q and then %v, %v", s, p, again, err)
			}
		}
	})
}
