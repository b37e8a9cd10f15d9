package admin

import (
	"cmp"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/pushers"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/search"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Options say what the API works on.
type Options struct {
	ServerName string
	// Version is what the server says that it is.
	Version  string
	Store    *store.Store
	Rooms    *room.Manager
	Accounts *accounts.Accounts
	Media    *media.Repo
	Pushers  *pushers.Pushers
	// Search is nil where messages are not indexed.
	Search *search.Index
	Client *client.API
	// Dropped is told the rooms that have just been removed, so that nobody remembers them.
	Dropped func(room int64)
	// TryAgain has a server that could not be reached be tried at once.
	TryAgain func(ctx context.Context, server string)
	Log      *slog.Logger
	Now      func() time.Time
}

// Admin serves the API and does the long work that it begins. It is safe for concurrent use.
type Admin struct {
	o Options

	// work holds the tasks to do; Run takes them one after the other.
	mu    sync.Mutex
	work  []string
	wake  chan struct{}
	ended map[string]chan struct{}
	// ends is sent to when an account's end has changed.
	ends chan struct{}
}

// New makes the API, adds its endpoints to the client API's, and bars the rooms whose removal was
// under way when the server ended.
func New(ctx context.Context, o Options) (*Admin, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Admin{o: o, wake: make(chan struct{}, 1), ended: map[string]chan struct{}{}, ends: make(chan struct{}, 1)}
	a.routes()
	return a, a.resume(ctx)
}

type handler = func(client.AdminCall) (any, error)

func (a *Admin) routes() {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	on := func(method, path string, h handler) { a.o.Client.AdminRoute(method, path, a.audited(method, path, h)) }
	on(get, "/v1/server_version", a.serverVersion)

	on(get, "/v2/users", a.listUsers(false))
	on(get, "/v3/users", a.listUsers(true))
	on(get, "/v2/users/{userId}", a.getUser)
	on(put, "/v2/users/{userId}", a.putUser)
	on(post, "/v1/deactivate/{userId}", a.deactivate)
	on(post, "/v1/reset_password/{userId}", a.resetPassword)
	on(put, "/v1/suspend/{userId}", a.suspend)
	on(get, "/v1/username_available", a.usernameAvailable)
	on(get, "/v1/auth_providers/{provider}/users/{externalId}", a.userOfProvider)
	on(get, "/v1/threepid/{medium}/users/{address}", a.userOfThreePID)
	for path, h := range map[string]handler{"joined_rooms": a.joinedRooms, "memberships": a.memberships, "media": a.userMedia, "pushers": a.userPushers,
		"accountdata": a.accountData, "admin": a.isAdmin, "override_ratelimit": a.getRate, "sent_invite_count": a.sentInvites,
		"cumulative_joined_room_count": a.roomsJoined} {
		on(get, "/v1/users/{userId}/"+path, h)
	}
	on(put, "/v1/users/{userId}/admin", a.setAdmin)
	on(post, "/v1/users/{userId}/login", a.loginAs)
	on(post, "/v1/users/{userId}/shadow_ban", a.shadowBan(true))
	on(del, "/v1/users/{userId}/shadow_ban", a.shadowBan(false))
	on(post, "/v1/users/{userId}/override_ratelimit", a.setRate)
	on(del, "/v1/users/{userId}/override_ratelimit", a.deleteRate)
	on(del, "/v1/users/{userId}/media", a.deleteUserMedia)
	on(post, "/v1/users/{userId}/_allow_cross_signing_replacement_without_uia", a.allowNewKeys)
	on(get, "/v2/users/{userId}/devices", a.devices)
	on(post, "/v2/users/{userId}/devices", a.addDevice)
	on(get, "/v2/users/{userId}/devices/{deviceId}", a.device)
	on(put, "/v2/users/{userId}/devices/{deviceId}", a.putDevice)
	on(del, "/v2/users/{userId}/devices/{deviceId}", a.deleteDevice)
	on(post, "/v2/users/{userId}/delete_devices", a.deleteDevices)

	on(post, "/v1/user/{userId}/redact", a.redactUser)
	on(get, "/v1/user/redact_status/{redactId}", a.redactStatus)
	on(post, "/v1/account_validity/validity", a.renew)
	on(get, "/v1/experimental_features/{userId}", a.features)
	on(put, "/v1/experimental_features/{userId}", a.setFeatures)

	on(get, "/v1/rooms", a.listRooms)
	on(get, "/v1/rooms/{roomId}", a.getRoom)
	on(del, "/v1/rooms/{roomId}", a.deleteRoomNow)
	on(del, "/v2/rooms/{roomId}", a.deleteRoom)
	on(get, "/v2/rooms/{roomId}/delete_status", a.deleteStatusOfRoom)
	on(get, "/v2/rooms/delete_status/{deleteId}", a.deleteStatus)
	on(get, "/v1/rooms/{roomId}/members", a.members)
	on(get, "/v1/rooms/{roomId}/state", a.state)
	on(get, "/v1/rooms/{roomId}/block", a.getBlock)
	on(put, "/v1/rooms/{roomId}/block", a.putBlock)
	on(post, "/v1/rooms/{roomId}/make_room_admin", a.makeRoomAdmin)
	on(get, "/v1/rooms/{roomId}/forward_extremities", a.extremities)
	on(del, "/v1/rooms/{roomId}/forward_extremities", a.deleteExtremities)
	on(post, "/v1/purge_history/{roomId}", a.purgeHistory)
	on(post, "/v1/purge_history/{roomId}/{eventId}", a.purgeHistory)
	on(get, "/v1/purge_history_status/{purgeId}", a.purgeStatus)

	for _, k := range reportKinds {
		on(get, "/v1/"+k.path, a.listReports(k))
		on(get, "/v1/"+k.path+"/{reportId}", a.getReport(k))
		on(del, "/v1/"+k.path+"/{reportId}", a.deleteReport(k))
	}

	on(get, "/v1/registration_tokens", a.listTokens)
	on(post, "/v1/registration_tokens/new", a.newToken)
	on(get, "/v1/registration_tokens/{token}", a.getToken)
	on(put, "/v1/registration_tokens/{token}", a.putToken)
	on(del, "/v1/registration_tokens/{token}", a.deleteToken)

	a.mediaRoutes()

	on(get, "/v1/statistics/users/media", a.mediaStatistics)
	on(get, "/v1/statistics/database/rooms", a.roomStatistics)
	on(get, "/v1/background_updates/status", a.updates)
	on(get, "/v1/background_updates/enabled", a.updatesEnabled)
	on(post, "/v1/background_updates/enabled", a.updatesEnabled)
	on(post, "/v1/background_updates/start_job", a.startJob)
	on(get, "/v1/scheduled_tasks", a.tasks)
	on(get, "/v1/federation/destinations", a.destinations)
	on(get, "/v1/federation/destinations/{destination}", a.destination)
	on(get, "/v1/federation/destinations/{destination}/rooms", a.destinationRooms)
	on(post, "/v1/federation/destinations/{destination}/reset_connection", a.resetDestination)
}

// object is a JSON object.
type object = map[string]any

// audit tells the log who did what to whom.
func (a *Admin) audit(c client.AdminCall, what, whom string, more ...any) {
	a.o.Log.InfoContext(c.Context(), "admin", append([]any{"by", c.Session().UserID, "did", what, "to", whom}, more...)...)
}

func (a *Admin) nowMS() int64 { return a.o.Now().UnixMilli() }

// serverVersion is GET v1/server_version.
func (a *Admin) serverVersion(client.AdminCall) (any, error) {
	return object{"server_version": cmp.Or(a.o.Version, "Landbridge")}, nil
}

// span reads where a page of a list begins and how long it is.
func span(c client.AdminCall, usual int64) (from, limit int, err error) {
	f, err := c.Number("from", 0)
	if err != nil {
		return 0, 0, err
	}
	l, err := c.Number("limit", usual)
	if err != nil {
		return 0, 0, err
	}
	return int(min(f, math.MaxInt32)), int(min(l, pageMax)), nil
}

// pageMax bounds a page of a list.
const pageMax = 1000

// back reads the direction of a list.
func back(c client.AdminCall, usual string) (bool, error) {
	switch cmp.Or(c.Query().Get("dir"), usual) {
	case "f":
		return false, nil
	case "b":
		return true, nil
	}
	return false, mxerror.InvalidParam("Query parameter dir must be one of ['b', 'f']")
}

// orderBy reads what a list is ordered by.
func orderBy(c client.AdminCall, usual string, known ...string) (string, error) {
	by := cmp.Or(c.Query().Get("order_by"), usual)
	for _, k := range known {
		if by == k {
			return by, nil
		}
	}
	return "", mxerror.InvalidParam("Unknown value for query parameter order_by.")
}

// cut takes a page out of a list.
func cut[T any](list []T, from, limit int) []T {
	from = min(from, len(list))
	return list[from:min(from+limit, len(list))]
}

// account finds the account of the first parameter of the path, also one that is deactivated.
func (a *Admin) account(c client.AdminCall) (string, store.Account, error) {
	id := c.Param(0)
	if err := a.local(id); err != nil {
		return id, store.Account{}, err
	}
	nid, err := a.o.Store.UserNID(c.Context(), id)
	var account store.Account
	if err == nil {
		account, err = a.o.Store.Account(c.Context(), nid)
	}
	if errors.Is(err, store.ErrNotFound) {
		return id, account, mxerror.NotFound("User not found")
	}
	return id, account, err
}

// local refuses what is no user id of this server.
func (a *Admin) local(id string) error {
	suffix := ":" + a.o.ServerName
	if len(id) > 255 || len(id) <= len(suffix)+1 || id[0] != '@' || id[len(id)-len(suffix):] != suffix {
		return mxerror.InvalidParam("Can only look up local users")
	}
	return nil
}

// text reads a JSON text; nil if it is none.
func text(raw string) *string {
	var s string
	if raw == "" || json.Unmarshal([]byte(raw), &s) != nil {
		return nil
	}
	return &s
}

// orNil is nil for the empty text.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// raw is JSON out of the store.
func raw(s string) jsontext.Value { return jsontext.Value(s) }
