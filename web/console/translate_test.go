package console

import (
	"net/url"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/web/page"
	"github.com/landbridge-im/landbridge/web/page/pagetest"
)

// ours are names and what others have said, on the pages of a rig.
var ours = []string{"anna", "berta", "Acme", "general", "Libera Chat", "Libera", "libera", "about go", "hookshot", "connection refused", "#channel", "the network is away", "m.room.message", "somebody",
	"mxc://server/id", "Example", "irc", "acme", "xapp-...", "xoxb-...", "Ann", "Bob",
	// What was written down by bridges and exports stays as it was.
	"The topic of  could not be changed.", "The topic of #go could not be changed.", "The room !x is closed.", "takes no messages"}

// TestTranslatable: on all pages, before and after all that can be done, nothing is said that can't be translated. The
// documentation is in English alone.
func TestTranslatable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	err := r.store.Write(t.Context(), func(tx *store.Tx) error {
		return tx.AddRoom(store.Room{NID: 1, ID: "!r:x", Version: "12", CreatedTS: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	r.fake.portals = 3
	pseudo := []string{"Accept-Language", page.Pseudo}
	look := func(what, body string) {
		t.Helper()
		for _, s := range pagetest.Untranslated(body, ours...) {
			t.Errorf("%s: %q", what, s)
		}
	}
	get := func(path string) {
		t.Helper()
		look(path, r.do("GET", path, nil, pseudo...).Body.String())
	}
	get("/console/sign-in")
	w := r.do("POST", "/console/sign-in", url.Values{"name": {"anna"}, "password": {"wrong"}, "csrf": {r.token("/console/sign-in")}}, pseudo...)
	if !strings.Contains(w.Body.String(), "⟦Sign in as an administrator⟧") {
		t.Error("the page is not in the language that was asked for")
	}
	r.signIn("anna")
	for _, p := range pagesToSee {
		if !strings.HasPrefix(p, "/docs/") && !strings.Contains(p, "/progress") && p != "/docs" {
			get("/console" + p)
		}
	}
	csrf := r.token("/console/")
	for _, a := range actions {
		for _, sure := range []string{"", "yes"} {
			form, err := url.ParseQuery(a.form)
			if err != nil {
				t.Fatal(err)
			}
			form.Set("csrf", csrf)
			form.Set("sure", sure)
			w := r.do("POST", "/console"+a.path, form, pseudo...)
			if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
				look(a.path+" "+a.form, w.Body.String())
			}
			if w.Code == 303 { // what was done is told there
				get("/console/users")
			}
		}
	}
	get("/console/audit")
	for _, bad := range []struct{ path, form string }{{"/users/do", "id=@berta:x&do=nothing"}, {"/users/create", "name=a b"}, {"/users/create", "name=berta"}, {"/rooms/do", "do=purge&id=!r:x&days=x"}, {"/rooms/do", "id=!r:x&do=set&join=never"},
		{"/tokens/do", "do=create&uses=x"}, {"/media/do", "mxc=x&do=delete"}, {"/claims/do", "bridge=irc&do=announce"}, {"/setup/irc", "step=channels&id=X"}, {"/setup/irc", "step=review&id=ex&address=irc.example.org:6697&nick=lb"},
		{"/setup/with/slack", "step=channels&app_token=x"}, {"/setup/with/discord", "step=review&key=x"}, {"/migrate/do", "id=x"}} {
		form, err := url.ParseQuery(bad.form)
		if err != nil {
			t.Fatal(err)
		}
		form.Set("csrf", csrf)
		look(bad.path+" "+bad.form, r.do("POST", "/console"+bad.path, form, pseudo...).Body.String())
	}
}
