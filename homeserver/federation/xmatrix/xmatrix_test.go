package xmatrix

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

func TestParse(t *testing.T) {
	t.Parallel()
	want := Header{"origin.hs.example.com", "destination.hs.example.com", "ed25519:key1", "ABCDEF+/"}
	for name, s := range map[string]string{
		"the specification's": `X-Matrix origin="origin.hs.example.com",destination="destination.hs.example.com",key="ed25519:key1",sig="ABCDEF+/"`,
		"our own":             want.String(),
		"signature":           `X-Matrix origin="origin.hs.example.com",destination="destination.hs.example.com",key="ed25519:key1",signature="ABCDEF+/"`,
		"bare":                `X-Matrix origin=origin.hs.example.com,destination=destination.hs.example.com,key=ed25519:key1,sig="ABCDEF+/"`,
		"another order":       `X-Matrix sig="ABCDEF+/",key="ed25519:key1",destination="destination.hs.example.com",origin="origin.hs.example.com"`,
		"spaces and case":     "x-matrix   Origin=\"origin.hs.example.com\" \t, DESTINATION = \"destination.hs.example.com\",,key=\"ed25519:key1\" ,sig=\"ABCDEF+/\"",
		"escapes":             `X-Matrix origin="origin\.hs.example.com",destination="destination.hs.example.com",key="ed25519:\key1",sig="ABCDEF+/"`,
		"unknown ones":        `X-Matrix origin="origin.hs.example.com",x="a,b=\"c",destination="destination.hs.example.com",key="ed25519:key1",sig="ABCDEF+/",y=z`,
	} {
		if got, err := Parse(s); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, s := range map[string]string{
		"empty": "", "scheme alone": "X-Matrix", "another scheme": "Bearer abc", "nothing": "X-Matrix ",
		"no origin":      `X-Matrix key="ed25519:1",sig="a"`,
		"no key":         `X-Matrix origin="a.b",sig="a"`,
		"no signature":   `X-Matrix origin="a.b",key="ed25519:1"`,
		"twice":          `X-Matrix origin="a.b",origin="c.d",key="ed25519:1",sig="a"`,
		"both spellings": `X-Matrix origin="a.b",key="ed25519:1",sig="a",signature="b"`,
		"open quotation": `X-Matrix origin="a.b,key="ed25519:1",sig="a`,
		"open escape":    `X-Matrix origin="a.b",key="ed25519:1",sig="a\`,
		"no comma":       `X-Matrix origin="a.b"key="ed25519:1",sig="a"`,
		"no value":       `X-Matrix origin,key="ed25519:1",sig="a"`,
		"empty value":    `X-Matrix origin=,key="ed25519:1",sig="a"`,
		"no name":        `X-Matrix ="a.b",key="ed25519:1",sig="a"`,
		"bad origin":     `X-Matrix origin="a/b",key="ed25519:1",sig="a"`,
		"no destination": `X-Matrix origin="a.b",destination="",key="ed25519:1",sig="a"`,
		"control":        "X-Matrix origin=\"a\x01b\",key=\"ed25519:1\",sig=\"a\"",
		"too long":       `X-Matrix origin="a.b",key="ed25519:1",sig="` + strings.Repeat("a", maxHeader) + `"`,
	} {
		if h, err := Parse(s); err == nil {
			t.Errorf("%s: became %+v", name, h)
		}
	}
}

type keys map[string]ed25519.PublicKey

func (k keys) RequestKey(_ context.Context, server, id string) (ed25519.PublicKey, error) {
	if key, ok := k[server+" "+id]; ok {
		return key, nil
	}
	return nil, errors.New("no such key")
}

func TestVerify(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	signer := event.Signer{Server: "a.org", KeyID: "ed25519:1", Key: private}
	v := Verifier{Server: "b.org", Keys: keys{"a.org ed25519:1": private.Public().(ed25519.PublicKey)}}
	const target, body = "/_matrix/federation/v1/send/1?x=%20y", `{"b": 1, "a": "ü"}`
	request := func(method, target, body string, change func(*http.Request)) (*http.Request, []byte) {
		r := httptest.NewRequest("PUT", "https://b.org/_matrix/federation/v1/send/1?x=%20y", nil)
		r.RequestURI = ""
		if err := Sign(r, []byte(`{"a":"ü","b":1}`), signer, "b.org"); err != nil {
			t.Fatal(err)
		}
		r.Method, r.RequestURI = method, target
		if change != nil {
			change(r)
		}
		return r, []byte(body)
	}
	resign := func(h Header) func(*http.Request) {
		return func(r *http.Request) {
			was, err := Parse(r.Header.Get("Authorization"))
			if err != nil {
				t.Error(err)
			}
			if h.Sig == "" {
				h.Sig = was.Sig
			}
			r.Header.Set("Authorization", h.String())
		}
	}
	for _, tc := range []struct {
		name, method, target, body string
		change                     func(*http.Request)
		code                       string
	}{
		{"as signed", "PUT", target, body, nil, ""},
		{"after another scheme", "PUT", target, body, func(r *http.Request) {
			r.Header["Authorization"] = append([]string{"Bearer x"}, r.Header["Authorization"]...)
		}, ""},
		{"after a key that is not known", "PUT", target, body, func(r *http.Request) {
			r.Header["Authorization"] = append([]string{Header{"a.org", "b.org", "ed25519:2", strings.Repeat("A", 86)}.String()}, r.Header["Authorization"]...)
		}, ""},
		{"unsigned", "PUT", target, body, func(r *http.Request) { r.Header.Del("Authorization") }, "M_UNAUTHORIZED"},
		{"another method", "POST", target, body, nil, "M_UNAUTHORIZED"},
		{"another target", "PUT", "/_matrix/federation/v1/send/2", body, nil, "M_UNAUTHORIZED"},
		{"another query", "PUT", "/_matrix/federation/v1/send/1?x=+y", body, nil, "M_UNAUTHORIZED"},
		{"another body", "PUT", target, `{"a":"ü"}`, nil, "M_UNAUTHORIZED"},
		{"no body", "PUT", target, "", nil, "M_UNAUTHORIZED"},
		{"no JSON", "PUT", target, `{"a":`, nil, "M_NOT_JSON"},
		{"a key twice in the body", "PUT", target, `{"a":"ü","b":1,"b":2}`, nil, "M_NOT_JSON"},
		{"another server's name", "PUT", target, body, resign(Header{"c.org", "b.org", "ed25519:1", ""}), "M_UNAUTHORIZED"},
		{"our own name", "PUT", target, body, resign(Header{"b.org", "b.org", "ed25519:1", ""}), "M_UNAUTHORIZED"},
		{"another destination", "PUT", target, body, resign(Header{"a.org", "c.org", "ed25519:1", ""}), "M_UNAUTHORIZED"},
		{"another key", "PUT", target, body, resign(Header{"a.org", "b.org", "ed25519:2", ""}), "M_UNAUTHORIZED"},
		{"another algorithm", "PUT", target, body, resign(Header{"a.org", "b.org", "rsa:1", ""}), "M_UNAUTHORIZED"},
		{"no signature", "PUT", target, body, resign(Header{"a.org", "b.org", "ed25519:1", "AAAA"}), "M_UNAUTHORIZED"},
		{"broken header", "PUT", target, body, func(r *http.Request) { r.Header.Set("Authorization", `X-Matrix origin="a.org"`) }, "M_UNAUTHORIZED"},
	} {
		r, raw := request(tc.method, tc.target, tc.body, tc.change)
		origin, err := v.Verify(r, raw)
		if tc.code == "" && (err != nil || origin != "a.org") || tc.code != "" && !mxerror.Is(err, tc.code) {
			t.Errorf("%s: %q, %v", tc.name, origin, err)
		}
	}
}

// TestWithoutDestination is a request of an older server: neither the header nor what is signed
// names the destination.
func TestWithoutDestination(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	r := httptest.NewRequest("GET", "https://b.org/x", nil)
	if err := Sign(r, nil, event.Signer{Server: "a.org", KeyID: "ed25519:1", Key: private}, ""); err != nil {
		t.Fatal(err)
	}
	r.RequestURI = "/x"
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), `destination="",`, "", 1))
	v := Verifier{Server: "b.org", Keys: keys{"a.org ed25519:1": private.Public().(ed25519.PublicKey)}}
	if origin, err := v.Verify(r, nil); err != nil || origin != "a.org" {
		t.Errorf("%q, %v", origin, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`X-Matrix origin="a.b",destination="c",key="ed25519:1",sig="abc"`)
	f.Add(`X-Matrix origin=a.b:80 , key=ed25519:1,signature=abc`)
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err != nil || strings.ContainsAny(h.Key+h.Sig+h.Destination, `"\`) || h.Destination == "" {
			return
		}
		if again, err := Parse(h.String()); err != nil || again != h {
			t.Errorf("%q became %+v, then %+v, %v", s, h, again, err)
		}
	})
}
