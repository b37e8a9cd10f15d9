package inbound

import (
	"context"
	"crypto/ed25519"
	"encoding/json/jsontext"
	"log/slog"
	"net/http"
	"time"

	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/xmatrix"
	"github.com/landbridge-im/landbridge/homeserver/keys"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/router"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// Keys knows the signing keys of servers; *keyring.Ring does.
type Keys interface {
	RequestKey(ctx context.Context, server, keyID string) (ed25519.PublicKey, error)
	VerifyEvent(ctx context.Context, v event.Version, e *pdu.PDU, server string) error
	GetKey(ctx context.Context) pdu.GetKeyFunc
	ServeServer() (jsontext.Value, error)
	ServeQuery(r *http.Request, server string) (any, error)
	ServeQueries(r *http.Request) (any, error)
}

// Accounts knows whose OpenID tokens are.
type Accounts interface {
	OpenIDUser(ctx context.Context, token string) (userID string, err error)
}

// Directory is what is told of rooms to those who look for one; *client.API does.
type Directory interface {
	// PublicRoomsFor is the body of GET or POST /publicRooms.
	PublicRoomsFor(ctx context.Context, q jsontext.Value) (any, error)
	// HierarchyFor is a space as a server may see it.
	HierarchyFor(ctx context.Context, server, roomID string, suggestedOnly bool) (any, error)
}

// Options say what the API needs.
type Options struct {
	// Server is our own name, and Version that of the software.
	Server, Version string
	Signer          event.Signer
	Store           *store.Store
	Rooms           Rooms
	Remote          Remote
	Keys            Keys
	Policy          Policy
	// Invite invites another server's user into a room of ours, who has to be asked for a signature.
	Invite func(ctx context.Context, name store.RoomName, p room.Proposal) (*event.Event, error)
	// Heard is told of each server that made a request.
	Heard    func(ctx context.Context, server string)
	Accounts Accounts
	// Devices answers for the devices of local users.
	Devices   *keys.Keys
	Directory Directory
	Media     *media.Repo
	Typing    *sync.Typing
	// Presence is nil if it is switched off.
	Presence *presence.Tracker
	// Closed means that only what is open to anybody is answered: our version and keys, and whose
	// OpenID tokens are.
	Closed bool
	Log    *slog.Logger
	Now    func() time.Time
}

// API serves the server-server API. It is safe for concurrent use. Run does what goes on by itself.
type API struct {
	o        Options
	table    router.Table[route]
	verifier xmatrix.Verifier
	gate     gate
	intake   *Intake
	notices  *edus
	// binds limits how many notices of identity servers are worked on at once.
	binds chan struct{}
}

// route is one endpoint.
type route struct {
	pattern string
	handle  func(*call) (any, error)
	// raw routes write their answer themselves.
	raw func(*call) error
	// open routes are anybody's.
	open bool
	// room is the number of the path's parameter that is a room, from 1; 0 for none. Access control
	// lists are applied to it, and resident tells that the server that asks has to be in it.
	room     int
	resident bool
	// needs is a parameter of the query without which there is no need to look further.
	needs string
	// unknown rooms are let through.
	unknown bool
	// body is the largest one; 0 means that there is none.
	body int64
}

// Largest bodies. A transaction has at most 50 events of 64 KiB and 100 EDUs.
const (
	bodyEvent       = 1 << 20
	bodyTransaction = 32 << 20
)

// New makes the API.
func New(o Options) *API {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &API{o: o, gate: gate{o.Store}, verifier: xmatrix.Verifier{Server: o.Server, Keys: o.Keys}, binds: make(chan struct{}, bindsMax)}
	a.intake = newIntake(intakeOptions{Server: o.Server, Store: o.Store, Rooms: o.Rooms, Remote: o.Remote, Keys: o.Keys, Policy: o.Policy, Log: o.Log, Now: o.Now})
	a.notices = newEDUs(o, a.gate)
	a.routes()
	return a
}

// Back tells that a server has come back which did not answer. It never waits.
func (a *API) Back(server string) { a.intake.Back(server) }

// Run takes in what was sent, until ctx ends; it begins with what a restart left.
func (a *API) Run(ctx context.Context) error { return a.intake.Run(ctx) }

var _ http.Handler = (*API)(nil)

// Prefixes of the API.
const (
	v1  = "/_matrix/federation/v1"
	v2  = "/_matrix/federation/v2"
	key = "/_matrix/key/v2"
)

func (a *API) on(method, path string, rt route) {
	rt.pattern = path
	a.table.Add(method, path, &rt)
}

func (a *API) routes() {
	const get, put, post = http.MethodGet, http.MethodPut, http.MethodPost
	a.on(get, v1+"/version", route{open: true, handle: a.version})
	a.on(get, key+"/server", route{open: true, handle: func(*call) (any, error) { return a.o.Keys.ServeServer() }})
	// Deprecated, and still asked by some: "servers ... should respond with all of their keys".
	a.on(get, key+"/server/{keyId}", route{open: true, handle: func(*call) (any, error) { return a.o.Keys.ServeServer() }})
	a.on(get, v1+"/openid/userinfo", route{open: true, handle: a.openIDUser})
	if a.o.Closed {
		return
	}
	a.on(get, key+"/query/{server}", route{open: true, handle: func(c *call) (any, error) { return a.o.Keys.ServeQuery(c.r, c.params[0]) }})
	a.on(get, key+"/query/{server}/{keyId}", route{open: true, handle: func(c *call) (any, error) { return a.o.Keys.ServeQuery(c.r, c.params[0]) }})
	a.on(post, key+"/query", route{open: true, handle: func(c *call) (any, error) { return a.o.Keys.ServeQueries(c.r) }})

	a.on(get, v1+"/event/{eventId}", route{handle: a.event})
	a.on(get, v1+"/backfill/{roomId}", route{room: 1, resident: true, handle: a.backfill})
	a.on(post, v1+"/get_missing_events/{roomId}", route{room: 1, resident: true, body: bodyEvent, handle: a.missingEvents})
	a.on(get, v1+"/state/{roomId}", route{needs: "event_id", room: 1, resident: true, raw: a.state})
	a.on(get, v1+"/state_ids/{roomId}", route{needs: "event_id", room: 1, resident: true, raw: a.stateIDs})
	a.on(get, v1+"/event_auth/{roomId}/{eventId}", route{room: 1, resident: true, raw: a.eventAuth})
	a.on(get, v1+"/timestamp_to_event/{roomId}", route{room: 1, resident: true, handle: a.timestampToEvent})

	a.on(get, v1+"/query/profile", route{handle: a.queryProfile})
	a.on(get, v1+"/query/directory", route{handle: a.queryDirectory})
	a.on(get, v1+"/publicRooms", route{handle: a.getPublicRooms})
	a.on(post, v1+"/publicRooms", route{body: bodyEvent, handle: a.postPublicRooms})
	a.on(get, v1+"/hierarchy/{roomId}", route{handle: a.hierarchy})
	a.on(get, v1+"/user/devices/{userId}", route{handle: a.userDevices})
	a.on(post, v1+"/user/keys/query", route{body: bodyEvent, handle: a.queryKeys})
	a.on(post, v1+"/user/keys/claim", route{body: bodyEvent, handle: a.claimKeys})
	a.on(get, v1+"/media/download/{mediaId}", route{raw: a.download})
	a.on(get, v1+"/media/thumbnail/{mediaId}", route{raw: a.thumbnail})

	a.on(get, v1+"/make_join/{roomId}/{userId}", route{room: 1, handle: a.makeJoin})
	a.on(get, v1+"/make_leave/{roomId}/{userId}", route{room: 1, handle: a.makeLeave})
	a.on(get, v1+"/make_knock/{roomId}/{userId}", route{room: 1, handle: a.makeKnock})
	a.on(put, v1+"/send_join/{roomId}/{eventId}", route{room: 1, body: bodyEvent, raw: a.sendJoinV1})
	a.on(put, v2+"/send_join/{roomId}/{eventId}", route{room: 1, body: bodyEvent, raw: a.sendJoinV2})
	a.on(put, v1+"/send_leave/{roomId}/{eventId}", route{room: 1, body: bodyEvent, handle: a.sendLeaveV1})
	a.on(put, v2+"/send_leave/{roomId}/{eventId}", route{room: 1, body: bodyEvent, handle: a.sendLeave})
	a.on(put, v1+"/send_knock/{roomId}/{eventId}", route{room: 1, body: bodyEvent, handle: a.sendKnock})
	a.on(put, v1+"/invite/{roomId}/{eventId}", route{room: 1, unknown: true, body: bodyEvent, handle: a.inviteV1})
	a.on(put, v2+"/invite/{roomId}/{eventId}", route{room: 1, unknown: true, body: bodyEvent, handle: a.inviteV2})
	a.on(put, v1+"/exchange_third_party_invite/{roomId}", route{room: 1, body: bodyEvent, handle: a.exchangeThirdPartyInvite})
	a.on(put, v1+"/3pid/onbind", route{open: true, body: bodyEvent, handle: a.onBind})

	a.on(put, v1+"/send/{txnId}", route{body: bodyTransaction, handle: a.send})
}
