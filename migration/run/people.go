package run

import (
	"cmp"
	"context"
	"strings"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
)

// people know who is who. Only the reader's goroutine uses them.
type people struct {
	r    *Runner
	conf map[string]plan.Person // by the network's id
	// known are those who have an account, by their ghost.
	known map[string]*somebody
	byID  map[string]*somebody
}

// somebody is a person here.
type somebody struct {
	model.Person
	user string
	// account tells that it is a real account, whose profile and memberships are its own.
	account, without bool
	// invited is a real account that can't be spoken for here: the ghost speaks, and the account is invited.
	invited string
}

// self is the user id by which somebody is to be known to others: their account, if they have one.
func (s *somebody) self() string { return cmp.Or(s.invited, s.user) }

func newPeople(r *Runner) *people {
	p := &people{r: r, conf: map[string]plan.Person{}, known: map[string]*somebody{}, byID: map[string]*somebody{}}
	for _, c := range r.o.Mapping.People {
		p.conf[c.ID] = c
	}
	return p
}

func (p *people) count() int { return len(p.known) }

// userID is the user id of a ghost, as bridgev2 makes it.
func (p *people) userID(ghost string) string {
	return "@" + p.r.o.Mapping.Naming.Ghosts + id.EncodeUserLocalpart(ghost) + ":" + p.r.server
}

// meet notes a person, without an account yet.
func (p *people) meet(m model.Person) *somebody {
	s := &somebody{Person: m, user: p.userID(m.Ghost)}
	if c, ok := p.conf[m.ID]; ok {
		if c.Name != "" && !strings.Contains(m.Ghost, ".") {
			s.Name = c.Name
		}
		s.without = c.Without
		switch {
		case c.Account == "":
		case p.r.maySpeak(c.Account):
			s.user, s.account = c.Account, true
		default:
			s.invited = c.Account
		}
	}
	p.known[m.Ghost] = s
	if _, dup := p.byID[m.ID]; !dup {
		p.byID[m.ID] = s
	}
	return s
}

// makeAll makes the accounts of all who are listed.
func (p *people) makeAll(ctx context.Context) error {
	botName := p.r.source.Name + " bridge"
	service := p.r.o.Mapping.Naming.Service
	if _, err := p.r.o.Target.People(ctx, wire.People{Service: service, People: []wire.Person{{Localpart: p.r.o.Mapping.Naming.Bot, Name: botName}}}); err != nil {
		return err
	}
	var list []*somebody
	for _, m := range p.r.o.Export.People() {
		list = append(list, p.meet(m))
	}
	return p.make(ctx, list)
}

// make gives people accounts, with their pictures.
func (p *people) make(ctx context.Context, list []*somebody) error {
	service := p.r.o.Mapping.Naming.Service
	avatars := make(map[*somebody]string, len(list))
	for len(list) > 0 {
		chunk := list[:min(len(list), wire.MaxPeople)]
		list = list[len(chunk):]
		q := wire.People{Service: service}
		p.r.media.bringAll(ctx, pictures(chunk))
		for _, s := range chunk {
			if s.account || s.without {
				continue
			}
			if s.Avatar != nil {
				avatars[s] = p.r.media.bring(ctx, s.Avatar, "the picture of "+s.ID)
			}
			local, _, _ := strings.Cut(strings.TrimPrefix(s.user, "@"), ":")
			q.People = append(q.People, wire.Person{Localpart: local, Name: clip(s.Name, 250), Avatar: avatars[s]})
		}
		if err := p.r.media.lost; err != nil {
			return err
		}
		if len(q.People) > 0 {
			if _, err := p.r.o.Target.People(ctx, q); err != nil {
				return err
			}
		}
		if p.r.o.Recorder == nil {
			continue
		}
		for _, s := range chunk {
			if s.without {
				continue
			}
			if err := p.r.o.Recorder.Person(ctx, s.Person, s.user, avatars[s]); err != nil {
				return err
			}
		}
	}
	return nil
}

// pictures are those of people who get an account.
func pictures(list []*somebody) (out []*model.File) {
	for _, s := range list {
		if s.Avatar != nil && !s.account && !s.without {
			out = append(out, s.Avatar)
		}
	}
	return out
}

// who finds a sender, and makes an account for one who is in no list.
func (p *people) who(ctx context.Context, ghost string, alias *model.Person) (*somebody, error) {
	if s := p.known[ghost]; s != nil {
		return s, nil
	}
	m := model.Person{Ghost: ghost, ID: strings.ToUpper(ghost), Name: strings.ToUpper(ghost)}
	if alias != nil {
		m = *alias
	}
	s := p.meet(m)
	return s, p.make(ctx, []*somebody{s})
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
