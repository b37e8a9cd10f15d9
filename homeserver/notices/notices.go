package notices

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"sync"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Tag marks the room of the notices for clients.
const Tag = "m.server_notice"

// The names of the account that speaks and of its rooms.
const (
	defaultLocalpart = "_server"
	defaultName      = "Server notices"
)

// Options say what Notices need.
type Options struct {
	Store      *store.Store
	Rooms      *room.Manager
	Accounts   *accounts.Accounts
	ServerName string
	// Localpart is that of the account that speaks; "" for _server. Name is the name of the
	// account and its rooms; "" for "Server notices".
	Localpart, Name string
}

// Notices sends notices. It is safe for concurrent use.
type Notices struct {
	o  Options
	mu sync.Mutex // held while a room is found or made: exactly one a user
}

// New makes Notices.
func New(o Options) *Notices {
	if o.Localpart == "" {
		o.Localpart = defaultLocalpart
	}
	if o.Name == "" {
		o.Name = defaultName
	}
	return &Notices{o: o}
}

// Sender is the user that speaks.
func (n *Notices) Sender() string { return "@" + n.o.Localpart + ":" + n.o.ServerName }

// SendNotice sends a message with this content (an object, usually with msgtype and body) to a user
// of this server, and returns its event id. A user who is not in the room is invited; one who has
// left it, again.
func (n *Notices) SendNotice(ctx context.Context, userID string, content jsontext.Value) (eventID string, err error) {
	return n.Send(ctx, userID, Notice{Content: content})
}

// Notice is what is sent.
type Notice struct {
	// Type is m.room.message if empty; StateKey is set for state.
	Type     string
	StateKey *string
	Content  jsontext.Value
	// TxnScope and Txn make the notice idempotent, as those of room.Proposal.
	TxnScope int64
	Txn      string
}

// Send is SendNotice for any type of event.
func (n *Notices) Send(ctx context.Context, userID string, what Notice) (eventID string, err error) {
	if what.Type == "" {
		what.Type = "m.room.message"
	}
	if what.Content.Kind() != '{' {
		return "", mxerror.BadJSON("The content of a notice must be an object.")
	}
	user, err := n.o.Store.UserNID(ctx, userID)
	if err == nil {
		_, err = n.o.Store.Account(ctx, user)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && userID == n.Sender() {
		return "", mxerror.NotFound("There is no user %s here to send a notice to.", userID)
	} else if err != nil {
		return "", err
	}
	to, err := n.room(ctx, user, userID)
	if err != nil {
		return "", fmt.Errorf("finding the room for notices to %s: %w", userID, err)
	}
	e, err := n.o.Rooms.Send(ctx, to, room.Proposal{Sender: n.Sender(), Type: what.Type, StateKey: what.StateKey, Content: what.Content,
		TxnScope: what.TxnScope, Txn: what.Txn})
	if err != nil {
		return "", err
	}
	return e.ID, nil
}

// room finds or makes the user's room, with the user in it or invited.
func (n *Notices) room(ctx context.Context, user int64, userID string) (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	have, err := n.o.Store.NoticeRoom(ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return n.create(ctx, user, userID)
	} else if err != nil {
		return 0, err
	}
	m, err := n.o.Store.Membership(ctx, have, user)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	if m.Membership == "join" || m.Membership == "invite" {
		return have, nil
	}
	_, err = n.o.Rooms.Send(ctx, have, n.invitation(userID))
	return have, err
}

func (n *Notices) invitation(userID string) room.Proposal {
	// "Servers should invite the target user rather than automatically join them".
	return room.Proposal{Sender: n.Sender(), Type: "m.room.member", StateKey: &userID, Content: jsontext.Value(`{"membership":"invite"}`)}
}

// create makes a user's room, its tag along with it.
func (n *Notices) create(ctx context.Context, user int64, userID string) (int64, error) {
	if err := n.account(ctx); err != nil {
		return 0, err
	}
	version := event.DefaultVersion
	create := map[string]any{"room_version": string(version), "m.federate": false}
	if version.CreatorInContent() {
		create["creator"] = n.Sender()
	}
	raw, err := json.Marshal(create, json.Deterministic(true))
	if err != nil {
		return 0, err
	}
	name, _, err := n.o.Rooms.Create(ctx, room.Creation{Version: version, Creator: n.Sender(), Content: raw,
		Events: func(string) ([]room.Proposal, error) { return n.firstEvents(version, userID) },
		Extra: func(t *store.Tx, r store.Room) error {
			if err := t.SetNoticeRoom(user, r.NID); err != nil {
				return err
			}
			// "Servers must identify this room to clients with the m.server_notice tag."
			return t.SetAccountData(user, store.AccountData{Room: r.NID, Type: "m.tag", Content: `{"tags":{"` + Tag + `":{}}}`})
		}})
	return name.NID, err
}

// firstEvents are those of a new room: nobody but the server speaks in it.
func (n *Notices) firstEvents(version event.Version, userID string) ([]room.Proposal, error) {
	users := map[string]int{}
	if !version.PrivilegedRoomCreators() {
		users[n.Sender()] = 100
	}
	var out []room.Proposal
	for _, e := range []struct {
		typ, key string
		content  any
	}{
		{"m.room.member", n.Sender(), map[string]string{"membership": "join", "displayname": n.o.Name}},
		{"m.room.power_levels", "", map[string]any{"users": users, "users_default": -10, "events_default": 0, "state_default": 50,
			"invite": 50, "kick": 50, "ban": 50, "redact": 50, "events": map[string]int{"m.room.tombstone": 150}}},
		{"m.room.join_rules", "", map[string]string{"join_rule": "invite"}},
		{"m.room.history_visibility", "", map[string]string{"history_visibility": "shared"}},
		{"m.room.guest_access", "", map[string]string{"guest_access": "forbidden"}},
		{"m.room.name", "", map[string]string{"name": n.o.Name}},
	} {
		raw, err := json.Marshal(e.content, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		out = append(out, room.Proposal{Sender: n.Sender(), Type: e.typ, StateKey: &e.key, Content: raw})
	}
	return append(out, n.invitation(userID)), nil
}

// account makes the account that speaks, which nobody can log in to. One of that name that somebody
// has signed up for is not used.
func (n *Notices) account(ctx context.Context) error {
	user, err := n.o.Store.UserNID(ctx, n.Sender())
	if err == nil {
		var have store.Account
		if have, err = n.o.Store.Account(ctx, user); err == nil {
			if have.Kind != "service" || have.Service != "" {
				return mxerror.New(409, "M_USER_IN_USE", "Notices can't be sent: somebody has the account %s.", n.Sender())
			}
			return nil
		}
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	_, err = n.o.Accounts.Register(ctx, accounts.Registration{Localpart: n.o.Localpart, Kind: "service", DisplayName: n.o.Name})
	return err
}
