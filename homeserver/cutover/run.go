package cutover

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// again is when is tried again what failed.
const again = 15 * time.Second

// catchUpTime bounds one attempt to take in what was said last.
const catchUpTime = time.Hour

// Run works until ctx ends.
func (c *Cutover) Run(ctx context.Context) error {
	for {
		var retry <-chan time.Time
		if c.all(ctx) {
			retry = time.After(again)
		}
		select {
		case <-c.work:
		case <-retry:
		case <-ctx.Done():
			return nil
		}
	}
}

// all works on all bridges whose end is wanted; true means that something is left to do.
func (c *Cutover) all(ctx context.Context) (left bool) {
	b := c.bridges.Load()
	if b == nil {
		return false
	}
	rows, err := c.o.Store.Cutovers(ctx)
	if err != nil {
		c.o.Log.ErrorContext(ctx, "looking for bridges that are to end", "err", err)
		return true
	}
	for _, row := range rows {
		for row.State != row.Wanted && ctx.Err() == nil {
			err := c.step(ctx, *b, row)
			if err != nil {
				if ctx.Err() != nil {
					return true
				}
				c.o.Log.ErrorContext(ctx, "ending a bridge; it is tried again", "bridge", row.Service, "state", row.State, "wanted", row.Wanted, "err", err)
				text := err.Error()
				if e, ok := mxerror.As(err); ok {
					text = e.Message
				}
				if err := c.set(ctx, row.Service, func(_ *store.Cutover, d *Detail) { d.Error = text }); err != nil {
					c.o.Log.ErrorContext(ctx, "noting that", "err", err)
				}
				left = true
				break
			}
			if row, err = c.o.Store.Cutover(ctx, row.Service); errors.Is(err, store.ErrNotFound) {
				break // undone
			} else if err != nil {
				return true
			}
		}
	}
	return left
}

// step takes one step from the state of a bridge to the one that is wanted.
func (c *Cutover) step(ctx context.Context, b Bridges, row store.Cutover) error {
	report, err := c.Report(ctx, row.Service)
	if err != nil {
		return err
	}
	d := report.Detail
	if row.Wanted == StateOpen {
		return c.back(ctx, b, row, d)
	}
	switch row.State {
	case StateOpen:
		if row.Wanted == StateAnnounced {
			return c.announce(ctx, b, row.Service, d)
		}
		return c.freeze(ctx, b, row.Service, d)
	case StateAnnounced:
		return c.freeze(ctx, b, row.Service, d)
	case StateFrozen:
		return c.stop(ctx, b, row.Service, d)
	case StateDetaching:
		return c.detach(ctx, b, row.Service, d)
	case StateDetached:
		return c.confirm(ctx, b, row.Service)
	}
	return fmt.Errorf("there is no way from %s to %s", row.State, row.Wanted)
}

// announce tells people, here and there.
func (c *Cutover) announce(ctx context.Context, b Bridges, service string, d Detail) error {
	undone, err := b.Announce(ctx, service, d.Key, d.Text)
	if err != nil {
		return fmt.Errorf("announcing on the network: %w", err)
	}
	rooms, err := b.Rooms(ctx, service)
	if err != nil {
		return err
	}
	for _, id := range rooms {
		ok, err := c.speaks(ctx, id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		content := map[string]string{"msgtype": "m.notice", "body": d.Text}
		err = c.o.Act(ctx, c.o.Bot(service), http.MethodPut, "/rooms/"+url.PathEscape(id)+"/send/m.room.message/"+url.PathEscape(d.Key), content, nil)
		if refused(err) {
			undone = append(undone, "It could not be announced in the room "+id+".")
		} else if err != nil {
			return fmt.Errorf("announcing in %s: %w", id, err)
		}
	}
	return c.set(ctx, service, func(row *store.Cutover, d *Detail) { row.State, d.Error = StateAnnounced, ""; note(d, undone...) })
}

// freeze closes the network's side.
func (c *Cutover) freeze(ctx context.Context, b Bridges, service string, d Detail) error {
	// What fails or is cut off may have closed some of it already; it is no longer open, so that there is something to undo.
	if err := c.set(ctx, service, func(row *store.Cutover, d *Detail) { row.State, d.Closing = StateAnnounced, true }); err != nil {
		return err
	}
	undone, err := b.Freeze(ctx, service, d.Notice)
	if err != nil {
		return fmt.Errorf("closing the old side: %w", err)
	}
	return c.set(ctx, service, func(row *store.Cutover, d *Detail) { row.State, d.Error = StateFrozen, ""; note(d, undone...) })
}

// stop takes in what was said last, notes the rooms, and stops the bridge.
func (c *Cutover) stop(ctx context.Context, b Bridges, service string, d Detail) error {
	if !d.CaughtUp {
		catching, cancel := context.WithTimeout(ctx, catchUpTime)
		err := b.CatchUp(catching, service)
		cancel()
		if err != nil {
			return fmt.Errorf("taking in what was said last: %w", err)
		}
		if err := c.set(ctx, service, func(_ *store.Cutover, d *Detail) { d.CaughtUp = true }); err != nil {
			return err
		}
	}
	ids, err := b.Rooms(ctx, service)
	if err != nil {
		return err
	}
	var rooms []int64
	for _, id := range ids {
		name, err := c.o.Store.RoomByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // removed
		} else if err != nil {
			return err
		}
		rooms = append(rooms, name.NID)
	}
	known, err := c.o.Store.CutoverRooms(ctx, service)
	if err != nil {
		return err
	}
	has := map[int64]bool{}
	for _, r := range known {
		has[r.Room] = true
	}
	// In one write with the state: from now on the bridge does not start, and the list is whole.
	err = c.o.Store.Write(ctx, func(t *store.Tx) error {
		for _, nid := range rooms {
			if has[nid] {
				continue
			}
			if err := t.SetCutoverRoom(service, store.CutoverRoom{Room: nid, State: roomAttached}); err != nil {
				return err
			}
		}
		row, d, err := readRow(t, service)
		if err != nil {
			return err
		}
		row.State, row.SinceTS = StateDetaching, c.nowMS()
		return writeRow(t, row, d)
	})
	if err != nil {
		return err
	}
	return b.Detach(ctx, service)
}

