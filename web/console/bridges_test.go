package console

import (
	"net/url"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// TestLetters: dead letters are shown, tried again and dropped; all at once only when that was asked about.
func TestLetters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.signIn("anna")
	page := "/console/bridges/show?id=irc"
	if body := r.do("GET", page, nil).Body.String(); !strings.Contains(body, "the network is away") {
		t.Error(body)
	}
	csrf := r.token(page)
	for _, test := range []struct {
		form url.Values
		did  string
	}{
		{url.Values{"do": {"retry"}, "event": {"$e"}}, "retry letters irc $e"},
		{url.Values{"do": {"retry"}}, "retry letters irc "},
		{url.Values{"do": {"drop"}, "event": {"$e"}, "sure": {"yes"}}, "drop letters irc $e"},
		{url.Values{"do": {"drop"}}, ""},
		{url.Values{"do": {"drop"}, "sure": {"yes"}}, "drop letters irc "},
		{url.Values{"do": {"burn"}}, ""},
	} {
		before := len(r.fake.did)
		test.form.Set("id", "irc")
		test.form.Set("csrf", csrf)
		r.do("POST", "/console/bridges/letters", test.form)
		got := strings.Join(r.fake.did[before:], "|")
		if got != test.did {
			t.Errorf("%v: %q", test.form, got)
		}
	}
}

// TestPeers: servers that can't be reached are shown with the reason, the others when that is asked for.
func TestPeers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.signIn("anna")
	err := r.store.Write(t.Context(), func(tx *store.Tx) error {
		return tx.SetBackoff("away.example", store.Backoff{Failures: 3, SinceTS: 1000, RetryTS: 2000})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.NameServer(t.Context(), "there.example"); err != nil {
		t.Fatal(err)
	}
	failing, all := r.do("GET", "/console/federation", nil).Body.String(), r.do("GET", "/console/federation?all=yes", nil).Body.String()
	if !strings.Contains(failing, "away.example") || !strings.Contains(failing, "connection refused") || strings.Contains(failing, "there.example") {
		t.Error(failing)
	}
	if !strings.Contains(all, "away.example") || !strings.Contains(all, "there.example") {
		t.Error(all)
	}
	if one := r.do("GET", "/console/federation?all=yes&q=there", nil).Body.String(); strings.Contains(one, "away.example") {
		t.Error(one)
	}
}
