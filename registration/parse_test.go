package registration

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestParseSwitches(t *testing.T) {
	t.Parallel()
	const base = "id: x\nurl: null\nas_token: as-0123456789abcdef\nhs_token: hs-0123456789abcdef\nsender_localpart: xbot\nnamespaces: {}\n"
	for _, tt := range []struct {
		lines                          string
		ephemeral, msc3202, management bool
	}{
		{"", false, false, false},
		{"receive_ephemeral: true", true, false, false},
		{"push_ephemeral: true", true, false, false},
		{"de.sorunome.msc2409.push_ephemeral: true", true, false, false},
		{"de.sorunome.msc2409.push_ephemeral: true\npush_ephemeral: false", true, false, false},
		{"receive_ephemeral: false\npush_ephemeral: true", false, false, false},
		{"org.matrix.msc3202: true", false, true, false},
		{"io.element.msc4190: true", false, false, true},
		{"device_management: true", false, false, true},
		{"device_management: on", false, false, true},
	} {
		r, err := Parse("x.yaml", []byte(base+tt.lines+"\n"))
		if err != nil {
			t.Errorf("%s: %v", tt.lines, err)
			continue
		}
		if r.ReceiveEphemeral != tt.ephemeral || r.MSC3202 != tt.msc3202 || r.DeviceManagement != tt.management {
			t.Errorf("%s: got %t %t %t", tt.lines, r.ReceiveEphemeral, r.MSC3202, r.DeviceManagement)
		}
		if r.URL != "" || !r.IsRateLimited() || r.File() != "x.yaml" {
			t.Errorf("%s: got %+v", tt.lines, r)
		}
	}
}

func TestParseLimits(t *testing.T) {
	t.Parallel()
	const base = "id: x\nurl: null\nas_token: as-0123456789abcdef\nhs_token: hs-0123456789abcdef\nsender_localpart: xbot\n"
	many := base + "namespaces:\n  users:\n" + strings.Repeat("    - {exclusive: true, regex: '@x_.*'}\n", MaxNamespaces+1)
	for name, data := range map[string]string{
		"the limit of 1048576":         base + "namespaces: {}\n#" + strings.Repeat("x", MaxFileSize),
		"the limit of 1000":            many,
		"levels of nesting":            base + "namespaces: {}\nx: " + strings.Repeat("[", 500) + strings.Repeat("]", 500),
		"the limit of 2048":            base + "namespaces: {users: [{exclusive: true, regex: '@" + strings.Repeat("x", MaxRegexLength) + "'}]}",
		"too large":                    base + "namespaces: {users: [{exclusive: true, regex: '@a{1000}b{1000}c{1000}d{1000}e{1000}f'}]}",
		"the limit of 255":             strings.Replace(base, "id: x", "id: "+strings.Repeat("x", 256), 1) + "namespaces: {}",
		"the limit of 100":             base + "namespaces: {}\nprotocols: [" + strings.Repeat("x,", 101) + "]",
		"values (aliases":              base + "namespaces: {}\nx: &x [*x, *x]",
		"not valid UTF-8":              base + "namespaces: {}\nx: \xff",
		"is used as a key":             base + "namespaces: {}\n[a]: b",
		"merge keys":                   base + "namespaces: {}\n<<: {a: b}",
		"not valid YAML":               "\x00",
		"a value with the tag !secret": strings.Replace(base, "id: x", "id: !secret x", 1) + "namespaces: {}",
	} {
		_, err := Parse("x.yaml", []byte(data))
		if err == nil || !strings.Contains(err.Error(), name) {
			// An alias within its own anchor ends at either of the limits.
			if name == "values (aliases" && err != nil && strings.Contains(err.Error(), "aliases counted") {
				continue
			}
			t.Errorf("error without %q: %.200v", name, err)
		}
	}
}

