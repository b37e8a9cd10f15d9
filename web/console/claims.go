package console

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/claims"
	"github.com/landbridge-im/landbridge/homeserver/cutover"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// Claims is what the pages ask of those who keep the ties between people of a bridged network and accounts
// here, and who end bridges. Errors are sentences for people.
type Claims interface {
	Overview(ctx context.Context, bridge string) (claims.Overview, error)
	List(ctx context.Context, q claims.Query) (claims.People, error)
	// Invite invites people. By e-mail without a list those are invited who are in the exports that were brought in by pages.
	Invite(ctx context.Context, q claims.Invitations) (claims.Invited, error)
	// Links makes links to hand out for all who have not come, and writes them as a table (CSV). They are secrets.
	Links(ctx context.Context, bridge string, w io.Writer) error
	// Remind writes once more to everybody who was invited and has not come; it tells to how many.
	Remind(ctx context.Context, bridge string) (int, error)
	// Unlink takes the tie of somebody away.
	Unlink(ctx context.Context, bridge, person string) error
	// Report tells how far the end of a bridge has come. Want has a state reached, and waits for it a little; the
	// server goes on by itself.
	Report(ctx context.Context, bridge string) (cutover.Report, error)
	Want(ctx context.Context, w cutover.Wish) (cutover.Report, error)
}

// claimsView is what the page of a migration shows of claims.
type claimsView struct {
	Bridge string
	claims.Overview
	Cut cutover.Report
}

// Share is how much of a hundred has come.
func (v claimsView) Share() int { return 100 * v.Moved / max(v.People, 1) }

// claimsOf gives the claims of a bridge; nil if nobody keeps any.
func (c *Console) claimsOf(v *visit, bridge string) (*claimsView, error) {
	if c.o.Claims == nil {
		return nil, nil
	}
	out := claimsView{Bridge: bridge}
	var err error
	if out.Overview, err = c.o.Claims.Overview(v.ctx, bridge); err == nil {
		out.Cut, err = c.o.Claims.Report(v.ctx, bridge)
	}
	if err != nil {
		return nil, problem{err}
	}
	return &out, nil
}

// claimStates are the states of people, as the page offers them.
var claimStates = []string{"", claims.StateMoved, claims.StateInvited, claims.StateWaiting, claims.StateStopped, claims.StateUnreachable}

type claimsPage struct {
	claimsView
	listView[claims.Status]
	States []string
	State  string // of those who are listed
	Chart  chart
	Server string
}

// claims shows who has come.
func (c *Console) claims(v *visit) error {
	q := v.r.URL.Query()
	bridge := q.Get("bridge")
	view, err := c.claimsOf(v, bridge)
	if err != nil {
		return err
	}
	if view == nil {
		return problemf("This server keeps no claims.")
	}
	out := claimsPage{claimsView: *view, States: claimStates, State: q.Get("state"), Chart: drawDays(view.Days), Server: c.o.Server}
	out.Search = strings.TrimSpace(q.Get("q"))
	if !slices.Contains(claimStates, out.State) {
		return problemf("There is no state %q.", out.State)
	}
	from := int(max(v.number("from"), 0))
	list, err := c.o.Claims.List(v.ctx, claims.Query{Service: bridge, State: out.State, Search: out.Search, Offset: from, Limit: pageSize})
	if err != nil {
		return problem{err}
	}
	out.List, out.Total = list.People, int64(list.Total)
	if next := from + len(list.People); next < list.Total && len(list.People) > 0 {
		out.Next = Path + "/claims?" + url.Values{"bridge": {bridge}, "state": {out.State}, "q": {out.Search}, "from": {strconv.Itoa(next)}}.Encode()
	}
	return v.show("/migrate", say("Who has come"), "claims", out)
}

// drawDays makes the chart of how many had come by which day.
func drawDays(days []claims.Day) chart {
	const day = int64(24 * time.Hour / time.Second)
	var list []store.Sample
	for _, d := range days {
		if at, err := time.Parse(time.DateOnly, d.Day); err == nil {
			if len(list) == 0 { // nobody before
				list = append(list, store.Sample{Series: "people", TS: at.Unix()})
			}
			list = append(list, store.Sample{Series: "people", TS: at.Unix() + day, Value: float64(d.Moved)})
		}
	}
	if len(list) == 0 {
		return chart{Empty: true}
	}
	return draw(say("Who has come"), say("people"), plain, list, list[0].TS, list[len(list)-1].TS, day)
}

