package appservicetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"
)

// Event is an event as the homeserver keeps and sends it.
type Event struct {
	Type      string          `json:"type"`
	StateKey  *string         `json:"state_key,omitempty"`
	Sender    id.UserID       `json:"sender"`
	RoomID    id.RoomID       `json:"room_id"`
	ID        id.EventID      `json:"event_id"`
	Timestamp int64           `json:"origin_server_ts"`
	Content   json.RawMessage `json:"content"`
	Redacts   id.EventID      `json:"redacts,omitempty"`
	Unsigned  map[string]any  `json:"unsigned,omitempty"`
}

// Get returns a field of the content that is a string, or "".
func (e *Event) Get(field string) string {
	var content map[string]any
	_ = json.Unmarshal(e.Content, &content)
	s, _ := content[field].(string)
	return s
}

// Service is an application service as the homeserver knows it.
type Service struct {
	ID, ASToken, HSToken, SenderLocalpart string
	// Users are the regular expressions of its namespace.
	Users []string
	// Transport reaches it.
	Transport http.RoundTripper
}

// Homeserver is a homeserver in memory. All methods are safe for concurrent use.
type Homeserver struct {
	Domain string
	mux    *http.ServeMux

	mu       sync.Mutex
	changed  chan struct{} // closed when anything changes
	next     int           // numbers for ids and times
	features map[string]bool
	users    map[id.UserID]*user
	tokens   map[string]id.UserID
	rooms    map[id.RoomID]*room
	presence map[id.UserID]string
	aliases  map[string]id.RoomID
	media    map[string][]byte
	sent     map[string]id.EventID // by user and transaction id
	services []*service
	hold     <-chan struct{} // to-device events for services wait for it
	requests map[string]int  // by method and pattern
}

type user struct {
	profile     map[string]json.RawMessage
	accountData map[string]json.RawMessage
	devices     map[id.DeviceID]*device
	crossKeys   map[string]json.RawMessage
}

type room struct {
	id     id.RoomID
	events []*Event
	state  map[[2]string]*Event
}

// New returns a homeserver without rooms.
func New(domain string) *Homeserver {
	hs := &Homeserver{
		Domain: domain, mux: http.NewServeMux(), changed: make(chan struct{}),
		features: map[string]bool{}, users: map[id.UserID]*user{}, tokens: map[string]id.UserID{},
		rooms: map[id.RoomID]*room{}, presence: make(map[id.UserID]string), aliases: map[string]id.RoomID{}, media: map[string][]byte{},
		sent: map[string]id.EventID{}, requests: map[string]int{},
	}
	hs.routeUsers()
	hs.routeRooms()
	hs.routeKeys()
	return hs
}

// ServeHTTP implements http.Handler: the client-server API.
func (hs *Homeserver) ServeHTTP(w http.ResponseWriter, r *http.Request) { hs.mux.ServeHTTP(w, r) }

// SetFeature advertises an unstable feature.
func (hs *Homeserver) SetFeature(name string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.features[name] = true
}

// AddUser makes an ordinary user and returns its access token.
func (hs *Homeserver) AddUser(userID id.UserID) (token string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.user(userID)
	token = "token-of-" + string(userID)
	hs.tokens[token] = userID
	return token
}

// user returns a user, making it if needed; hs.mu is held.
func (hs *Homeserver) user(userID id.UserID) *user {
	u := hs.users[userID]
	if u == nil {
		u = &user{profile: map[string]json.RawMessage{}, accountData: map[string]json.RawMessage{}, devices: map[id.DeviceID]*device{}, crossKeys: map[string]json.RawMessage{}}
		hs.users[userID] = u
	}
	return u
}

// notify tells waiters that something changed; hs.mu is held.
func (hs *Homeserver) notify() {
	close(hs.changed)
	hs.changed = make(chan struct{})
}

// Wait waits until cond, which is called after every change, is true. cond must
// not call methods that change the homeserver.
func (hs *Homeserver) Wait(ctx context.Context, cond func() bool) error {
	for {
		hs.mu.Lock()
		changed := hs.changed
		hs.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // cond may look at more than the homeserver
		case <-ctx.Done():
			return fmt.Errorf("waiting for the homeserver: %w", ctx.Err())
		}
	}
}

// Requests is how many requests were made to a pattern, such as
// "PUT /_matrix/client/v3/rooms/{room}/send/{type}/{txn}".
func (hs *Homeserver) Requests(pattern string) int {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.requests[pattern]
}

// Events returns the events of a room of a type, or all if it is empty.
func (hs *Homeserver) Events(roomID id.RoomID, evtType string) []Event {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	r := hs.rooms[roomID]
	if r == nil {
		return nil
	}
	var list []Event
	for _, e := range r.events {
		if evtType == "" || e.Type == evtType {
			list = append(list, *e)
		}
	}
	return list
}

// State returns the content of a state event, nil if there is none.
func (hs *Homeserver) State(roomID id.RoomID, evtType, key string) json.RawMessage {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if r := hs.rooms[roomID]; r != nil {
		if e := r.state[[2]string{evtType, key}]; e != nil {
			return e.Content
		}
	}
	return nil
}

// Members returns the users with a membership in a room, sorted.
func (hs *Homeserver) Members(roomID id.RoomID, membership string) []id.UserID {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.members(hs.rooms[roomID], membership)
}

func (hs *Homeserver) members(r *room, membership string) []id.UserID {
	var list []id.UserID
	if r == nil {
		return nil
	}
	for k, e := range r.state {
		if k[0] == "m.room.member" && e.Get("membership") == membership {
			list = append(list, id.UserID(k[1]))
		}
	}
	slices.Sort(list)
	return list
}

