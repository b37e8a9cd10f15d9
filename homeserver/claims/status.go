package claims

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// How far somebody has come.
const (
	StateMoved       = "moved"       // has an account
	StateInvited     = "invited"     // was written to, or will be
	StateStopped     = "stopped"     // wants no messages
	StateUnreachable = "unreachable" // can't be written to
	StateWaiting     = "waiting"     // was not invited yet
)

// activeDays is of how many days the activity is counted.
const activeDays = 30

// Status is how far one person has come. Times are in milliseconds, 0 for never.
type Status struct {
	Person string `json:"person"`
	Name   string `json:"name"`
	Ghost  string `json:"ghost,omitempty"`
	Bot    bool   `json:"bot,omitempty"`
	State  string `json:"state"`
	// Account is who they are here, since SinceTS; SeenTS is when one of its clients was last there.
	Account string `json:"account,omitempty"`
	SinceTS int64  `json:"since_ts,omitempty"`
	SeenTS  int64  `json:"seen_ts,omitempty"`
	// Sent counts the messages about it, the last one at SentTS; the next is due at NextTS.
	Sent   int64  `json:"sent,omitempty"`
	SentTS int64  `json:"sent_ts,omitempty"`
	NextTS int64  `json:"next_ts,omitempty"`
	Failed string `json:"failed,omitempty"`
	// Messages counts what they said in the bridged rooms in the last 30 days, wherever they said it.
	Messages int64 `json:"messages"`
	LastTS   int64 `json:"last_ts,omitempty"`
	// Moving is set while the account is being brought into the rooms; Rooms counts them, and Notes says where it
	// could not come in.
	Moving bool     `json:"moving,omitempty"`
	Rooms  int64    `json:"rooms,omitempty"`
	Notes  []string `json:"notes,omitempty"`
}

// Day is how many had moved by the end of a day (UTC).
type Day struct {
	Day   string `json:"day"` // 2026-11-21
	Moved int    `json:"moved"`
}

// Overview is how far a community has come. Bots are not counted.
type Overview struct {
	Service string `json:"service"`
	Network string `json:"network"`
	People  int    `json:"people"`
	// Moved and the following are numbers of people by state.
	Moved       int `json:"moved"`
	Invited     int `json:"invited"`
	Stopped     int `json:"stopped"`
	Unreachable int `json:"unreachable"`
	Waiting     int `json:"waiting"`
	// Active are those who said something in the last 30 days, and ActiveMoved those of them who have moved; Messages
	// and MessagesMoved are what they said.
	Active        int   `json:"active"`
	ActiveMoved   int   `json:"active_moved"`
	Messages      int64 `json:"messages"`
	MessagesMoved int64 `json:"messages_moved"`
	// Days begin with the first one who moved, and end today.
	Days []Day `json:"days,omitempty"`
	TS   int64 `json:"ts"` // when this was counted
}

// figures are what was counted last, by bridge.
type figures struct {
	mu sync.Mutex
	of map[string]counted
}

type counted struct {
	at     time.Time
	people []Status
}

// figuresAge is how old figures may be.
const figuresAge = 30 * time.Second

func (c *Claims) forgetFigures() {
	c.asked.mu.Lock()
	defer c.asked.mu.Unlock()
	c.asked.of = nil
}

// people lists everybody of a bridge's network whom this server knows, by name. It must not be changed.
func (c *Claims) people(ctx context.Context, service string) ([]Status, error) {
	c.asked.mu.Lock()
	defer c.asked.mu.Unlock() // who comes meanwhile waits for the same
	if f, ok := c.asked.of[service]; ok && c.o.Now().Sub(f.at) < figuresAge {
		return f.people, nil
	}
	list, err := c.count(ctx, service)
	if err != nil {
		return nil, err
	}
	if c.asked.of == nil {
		c.asked.of = map[string]counted{}
	}
	c.asked.of[service] = counted{c.o.Now(), list}
	return list, nil
}

// count puts together what is known of a bridge's people.
func (c *Claims) count(ctx context.Context, service string) ([]Status, error) {
	b, _, err := c.bridge(ctx, service)
	if err != nil {
		return nil, mxerror.NotFound("There is no bridge %s here.", service)
	}
	said, err := c.activity(ctx, service)
	if err != nil {
		return nil, err
	}
	by := map[string]*Status{}
	get := func(person string) *Status {
		s := by[person]
		if s == nil {
			s = &Status{Person: person, State: StateWaiting}
			by[person] = s
		}
		return s
	}
	const some = 1000
	bot := c.bot(ctx, service)
	for after := int64(0); ; {
		list, err := c.o.Store.ServiceUsers(ctx, service, after, some)
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			after = u.User
			person, ok := b.Person(service, u.ID)
			if !ok || u.ID == bot {
				continue
			}
			s := get(person)
			s.Ghost, s.Name, s.Bot = u.ID, u.Name, b.Robot(ctx, service, person)
			s.Messages, s.LastTS = said[u.User].Messages, said[u.User].LastTS
		}
		if len(list) < some {
			break
		}
	}
	for after := ""; ; {
		list, err := c.o.Store.ClaimPeople(ctx, service, after, some)
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			after = p.Person
			get(p.Person).told(p)
		}
		if len(list) < some {
			break
		}
	}
	for after := ""; ; {
		list, err := c.o.Store.Ties(ctx, service, after, some)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			after = t.Person
			if err := c.tiedStatus(ctx, get(t.Person), t, said[t.User]); err != nil {
				return nil, err
			}
		}
		if len(list) < some {
			break
		}
	}
	out := make([]Status, 0, len(by))
	for _, s := range by {
		if s.Name == "" {
			s.Name = s.Person
		}
		out = append(out, *s)
	}
	slices.SortFunc(out, func(x, y Status) int {
		return strings.Compare(strings.ToLower(x.Name)+"\x00"+x.Person, strings.ToLower(y.Name)+"\x00"+y.Person)
	})
	return out, nil
}

