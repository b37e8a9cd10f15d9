package sso

import "testing"

func FuzzClientAddress(f *testing.F) {
	for _, s := range []string{"https://a/b?c#d", "javascript:x", " javascript:x", "java\nscript:x", "element://x", "HTTP:/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := ClientAddress(s); err == nil && u.Scheme == "javascript" {
			t.Errorf("%q leads to %q", s, u)
		}
	})
}
