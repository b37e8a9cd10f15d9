package client

import (
	"crypto/sha256"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"strconv"

	"maunium.net/go/mautrix/crypto/canonicaljson"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// own refuses a path about somebody else's data.
func (c *call) own() error {
	if c.params[0] != c.session.UserID {
		return mxerror.Forbidden("This is %s's own.", clip(c.params[0]))
	}
	return nil
}

// dataRoom is the room of a path about a room's account data; 0 for global.
func (c *call) dataRoom(hasRoom bool) (nid int64, typ string, err error) {
	if err := c.own(); err != nil {
		return 0, "", err
	}
	if !hasRoom {
		return 0, c.params[1], nil
	}
	r, err := c.room(1)
	if err != nil {
		return 0, "", err
	}
	if len(c.params) > 2 {
		typ = c.params[2]
	}
	return r.NID, typ, nil
}

// serverManaged are the types that have endpoints of their own: "M_BAD_JSON ... is returned when
// the type of account data is controlled by the server".
func serverManaged(typ string) bool { return typ == "m.fully_read" || typ == "m.push_rules" }

func (a *API) getAccountData(hasRoom bool) handler {
	return func(c *call) (any, error) {
		nid, typ, err := c.dataRoom(hasRoom)
		if err != nil {
			return nil, err
		}
		d, err := a.o.Store.AccountData(c.ctx, c.session.User, nid, typ)
		if nid == 0 && typ == push.Type && (err == nil || errors.Is(err, store.ErrNotFound)) {
			return push.Render(c.session.UserID, d.Content)
		}
		if errors.Is(err, store.ErrNotFound) || err == nil && d.Deleted() {
			return nil, mxerror.NotFound("There is no account data of this type.")
		}
		return jsontext.Value(d.Content), err
	}
}

// deleteAccountData is DELETE .../account_data/{type} of MSC3391.
func (a *API) deleteAccountData(hasRoom bool) handler {
	return func(c *call) (any, error) {
		nid, typ, err := c.dataRoom(hasRoom)
		if err != nil {
			return nil, err
		}
		if serverManaged(typ) {
			return nil, mxerror.New(405, "M_BAD_JSON", "%s has endpoints of its own.", typ)
		}
		return nil, a.o.Store.Write(c.ctx, func(t *store.Tx) error { return t.DeleteAccountData(c.session.User, nid, typ) })
	}
}

func (a *API) putAccountData(hasRoom bool) handler {
	return func(c *call) (any, error) {
		nid, typ, err := c.dataRoom(hasRoom)
		if err != nil {
			return nil, err
		}
		if serverManaged(typ) {
			return nil, mxerror.New(405, "M_BAD_JSON", "%s has endpoints of its own.", typ)
		}
		content, err := c.object()
		if err != nil {
			return nil, err
		}
		return nil, a.setAccountData(c, nid, typ, content)
	}
}

// accountDataMax bounds one piece of account data: clients keep lists of rooms and of pictures there.
const accountDataMax = 256 << 10

// setAccountData stores account data in compact form.
func (a *API) setAccountData(c *call, nid int64, typ string, content jsontext.Value) error {
	if len(typ) > 255 {
		return mxerror.TooLarge("A type can have at most 255 bytes.")
	}
	if err := content.Compact(jsontext.AllowDuplicateNames(true)); err != nil {
		return mxerror.BadJSON("The content is not valid UTF-8.").Because(err)
	}
	if len(content) > accountDataMax {
		return mxerror.TooLarge("Account data of one type can have at most %d bytes.", accountDataMax)
	}
	return a.o.Store.Write(c.ctx, func(t *store.Tx) error {
		return t.SetAccountData(c.session.User, store.AccountData{Room: nid, Type: typ, Content: string(content)})
	})
}

// parseTags reads the content of m.tag account data.
func parseTags(raw string) (object, error) {
	var content struct {
		Tags object `json:"tags"`
	}
	if raw != "" {
		if err := json.Unmarshal([]byte(raw), &content); err != nil {
			return nil, err
		}
	}
	if content.Tags == nil {
		content.Tags = object{}
	}
	return content.Tags, nil
}

// getTags is GET /user/{userId}/rooms/{roomId}/tags.
func (a *API) getTags(c *call) (any, error) {
	nid, _, err := c.dataRoom(true)
	if err != nil {
		return nil, err
	}
	d, err := a.o.Store.AccountData(c.ctx, c.session.User, nid, "m.tag")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	tags, err := parseTags(d.Content)
	return map[string]any{"tags": tags}, err
}

// changeTag is PUT and DELETE /user/{userId}/rooms/{roomId}/tags/{tag}. It reads where it writes,
// so that two clients can change tags at once.
func (a *API) changeTag(remove bool) handler {
	return func(c *call) (any, error) {
		nid, tag, err := c.dataRoom(true)
		if err != nil {
			return nil, err
		}
		var content jsontext.Value
		if !remove {
			if len(tag) > 255 {
				return nil, mxerror.TooLarge("A tag can have at most 255 bytes.")
			}
			if content, err = c.object(); err != nil {
				return nil, err
			}
		}
		return nil, a.o.Store.Write(c.ctx, func(t *store.Tx) error {
			d, err := t.AccountData(c.session.User, nid, "m.tag")
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			tags, err := parseTags(d.Content)
			if err != nil {
				return err
			}
			if remove {
				delete(tags, tag)
			} else {
				tags[tag] = content
			}
			raw, err := json.Marshal(map[string]any{"tags": tags}, json.Deterministic(true))
			if err != nil {
				return store.Refuse(mxerror.BadJSON("The content is not valid.").Because(err))
			}
			return t.SetAccountData(c.session.User, store.AccountData{Room: nid, Type: "m.tag", Content: string(raw)})
		})
	}
}

// putFilter is POST /user/{userId}/filter.
func (a *API) putFilter(c *call) (any, error) {
	if err := c.own(); err != nil {
		return nil, err
	}
	raw, err := c.object()
	if err != nil {
		return nil, err
	}
	if _, err := sync.ParseFilter(raw); err != nil {
		return nil, err
	}
	if err := canonicaljson.Canonicalize(&raw); err != nil {
		return nil, mxerror.BadJSON("The filter is not valid.").Because(err)
	}
	hash := sha256.Sum256(raw)
	var id int64
	err = a.o.Store.Write(c.ctx, func(t *store.Tx) (err error) {
		id, err = t.EnsureFilter(c.session.User, hash[:], string(raw))
		return err
	})
	return map[string]string{"filter_id": strconv.FormatInt(id, 10)}, err
}

// getFilter is GET /user/{userId}/filter/{filterId}.
func (a *API) getFilter(c *call) (any, error) {
	if err := c.own(); err != nil {
		return nil, err
	}
	raw, err := a.filterByID(c, c.params[1])
	return jsontext.Value(raw), err
}

func (a *API) filterByID(c *call, s string) (string, error) {
	none := mxerror.NotFound("There is no such filter.")
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return "", none
	}
	raw, err := a.o.Store.Filter(c.ctx, c.session.User, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", none
	}
	return raw, err
}
