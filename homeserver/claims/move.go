package claims

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// movePause is how long what could not be done is left alone.
const movePause = 30 * time.Second

// moveAll brings the accounts of new ties into the rooms of their people, until ctx ends. What a crash has cut
// off goes on at the next start: a tie is being moved until all is done, and each step can be done again.
func (c *Claims) moveAll(ctx context.Context) {
	for {
		var again <-chan time.Time
		if err := c.moveSome(ctx); err != nil && ctx.Err() == nil {
			c.o.Log.ErrorContext(ctx, "bringing an account into the rooms of its person; it is tried again", "err", err)
			again = time.After(movePause)
		}
		select {
		case <-c.move:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// moveSome goes through the ties once. One that fails does not hold up the others.
func (c *Claims) moveSome(ctx context.Context) error {
	if c.bridges.Load() == nil {
		return nil // comes with Use
	}
	const some = 100
	var errs []error
	for after := (store.Tie{}); ; {
		ties, err := c.o.Store.TiesMoving(ctx, after, some)
		if err != nil {
			return err
		}
		for _, tie := range ties {
			if err := c.moveOne(ctx, tie); err != nil {
				errs = append(errs, fmt.Errorf("bridge %s: %w", tie.Service, err))
			}
			after = tie
		}
		if len(ties) < some {
			return errors.Join(errs...)
		}
	}
}

// moving is one account on its way.
type moving struct {
	c                   *Claims
	bot, ghost, account string
	// user is the account's number, and botUser that of the bot.
	user, botUser int64
	rooms         int64
	notes         []string
	// owners are those to whom the bridge's rooms were given when it ended.
	owners []string
}

// maxNotes bounds what is kept of what did not work.
const maxNotes = 50

// moveOne brings an account into all rooms of its person: with an invitation by the bridge's bot, which it
// accepts, since the person has asked for it; with the ghost's power; and then the ghost leaves.
func (c *Claims) moveOne(ctx context.Context, tie store.Tie) error {
	if _, _, err := c.bridge(ctx, tie.Service); err != nil {
		return nil // when the bridge is there again
	}
	account, err := c.o.Store.UserID(ctx, tie.User)
	if err != nil {
		return err
	}
	ghost, err := c.ghost(ctx, tie.Service, tie.Person)
	if err != nil {
		return err
	}
	if ghost != 0 {
		m := &moving{c: c, bot: c.bot(ctx, tie.Service), account: account, user: tie.User}
		if m.ghost, err = c.o.Store.UserID(ctx, ghost); err != nil {
			return err
		}
		if m.botUser, err = c.o.Store.UserNID(ctx, m.bot); err != nil && m.bot != "" {
			return fmt.Errorf("finding the bridge's bot: %w", err)
		}
		if m.owners, err = c.owners(ctx, tie.Service); err != nil {
			return fmt.Errorf("finding who owns the rooms: %w", err)
		}
		// First, so that who looks at the leaving ghost finds who it is.
		if err := c.o.Store.Write(ctx, func(t *store.Tx) error { return showTie(t, ghost, account) }); err != nil {
			return err
		}
		if err := m.all(ctx, ghost); err != nil {
			return err
		}
		tie.Notes = strings.Join(m.notes, "\n")
		tie.Rooms = m.rooms
	}
	tie.Moving = false
	return c.o.Store.Write(ctx, func(t *store.Tx) error {
		_, err := t.SettleTie(tie, tie.Rooms)
		return err
	})
}

// note keeps what did not work, for the administrator; only what will not work the next time either. Other
// errors are given back.
func (m *moving) note(room string, err error) error {
	e, ok := mxerror.As(err)
	if !ok || e.Status >= 500 || e.Code == "M_LIMIT_EXCEEDED" {
		return fmt.Errorf("room %s: %w", room, err)
	}
	if len(m.notes) < maxNotes {
		m.notes = append(m.notes, room+": "+e.Message)
	}
	return nil
}

func (m *moving) all(ctx context.Context, ghost int64) error {
	list, err := m.c.o.Store.RoomsOf(ctx, ghost)
	if err != nil {
		return err
	}
	spaces, err := m.spaces(ctx)
	if err != nil {
		return err
	}
	for _, r := range list {
		if r.Membership != "join" && r.Membership != "invite" {
			continue
		}
		if err := m.enter(ctx, r.Room, spaces, true); err != nil {
			return err
		}
	}
	return nil
}

// spaces are the spaces in which the bridge's bot is.
func (m *moving) spaces(ctx context.Context) (map[int64]string, error) {
	if m.bot == "" {
		return nil, nil
	}
	list, err := m.c.o.Store.RoomsOf(ctx, m.botUser)
	if err != nil {
		return nil, err
	}
	out := map[int64]string{}
	for _, r := range list {
		// When the bridge has ended, its bot has left them.
		if r.Membership != "join" && (r.Membership != "leave" || len(m.owners) == 0) {
			continue
		}
		row, err := m.c.o.Store.LoadRoom(ctx, r.Room)
		if err != nil {
			return nil, err
		}
		create, err := m.c.o.Store.StateEvent(ctx, row.Root, "m.room.create", "")
		if err != nil {
			return nil, err
		}
		if create.ContentString("type") == "m.space" {
			out[r.Room] = row.ID
		}
	}
	return out, nil
}

// enter brings the account into one room and the spaces above it. The ghost goes when that is done, so that what
// a crash cuts off is found again by the ghost's being there.
func (m *moving) enter(ctx context.Context, room int64, spaces map[int64]string, ghost bool) error {
	row, err := m.c.o.Store.LoadRoom(ctx, room)
	if err != nil {
		return err
	}
	for nid, id := range spaces {
		if nid == room {
			continue
		}
		if e, err := m.c.o.Store.StateEvent(ctx, row.Root, "m.space.parent", id); errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		} else if string(e.Content) == "{}" {
			continue // taken back
		}
		rest := map[int64]string{}
		for k, v := range spaces {
			if k != room && k != nid {
				rest[k] = v
			}
		}
		if err := m.enter(ctx, nid, rest, false); err != nil {
			return err
		}
	}
	if ghost {
		if err := m.power(ctx, row); err != nil {
			if err := m.note(row.ID, err); err != nil {
				return err
			}
		}
	}
	fresh, err := m.join(ctx, row.ID, room)
	if err != nil {
		return m.note(row.ID, err)
	}
	if !ghost {
		return nil
	}
	if fresh {
		m.rooms++
	}
	err = m.c.o.Act(ctx, m.ghost, http.MethodPost, "/rooms/"+url.PathEscape(row.ID)+"/leave", map[string]string{"reason": "is now " + m.account}, nil)
	if err != nil {
		return m.note(row.ID, err)
	}
	return nil
}

// join has the account join, on an invitation by the bot where it can't come in by itself. It tells whether
// the account was not there before.
func (m *moving) join(ctx context.Context, roomID string, room int64) (fresh bool, err error) {
	have, err := m.c.o.Store.Membership(ctx, room, m.user)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if have.Membership == "join" {
		return false, nil
	}
	path := "/rooms/" + url.PathEscape(roomID)
	if have.Membership != "invite" {
		// By its own state event: an invitation of the bridge's, to be accepted at once, asks no filter of the
		// account's. Who is in the way of it is a ban.
		content := map[string]any{"membership": "invite", "reason": "linked to " + m.ghost, "fi.mau.will_auto_accept": true}
		refused := m.byOne(ctx, path+"/state/m.room.member/"+url.PathEscape(m.account), content)
		if refused != nil && !mxerror.Is(refused, "M_FORBIDDEN") {
			return false, refused
		}
		err := m.c.o.Act(ctx, m.account, http.MethodPost, "/join/"+url.PathEscape(roomID), map[string]any{}, nil)
		if mxerror.Is(err, "M_FORBIDDEN") && refused != nil {
			err = refused
		}
		return true, err
	}
	return true, m.c.o.Act(ctx, m.account, http.MethodPost, "/join/"+url.PathEscape(roomID), map[string]any{}, nil)
}

// byOne sets state of a room: by the bridge's bot, or, when that has left, by the ghost itself, or by one who owns the rooms
// since.
func (m *moving) byOne(ctx context.Context, path string, content any) (err error) {
	for _, who := range append([]string{m.bot, m.ghost}, m.owners...) {
		if who == "" {
			continue
		}
		if err = m.c.o.Act(ctx, who, http.MethodPut, path, content, nil); !mxerror.Is(err, "M_FORBIDDEN") {
			return err
		}
	}
	return err
}

// power gives the account what the ghost has, if that is more, and takes it from the ghost.
func (m *moving) power(ctx context.Context, row store.Room) error {
	e, err := m.c.o.Store.StateEvent(ctx, row.Root, "m.room.power_levels", "")
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	content := map[string]jsontext.Value{}
	if err := json.Unmarshal(e.Content, &content); err != nil {
		return mxerror.BadJSON("The room's power levels can't be read.")
	}
	users, usersDefault := map[string]int64{}, int64(0)
	if raw := content["users"]; len(raw) > 0 {
		if err := json.Unmarshal(raw, &users); err != nil {
			return mxerror.BadJSON("The room's power levels can't be read.")
		}
	}
	if raw := content["users_default"]; len(raw) > 0 {
		if err := json.Unmarshal(raw, &usersDefault); err != nil {
			return mxerror.BadJSON("The room's power levels can't be read.")
		}
	}
	level, ok := users[m.ghost]
	if !ok {
		return nil
	}
	if have, ok := users[m.account]; !ok && level > usersDefault || ok && level > have {
		users[m.account] = level
	}
	delete(users, m.ghost)
	if content["users"], err = json.Marshal(users, json.Deterministic(true)); err != nil {
		return err
	}
	return m.byOne(ctx, "/rooms/"+url.PathEscape(row.ID)+"/state/m.room.power_levels", content)
}
