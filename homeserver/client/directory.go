package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// checkAlias refuses what is no alias: specification, "Room aliases": "#room_alias:domain", at
// most 255 bytes.
func checkAlias(alias string) error {
	local, server, ok := strings.Cut(strings.TrimPrefix(alias, "#"), ":")
	bad := func(r rune) bool { return r == 0 || unicode.IsControl(r) }
	if !strings.HasPrefix(alias, "#") || !ok || local == "" || server == "" || len(alias) > 255 || strings.ContainsFunc(alias, bad) {
		return mxerror.InvalidParam("%q is not a room alias.", clip(alias))
	}
	return nil
}

// alias finds an alias of this server, asking the application services that own it to make the
// room if there is none yet.
func (a *API) alias(ctx context.Context, alias string) (store.Alias, error) {
	if err := checkAlias(alias); err != nil {
		return store.Alias{}, err
	}
	al, err := a.o.Store.Alias(ctx, alias)
	if !errors.Is(err, store.ErrNotFound) {
		return al, err
	}
	if made, err := a.o.Services.QueryAlias(ctx, alias); err != nil {
		return al, err
	} else if made {
		if al, err = a.o.Store.Alias(ctx, alias); err == nil {
			return al, nil
		}
	}
	return al, mxerror.NotFound("There is no room with the alias %s.", clip(alias))
}

