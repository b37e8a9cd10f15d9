package admin

import (
	"cmp"
	"context"
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func (a *Admin) mediaRoutes() {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	on := a.o.Client.AdminRoute
	on(get, "/v1/room/{roomId}/media", a.mediaInRoom)
	on(post, "/v1/room/{roomId}/media/quarantine", a.quarantineRoom)
	on(post, "/v1/quarantine_media/{roomId}", a.quarantineRoom)
	on(post, "/v1/user/{userId}/media/quarantine", a.quarantineUser)
	on(post, "/v1/media/quarantine/{origin}/{mediaId}", a.quarantine(true))
	on(post, "/v1/media/unquarantine/{origin}/{mediaId}", a.quarantine(false))
	on(post, "/v1/media/protect/{mediaId}", a.protect(true))
	on(post, "/v1/media/unprotect/{mediaId}", a.protect(false))
	on(get, "/v1/media/{origin}/{mediaId}", a.mediaInfo)
	on(del, "/v1/media/{origin}/{mediaId}", a.deleteMedia)
	on(post, "/v1/media/delete", a.deleteOldMedia)
	on(post, "/v1/media/{origin}/delete", a.deleteOldMedia)
	on(post, "/v1/purge_media_cache", a.purgeCache)
}

// userMediaInfo is a piece of media as lists show it. Who quarantined it is not recorded.
type userMediaInfo struct {
	CreatedTS   int64   `json:"created_ts"`
	AccessTS    *int64  `json:"last_access_ts"`
	ID          string  `json:"media_id"`
	Length      int64   `json:"media_length"`
	Type        string  `json:"media_type"`
	Quarantined *string `json:"quarantined_by"`
	Safe        bool    `json:"safe_from_quarantine"`
	Name        *string `json:"upload_name"`
}

// quarantiner stands for whoever quarantined something.
const quarantiner = "admin"

func mediaOf(m store.Media) userMediaInfo {
	out := userMediaInfo{CreatedTS: m.CreatedTS, ID: m.ID, Length: m.Size, Type: m.Type, Safe: m.Protected, Name: orNil(m.Name)}
	if m.AccessTS != 0 {
		out.AccessTS = &m.AccessTS
	}
	if m.Quarantined || m.Blocked {
		out.Quarantined = orNil(quarantiner)
	}
	return out
}

// ownMedia lists what a user has uploaded, in the order that a request asks for.
func (a *Admin) ownMedia(c client.AdminCall) (list []store.Media, from, limit int, err error) {
	_, account, err := a.account(c)
	if err != nil {
		return nil, 0, 0, err
	}
	if from, limit, err = span(c, 100); err != nil {
		return nil, 0, 0, err
	}
	order, err := orderBy(c, "created_ts", "media_id", "upload_name", "created_ts", "last_access_ts", "media_length", "media_type", "quarantined_by", "safe_from_quarantine")
	if err != nil {
		return nil, 0, 0, err
	}
	usual := "f"
	if !c.Query().Has("order_by") {
		usual = "b" // "the default order is newest media on top"
	}
	reverse, err := back(c, usual)
	if err != nil {
		return nil, 0, 0, err
	}
	for last := (store.Media{}); ; last = list[len(list)-1] {
		page, err := a.o.Media.ListByUser(c.Context(), account.User, last, pageMax)
		if err != nil {
			return nil, 0, 0, err
		}
		list = append(list, page...)
		if len(page) < pageMax {
			break
		}
	}
	slices.SortFunc(list, func(x, y store.Media) int {
		n := 0
		switch order {
		case "upload_name":
			n = cmp.Compare(x.Name, y.Name)
		case "created_ts":
			n = cmp.Compare(x.CreatedTS, y.CreatedTS)
		case "last_access_ts":
			n = cmp.Compare(x.AccessTS, y.AccessTS)
		case "media_length":
			n = cmp.Compare(x.Size, y.Size)
		case "media_type":
			n = cmp.Compare(x.Type, y.Type)
		case "quarantined_by":
			n = truth(x.Quarantined) - truth(y.Quarantined)
		case "safe_from_quarantine":
			n = truth(x.Protected) - truth(y.Protected)
		default:
			n = cmp.Compare(x.ID, y.ID)
		}
		if reverse {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(x.ID, y.ID))
	})
	return list, from, limit, nil
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// userMedia is GET v1/users/{userId}/media.
func (a *Admin) userMedia(c client.AdminCall) (any, error) {
	list, from, limit, err := a.ownMedia(c)
	if err != nil {
		return nil, err
	}
	out := []userMediaInfo{}
	for _, m := range cut(list, from, limit) {
		out = append(out, mediaOf(m))
	}
	reply := object{"media": out, "total": len(list)}
	if next := from + len(out); next < len(list) && len(out) > 0 {
		reply["next_token"] = next
	}
	return reply, nil
}

// deleteUserMedia is DELETE v1/users/{userId}/media.
func (a *Admin) deleteUserMedia(c client.AdminCall) (any, error) {
	list, from, limit, err := a.ownMedia(c)
	if err != nil {
		return nil, err
	}
	return a.remove(c, cut(list, from, limit), "delete media of a user", c.Param(0))
}

func (a *Admin) remove(c client.AdminCall, list []store.Media, what, whom string) (any, error) {
	gone := []string{}
	for _, m := range list {
		err := a.o.Media.Delete(c.Context(), store.MediaName{Origin: m.Origin, ID: m.ID})
		if mxerror.Is(err, "M_NOT_FOUND") {
			continue
		} else if err != nil {
			return nil, err
		}
		gone = append(gone, m.ID)
	}
	a.audit(c, what, whom, "files", len(gone))
	return object{"deleted_media": gone, "total": len(gone)}, nil
}

// deleteMedia is DELETE v1/media/{origin}/{mediaId}.
func (a *Admin) deleteMedia(c client.AdminCall) (any, error) {
	if c.Param(0) != a.o.ServerName {
		return nil, mxerror.InvalidParam("Can only delete local media")
	}
	m, err := a.o.Media.Info(c.Context(), store.MediaName{Origin: c.Param(0), ID: c.Param(1)})
	if err != nil {
		return nil, err
	}
	return a.remove(c, []store.Media{m}, "delete media", media.URI(m.Origin, m.ID))
}

// deleteOldMedia is POST v1/media/delete and v1/media/{origin}/delete.
func (a *Admin) deleteOldMedia(c client.AdminCall) (any, error) {
	if c.Params() > 0 && c.Param(0) != a.o.ServerName {
		return nil, mxerror.InvalidParam("Can only delete local media")
	}
	before, err := a.before(c)
	if err != nil {
		return nil, err
	}
	larger, err := c.Number("size_gt", 0)
	if err != nil {
		return nil, err
	}
	keep, err := c.Truth("keep_profiles")
	if err != nil {
		return nil, err
	}
	var list []store.Media
	for after := int64(0); ; {
		users, err := a.o.Store.AccountsAfter(c.Context(), after, pageMax)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			after = u
			own, err := a.oldMedia(c.Context(), u, before, larger, keep == nil || *keep)
			if err != nil {
				return nil, err
			}
			list = append(list, own...)
		}
		if len(users) < pageMax {
			break
		}
	}
	return a.remove(c, list, "delete old media", a.o.ServerName)
}

// oldMedia lists what a user has uploaded that was not asked for since a time; keep leaves out
// what profiles and events show.
func (a *Admin) oldMedia(ctx context.Context, user, before, larger int64, keep bool) ([]store.Media, error) {
	var out []store.Media
	for last := (store.Media{}); ; {
		page, err := a.o.Media.ListByUser(ctx, user, last, pageMax)
		if err != nil || len(page) == 0 {
			return out, err
		}
		last = page[len(page)-1]
		for _, m := range page {
			if max(m.AccessTS, m.CreatedTS) >= before || m.Size <= larger || m.Protected {
				continue
			}
			if keep {
				used, err := a.o.Store.MediaShown(ctx, store.MediaName{Origin: m.Origin, ID: m.ID})
				if err != nil {
					return nil, err
				}
				if used {
					continue
				}
			}
			out = append(out, m)
		}
	}
}

// before reads before_ts, which has to be there.
func (a *Admin) before(c client.AdminCall) (int64, error) {
	if c.Query().Get("before_ts") == "" {
		return 0, mxerror.MissingParam("before_ts is missing.")
	}
	ts, err := c.Number("before_ts", 0)
	if err == nil && ts > 0 && ts < 30000000000 {
		return 0, mxerror.InvalidParam("Query parameter before_ts you provided is from the year 1970. Double check that you are providing a timestamp in milliseconds.")
	}
	return ts, err
}

// purgeCache is POST v1/purge_media_cache.
func (a *Admin) purgeCache(c client.AdminCall) (any, error) {
	before, err := a.before(c)
	if err != nil {
		return nil, err
	}
	t, err := a.o.Media.PurgeCached(c.Context(), time.UnixMilli(before))
	if err == nil {
		a.audit(c, "purge cached media", a.o.ServerName, "files", t.Files)
	}
	return object{"deleted": t.Files}, err
}

// mediaInfo is GET v1/media/{origin}/{mediaId}.
func (a *Admin) mediaInfo(c client.AdminCall) (any, error) {
	m, err := a.o.Media.Info(c.Context(), store.MediaName{Origin: c.Param(0), ID: c.Param(1)})
	if err != nil {
		return nil, err
	}
	info := mediaOf(m)
	var owner *string
	if m.Owner != 0 {
		id, err := a.o.Store.UserID(c.Context(), m.Owner)
		if err != nil {
			return nil, err
		}
		owner = &id
	}
	return object{"media_info": object{"media_origin": m.Origin, "user_id": owner, "media_id": m.ID, "media_type": m.Type, "media_length": m.Size,
		"upload_name": info.Name, "created_ts": m.CreatedTS, "last_access_ts": info.AccessTS, "quarantined_by": info.Quarantined,
		"safe_from_quarantine": m.Protected, "authenticated": true, "url_cache": nil, "filesystem_id": hex.EncodeToString(m.Hash), "sha256": hex.EncodeToString(m.Hash)}}, nil
}

// mediaInRoom is GET v1/room/{roomId}/media.
func (a *Admin) mediaInRoom(c client.AdminCall) (any, error) {
	r, err := c.Room(0)
	if err != nil {
		return nil, err
	}
	local, remote := []string{}, []string{}
	for last := (store.MediaName{}); ; {
		names, err := a.o.Store.MediaInRoom(c.Context(), r.NID, last, pageMax)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			last = n
			if n.Origin == a.o.ServerName {
				local = append(local, media.URI(n.Origin, n.ID))
			} else {
				remote = append(remote, media.URI(n.Origin, n.ID))
			}
		}
		if len(names) < pageMax {
			return object{"local": local, "remote": remote}, nil
		}
	}
}

