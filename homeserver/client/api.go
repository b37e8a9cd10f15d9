package client

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/appservices"
	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/preview"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// Options say what the API serves with.
type Options struct {
	ServerName string
	// PublicURL is where clients find this server.
	PublicURL string
	Store     *store.Store
	Rooms     *room.Manager
	Sync      *sync.Syncer
	Notifier  *sync.Notifier
	Typing    *sync.Typing
	Accounts  *accounts.Accounts
	Services  *appservices.Services
	Media     *media.Repo
	Preview   *preview.Previewer
	Keys      *keys.Keys
	Log       *slog.Logger
	Now       func() time.Time
}

// Rate is how often one user or address may do something: so many times a second in the long run,
// and Burst times at once. A PerSecond of 0 means as often as they like.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Settings are what may change while the server runs.
type Settings struct {
	// OpenRegistration lets anybody sign up; without it a registration token is needed.
	OpenRegistration bool
	// OldMedia serves media without authentication too, at the paths from before version 1.11.
	OldMedia bool
	// OldMediaUntil, when set, hides media that came later from these paths.
	OldMediaUntil time.Time
	// MaxBody is the largest JSON body, in bytes.
	MaxBody int64
	// SyncTimeout is the longest wait of a /sync.
	SyncTimeout time.Duration

	Messages, Logins, Registrations, Joins, Invites Rate
	// Uploads and Previews are those of media and of pages.
	Uploads, Previews Rate
}

// API serves the client-server API. It is safe for concurrent use.
type API struct {
	o        Options
	router   router
	settings atomic.Pointer[Settings]
	limits   atomic.Pointer[limiters]
}

type limiters struct{ messages, logins, registrations, joins, invites, uploads, previews *accounts.Limiter }

// New makes the API.
func New(o Options, s Settings) *API {
	a := &API{o: o}
	a.Configure(s)
	a.routes()
	return a
}

// Configure changes the settings.
func (a *API) Configure(s Settings) {
	a.settings.Store(&s)
	limiter := func(r Rate) *accounts.Limiter { return accounts.NewLimiter(r.PerSecond, r.Burst) }
	a.limits.Store(&limiters{limiter(s.Messages), limiter(s.Logins), limiter(s.Registrations), limiter(s.Joins), limiter(s.Invites), limiter(s.Uploads), limiter(s.Previews)})
}

var _ http.Handler = (*API)(nil)

// v3 are the prefixes of endpoints that have been there since the beginning.
var v3 = []string{"/_matrix/client/v3", "/_matrix/client/r0"}

// on adds a route under each prefix.
func (a *API) on(method string, prefixes []string, path string, who access, h handler) {
	for _, p := range prefixes {
		a.router.add(method, p+path, &route{pattern: p + path, access: who, handle: h})
	}
}

