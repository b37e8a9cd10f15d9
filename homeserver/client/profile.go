package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// profileMax is the specification's bound of a whole profile: "64 KiB".
const profileMax = 64 << 10

// profile reads a user's profile; nothing for a user who has none.
func (a *API) profile(ctx context.Context, userID string) ([]store.Field, error) {
	nid, err := a.o.Store.UserNID(ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return a.o.Store.Profile(ctx, nid)
}

// knownProfile reads the profile of somebody with an account here, or on another server that tells;
// of those, only the field that is asked for.
func (a *API) knownProfile(c *call) ([]store.Field, error) {
	userID := c.params[0]
	if err := checkUserID(userID); err != nil {
		return nil, err
	}
	if server := store.ServerOf(userID); a.o.Remote != nil && server != a.o.ServerName && isServerName(server) {
		field := ""
		if len(c.params) > 1 {
			field = c.params[1]
		}
		p, err := a.remoteProfile(c.ctx, userID, field)
		var out []store.Field
		for name, v := range p {
			out = append(out, store.Field{Name: name, Value: string(v)})
		}
		return out, err
	}
	none := mxerror.NotFound("There is no profile of %s here.", clip(userID))
	nid, err := a.o.Store.UserNID(c.ctx, userID)
	if err == nil {
		_, err = a.o.Store.Account(c.ctx, nid)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, none
	} else if err != nil {
		return nil, err
	}
	return a.o.Store.Profile(c.ctx, nid)
}

// getProfile is GET /profile/{userId}.
func (a *API) getProfile(c *call) (any, error) {
	fields, err := a.knownProfile(c)
	if err != nil {
		return nil, err
	}
	out := object{}
	for _, f := range fields {
		out[f.Name] = jsontext.Value(f.Value)
	}
	return out, nil
}

// getProfileField is GET /profile/{userId}/{keyName}.
func (a *API) getProfileField(c *call) (any, error) {
	fields, err := a.knownProfile(c)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		if f.Name == c.params[1] {
			return object{f.Name: jsontext.Value(f.Value)}, nil
		}
	}
	if c.params[1] == "displayname" || c.params[1] == "avatar_url" {
		return object{}, nil // as long as anybody remembers, these two are never missing
	}
	return nil, mxerror.NotFound("The profile has no %s.", clip(c.params[1]))
}

// putProfileField is PUT /profile/{userId}/{keyName}.
func (a *API) putProfileField(c *call) (any, error) {
	var body object
	if err := c.body(&body); err != nil {
		return nil, err
	}
	name := c.params[1]
	v, ok := body[name]
	if !ok {
		return nil, mxerror.MissingParam("The body must have a member %q.", clip(name))
	}
	return nil, a.setProfile(c, map[string]jsontext.Value{name: v}, false)
}

// deleteProfileField is DELETE /profile/{userId}/{keyName}.
func (a *API) deleteProfileField(c *call) (any, error) {
	return nil, a.setProfile(c, map[string]jsontext.Value{c.params[1]: nil}, false)
}

// putProfile is PUT /profile/{userId} of MSC4437: the whole profile at once.
func (a *API) putProfile(c *call) (any, error) {
	var body object
	if err := c.body(&body); err != nil {
		return nil, err
	}
	return nil, a.setProfile(c, body, true)
}

// patchProfile is PATCH /profile/{userId}, by which bridges set several fields at once.
func (a *API) patchProfile(c *call) (any, error) {
	var body object
	if err := c.body(&body); err != nil {
		return nil, err
	}
	return nil, a.setProfile(c, body, false)
}

// setProfile changes fields (a nil value removes one) of the profile in the path, or (whole) all
// of it, and shows a new name or avatar in the user's rooms.
func (a *API) setProfile(c *call, set map[string]jsontext.Value, whole bool) error {
	if err := checkUserID(c.params[0]); err != nil {
		return err
	}
	if c.params[0] != c.session.UserID {
		return mxerror.Forbidden("You can only change your own profile.")
	}
	have, err := a.o.Store.Profile(c.ctx, c.session.User)
	if err != nil {
		return err
	}
	next := map[string]string{}
	for _, f := range have {
		if !whole {
			next[f.Name] = f.Value
		}
	}
	for name, v := range set {
		if err := checkField(name, v); err != nil {
			return err
		}
		if v.Kind() == 'n' || v == nil || v.Kind() == '"' && (name == "displayname" || name == "avatar_url") && string(v) == `""` {
			delete(next, name)
			continue
		}
		next[name] = string(v)
	}
	size := 2
	for name, v := range next {
		size += len(name) + len(v) + 4
	}
	if size > profileMax {
		return mxerror.New(400, "M_PROFILE_TOO_LARGE", "A profile can have at most %d bytes in all.", profileMax)
	}
	var changed []store.Field
	shown := false
	for _, f := range have {
		if v, ok := next[f.Name]; !ok {
			changed = append(changed, store.Field{Name: f.Name})
		} else if v == f.Value {
			delete(next, f.Name)
		}
	}
	for name, v := range next {
		if !containsField(have, name, v) {
			changed = append(changed, store.Field{Name: name, Value: v})
		}
	}
	if len(changed) == 0 {
		return nil
	}
	for _, f := range changed {
		shown = shown || f.Name == "displayname" || f.Name == "avatar_url"
	}
	err = a.o.Store.Write(c.ctx, func(t *store.Tx) error {
		for _, f := range changed {
			if err := t.SetProfile(c.session.User, f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !shown {
		return err
	}
	return a.showProfile(c)
}

func containsField(fields []store.Field, name, value string) bool {
	for _, f := range fields {
		if f.Name == name && f.Value == value {
			return true
		}
	}
	return false
}

// checkField applies the rules for profile fields: names are at most 255 bytes; displayname and
// avatar_url are texts. Some people have addresses of other kinds than mxc as their avatar; clients
// do not show them, and the server need not mind.
func checkField(name string, v jsontext.Value) error {
	if name == "" || len(name) > 255 {
		return mxerror.New(400, "M_KEY_TOO_LARGE", "The name of a profile field can have at most 255 bytes.")
	}
	if v == nil || v.Kind() == 'n' {
		return nil
	}
	if name == "displayname" || name == "avatar_url" {
		var s string
		if err := json.Unmarshal(v, &s); err != nil {
			return mxerror.BadJSON("%s must be text.", name)
		}
		if len(s) > 1024 {
			return mxerror.InvalidParam("%s can have at most 1024 bytes.", name)
		}
	}
	return nil
}

// showProfile puts the user's new name and avatar into the rooms that the user is in:
// specification, "Events on change of profile information": "... an m.room.member event MUST be
// sent to every room the user is joined to".
func (a *API) showProfile(c *call) error {
	rooms, err := a.o.Store.RoomsOf(c.ctx, c.session.User)
	if err != nil {
		return err
	}
	content, err := a.memberContent(c.ctx, c.session.UserID, "join", nil)
	if err != nil {
		return err
	}
	for _, m := range rooms {
		if m.Membership != "join" {
			continue
		}
		_, err := a.o.Rooms.Send(c.ctx, m.Room, room.Proposal{Sender: c.session.UserID, Type: "m.room.member", StateKey: &c.session.UserID, Content: content})
		if err != nil && !mxerror.Is(err, "M_FORBIDDEN") {
			return err
		}
	}
	return nil
}
