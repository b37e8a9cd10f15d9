package cutover

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// powerLevels are those of a room, as far as they matter to who owns it.
type powerLevels struct {
	content map[string]jsontext.Value
	Users   map[string]int64 `json:"users"`
	Events  map[string]int64 `json:"events"`
	Ban     int64            `json:"ban"`
	Kick    int64            `json:"kick"`
	Redact  int64            `json:"redact"`
	Invite  int64            `json:"invite"`
	State   int64            `json:"state_default"`
	Default int64            `json:"users_default"`
}

// owner is the usual level of who owns a room.
const owner = 100

// needed is the level at which everything may be done in the room.
func (p *powerLevels) needed() int64 {
	n := max(owner, p.Ban, p.Kick, p.Redact, p.Invite, p.State)
	for _, l := range p.Events {
		n = max(n, l)
	}
	return n
}

func (c *Cutover) readLevels(ctx context.Context, row store.Room) (*powerLevels, error) {
	p := &powerLevels{content: map[string]jsontext.Value{}, Users: map[string]int64{}}
	raw, err := c.content(ctx, row, "m.room.power_levels", "")
	if err != nil || raw == nil {
		return p, err
	}
	if json.Unmarshal(raw, p) != nil || json.Unmarshal(raw, &p.content) != nil {
		return nil, mxerror.BadJSON("The power levels of the room %s can't be read.", row.ID)
	}
	if p.Users == nil {
		p.Users = map[string]int64{}
	}
	return p, nil
}

// levels changes the levels of users in a room, as the bot, unless change says that nothing is to be changed.
func (c *Cutover) levels(ctx context.Context, row store.Room, bot string, change func(users map[string]int64) bool) error {
	p, err := c.readLevels(ctx, row)
	if err != nil {
		return err
	}
	if !change(p.Users) {
		return nil
	}
	if p.content["users"], err = json.Marshal(p.Users, json.Deterministic(true)); err != nil {
		return err
	}
	return c.setState(ctx, bot, row.ID, "m.room.power_levels", "", p.content)
}

// depose takes the bot's power from it.
func (c *Cutover) depose(ctx context.Context, name store.RoomName, bot string) error {
	row, err := c.o.Store.LoadRoom(ctx, name.NID)
	if err != nil {
		return err
	}
	return c.levels(ctx, row, bot, func(users map[string]int64) bool {
		_, ok := users[bot]
		delete(users, bot)
		return ok
	})
}

// maxOwners bounds who owns a room that has no administrator in it.
const maxOwners = 20

// best are the people in a room with the highest power of all of them: who owns it if nobody else does. Of a room in
// which all are equal, such as a direct message, that is everybody.
func (c *Cutover) best(ctx context.Context, row store.Room, p *powerLevels) (out []string, err error) {
	members, err := c.o.Store.MembersOf(ctx, row.NID)
	if err != nil {
		return nil, err
	}
	top := int64(0)
	for _, m := range members {
		if m.Membership != "join" {
			continue
		}
		id, err := c.o.Store.UserID(ctx, m.User)
		if err != nil {
			return nil, err
		}
		if store.ServerOf(id) == c.o.ServerName {
			if a, err := c.o.Store.Account(ctx, m.User); err != nil || a.Kind != "user" || a.Service != "" || a.DeactivatedTS != 0 {
				continue // a ghost, which nobody can use
			}
		}
		level, ok := p.Users[id]
		if !ok {
			level = p.Default
		}
		switch {
		case len(out) == 0 || level > top:
			out, top = append(out[:0], id), level
		case level == top && len(out) < maxOwners:
			out = append(out, id)
		}
	}
	return out, nil
}