func (c *Console) claimsDo(v *visit) error {
	f := v.r.PostForm
	bridge := f.Get("bridge")
	if c.o.Claims == nil {
		return problemf("This server keeps no claims.")
	}
	back := Path + "/claims?" + url.Values{"bridge": {bridge}}.Encode()
	whom := "people of " + bridge
	switch do := f.Get("do"); do {
	case "invite":
		if len(f["person"]) == 0 && !v.sure(question{Text: say("Everybody who can be written to and has not been invited yet gets a message by the bridge's bot, with a link by which they claim their account."), Yes: say("Invite them"), Back: back}) {
			return nil
		}
		q := claims.Invitations{Service: bridge, By: claims.ByMessage, Again: len(f["person"]) > 0}
		for _, id := range f["person"] {
			q.People = append(q.People, claims.Invitee{Person: id})
		}
		var out claims.Invited
		return v.actSaid("invite", whom, strings.Join(f["person"], " "), back, func() sentence.Text { return invitedSaid(out) }, func() (err error) {
			out, err = c.o.Claims.Invite(v.ctx, q)
			return err
		})
	case "mail":
		if !v.sure(question{Text: say("Everybody with an e-mail address in the exports that were brought in here, who has not been invited so and has not come, gets an e-mail with a link by which they claim their account."), Yes: say("Send the e-mails"), Back: back}) {
			return nil
		}
		var out claims.Invited
		return v.actSaid("invite by e-mail", whom, "", back, func() sentence.Text { return invitedSaid(out) }, func() (err error) {
			out, err = c.o.Claims.Invite(v.ctx, claims.Invitations{Service: bridge, By: claims.ByMail})
			return err
		})
	case "links":
		return c.claimLinks(v, bridge)
	case "remind":
		if !v.sure(question{Text: say("Everybody who was invited and has not come is written to once more."), Yes: say("Remind them"), Back: back}) {
			return nil
		}
		n := 0
		return v.actSaid("remind", whom, "", back, func() sentence.Text { return say("%s people are reminded now, one after the other.", number(int64(n))) }, func() (err error) {
			n, err = c.o.Claims.Remind(v.ctx, bridge)
			return err
		})
	case "unlink":
		person := f.Get("person")
		if !v.sure(question{Text: say("What %s says on the network is said by a place holder again. The account stays, and so does what was said.", person), Yes: say("Unlink"), Back: back}) {
			return nil
		}
		return v.act("unlink", whom, person, back, say("The link is gone."), func() error { return c.o.Claims.Unlink(v.ctx, bridge, person) })
	default:
		return c.cutoverDo(v, bridge, do, back)
	}
}

// invitedSaid tells what became of invitations.
func invitedSaid(i claims.Invited) sentence.Text {
	out := []sentence.Text{say("%s people are written to now, one after the other.", number(int64(i.Queued)))}
	for _, n := range []struct {
		count int
		text  string
	}{{i.Linked, "%s have an account already."}, {i.Before, "%s were invited before."}, {i.Stopped, "%s want no messages."}, {i.NoAddress, "%s have no e-mail address in the export."}} {
		if n.count > 0 {
			out = append(out, say(n.text, number(int64(n.count))))
		}
	}
	return sentence.Join(out...)
}

// claimLinks gives a table of links to hand out.
func (c *Console) claimLinks(v *visit, bridge string) error {
	var out strings.Builder
	if err := c.o.Claims.Links(v.ctx, bridge, &out); err != nil {
		return problem{err}
	}
	if err := v.written("make links to hand out for", "people of "+bridge, ""); err != nil {
		return err
	}
	h := v.w.Header()
	c.o.Site.Headers(h)
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="links.csv"`)
	h.Set("Cache-Control", "no-store")
	http.ServeContent(v.w, v.r, "", time.Time{}, strings.NewReader(out.String()))
	return nil
}

// endings are the steps by which a bridge ends: what they lead to, what is asked before, and what is said after.
var endings = map[string]struct{ state, ask, yes, said string }{
	"announce": {cutover.StateAnnounced, "This is said in every bridged room and channel, here and on the network.", "Announce it", "It has been announced."},
	"freeze":   {cutover.StateFrozen, "On the other side the notice is said in every bridged channel, and nobody can write there any more, as far as the bridge may see to that.", "Close the other side", "The other side is closed."},
	"finish":   {cutover.StateDetached, "What was said last is taken in; then the bridge is stopped and taken out of its rooms. Rooms, people and all that was said stay.", "Take the bridge out", "The bridge is out of its rooms."},
	"confirm":  {cutover.StateConfirmed, "The bot leaves all rooms, and the bridge can't come back into them. This can't be undone.", "End the bridge for good", "The bridge has ended."},
	"undo":     {cutover.StateOpen, "The other side is opened again, and the bridge goes on where it was.", "Undo it", "The bridge is as it was."},
}

// cutoverDo takes a step towards the end of a bridge, or back.
func (c *Console) cutoverDo(v *visit, bridge, do, back string) error {
	f := v.r.PostForm
	step, ok := endings[do]
	if !ok {
		return problemf("There is no action %q.", do)
	}
	w := cutover.Wish{Service: bridge, State: step.state}
	switch do {
	case "announce":
		if w.Text = strings.TrimSpace(f.Get("text")); w.Text == "" {
			return problemf("Write what is to be announced.")
		}
	case "freeze":
		w.Notice = strings.TrimSpace(f.Get("notice"))
	case "finish":
		if w.Admins = fields(f.Get("admins")); len(w.Admins) == 0 {
			return problemf("Who is to own the rooms? Name at least one administrator.")
		}
	}
	if !v.sure(question{Text: say(step.ask), Yes: say(step.yes), Back: back}) {
		return nil
	}
	var r cutover.Report
	more := strings.TrimSpace(w.Text + w.Notice + " " + strings.Join(w.Admins, " "))
	return v.actSaid(do+" the end of", "bridge "+bridge, more, back, func() sentence.Text {
		if r.Working() {
			return say("The server is at it, and goes on by itself.")
		}
		return say(step.said)
	}, func() (err error) {
		r, err = c.o.Claims.Want(v.ctx, w)
		return err
	})
}