// RoomByName returns the room whose m.room.name is name, "" if there is none.
func (hs *Homeserver) RoomByName(name string) id.RoomID {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for roomID, r := range hs.rooms {
		if e := r.state[[2]string{"m.room.name", ""}]; e != nil && e.Get("name") == name {
			return roomID
		}
	}
	return ""
}

// Join has a user join a room, whether or not they may.
func (hs *Homeserver) Join(roomID id.RoomID, userID id.UserID) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.user(userID)
	hs.setMember(hs.rooms[roomID], userID, userID, "join", nil)
}

// SetMember has somebody kick, ban or invite somebody, or end a ban.
func (hs *Homeserver) SetMember(roomID id.RoomID, sender, target id.UserID, membership string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.setMember(hs.rooms[roomID], sender, target, membership, nil)
}

// Name gives a user a display name, for the rooms that they join after this.
func (hs *Homeserver) Name(userID id.UserID, name string) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.user(userID).profile["displayname"] = marshal(name)
}

// Send has a user send an event; content is marshalled. It returns its id.
func (hs *Homeserver) Send(roomID id.RoomID, sender id.UserID, evtType string, content any) id.EventID {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.append(hs.rooms[roomID], &Event{Type: evtType, Sender: sender, Content: marshal(content)}).ID
}

// SendText has a user say something.
func (hs *Homeserver) SendText(roomID id.RoomID, sender id.UserID, text string) id.EventID {
	return hs.Send(roomID, sender, "m.room.message", map[string]string{"msgtype": "m.text", "body": text})
}

func marshal(v any) json.RawMessage {
	if raw, ok := v.(json.RawMessage); ok {
		return raw
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of a test's own value
	}
	return data
}

// append adds an event to a room and queues it for the services; hs.mu is held.
func (hs *Homeserver) append(r *room, e *Event) *Event {
	hs.next++
	e.RoomID = r.id
	e.ID = id.EventID(fmt.Sprintf("$%06d-%s", hs.next, strings.ReplaceAll(e.Type, ".", "-")))
	if e.Timestamp == 0 {
		e.Timestamp = time.Now().UnixMilli()
	}
	if e.StateKey != nil {
		key := [2]string{e.Type, *e.StateKey}
		if prev := r.state[key]; prev != nil {
			e.Unsigned = map[string]any{"prev_content": prev.Content, "prev_sender": prev.Sender, "replaces_state": prev.ID}
		}
		r.state[key] = e
	}
	r.events = append(r.events, e)
	for _, s := range hs.services {
		if s.interestedIn(r, e) {
			s.push(func(t *Transaction) { t.Events = append(t.Events, *e) })
		}
	}
	hs.notify()
	return e
}

func (hs *Homeserver) setMember(r *room, sender, target id.UserID, membership string, extra map[string]json.RawMessage) *Event {
	content := map[string]any{"membership": membership}
	if membership == "join" || membership == "invite" {
		for k, v := range hs.user(target).profile {
			if k == "displayname" || k == "avatar_url" {
				content[k] = v
			}
		}
	}
	for k, v := range extra {
		content[k] = v
	}
	key := string(target)
	return hs.append(r, &Event{Type: "m.room.member", StateKey: &key, Sender: sender, Content: marshal(content)})
}

// service is a Service and its queue.
type service struct {
	Service
	bot     id.UserID
	users   []*regexp.Regexp
	hs      *Homeserver
	wake    chan struct{}
	pending *Transaction // with hs.mu
	failed  int          // with hs.mu; deliveries that were not answered with 200
	cancel  context.CancelFunc
	done    chan struct{}
}

func (s *service) owns(userID id.UserID) bool {
	return userID == s.bot || slices.ContainsFunc(s.users, func(re *regexp.Regexp) bool { return re.MatchString(string(userID)) })
}

// interestedIn reports whether the service is in the room, or was told to be.
func (s *service) interestedIn(r *room, e *Event) bool {
	for k, m := range r.state {
		if k[0] == "m.room.member" && s.owns(id.UserID(k[1])) && (m.Get("membership") == "join" || m.Get("membership") == "invite" || m == e) {
			return true
		}
	}
	return false
}

// SetPower gives somebody a power level in a room.
func (hs *Homeserver) SetPower(roomID id.RoomID, user id.UserID, level int) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	r := hs.rooms[roomID]
	var content map[string]any
	if e := r.state[[2]string{"m.room.power_levels", ""}]; e == nil || json.Unmarshal(e.Content, &content) != nil {
		content = map[string]any{}
	}
	users, ok := content["users"].(map[string]any)
	if !ok {
		users = map[string]any{}
	}
	users[string(user)], content["users"] = level, users
	key := ""
	hs.append(r, &Event{Type: "m.room.power_levels", StateKey: &key, Sender: user, Content: marshal(content)})
}

// Profile is somebody's profile.
func (hs *Homeserver) Profile(user id.UserID) map[string]any {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	out := map[string]any{}
	for k, v := range hs.user(user).profile {
		var field any
		_ = json.Unmarshal(v, &field)
		out[k] = field
	}
	return out
}

// Presence is whether somebody is online, unavailable or offline.
func (hs *Homeserver) Presence(user id.UserID) string {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.presence[user]
}

// AddMedia keeps a file and returns its address.
func (hs *Homeserver) AddMedia(data []byte) string {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.next++
	name := fmt.Sprint("media", hs.next)
	hs.media[name] = data
	return "mxc://" + hs.Domain + "/" + name
}
