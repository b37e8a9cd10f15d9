package console

import (
	"context"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/claims"
	"github.com/landbridge-im/landbridge/homeserver/cutover"
)

var _ Claims = (*fake)(nil)

// Overview and what follows implement Claims.
func (f *fake) Overview(context.Context, string) (claims.Overview, error) {
	return claims.Overview{Network: "IRC", People: 4, Moved: 1, Invited: 1, Waiting: 1, Unreachable: 1, Active: 2, ActiveMoved: 1, Messages: 10, MessagesMoved: 4,
		Days: []claims.Day{{Day: "2026-04-30", Moved: 0}, {Day: "2026-05-01", Moved: 1}}}, nil
}
func (f *fake) List(_ context.Context, q claims.Query) (claims.People, error) {
	all := []claims.Status{{Person: "U1", Name: "Ann", State: claims.StateMoved, Account: "@anna:x", Notes: []string{"The room !x is closed."}},
		{Person: "U2", Name: "Bob", State: claims.StateUnreachable, Failed: "takes no messages"}}
	return claims.People{People: all[min(q.Offset, 2):], Total: 2}, nil
}
func (f *fake) Invite(_ context.Context, q claims.Invitations) (claims.Invited, error) {
	did := "invite " + q.By + " " + q.Service
	for _, p := range q.People {
		did += " " + p.Person
	}
	return claims.Invited{Queued: 3, Stopped: 2}, f.note(did)
}
func (f *fake) Links(_ context.Context, bridge string, w io.Writer) error {
	_, err := io.WriteString(w, "person,name\n"+bridge+",x\n")
	return err
}
func (f *fake) Remind(_ context.Context, bridge string) (int, error) {
	return 1, f.note("remind " + bridge)
}
func (f *fake) Unlink(_ context.Context, bridge, person string) error {
	return f.note("unlink " + bridge + " " + person)
}
func (f *fake) Report(context.Context, string) (cutover.Report, error) {
	r := cutover.Report{State: cutover.StateFrozen, Wanted: cutover.StateFrozen}
	r.Notes = []string{"The topic of #go could not be changed."}
	return r, nil
}
func (f *fake) Want(_ context.Context, w cutover.Wish) (cutover.Report, error) {
	return cutover.Report{State: w.State, Wanted: w.State}, f.note(strings.Join([]string{w.State, w.Service, w.Text, w.Notice, strings.Join(w.Admins, "+")}, "|"))
}

// TestClaimsPages: what writes to people or closes something is asked about.
func TestClaimsPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.signIn("anna")
	body := r.do("GET", "/console/claims?bridge=irc", nil).Body.String()
	for _, want := range []string{"1 of 4 people have come", "<svg", "takes no messages", "The room !x is closed.", "The topic of #go could not be changed.", "The other side is closed. Next", "Who owns the rooms afterwards"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing:\n%s", want, body)
		}
	}
	if w := r.do("GET", "/console/claims?bridge=irc&state=nonsense", nil); w.Code != 400 {
		t.Errorf("a state that is none: %d", w.Code)
	}
	csrf := r.token("/console/claims?bridge=irc")
	for _, test := range []struct {
		form url.Values
		asks bool
		did  string
	}{
		{url.Values{"do": {"invite"}, "person": {"U2"}}, false, "invite dm irc U2"},
		{url.Values{"do": {"invite"}}, true, "invite dm irc"},
		{url.Values{"do": {"mail"}}, true, "invite mail irc"},
		{url.Values{"do": {"remind"}}, true, "remind irc"},
		{url.Values{"do": {"unlink"}, "person": {"U1"}}, true, "unlink irc U1"},
		{url.Values{"do": {"announce"}, "text": {"On Sunday."}}, true, "announced|irc|On Sunday.||"},
		{url.Values{"do": {"freeze"}, "notice": {"We have moved."}}, true, "frozen|irc||We have moved.|"},
		{url.Values{"do": {"finish"}, "admins": {"@anna:x, @berta:x"}}, true, "detached|irc|||@anna:x+@berta:x"},
		{url.Values{"do": {"confirm"}}, true, "confirmed|irc|||"},
		{url.Values{"do": {"undo"}}, true, "open|irc|||"},
	} {
		test.form.Set("bridge", "irc")
		test.form.Set("csrf", csrf)
		before := len(r.fake.did)
		w := r.do("POST", "/console/claims/do", test.form)
		if asked := strings.Contains(w.Body.String(), "Are you sure?"); asked != test.asks {
			t.Errorf("%v: asked: %v", test.form, asked)
		}
		if test.asks {
			if len(r.fake.did) != before {
				t.Errorf("%v: was done before", test.form)
			}
			test.form.Set("sure", "yes")
			w = r.do("POST", "/console/claims/do", test.form)
		}
		if w.Code != 303 || r.fake.did[len(r.fake.did)-1] != test.did {
			t.Errorf("%v: %d %v", test.form, w.Code, r.fake.did)
		}
	}
	did := len(r.fake.did)
	for _, form := range []url.Values{{"do": {"announce"}}, {"do": {"finish"}}, {"do": {"sing"}}} {
		form.Set("bridge", "irc")
		form.Set("csrf", csrf)
		if w := r.do("POST", "/console/claims/do", form); w.Code != 400 || len(r.fake.did) != did {
			t.Errorf("%v: %d %v", form, w.Code, r.fake.did)
		}
	}
	w := r.do("POST", "/console/claims/do", url.Values{"do": {"links"}, "bridge": {"irc"}, "csrf": {csrf}})
	if w.Code != 200 || w.Body.String() != "person,name\nirc,x\n" || !strings.Contains(w.Header().Get("Content-Disposition"), "attachment") || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("links: %d %v %s", w.Code, w.Header(), w.Body)
	}
}
