package claims

import (
	"context"
	"errors"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Ways to invite people.
const (
	ByMessage = "dm"   // the bridge's bot writes to them on the network
	ByMail    = "mail" // to the address that is given
	ByList    = "list" // the administrator does, with the links of the answer
)

const viaMail = ByMail

// Invitee is somebody to be invited.
type Invitee struct {
	Person string `json:"person"`
	Name   string `json:"name,omitempty"`
	Email  string `json:"email,omitempty"`
}

// Invitations say who is to be invited, and how.
type Invitations struct {
	Service string `json:"service"`
	By      string `json:"by"`
	// People are to be invited; none: everybody whom the bridge knows, but bots.
	People []Invitee `json:"people,omitempty"`
	// Again writes also to those who were written to.
	Again bool `json:"again,omitempty"`
	// Try says what would be done, and does nothing.
	Try bool `json:"try,omitempty"`
}

// Link is an offer to hand out: a secret of the person's.
type Link struct {
	Person string `json:"person"`
	Name   string `json:"name"`
	Email  string `json:"email,omitempty"`
	URL    string `json:"url"`
	Code   string `json:"code"`
}

// Invited says what became of invitations, in numbers of people.
type Invited struct {
	// Queued are written to from now on, slowly; with ByList they are in Links.
	Queued int `json:"queued"`
	// Linked have an account, Before were written to before, Stopped want no messages, and NoAddress have no e-mail
	// address.
	Linked    int    `json:"linked"`
	Before    int    `json:"before"`
	Stopped   int    `json:"stopped"`
	NoAddress int    `json:"no_address"`
	Links     []Link `json:"links,omitempty"`
}

// maxPeople bounds how many can be invited at once.
const maxPeople = 200_000

// Invite invites people. Who was invited is reminded by the schedule of the settings, until they come or say that
// they do not want it.
func (c *Claims) Invite(ctx context.Context, q Invitations) (out Invited, err error) {
	switch q.By {
	case ByMessage, ByMail, ByList:
	default:
		return out, mxerror.InvalidParam("People can be invited by dm, mail or list, not by %q.", q.By)
	}
	if len(q.People) > maxPeople {
		return out, mxerror.TooLarge("At most %d people can be invited at once.", maxPeople)
	}
	if _, _, err := c.bridge(ctx, q.Service); err != nil {
		return out, mxerror.NotFound("There is no bridge %s here.", q.Service)
	}
	if q.By == ByMail && c.o.Mail == nil {
		return out, mxerror.InvalidParam("This server sends no e-mail; see mail in the configuration.")
	}
	c.inviting.Lock()
	defer c.inviting.Unlock()
	if len(q.People) == 0 {
		if q.People, err = c.everybody(ctx, q.Service); err != nil {
			return out, err
		}
	}
	for _, p := range q.People {
		if err := c.inviteOne(ctx, q, p, &out); err != nil {
			return out, err
		}
	}
	c.forgetFigures()
	poke(c.send)
	return out, nil
}

// everybody lists whom a bridge knows, but bots.
func (c *Claims) everybody(ctx context.Context, service string) ([]Invitee, error) {
	people, err := c.people(ctx, service)
	var out []Invitee
	for _, p := range people {
		if !p.Bot {
			out = append(out, Invitee{Person: p.Person, Name: p.Name})
		}
	}
	return out, err
}

func (c *Claims) inviteOne(ctx context.Context, q Invitations, who Invitee, out *Invited) error {
	if err := (Person{ID: who.Person}).check(); err != nil {
		return err
	}
	if q.By == ByMail && (len(who.Email) > 254 || !strings.Contains(who.Email, "@") || strings.ContainsAny(who.Email, " \r\n\x00")) {
		out.NoAddress++
		return nil
	}
	var p store.ClaimPerson
	// count is which number of the answer the person belongs to.
	var count *int
	err := c.o.Store.Write(ctx, func(t *store.Tx) error {
		_, err := t.Tie(q.Service, who.Person)
		if err == nil {
			count = &out.Linked
			return nil
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		p, err = t.ClaimPerson(q.Service, who.Person)
		if errors.Is(err, store.ErrNotFound) {
			p = store.ClaimPerson{Service: q.Service, Person: who.Person}
		} else if err != nil {
			return err
		}
		if who.Name != "" {
			p.Name = strings.ToValidUTF8(who.Name[:min(len(who.Name), maxName)], "")
		}
		count = &out.Queued
		switch {
		case p.StoppedTS != 0 && q.By != ByList:
			count = &out.Stopped
			return nil
		case q.By == ByList:
			c.renew(&p)
		case p.Via == q.By && (p.Sent > 0 || p.NextTS > 0) && p.Failed == "" && !q.Again:
			count = &out.Before
			return nil
		default:
			p.Via, p.NextTS, p.Failed = q.By, c.nowMS(), ""
			if q.By == ByMail {
				p.Email = who.Email
			}
		}
		if q.Try {
			return nil
		}
		return t.SetClaimPerson(p)
	})
	if err != nil {
		return err
	}
	*count++
	if q.By == ByList && count == &out.Queued && !q.Try {
		out.Links = append(out.Links, Link{Person: p.Person, Name: p.Name, Email: who.Email, URL: c.o.Pages.URL(PathClaim + "/" + c.token(p)), Code: c.code(p)})
	}
	return nil
}

// Remind writes now to all who were invited and have not come, unless they want no messages; it tells to how many.
// It does not wait for the schedule, which goes on from there.
func (c *Claims) Remind(ctx context.Context, service string) (count int, err error) {
	if _, _, err := c.bridge(ctx, service); err != nil {
		return 0, mxerror.NotFound("There is no bridge %s here.", service)
	}
	c.inviting.Lock()
	defer c.inviting.Unlock()
	const some = 500
	for after := ""; ; {
		list, err := c.o.Store.ClaimPeople(ctx, service, after, some)
		if err != nil {
			return count, err
		}
		for _, p := range list {
			after = p.Person
			if p.Via == "" || p.StoppedTS != 0 || p.Failed != "" || p.Sent == 0 {
				continue
			}
			due := false
			_, err := c.change(ctx, service, p.Person, func(t *store.Tx, p *store.ClaimPerson) (bool, error) {
				_, err := t.Tie(service, p.Person)
				due = errors.Is(err, store.ErrNotFound)
				if !due {
					return false, err
				}
				p.NextTS = c.nowMS()
				return true, nil
			})
			if err != nil {
				return count, err
			}
			if due {
				count++
			}
		}
		if len(list) < some {
			poke(c.send)
			return count, nil
		}
	}
}