// quarantineRoom is POST v1/room/{roomId}/media/quarantine.
func (a *Admin) quarantineRoom(c client.AdminCall) (any, error) {
	r, err := c.Room(0)
	if err != nil {
		return nil, err
	}
	t, err := a.o.Media.QuarantineByRoom(c.Context(), r.NID)
	if err == nil {
		a.audit(c, "quarantine the media of a room", r.ID, "files", t.Files)
	}
	return object{"num_quarantined": t.Files}, err
}

// quarantineUser is POST v1/user/{userId}/media/quarantine.
func (a *Admin) quarantineUser(c client.AdminCall) (any, error) {
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	t, err := a.o.Media.QuarantineByUser(c.Context(), account.User)
	if err == nil {
		a.audit(c, "quarantine the media of a user", id, "files", t.Files)
	}
	return object{"num_quarantined": t.Files}, err
}

// quarantine is POST v1/media/quarantine/{origin}/{mediaId}, and unquarantine.
func (a *Admin) quarantine(on bool) handler {
	return func(c client.AdminCall) (any, error) {
		name := store.MediaName{Origin: c.Param(0), ID: c.Param(1)}
		if err := a.o.Media.Quarantine(c.Context(), name, on); err != nil {
			return nil, err
		}
		a.audit(c, "quarantine media", media.URI(name.Origin, name.ID), "on", on)
		return nil, nil
	}
}

// protect is POST v1/media/protect/{mediaId}, and unprotect.
func (a *Admin) protect(on bool) handler {
	return func(c client.AdminCall) (any, error) {
		if err := a.o.Media.Protect(c.Context(), store.MediaName{Origin: a.o.ServerName, ID: c.Param(0)}, on); err != nil {
			return nil, err
		}
		a.audit(c, "protect media", c.Param(0), "on", on)
		return nil, nil
	}
}
