package joins

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Remote calls other servers; *fclient.Client does.
type Remote interface {
	MakeJoin(ctx context.Context, server, room, user string, versions []string) (fclient.Template, error)
	SendJoin(ctx context.Context, server, room, eventID string, join jsontext.Value, omitMembers bool, each fclient.Each) (fclient.Joined, error)
	MakeKnock(ctx context.Context, server, room, user string, versions []string) (fclient.Template, error)
	SendKnock(ctx context.Context, server, room, eventID string, knock jsontext.Value) ([]jsontext.Value, error)
	MakeLeave(ctx context.Context, server, room, user string) (fclient.Template, error)
	SendLeave(ctx context.Context, server, room, eventID string, leave jsontext.Value) error
	SendInvite(ctx context.Context, server, room, eventID string, invite fclient.Invite) (jsontext.Value, error)
	SendInviteV1(ctx context.Context, server, room, eventID string, invite jsontext.Value) (jsontext.Value, error)
	Event(ctx context.Context, server, eventID string) (jsontext.Value, error)
	State(ctx context.Context, server, room, eventID string, each fclient.Each) error
	StateIDs(ctx context.Context, server, room, eventID string) (state, auth []string, err error)
}

var _ Remote = (*fclient.Client)(nil)

// Keys verify events; *keyring.Ring does.
type Keys interface {
	VerifyEvent(ctx context.Context, v event.Version, e *pdu.PDU, server string) error
	Prefetch(ctx context.Context, needs []keyring.Need)
	GetKey(ctx context.Context) pdu.GetKeyFunc
}

var _ Keys = (*keyring.Ring)(nil)

// Policy knows what rooms' policy servers want; *policy.Policy does.
type Policy interface {
	Check(ctx context.Context, room int64, e *event.Event) error
}

// Options say what Joins need.
type Options struct {
	Store  *store.Store
	Rooms  Rooms
	Remote Remote
	Keys   Keys
	Policy Policy
	Signer event.Signer
	// Take takes in an event that another server has taken in already, with what is missing before it.
	Take func(ctx context.Context, from string, name store.RoomName, e *event.Event) error
	Log  *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Joins changes memberships of rooms that other servers are in. It is safe for concurrent use.
type Joins struct {
	o Options
	// wake tells Run that a room was joined without all of its state.
	wake chan struct{}

	mu sync.Mutex
	// under are the rooms that somebody is just joining; the channel is closed when they are done.
	under map[string]chan struct{}
}

// New makes Joins.
func New(o Options) *Joins {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Joins{o: o, under: map[string]chan struct{}{}, wake: make(chan struct{}, 1)}
}

// alone waits until nobody joins a room, and keeps others from it until done is called.
func (j *Joins) alone(ctx context.Context, room string) (done func(), err error) {
	for {
		j.mu.Lock()
		other := j.under[room]
		if other == nil {
			own := make(chan struct{})
			j.under[room] = own
			j.mu.Unlock()
			return func() {
				j.mu.Lock()
				delete(j.under, room)
				j.mu.Unlock()
				close(own)
			}, nil
		}
		j.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// servers are those worth asking, without doubles and this one.
func (j *Joins) servers(lists ...[]string) []string {
	var out []string
	for _, list := range lists {
		for _, s := range list {
			if s != "" && len(s) <= 255 && s != j.o.Signer.Server && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out[:min(len(out), serversMax)]
}

// field are the servers that may help into a room: those that the user named, and if that is none, the one
// in the room's id, which made it and perhaps has left since: "via: The servers to attempt to join the room
// through."
func (j *Joins) field(via []string, origin string) []string {
	if named := j.servers(via); len(named) > 0 {
		return named
	}
	return j.servers([]string{origin})
}

// versions are the room versions that this server speaks.
func versions() []string {
	var out []string
	for _, v := range event.Versions() {
		out = append(out, string(v))
	}
	return out
}

// complete makes an event out of a template, of which it takes no more than what it must, and signs
// it. content is ours; who vouches for a join is for the server that answered to say.
func (j *Joins) complete(t fclient.Template, room, user, membership string, content jsontext.Value) (*event.Event, error) {
	v := event.Version(t.Version)
	if !event.Supported(v) {
		return nil, mxerror.New(400, "M_INCOMPATIBLE_ROOM_VERSION", "The room is of version %q, which this server does not speak.", fmt.Sprintf("%.32s", t.Version)).With("room_version", fmt.Sprintf("%.32s", t.Version))
	}
	g := gjson.ParseBytes(t.Event)
	switch {
	case g.Get("type").Str != "m.room.member", g.Get("sender").Str != user, g.Get("state_key").Str != user,
		g.Get("room_id").Str != room, g.Get("content.membership").Str != membership:
		return nil, fmt.Errorf("the template is not for a %s of %s", membership, user)
	}
	p := event.Proto{Version: v, RoomID: room, Type: "m.room.member", Sender: user, StateKey: &user, Content: content,
		TS: j.o.Now().UnixMilli(), Depth: g.Get("depth").Int()}
	for _, list := range []struct {
		name string
		out  *[]string
		most int
	}{{"prev_events", &p.Prev, maxPrev}, {"auth_events", &p.Auth, maxAuth}} {
		for _, x := range g.Get(list.name).Array() {
			if x.Type != gjson.String || len(*list.out) == list.most {
				return nil, fmt.Errorf("the template's %s are not right", list.name)
			}
			*list.out = append(*list.out, x.Str)
		}
	}
	if p.Depth < 0 || p.Depth > 1<<53-1 || len(p.Prev) == 0 {
		return nil, fmt.Errorf("the template's depth or previous events are not right")
	}
	if via := g.Get("content." + viaKey); membership == "join" && via.Type == gjson.String {
		raw, err := sjson.SetBytes(slices.Clone(p.Content), viaKey, via.Str)
		if err != nil {
			return nil, fmt.Errorf("completing a template: %w", err)
		}
		p.Content = raw
	}
	return event.Build(p, j.o.Signer)
}

// viaKey names in a join's content the member who vouches for it.
const viaKey = "join_authorised_via_users_server"

// errMalformed: what another server answered with is no event.
var errMalformed = errors.New("it is no valid event")

// merge takes over the signatures of an event that another server has signed too, if it is the same.
func merge(e *event.Event, raw jsontext.Value, room string) error {
	other, err := parse(raw, e.Version, room)
	if err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	if other.ID != e.ID {
		return fmt.Errorf("it is another event, %s", other.ID)
	}
	p := e.PDU.Clone()
	p.Signatures = map[string]map[id.KeyID]string{}
	for _, from := range []*pdu.PDU{other.PDU, e.PDU} {
		for server, sigs := range from.Signatures {
			for keyID, sig := range sigs {
				p.AddSignature(server, keyID, sig)
			}
		}
	}
	e.PDU = p
	return nil
}

// senders are the servers that must have signed an event: specification, "Validating hashes and
// signatures on received events".
func signers(e *event.Event) []string {
	out := []string{serverOf(string(e.Sender))}
	if e.Type == "m.room.member" && gjson.GetBytes(e.Content, "third_party_invite").Exists() && e.Membership() == "invite" {
		// "If the event is an invite by a third party, the sender's signature is not needed."
		out = nil
	}
	if via := e.ContentString(viaKey); e.Membership() == "join" && via != "" && e.Version.RestrictedJoins() {
		if s := serverOf(via); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
