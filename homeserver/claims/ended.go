package claims

import (
	"context"
	"encoding/json/v2"
	"errors"
	"strings"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// ended stands for a bridge that is not there any more, or not now: who its people are is known by the accounts of their
// ghosts, which are called as bridges of this server call them. They can be invited by e-mail and by lists, and come into their rooms.
type ended struct {
	c *Claims
	// gone tells that the bridge was taken out of its rooms, and won't come back by itself.
	gone bool
}

var _ Bridges = ended{}

// ended finds a bridge that was here.
func (c *Claims) ended(ctx context.Context, service string) (Bridges, string, bool) {
	list, err := c.o.Store.ServiceUsers(ctx, service, 0, 1)
	if err != nil || len(list) == 0 {
		return nil, "", false
	}
	row, err := c.o.Store.Cutover(ctx, service)
	e := ended{c: c, gone: err == nil && (row.State == "detached" || row.State == "confirmed")}
	name, _ := e.Network(service)
	return e, name, true
}

// List implements Bridges.
func (ended) List() []string { return nil }

// Network implements Bridges: bridges are mostly named after their networks.
func (ended) Network(service string) (string, bool) {
	for _, name := range []string{"Slack", "Discord", "IRC"} {
		if strings.HasPrefix(strings.ToLower(service), strings.ToLower(name)) {
			return name, true
		}
	}
	return service, true
}

func (e ended) prefix(service string) string { return "@" + service + "_" }

// Ghost implements Bridges.
func (e ended) Ghost(service, person string) (string, bool) {
	return e.prefix(service) + id.EncodeUserLocalpart(person) + ":" + e.c.o.ServerName, true
}

// Person implements Bridges.
func (e ended) Person(service, userID string) (string, bool) {
	local, ok := strings.CutPrefix(userID, e.prefix(service))
	if !ok {
		return "", false
	}
	if local, ok = strings.CutSuffix(local, ":"+e.c.o.ServerName); !ok {
		return "", false
	}
	person, err := id.DecodeUserLocalpart(local)
	return person, err == nil && person != ""
}

// Robot implements Bridges: that is not known any more.
func (ended) Robot(context.Context, string, string) bool { return false }

// Message implements Bridges.
func (e ended) Message(context.Context, string, string, string, string) error {
	if e.gone {
		return ErrNoMessages
	}
	return ErrNotRunning
}

// SignIns implements Bridges: nobody is there to ask the network.
func (ended) SignIns(string) []SignIn { return nil }

// SignInURL implements Bridges.
func (ended) SignInURL(string, string, string, string) (string, bool) { return "", false }

// SignedIn implements Bridges.
func (ended) SignedIn(context.Context, string, string, string, string) (Person, error) {
	return Person{}, ErrNotRunning
}

// Tied implements Bridges.
func (ended) Tied(context.Context, string, string, string) {}

// bot is the user id of a bridge's bot, also of one that has ended; "" if there is none.
func (c *Claims) bot(ctx context.Context, service string) string {
	if bot := c.o.Bot(service); bot != "" {
		return bot
	}
	bot := "@" + service + "bot:" + c.o.ServerName
	nid, err := c.o.Store.UserNID(ctx, bot)
	if err == nil {
		var a store.Account
		if a, err = c.o.Store.Account(ctx, nid); err == nil && a.Service == service {
			return bot
		}
	}
	return ""
}

// owners are those to whom the rooms of a bridge were given when it ended.
func (c *Claims) owners(ctx context.Context, service string) ([]string, error) {
	row, err := c.o.Store.Cutover(ctx, service)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var d struct {
		Admins []string `json:"admins"`
	}
	if row.Detail == "" {
		return nil, nil
	}
	return d.Admins, json.Unmarshal([]byte(row.Detail), &d)
}
