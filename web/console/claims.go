package console

import (
	"context"
	"net/url"
	"strings"
)

// Claims is what the pages ask of those who keep the ties between people of a bridged network and accounts
// here. A bridge is named by its id.
type Claims interface {
	Overview(ctx context.Context, bridge string) (ClaimsOverview, error)
	// People lists the people of a bridge behind one, in the order of their ids.
	People(ctx context.Context, bridge, after string, limit int) ([]ClaimPerson, error)
	// Invite invites people to claim their accounts, everybody who can be written to and has not come if
	// none is named. It tells how many there are; the messages go out by themselves.
	Invite(ctx context.Context, bridge string, people []string) (int, error)
	// Remind writes once more to everybody who was invited and has not come.
	Remind(ctx context.Context, bridge string) (int, error)
	// CutOver closes the remote side with a notice; Undo opens it again. What could not be done is told in sentences.
	CutOver(ctx context.Context, bridge, notice string) (undone []string, err error)
	Undo(ctx context.Context, bridge string) (undone []string, err error)
}

// ClaimsOverview counts the people of a bridge.
type ClaimsOverview struct {
	// People are all; Claimed have come; Invited were written to and have not come; Unreachable can't be
	// written to.
	People, Claimed, Invited, Unreachable int
	// CutOverTS is when the remote side was closed; 0 while it is open.
	CutOverTS int64
}

// Share is how much of a hundred has come.
func (o ClaimsOverview) Share() int { return 100 * o.Claimed / max(o.People, 1) }

// ClaimPerson is somebody of a bridged network.
type ClaimPerson struct {
	ID, Name string
	// Account is who they are here; "" if they have not come.
	Account string
	// Sent is how often they were written to, and SentTS when last. Failed says why they can't be.
	Sent   int
	SentTS int64
	Failed string
}

// claimsView is what the page of a migration shows of claims.
type claimsView struct {
	Bridge string
	ClaimsOverview
}

// claimsOf gives the claims of a bridge; nil if nobody keeps any.
func (c *Console) claimsOf(v *visit, bridge string) (*claimsView, error) {
	if c.o.Claims == nil {
		return nil, nil
	}
	o, err := c.o.Claims.Overview(v.ctx, bridge)
	if err != nil {
		return nil, problem{err}
	}
	return &claimsView{bridge, o}, nil
}

type claimsPage struct {
	claimsView
	listView[ClaimPerson]
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
	out := claimsPage{claimsView: *view}
	if out.List, err = c.o.Claims.People(v.ctx, bridge, q.Get("after"), pageSize+1); err != nil {
		return problem{err}
	}
	if len(out.List) > pageSize {
		out.List = out.List[:pageSize]
		out.Next = Path + "/claims?" + url.Values{"bridge": {bridge}, "after": {out.List[pageSize-1].ID}}.Encode()
	}
	return v.show("/migrate", "Who has come", "claims", out)
}

func (c *Console) claimsDo(v *visit) error {
	f := v.r.PostForm
	bridge := f.Get("bridge")
	if c.o.Claims == nil {
		return problemf("This server keeps no claims.")
	}
	back := Path + "/claims?" + url.Values{"bridge": {bridge}}.Encode()
	whom := "people of " + bridge
	switch f.Get("do") {
	case "invite":
		if len(f["person"]) == 0 && !v.sure(question{Text: "Everybody who can be written to and has not come gets a message by the bridge's bot, or an e-mail, with a link by which they claim their account.", Yes: "Invite them", Back: back}) {
			return nil
		}
		return v.act("invite", whom, strings.Join(f["person"], " "), back, "They are being invited.", func() error {
			_, err := c.o.Claims.Invite(v.ctx, bridge, f["person"])
			return err
		})
	case "remind":
		if !v.sure(question{Text: "Everybody who was invited and has not come is written to once more.", Yes: "Remind them", Back: back}) {
			return nil
		}
		return v.act("remind", whom, "", back, "They are being reminded.", func() error {
			_, err := c.o.Claims.Remind(v.ctx, bridge)
			return err
		})
	case "cut-over":
		notice := strings.TrimSpace(f.Get("notice"))
		if notice == "" {
			return problemf("Write what is to be said on the other side.")
		}
		if !v.sure(question{Text: "On the other side this is said in every bridged channel, and nobody can write there any more, as far as the bridge may see to that: " + notice, Yes: "Cut over", Back: back}) {
			return nil
		}
		return c.undone(v, "cut over", whom, notice, back, "The other side is closed.", func() ([]string, error) { return c.o.Claims.CutOver(v.ctx, bridge, notice) })
	case "undo":
		return c.undone(v, "undo the cut-over of", whom, "", back, "The other side is open again.", func() ([]string, error) { return c.o.Claims.Undo(v.ctx, bridge) })
	}
	return problemf("There is no action %q.", f.Get("do"))
}

// undone does what may be done in part only, and says so.
func (c *Console) undone(v *visit, what, whom, more, to, said string, do func() ([]string, error)) error {
	var left []string
	return v.actSaid(what, whom, more, to, func() string { return strings.Join(append([]string{said}, left...), " ") }, func() (err error) {
		left, err = do()
		return err
	})
}
