package acl

import (
	"encoding/json/jsontext"
	"strings"
	"testing"
)

func TestACL(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		content, server string
		want            bool
	}{
		{`{"allow":["*"]}`, "example.org", true},
		{`{"allow":["*"]}`, "example.org:8448", true},
		{`{"allow":["*"],"deny":["example.org"]}`, "example.org", false},
		{`{"allow":["*"],"deny":["example.org"]}`, "example.org:1234", false},
		{`{"allow":["*"],"deny":["EXAMPLE.org"]}`, "example.ORG", false},
		{`{"allow":["*"],"deny":["*.org"]}`, "a.b.org", false},
		{`{"allow":["*"],"deny":["*.org"]}`, "org", true},
		{`{"allow":["?.org"]}`, "a.org", true},
		{`{"allow":["?.org"]}`, "ab.org", false},
		{`{"allow":["*"],"allow_ip_literals":false}`, "1.2.3.4", false},
		{`{"allow":["*"],"allow_ip_literals":false}`, "[::1]:8448", false},
		{`{"allow":["*"],"allow_ip_literals":"no"}`, "1.2.3.4", true},
		{`{"allow":["*"],"allow_ip_literals":true}`, "1.2.3.4", true},
		{`{"allow":["*"],"deny":["[::1]"]}`, "[::1]", false},
		{`{"allow":["*"],"deny":["::1"]}`, "[::1]", false},
		{`{}`, "example.org", false},
		{`{"allow":"*"}`, "example.org", false},
		{`{"allow":[1,{"a":"*"},"example.*"]}`, "example.org", true},
		{`{"allow":["*"],"deny":["a.b"]}`, "axb", true},
		{`{"allow":["*"]}`, "not a server", false},
	} {
		if got := Allows(jsontext.Value(tc.content), tc.server); got != tc.want {
			t.Errorf("%s, %s: %v", tc.content, tc.server, got)
		}
	}
	// Globs that make others backtrack for ever.
	if matchGlob(strings.Repeat("*a", 1000)+"b", strings.Repeat("a", 1000)) {
		t.Error("a glob matches what it does not")
	}
}