// told adds what was written to a person.
func (s *Status) told(p store.ClaimPerson) {
	if s.Name == "" {
		s.Name = p.Name
	}
	s.Sent, s.SentTS, s.NextTS, s.Failed = p.Sent, p.SentTS, p.NextTS, p.Failed
	switch {
	case p.StoppedTS != 0:
		s.State = StateStopped
	case p.Failed != "":
		s.State = StateUnreachable
	case p.Sent > 0 || p.NextTS > 0 || len(p.URLHash) > 0:
		s.State = StateInvited
	}
}

func (c *Claims) tiedStatus(ctx context.Context, s *Status, t store.Tie, said store.Activity) (err error) {
	s.State, s.SinceTS, s.NextTS, s.Moving, s.Rooms = StateMoved, t.SinceTS, 0, t.Moving, t.Rooms
	if t.Notes != "" {
		s.Notes = strings.Split(t.Notes, "\n")
	}
	s.Messages, s.LastTS = s.Messages+said.Messages, max(s.LastTS, said.LastTS)
	if s.Account, err = c.o.Store.UserID(ctx, t.User); err != nil {
		return err
	}
	devices, err := c.o.Store.DevicesOf(ctx, t.User)
	for _, d := range devices {
		s.SeenTS = max(s.SeenTS, d.LastSeenTS)
	}
	return err
}

// activity counts what everybody said in the rooms of a bridge lately, by user.
func (c *Claims) activity(ctx context.Context, service string) (map[int64]store.Activity, error) {
	out := map[int64]store.Activity{}
	bot, err := c.o.Store.UserNID(ctx, c.bot(ctx, service))
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	} else if err != nil {
		return nil, err
	}
	rooms, err := c.o.Store.RoomsOf(ctx, bot)
	if err != nil {
		return nil, err
	}
	since := c.nowMS() - activeDays*24*3600*1000
	for _, r := range rooms {
		// Also rooms that the bot has left, when the bridge has ended.
		list, err := c.o.Store.RoomActivity(ctx, r.Room, since)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			sum := out[a.User]
			sum.Messages += a.Messages
			sum.LastTS = max(sum.LastTS, a.LastTS)
			out[a.User] = sum
		}
	}
	return out, nil
}

// Overview tells how far the community of a bridge has come. It may be some seconds old.
func (c *Claims) Overview(ctx context.Context, service string) (Overview, error) {
	out := Overview{Service: service, TS: c.nowMS()}
	people, err := c.people(ctx, service)
	if err != nil {
		return out, err
	}
	if _, out.Network, err = c.bridge(ctx, service); err != nil {
		return out, err
	}
	var since []int64
	for _, p := range people {
		if p.Bot {
			continue
		}
		out.People++
		moved := p.State == StateMoved
		switch p.State {
		case StateMoved:
			out.Moved++
			since = append(since, p.SinceTS)
		case StateInvited:
			out.Invited++
		case StateStopped:
			out.Stopped++
		case StateUnreachable:
			out.Unreachable++
		default:
			out.Waiting++
		}
		out.Messages += p.Messages
		if p.Messages > 0 {
			out.Active++
		}
		if moved {
			out.MessagesMoved += p.Messages
			if p.Messages > 0 {
				out.ActiveMoved++
			}
		}
	}
	out.Days = days(since, c.o.Now())
	return out, nil
}

// maxDays bounds the days of an overview.
const maxDays = 400

func days(since []int64, now time.Time) (out []Day) {
	if len(since) == 0 {
		return nil
	}
	slices.Sort(since)
	day := time.UnixMilli(since[0]).UTC().Truncate(24 * time.Hour)
	if earliest := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-maxDays); day.Before(earliest) {
		day = earliest
	}
	for moved := 0; !day.After(now); day = day.AddDate(0, 0, 1) {
		end := day.AddDate(0, 0, 1).UnixMilli()
		for moved < len(since) && since[moved] < end {
			moved++
		}
		out = append(out, Day{day.Format(time.DateOnly), moved})
	}
	return out
}

// Query asks for a part of a bridge's people.
type Query struct {
	Service string `json:"service"`
	// State is one of the states, "" for all; Search is a part of a name, in any case.
	State  string `json:"state,omitempty"`
	Search string `json:"search,omitempty"`
	// Offset and Limit are those of the part; Limit 0 means 100.
	Offset int `json:"offset,omitempty"`
	Limit  int `json:"limit,omitempty"`
}

// People are a part of a list, and how long the whole is.
type People struct {
	People []Status `json:"people"`
	Total  int      `json:"total"`
}

// List lists people of a bridge by name, without bots. It may be some seconds old.
func (c *Claims) List(ctx context.Context, q Query) (out People, err error) {
	all, err := c.people(ctx, q.Service)
	if err != nil {
		return out, err
	}
	if q.Limit <= 0 || q.Limit > 5000 {
		q.Limit = 100
	}
	search := strings.ToLower(q.Search)
	out.People = []Status{}
	for _, p := range all {
		if p.Bot || q.State != "" && p.State != q.State || search != "" && !strings.Contains(strings.ToLower(p.Name+" "+p.Person+" "+p.Account), search) {
			continue
		}
		if out.Total >= q.Offset && len(out.People) < q.Limit {
			out.People = append(out.People, p)
		}
		out.Total++
	}
	return out, nil
}