func (a *API) routes() {
	const get, put, post, del, patch = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch
	root, v1 := []string{""}, []string{"/_matrix/client/v1"}
	unstable := func(name string) []string { return []string{"/_matrix/client/unstable/" + name} }
	on := a.on

	on(get, root, "/_matrix/client/versions", optional, a.versions)
	on(get, root, "/.well-known/matrix/client", anyone, a.wellKnown)
	on(get, v3, "/capabilities", user, a.capabilities)

	on(post, v3, "/register", anyone, a.register)
	on(get, v3, "/register/available", anyone, a.registerAvailable)
	on(get, v1, "/register/m.login.registration_token/validity", anyone, a.tokenValidity)
	on(get, root, "/_synapse/admin/v1/register", anyone, a.secretNonce)
	on(post, root, "/_synapse/admin/v1/register", anyone, a.secretRegister)
	on(get, v3, "/login", anyone, a.loginFlows)
	on(post, v3, "/login", anyone, a.login)
	on(post, v3, "/logout", user, a.logout)
	on(post, v3, "/logout/all", user, a.logoutAll)
	on(get, v3, "/account/whoami", user, a.whoami)
	on(post, v3, "/account/password", user, a.changePassword)
	on(post, v3, "/account/deactivate", user, a.deactivate)

	on(get, v3, "/devices", user, a.devices)
	on(get, v3, "/devices/{deviceId}", user, a.device)
	on(put, v3, "/devices/{deviceId}", user, a.putDevice)
	on(del, v3, "/devices/{deviceId}", user, a.deleteDevice)
	on(post, v3, "/delete_devices", user, a.deleteDevices)

	profiles := append([]string{"/_matrix/client/unstable/uk.tcpip.msc4133"}, v3...)
	on(get, v3, "/profile/{userId}", anyone, a.getProfile)
	on(get, profiles, "/profile/{userId}/{keyName}", anyone, a.getProfileField)
	on(put, profiles, "/profile/{userId}/{keyName}", user, a.putProfileField)
	on(del, profiles, "/profile/{userId}/{keyName}", user, a.deleteProfileField)
	on(patch, v3, "/profile/{userId}", user, a.patchProfile)
	on(put, unstable("com.beeper.msc4437"), "/profile/{userId}", user, a.putProfile)

	on(post, v3, "/createRoom", user, a.createRoom)
	on(get, v3, "/joined_rooms", user, a.joinedRooms)
	on(post, v3, "/join/{roomIdOrAlias}", user, a.joinRoom)
	on(post, v3, "/knock/{roomIdOrAlias}", user, a.knockRoom)
	for path, h := range map[string]handler{"join": a.joinRoom, "invite": a.invite, "leave": a.leaveRoom, "kick": a.kick,
		"ban": a.ban, "unban": a.unban, "forget": a.forget} {
		on(post, v3, "/rooms/{roomId}/"+path, user, h)
	}

	on(put, v3, "/rooms/{roomId}/send/{eventType}/{txnId}", user, a.sendEvent)
	on(put, v3, "/rooms/{roomId}/redact/{eventId}/{txnId}", user, a.redact)
	on(get, v3, "/rooms/{roomId}/state", user, a.getState)
	on(get, v3, "/rooms/{roomId}/state/{eventType}", user, a.getStateEvent)
	on(put, v3, "/rooms/{roomId}/state/{eventType}", user, a.setState)
	on(get, v3, "/rooms/{roomId}/state/{eventType}/{stateKey...}", user, a.getStateEvent)
	on(put, v3, "/rooms/{roomId}/state/{eventType}/{stateKey...}", user, a.setState)
	on(get, v3, "/rooms/{roomId}/members", user, a.members)
	on(get, v3, "/rooms/{roomId}/joined_members", user, a.joinedMembers)
	on(get, v3, "/rooms/{roomId}/messages", user, a.messages)
	on(get, v3, "/rooms/{roomId}/event/{eventId}", user, a.getEvent)
	on(get, v3, "/rooms/{roomId}/context/{eventId}", user, a.eventContext)
	on(get, v3, "/rooms/{roomId}/aliases", user, a.roomAliases)

	for _, p := range v3 {
		a.router.add(get, p+"/sync", &route{pattern: p + "/sync", access: user, raw: a.sync})
	}
	on(post, v3, "/user/{userId}/filter", user, a.putFilter)
	on(get, v3, "/user/{userId}/filter/{filterId}", user, a.getFilter)
	on(get, v3, "/user/{userId}/account_data/{type}", user, a.getAccountData(false))
	on(put, v3, "/user/{userId}/account_data/{type}", user, a.putAccountData(false))
	on(get, v3, "/user/{userId}/rooms/{roomId}/account_data/{type}", user, a.getAccountData(true))
	on(put, v3, "/user/{userId}/rooms/{roomId}/account_data/{type}", user, a.putAccountData(true))
	on(get, v3, "/user/{userId}/rooms/{roomId}/tags", user, a.getTags)
	on(put, v3, "/user/{userId}/rooms/{roomId}/tags/{tag}", user, a.changeTag(false))
	on(del, v3, "/user/{userId}/rooms/{roomId}/tags/{tag}", user, a.changeTag(true))
	on(post, v3, "/rooms/{roomId}/receipt/{receiptType}/{eventId}", user, a.postReceipt)
	on(post, v3, "/rooms/{roomId}/read_markers", user, a.readMarkers)
	on(put, v3, "/rooms/{roomId}/typing/{userId}", user, a.putTyping)

	on(get, v3, "/directory/room/{roomAlias}", anyone, a.getAlias)
	on(put, v3, "/directory/room/{roomAlias}", user, a.putAlias)
	on(del, v3, "/directory/room/{roomAlias}", user, a.deleteAlias)
	on(get, v3, "/directory/list/room/{roomId}", anyone, a.getVisibility)
	on(put, v3, "/directory/list/room/{roomId}", user, a.putVisibility)

	on(get, v3, "/publicRooms", optional, a.getPublicRooms)
	on(post, v3, "/publicRooms", user, a.postPublicRooms)
	on(get, append(unstable("org.matrix.msc2946"), v1...), "/rooms/{roomId}/hierarchy", user, a.hierarchy)
	on(get, v1, "/room_summary/{roomIdOrAlias}", optional, a.roomSummary)
	on(get, unstable("im.nheko.summary"), "/summary/{roomIdOrAlias}", optional, a.roomSummary)

	on(post, v3, "/keys/upload", user, a.keysUpload)
	on(post, v3, "/keys/query", user, a.keysQuery)
	on(post, v3, "/keys/claim", user, a.keysClaim)
	on(get, v3, "/keys/changes", user, a.keysChanges)
	on(post, v3, "/keys/device_signing/upload", user, a.crossSigning)
	on(post, v3, "/keys/signatures/upload", user, a.signatures)
	on(put, v3, "/sendToDevice/{eventType}/{txnId}", user, a.sendToDevice)

	a.mediaRoutes()
	a.pushRoutes()

	on(post, unstable("com.beeper.backfill"), "/rooms/{roomId}/batch_send", user, a.batchSend)
	on(post, v1, "/appservice/{appserviceId}/ping", user, a.pingService)
	on(post, unstable("fi.mau.msc2659"), "/appservice/{appserviceId}/ping", user, a.pingService)
}