// checkNewAlias refuses an alias that this user may not make.
func (a *API) checkNewAlias(c *call, alias string) error {
	if err := checkAlias(alias); err != nil {
		return err
	}
	if !strings.HasSuffix(alias, ":"+a.o.ServerName) {
		return mxerror.InvalidParam("Aliases made here end in :%s.", a.o.ServerName)
	}
	owner := a.o.Services.Set().ExclusiveAlias(alias)
	if owner != nil && owner != c.session.Service {
		return mxerror.New(400, "M_EXCLUSIVE", "The alias %s is reserved for an application service.", clip(alias))
	}
	_, err := a.o.Store.Alias(c.ctx, alias)
	if err == nil {
		return errAliasTaken(alias)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// getAlias is GET /directory/room/{roomAlias}.
func (a *API) getAlias(c *call) (any, error) {
	id, servers, err := a.roomOfAlias(c.ctx, c.params[0])
	if err != nil {
		return nil, err
	}
	return map[string]any{"room_id": id, "servers": servers}, nil
}

// putAlias is PUT /directory/room/{roomAlias}.
func (a *API) putAlias(c *call) (any, error) {
	var q struct {
		RoomID string `json:"room_id"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	alias := c.params[0]
	if err := checkAlias(alias); err != nil {
		return nil, err
	}
	if q.RoomID == "" {
		return nil, mxerror.MissingParam("room_id is missing.")
	}
	r, err := a.roomByID(c.ctx, q.RoomID)
	if err != nil {
		return nil, err
	}
	if _, err := a.o.Store.Alias(c.ctx, alias); err == nil {
		return nil, mxerror.New(409, "M_UNKNOWN", "The alias %s is taken.", clip(alias))
	}
	if err := a.checkNewAlias(c, alias); err != nil {
		return nil, err
	}
	if m, err := a.standing(c.ctx, r, c.session.UserID); err != nil {
		return nil, err
	} else if m.Membership != "join" && c.session.Service == nil {
		return nil, mxerror.Forbidden("You are not in this room.")
	}
	return nil, a.o.Store.Write(c.ctx, func(t *store.Tx) error {
		ok, err := t.AddAlias(store.Alias{Alias: alias, Room: r.NID, Creator: c.session.User}, a.o.Now().UnixMilli())
		if err == nil && !ok {
			err = store.Refuse(mxerror.New(409, "M_UNKNOWN", "The alias %s is taken.", clip(alias)))
		}
		return err
	})
}

// deleteAlias is DELETE /directory/room/{roomAlias}: allowed for who made it, for those who may
// change the room's canonical alias, and for admins.
func (a *API) deleteAlias(c *call) (any, error) {
	alias := c.params[0]
	if err := checkAlias(alias); err != nil {
		return nil, err
	}
	al, err := a.o.Store.Alias(c.ctx, alias)
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("There is no alias %s here.", clip(alias))
	} else if err != nil {
		return nil, err
	}
	service := c.session.Service != nil && a.o.Services.Set().ExclusiveAlias(alias) == c.session.Service
	if al.Creator != c.session.User && !c.session.Admin && !service {
		ok, err := a.mayChange(c, al.Room, "m.room.canonical_alias")
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, mxerror.Forbidden("Only who made an alias, or may change the room's aliases, can delete it.")
		}
	}
	if err := a.o.Store.Write(c.ctx, func(t *store.Tx) error { return t.DeleteAlias(alias) }); err != nil {
		return nil, err
	}
	return nil, a.dropCanonical(c, al)
}

// dropCanonical takes a deleted alias out of the room's canonical ones, if the caller may.
func (a *API) dropCanonical(c *call, al store.Alias) error {
	if ok, err := a.mayChange(c, al.Room, "m.room.canonical_alias"); err != nil || !ok {
		return err
	}
	row, err := a.o.Store.LoadRoom(c.ctx, al.Room)
	if err != nil {
		return err
	}
	e, err := a.o.Store.StateEvent(c.ctx, row.Root, "m.room.canonical_alias", "")
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	content := object{}
	if err := json.Unmarshal(e.Content, &content); err != nil {
		return err
	}
	changed := false
	if e.ContentString("alias") == al.Alias {
		delete(content, "alias")
		changed = true
	}
	if alts := gjson.GetBytes(e.Content, "alt_aliases"); alts.IsArray() {
		left := []jsontext.Value{}
		for _, alt := range alts.Array() {
			if alt.Str == al.Alias {
				changed = true
			} else {
				left = append(left, jsontext.Value(alt.Raw))
			}
		}
		raw, err := json.Marshal(left)
		if err != nil {
			return err
		}
		content["alt_aliases"] = raw
	}
	if !changed {
		return nil
	}
	raw, err := json.Marshal(content, json.Deterministic(true))
	if err != nil {
		return err
	}
	none := ""
	_, err = a.o.Rooms.Send(c.ctx, al.Room, room.Proposal{Sender: c.session.UserID, Type: "m.room.canonical_alias", StateKey: &none, Content: raw})
	return err
}

// mayChange tells whether the caller is in a room and has the power for a type of state.
func (a *API) mayChange(c *call, nid int64, typ string) (bool, error) {
	r, err := a.o.Store.RoomByNID(c.ctx, nid)
	if err != nil {
		return false, err
	}
	m, err := a.standing(c.ctx, r, c.session.UserID)
	if err != nil || m.Membership != "join" {
		return false, err
	}
	p, err := a.o.Rooms.Power(c.ctx, nid)
	if err != nil {
		return false, err
	}
	return p.User(c.session.UserID) >= p.Event(typ, true), nil
}

// roomAliases is GET /rooms/{roomId}/aliases.
func (a *API) roomAliases(c *call) (any, error) {
	v, err := c.lookParam(0)
	if err != nil {
		return nil, err
	}
	if v.upto != endless && !c.session.Admin {
		// "This endpoint can be called by users who are in the room", or by any if the world may
		// read it; who has left is neither.
		return nil, mxerror.Forbidden("You are not in this room.")
	}
	all, err := a.o.Store.AliasesOf(c.ctx, v.room.NID)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(all))
	for i, al := range all {
		names[i] = al.Alias
	}
	return map[string][]string{"aliases": names}, nil
}

// checkCanonicalAlias applies: "the server must ... check that the alias in alias and alt_aliases
// point to the room, for those that are newly added".
func (a *API) checkCanonicalAlias(c *call, nid int64, content jsontext.Value) error {
	var q struct {
		Alias *string  `json:"alias"`
		Alts  []string `json:"alt_aliases"`
	}
	if err := json.Unmarshal(content, &q, jsontext.AllowDuplicateNames(true)); err != nil {
		return mxerror.BadJSON("alias must be text, and alt_aliases a list of texts.").Because(err)
	}
	row, err := a.o.Store.LoadRoom(c.ctx, nid)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	if e, err := a.o.Store.StateEvent(c.ctx, row.Root, "m.room.canonical_alias", ""); err == nil {
		known[e.ContentString("alias")] = true
		for _, alt := range gjson.GetBytes(e.Content, "alt_aliases").Array() {
			known[alt.Str] = true
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	names := q.Alts
	if q.Alias != nil && *q.Alias != "" {
		names = append(names, *q.Alias)
	}
	for _, name := range names {
		if known[name] {
			continue
		}
		if err := checkAlias(name); err != nil {
			return err
		}
		al, err := a.o.Store.Alias(c.ctx, name)
		if errors.Is(err, store.ErrNotFound) || err == nil && al.Room != nid {
			return mxerror.New(400, "M_BAD_ALIAS", "The alias %s does not point to this room.", clip(name))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// getVisibility is GET /directory/list/room/{roomId}.
func (a *API) getVisibility(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	public, err := a.o.Store.IsPublic(c.ctx, r.NID)
	v := "private"
	if public {
		v = "public"
	}
	return map[string]string{"visibility": v}, err
}

// putVisibility is PUT /directory/list/room/{roomId}.
func (a *API) putVisibility(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	q := struct {
		Visibility string `json:"visibility"`
	}{"public"}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Visibility != "public" && q.Visibility != "private" {
		return nil, mxerror.InvalidParam("visibility must be \"public\" or \"private\".")
	}
	if !c.session.Admin {
		ok, err := a.mayChange(c, r.NID, "m.room.canonical_alias")
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, mxerror.Forbidden("You may not change whether this room is listed.")
		}
	}
	return nil, a.o.Store.Write(c.ctx, func(t *store.Tx) error { return t.SetPublic(r.NID, q.Visibility == "public") })
}