// detach takes the bridge out of all rooms.
func (c *Cutover) detach(ctx context.Context, b Bridges, service string, d Detail) error {
	if err := b.Detach(ctx, service); err != nil { // perhaps it was cut off before
		return err
	}
	rooms, err := c.o.Store.CutoverRooms(ctx, service)
	if err != nil {
		return err
	}
	var notes []string
	for _, r := range rooms {
		if r.State == roomDetached {
			continue
		}
		said, err := c.detachRoom(ctx, service, r, d.Admins)
		if err != nil {
			return err
		}
		notes = append(notes, said...)
		if len(said) > 0 {
			if err := c.set(ctx, service, func(_ *store.Cutover, d *Detail) { note(d, said...) }); err != nil {
				return err
			}
		}
	}
	return c.set(ctx, service, func(row *store.Cutover, d *Detail) { row.State, d.Error = StateDetached, ""; note(d, notes...) })
}

// confirm lets the bot leave.
func (c *Cutover) confirm(ctx context.Context, b Bridges, service string) error {
	bot := c.o.Bot(service)
	if bot == "" {
		return errors.New("the bridge is not in the configuration any more: its bot can't leave")
	}
	user, err := c.o.Store.UserNID(ctx, bot)
	if err != nil {
		return err
	}
	list, err := c.o.Store.RoomsOf(ctx, user)
	if err != nil {
		return err
	}
	var notes []string
	for _, m := range list {
		if m.Membership != "join" && m.Membership != "invite" {
			continue
		}
		name, err := c.o.Store.RoomByNID(ctx, m.Room)
		if err != nil {
			return err
		}
		if err := c.depose(ctx, name, bot); refused(err) {
			notes = append(notes, "The bot kept its power in the room "+name.ID+", which nobody can use.")
		} else if err != nil {
			return err
		}
		err = c.o.Act(ctx, bot, http.MethodPost, "/rooms/"+url.PathEscape(name.ID)+"/leave", map[string]string{"reason": "the bridge has ended"}, nil)
		if refused(err) {
			notes = append(notes, "The bot could not leave the room "+name.ID+".")
		} else if err != nil {
			return fmt.Errorf("leaving %s: %w", name.ID, err)
		}
	}
	rooms, err := c.o.Store.CutoverRooms(ctx, service)
	if err != nil {
		return err
	}
	err = c.o.Store.Write(ctx, func(t *store.Tx) error {
		for _, r := range rooms {
			r.State = roomLeft
			if err := t.SetCutoverRoom(service, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.set(ctx, service, func(row *store.Cutover, d *Detail) { row.State, d.Error = StateConfirmed, ""; note(d, notes...) }); err != nil {
		return err
	}
	if err := b.Forget(ctx, service); err != nil {
		c.o.Log.WarnContext(ctx, "the bridge is taken out of the server at the next start", "bridge", service, "err", err)
	}
	return nil
}

// back undoes what has been done so far.
func (c *Cutover) back(ctx context.Context, b Bridges, row store.Cutover, d Detail) error {
	service := row.Service
	switch row.State {
	case StateDetaching, StateDetached:
		rooms, err := c.o.Store.CutoverRooms(ctx, service)
		if err != nil {
			return err
		}
		for _, r := range rooms {
			if r.Before == "" {
				continue
			}
			if err := c.attachRoom(ctx, service, r, d.Admins); err != nil {
				return err
			}
		}
		if err := c.set(ctx, service, func(row *store.Cutover, d *Detail) { row.State, d.CaughtUp = StateFrozen, false }); err != nil {
			return err
		}
		return b.Attach(ctx, service)
	case StateConfirmed:
		return errors.New("what was confirmed can't be undone")
	}
	if row.State == StateFrozen || d.Closing {
		if err := b.Attach(ctx, service); err != nil { // perhaps it was cut off before
			return err
		}
		undone, err := b.Thaw(ctx, service)
		if err != nil {
			return fmt.Errorf("opening the old side: %w", err)
		}
		return c.set(ctx, service, func(row *store.Cutover, d *Detail) {
			row.State, d.Notes, d.Closing = StateAnnounced, nil, false
			note(d, undone...)
		})
	}
	return c.o.Store.Write(ctx, func(t *store.Tx) error { return t.DeleteCutover(service) })
}

// refused tells that a server will say the same again.
func refused(err error) bool {
	e, ok := mxerror.As(err)
	return ok && e.Status >= 400 && e.Status < 500 && e.Code != "M_LIMIT_EXCEEDED"
}
