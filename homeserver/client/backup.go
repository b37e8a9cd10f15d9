package client

import (
	"encoding/json/jsontext"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// backupRoutes mounts the endpoints of key backups: specification, "Server-side key backups".
func (a *API) backupRoutes() {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	prefixes := append([]string{"/_matrix/client/unstable"}, v3...)
	const version = "/room_keys/version"
	a.on(post, prefixes, version, user, a.createBackup)
	a.on(get, prefixes, version, user, a.getBackup)
	a.on(get, prefixes, version+"/{version}", user, a.getBackup)
	a.on(put, prefixes, version+"/{version}", user, a.putBackup)
	a.on(del, prefixes, version+"/{version}", user, a.deleteBackup)
	for _, path := range [...]string{"", "/{roomId}", "/{roomId}/{sessionId}"} {
		a.on(put, prefixes, "/room_keys/keys"+path, user, a.putRoomKeys)
		a.on(del, prefixes, "/room_keys/keys"+path, user, a.deleteRoomKeys)
	}
	a.on(get, prefixes, "/room_keys/keys/{roomId}", user, a.getRoomKeysOf)
	a.on(get, prefixes, "/room_keys/keys/{roomId}/{sessionId}", user, a.getRoomKey)
	for _, p := range prefixes {
		a.router.add(get, p+"/room_keys/keys", &route{pattern: p + "/room_keys/keys", access: user, raw: a.getRoomKeys})
	}
}

// param is a parameter of the path; "" if the path has fewer.
func (c *call) param(i int) string {
	if i < len(c.params) {
		return c.params[i]
	}
	return ""
}

// createBackup is POST /room_keys/version.
func (a *API) createBackup(c *call) (any, error) {
	var q keys.BackupInfo
	if err := c.body(&q); err != nil {
		return nil, err
	}
	return a.o.Keys.CreateBackup(c.ctx, c.owner(), q)
}

// getBackup is GET /room_keys/version and /room_keys/version/{version}.
func (a *API) getBackup(c *call) (any, error) {
	return a.o.Keys.Backup(c.ctx, c.owner(), c.param(0))
}

// putBackup is PUT /room_keys/version/{version}.
func (a *API) putBackup(c *call) (any, error) {
	var q keys.BackupInfo
	if err := c.body(&q); err != nil {
		return nil, err
	}
	return nil, a.o.Keys.UpdateBackup(c.ctx, c.owner(), c.params[0], q)
}

// deleteBackup is DELETE /room_keys/version/{version}.
func (a *API) deleteBackup(c *call) (any, error) {
	return nil, a.o.Keys.DeleteBackup(c.ctx, c.owner(), c.params[0])
}

// backupVersion is the parameter version of requests about keys.
func (c *call) backupVersion() (string, error) {
	v := c.query.Get("version")
	if v == "" {
		return "", mxerror.MissingParam("version is missing.")
	}
	return v, nil
}

// putRoomKeys is PUT /room_keys/keys, also with a room, and with a room and a session.
func (a *API) putRoomKeys(c *call) (any, error) {
	version, err := c.backupVersion()
	if err != nil {
		return nil, err
	}
	var q keys.RoomKeys
	switch len(c.params) {
	case 0:
		err = c.body(&q)
	case 1:
		var room keys.RoomSessions
		err = c.body(&room)
		q.Rooms = map[string]keys.RoomSessions{c.params[0]: room}
	default:
		var key jsontext.Value
		key, err = c.object()
		q.Rooms = map[string]keys.RoomSessions{c.params[0]: {Sessions: map[string]jsontext.Value{c.params[1]: key}}}
	}
	if err != nil {
		return nil, err
	}
	return a.o.Keys.PutRoomKeys(c.ctx, c.owner(), version, q)
}

// deleteRoomKeys is DELETE /room_keys/keys, also with a room, and with a room and a session.
func (a *API) deleteRoomKeys(c *call) (any, error) {
	version, err := c.backupVersion()
	if err != nil {
		return nil, err
	}
	return a.o.Keys.DeleteRoomKeys(c.ctx, c.owner(), version, c.param(0), c.param(1))
}

// getRoomKey is GET /room_keys/keys/{roomId}/{sessionId}.
func (a *API) getRoomKey(c *call) (any, error) {
	version, err := c.backupVersion()
	if err != nil {
		return nil, err
	}
	return a.o.Keys.RoomKey(c.ctx, c.owner(), version, c.params[0], c.params[1])
}

// getRoomKeysOf is GET /room_keys/keys/{roomId}.
func (a *API) getRoomKeysOf(c *call) (any, error) {
	version, err := c.backupVersion()
	if err != nil {
		return nil, err
	}
	return a.o.Keys.RoomKeysOf(c.ctx, c.owner(), version, c.params[0])
}

// getRoomKeys is GET /room_keys/keys. A backup may be large, so it is written as it is read.
func (a *API) getRoomKeys(c *call) error {
	version, err := c.backupVersion()
	if err != nil {
		return err
	}
	w := &lazyWriter{c: c}
	buf := []byte(`{"rooms":{`)
	last, some := "", false
	quote := func(s string) { buf, _ = jsontext.AppendQuote(buf, s) }
	err = a.o.Keys.EachRoomKey(c.ctx, c.owner(), version, func(room, session string, key jsontext.Value) error {
		switch {
		case !some || room != last:
			if some {
				buf = append(buf, "}},"...)
			}
			quote(room)
			buf = append(buf, `:{"sessions":{`...)
		default:
			buf = append(buf, ',')
		}
		last, some = room, true
		quote(session)
		buf = append(buf, ':')
		buf = append(buf, key...)
		if len(buf) < 64<<10 {
			return nil
		}
		_, err := w.Write(buf)
		buf = buf[:0]
		return err
	})
	if err == nil {
		if some {
			buf = append(buf, "}}"...)
		}
		buf = append(buf, "}}"...)
		_, err = w.Write(buf)
	}
	if err != nil {
		if w.begun {
			// Half an answer must not look like a whole one.
			panic(http.ErrAbortHandler)
		}
		return err
	}
	return nil
}
