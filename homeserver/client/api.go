package client

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/appservices"
	"github.com/landbridge-im/landbridge/homeserver/delayed"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/guests"
	"github.com/landbridge-im/landbridge/homeserver/identity"
	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/notices"
	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/preview"
	"github.com/landbridge-im/landbridge/homeserver/pushers"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/search"
	"github.com/landbridge-im/landbridge/homeserver/slidingsync"
	"github.com/landbridge-im/landbridge/homeserver/sso"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
	"github.com/landbridge-im/landbridge/homeserver/unread"
	"github.com/landbridge-im/landbridge/homeserver/userdirectory"
)

// Options say what the API serves with.
type Options struct {
	ServerName string
	// PublicURL is where clients find this server.
	PublicURL string
	Store     *store.Store
	Rooms     *room.Manager
	Sync      *sync.Syncer
	Sliding   *slidingsync.Server
	Notifier  *sync.Notifier
	Typing    *sync.Typing
	Presence  *presence.Tracker // nil where presence is switched off
	Accounts  *accounts.Accounts
	Services  *appservices.Services
	Media     *media.Repo
	Preview   *preview.Previewer
	Keys      *keys.Keys
	// SSO logs in with identity providers; nil: there are none.
	SSO *sso.SSO
	// OAuth is the OAuth 2.0 API beside this one; nil: there is none.
	OAuth OAuth
	// TrustedClients begin the addresses of web clients that are given login tokens without asking the
	// user.
	TrustedClients []string
	WellKnown      WellKnown
	// TrustedProxies say truly in X-Forwarded-For whose requests they pass on.
	TrustedProxies []netip.Prefix
	// Tied tells whose accounts bridges may act as; nil: nobody's.
	Tied      TiedTo
	Delayed   *delayed.Events
	Guests    *guests.Guests
	Identity  *identity.Client
	Notices   *notices.Notices
	Unread    *unread.Counter
	Pushers   *pushers.Pushers
	VoIP      VoIP
	Directory *userdirectory.Directory
	// Remote asks other servers, and Joins goes to rooms of theirs; both are nil where there are none.
	Remote Remote
	Joins  Joins
	// History fetches what isn't here of rooms that other servers are in; nil where there are none.
	History History
	// Search is the index of messages; nil means that they can't be searched.
	Search *search.Index
	Log    *slog.Logger
	Now    func() time.Time
}

// Rate is how often one user or address may do something: so many times a second in the long run,
// and Burst times at once. A PerSecond of 0 means as often as they like.
type Rate struct {
	PerSecond float64
	Burst     int
}

// unless is the rate, or none if off is true.
func (r Rate) unless(off bool) Rate {
	if off {
		return Rate{}
	}
	return r
}

// Settings are what may change while the server runs.
type Settings struct {
	// OpenRegistration lets anybody sign up; without it a registration token is needed.
	OpenRegistration bool
	// Guests lets anybody make guest accounts.
	Guests bool
	// RequireEmail asks everybody who signs up for an e-mail address, where mail can be sent.
	RequireEmail bool
	// Policies are to be accepted by those who sign up.
	Policies []accounts.Policy
	// NoPasswordLogin and NoLoginTokens switch ways of logging in off.
	NoPasswordLogin, NoLoginTokens bool
	// ConfirmWithin is for how long one confirmation by a user is enough for a device; 0: each
	// weighty request needs its own.
	ConfirmWithin time.Duration
	// OldMedia serves media without authentication too, at the paths from before version 1.11.
	OldMedia bool
	// RoomVersion is that of new rooms unless asked otherwise; "" means event.DefaultVersion.
	RoomVersion event.Version
	// OldMediaUntil, when set, hides media that came later from these paths.
	OldMediaUntil time.Time
	// MaxBody is the largest JSON body, in bytes.
	MaxBody int64
	// SyncTimeout is the longest wait of a /sync.
	SyncTimeout time.Duration

	Messages, Logins, Registrations, Joins, Invites Rate
	// MessagesOut are e-mails, for each address of a client and of a recipient. Strangers bounds what
	// else may be asked without logging in.
	MessagesOut, Strangers Rate
	// Uploads and Previews are those of media and of pages.
	Uploads, Previews Rate
}

// API serves the client-server API. It is safe for concurrent use.
type API struct {
	o        Options
	router   routeTable
	settings atomic.Pointer[Settings]
	// deleteRoom is that of DeleteRoomsWith.
	deleteRoom func(ctx context.Context, r store.RoomName) error
	limits     atomic.Pointer[limiters]
	echoes     echoes
	remotes    *remotes
	summaries  summaries
}

type limiters struct{ messages, logins, registrations, joins, invites, messagesOut, strangers, reports, uploads, previews *accounts.Limiter }

// New makes the API.
func New(o Options, s Settings) *API {
	a := &API{o: o, remotes: newRemotes(), summaries: newSummaries()}
	a.Configure(s)
	a.routes()
	return a
}

// Configure changes the settings.
func (a *API) Configure(s Settings) {
	a.settings.Store(&s)
	limiter := func(r Rate) *accounts.Limiter { return accounts.NewLimiter(r.PerSecond, r.Burst) }
	a.limits.Store(&limiters{limiter(s.Messages), limiter(s.Logins), limiter(s.Registrations), limiter(s.Joins), limiter(s.Invites),
		limiter(s.MessagesOut), limiter(s.Strangers), limiter(reportRate.unless(s.Messages.PerSecond == 0)),
		limiter(s.Uploads), limiter(s.Previews)})
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
	on(get, v3, "/capabilities", user, a.capabilities)

	a.accountRoutes()

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
	on(post, v3, "/rooms/{roomId}/send/{eventType}", user, a.sendEvent) // without protection from retries, as it was once
	on(put, v3, "/rooms/{roomId}/redact/{eventId}/{txnId}", user, a.redact)
	on(post, v3, "/rooms/{roomId}/redact/{eventId}", user, a.redact) // likewise
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
	on(del, unstable("org.matrix.msc3391"), "/user/{userId}/account_data/{type}", user, a.deleteAccountData(false))
	on(del, unstable("org.matrix.msc3391"), "/user/{userId}/rooms/{roomId}/account_data/{type}", user, a.deleteAccountData(true))
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

	a.keyRoutes()
	a.backupRoutes()
	a.dehydratedRoutes()
	a.mediaRoutes()
	a.presenceRoutes()
	a.slidingSyncRoutes()
	a.pushRoutes()
	a.relationRoutes()
	a.upgradeRoutes()
	a.reportRoutes()
	a.lookupRoutes()
	a.oldSyncRoutes()
	a.delayedRoutes()
	a.noticeRoutes()
	a.adminRoutes()
	a.thirdPartyRoutes()
	a.pusherRoutes()
	a.unsubscribeRoutes()
	a.voipRoutes()
	a.userDirectoryRoutes()
	a.searchRoutes()

	on(post, unstable("com.beeper.yeet"), "/rooms/{roomId}/delete", user, a.deletePortal)
	on(post, unstable("com.beeper.backfill"), "/rooms/{roomId}/batch_send", user, a.batchSend)
	on(post, v1, "/appservice/{appserviceId}/ping", user, a.pingService)
	on(post, unstable("fi.mau.msc2659"), "/appservice/{appserviceId}/ping", user, a.pingService)
}