func TestParseFileRefusesOtherThanFiles(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/dev/zero":                 "not a regular file",
		"testdata":                  "not a regular file",
		"testdata/none.yaml":        "no such file",
		"testdata/good/x.yaml/none": "no such file",
	} {
		_, err := ParseFile(path)
		var p Problem
		if !errors.As(err, &p) || p.File != path || !strings.Contains(p.Message, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestGenerateAndMarshal(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{ID: "irc", ServerName: "example.org", URL: "http://localhost:1/"},
		{ID: "irc", ServerName: "example.org:8448", Module: "irc", Protocols: []string{"irc", "yes"}},
		{ID: "123", ServerName: "[::1]:80", Encryption: true, Localpart: "bot", Prefix: "_x.y_"},
		{ID: "true", ServerName: "localhost"},
	} {
		r, err := Generate(o)
		if err != nil {
			t.Errorf("%+v: %v", o, err)
			continue
		}
		data, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("generated.yaml", data)
		if err != nil {
			t.Errorf("%+v: %v\n%s", o, err, data)
			continue
		}
		if ps := again.Lint(o.ServerName); len(ps) > 0 {
			t.Errorf("what is generated should be beyond doubt: %v\n%s", ps, data)
		}
		again.origin = nil
		if !reflect.DeepEqual(r, again) {
			t.Errorf("got  %+v\nwant %+v\n%s", *again, *r, data)
		}
		set := mustSetFor(t, o.ServerName, r)
		prefix := o.Prefix
		if prefix == "" {
			prefix = o.ID + "_"
		}
		if set.ExclusiveUser("@"+prefix+"anna:"+o.ServerName) != r || set.ExclusiveAlias("#"+prefix+"x:"+o.ServerName) != r {
			t.Errorf("the namespaces do not cover their own names\n%s", data)
		}
		if r.ASToken == r.HSToken || len(r.ASToken) < 40 {
			t.Errorf("weak tokens")
		}
	}
	for _, o := range []Options{
		{},
		{ID: "x"},
		{ServerName: "example.org"},
		{ID: "x", ServerName: "example.org", URL: "ftp://x"},
		{ID: "x", ServerName: "example.org", URL: "http://x", Module: "irc"},
		{ID: "x", ServerName: "example.org", Prefix: "a:b"},
		{ID: "x", ServerName: "example.org", Localpart: "@x:y"},
	} {
		if _, err := Generate(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func mustSetFor(t *testing.T, name string, regs ...*Registration) *Set {
	t.Helper()
	set, err := NewSet(name, regs...)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Problems().Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestNewSetRefusesBadRegistrations(t *testing.T) {
	t.Parallel()
	good := testRegistration("good", `@good_.*`)
	tests := map[string]*Registration{
		"is empty":                  {},
		"is no regular expression":  testRegistration("bad", `@(`),
		"overlaps with '@good_.*'":  testRegistration("wide", `@g.*`),
		"is also the id in the con": testRegistration("good"),
		"makes a user id of":        testRegistration(strings.Repeat("x", 240)),
	}
	for want, r := range tests {
		set, err := NewSet("example.org", good, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := set.Problems().Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if len(set.All()) != 1 || set.All()[0] != good {
			t.Errorf("%q: served %q", want, ids(set.All()))
		}
	}
}

func TestTokensAreNotShown(t *testing.T) {
	t.Parallel()
	r := testRegistration("irc")
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "registration", r)
	fmt.Fprintf(&b, "%v %s %+v %#v", r, r, r, r)
	for _, line := range r.Explain("example.org") {
		b.WriteString(line)
	}
	if strings.Contains(b.String(), "t-of-service") || !strings.Contains(b.String(), "irc") {
		t.Errorf("got %s", &b)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	r, err := ParseFile("testdata/good/a-irc.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(r.Explain("example.org"), "\n")
	want := `The application service "irc" acts as @ircbot:example.org.
Events are sent to http://localhost:9999.
It alone may make and act as users matching ^@irc_.*:example\.org$, and receives what happens in the rooms they are in.
It alone may make aliases matching ^#irc_.*:example\.org$, is asked when such an alias does not exist, and receives what happens in those rooms.
Its users are free of the server's rate limits.
It answers third-party look-ups for irc.`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzParse: whatever the file, there is a registration that passes its own checks and
// survives being written, or problems; never both, never a crash.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.y*ml")
	if err != nil || len(files) == 0 {
		f.Fatal("no files to begin with", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse("fuzz.yaml", data)
		if err != nil {
			var p Problem
			if r != nil || !errors.As(err, &p) || p.Message == "" {
				t.Fatalf("r %v, err %#v", r, err)
			}
			return
		}
		if err := r.Validate(); err != nil {
			t.Fatalf("parsed, but not valid: %v", err)
		}
		r.Lint("example.org")
		r.Explain("example.org")
		out, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again.yaml", out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		r.origin, again.origin = nil, nil
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("got %+v, want %+v", *again, *r)
		}
	})
}
