package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

type roomRow struct {
	NID                    int64
	ID, Name, Alias, Topic string
	Kind                   string // "m.space", say
	Joined                 int64
	Public, Encrypted      bool
	Version                string
	CreatedTS              int64
}

// Title is what a room is called in lists.
func (r roomRow) Title() string {
	for _, s := range []string{r.Name, r.Alias, r.ID} {
		if s != "" {
			return s
		}
	}
	return ""
}

// roomRow reads what lists show of a room.
func (c *Console) roomRow(ctx context.Context, nid int64) (out roomRow, err error) {
	s := c.o.Store
	r, err := s.LoadRoom(ctx, nid)
	if err != nil {
		return out, err
	}
	out = roomRow{NID: nid, ID: r.ID, Version: string(r.Version), CreatedTS: r.CreatedTS}
	var algorithm string
	for _, f := range [...]struct {
		to       *string
		typ, key string
	}{{&out.Name, "m.room.name", "name"}, {&out.Alias, "m.room.canonical_alias", "alias"}, {&out.Kind, "m.room.create", "type"}, {&algorithm, "m.room.encryption", "algorithm"}} {
		e, err := s.StateEvent(ctx, r.Root, f.typ, "")
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		*f.to = e.ContentString(f.key)
	}
	out.Encrypted = algorithm != ""
	if out.Joined, err = s.JoinedCount(ctx, nid); err != nil {
		return out, err
	}
	out.Public, err = s.IsPublic(ctx, nid)
	return out, err
}

func (c *Console) rooms(v *visit) error {
	out := listView[roomRow]{Search: strings.TrimSpace(v.r.URL.Query().Get("q"))}
	totals, err := c.totals.get(func() (store.Totals, error) { return c.o.Store.Totals(v.ctx) })
	if err != nil {
		return err
	}
	out.Total = totals.Rooms
	var list []int64
	switch {
	case strings.HasPrefix(out.Search, "!"):
		r, err := c.o.Store.RoomByID(v.ctx, out.Search)
		if err == nil {
			list = []int64{r.NID}
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	case out.Search != "":
		list, err = c.o.Store.RoomsWithAlias(v.ctx, out.Search, pageSize)
	default:
		list, err = c.o.Store.NewestRooms(v.ctx, v.number("before"), pageSize+1)
		if len(list) > pageSize {
			list = list[:pageSize]
			out.Next = link("/rooms", "", false, "before", strconv.FormatInt(list[pageSize-1], 10))
		}
	}
	if err != nil {
		return err
	}
	for _, nid := range list {
		r, err := c.roomRow(v.ctx, nid)
		if errors.Is(err, store.ErrNotFound) {
			continue // it has just been removed
		}
		if err != nil {
			return err
		}
		out.List = append(out.List, r)
	}
	return v.show("/rooms", say("Rooms"), "rooms", out)
}

type roomView struct {
	roomRow
	Aliases []string
	Blocked string // by whom, or ""
	Local   int64
	// Settings are those that can be changed, and Reading tells whether everybody may read the room on a page.
	Settings []settingValue
	Reading  bool
}

func (c *Console) room(v *visit) error {
	id := v.r.URL.Query().Get("id")
	r, err := c.o.Store.RoomByID(v.ctx, id)
	if err != nil {
		return err
	}
	var out roomView
	if out.roomRow, err = c.roomRow(v.ctx, r.NID); err != nil {
		return err
	}
	aliases, err := c.o.Store.AliasesOf(v.ctx, r.NID)
	if err != nil {
		return err
	}
	for _, a := range aliases {
		out.Aliases = append(out.Aliases, a.Alias)
	}
	if out.Local, err = c.o.Store.LocalJoined(v.ctx, r.NID); err != nil {
		return err
	}
	if out.Blocked, err = c.o.Store.RoomBlocked(v.ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	loaded, err := c.o.Store.LoadRoom(v.ctx, r.NID)
	if err != nil {
		return err
	}
	if out.Settings, out.Reading, err = c.settings(v.ctx, loaded.Root); err != nil {
		return err
	}
	return v.show("/rooms", sentence.Data(out.Title()), "room", out)
}

func (c *Console) roomDo(v *visit) error {
	f := v.r.PostForm
	id, what := f.Get("id"), f.Get("do")
	path, back := url.PathEscape(id), Path+"/rooms/show?"+url.Values{"id": {id}}.Encode()
	call := func(method, path string, body map[string]any) func() error {
		return func() error { return v.api(method, path, body, nil) }
	}
	switch what {
	case "set":
		return c.roomSet(v, id, back)
	case "redact":
		return v.redact(id, f.Get("event"), strings.TrimSpace(f.Get("reason")), back)
	case "admin":
		return v.takeCharge(id, back)
	case "purge":
		return v.purge(id, back)
	case "block", "unblock":
		return v.act(what, id, "", back, say("Done."), call(http.MethodPut, "/v1/rooms/"+path+"/block", map[string]any{"block": what == "block"}))
	case "quarantine":
		if !v.sure(question{Text: say("Nobody will be able to see the files that were sent in %s.", id), Yes: say("Put them in quarantine"), Back: back}) {
			return nil
		}
		return v.act("quarantine the media of", id, "", back, say("The files are in quarantine."), call(http.MethodPost, "/v1/room/"+path+"/media/quarantine", map[string]any{}))
	case "delete":
		if !v.sure(question{Text: say("Everybody here leaves %s, and what was said in it is deleted from this server.", id), Yes: say("Delete the room"), Back: back}) {
			return nil
		}
		return v.act("delete", id, "", Path+"/rooms", say("The room is being deleted."), call(http.MethodDelete, "/v2/rooms/"+path, map[string]any{"purge": true, "block": f.Get("block") == "yes"}))
	}
	return problemf("There is no action %q.", what)
}
