package fclient

import (
	"context"
	"encoding/json/jsontext"
	"net/http"
	"net/url"
	"time"
)

// Template is what make_join, make_leave and make_knock answer: an event to complete and sign.
type Template struct {
	// Version is "1" where the answer has none.
	Version string         `json:"room_version"`
	Event   jsontext.Value `json:"event"`
}

// slow is for calls that make the other server compute a room's state.
const slow = 5 * time.Minute

func v1(parts ...string) []string { return append([]string{"_matrix", "federation", "v1"}, parts...) }
func v2(parts ...string) []string { return append([]string{"_matrix", "federation", "v2"}, parts...) }

func (c *Client) template(ctx context.Context, server, what, room, user string, versions []string) (Template, error) {
	t := Template{}
	q := url.Values{}
	if versions != nil {
		q["ver"] = versions
	}
	err := c.do(ctx, server, call{method: http.MethodGet, path: v1(what, room, user), query: q}, &t)
	if t.Version == "" {
		// "If not provided, the room version is assumed to be either "1" or "2"."
		t.Version = "1"
	}
	return t, err
}

// MakeJoin asks for a join event. versions are those that we speak; where the room's is none of
// them the error has the code M_INCOMPATIBLE_ROOM_VERSION.
func (c *Client) MakeJoin(ctx context.Context, server, room, user string, versions []string) (Template, error) {
	return c.template(ctx, server, "make_join", room, user, versions)
}

// MakeKnock asks for a knock event.
func (c *Client) MakeKnock(ctx context.Context, server, room, user string, versions []string) (Template, error) {
	return c.template(ctx, server, "make_knock", room, user, versions)
}

// MakeLeave asks for an event that leaves a room or rejects an invitation.
func (c *Client) MakeLeave(ctx context.Context, server, room, user string) (Template, error) {
	return c.template(ctx, server, "make_leave", room, user, nil)
}

// Joined is the answer to a join, but for its state and auth chain.
type Joined struct {
	// Event is the join with the resident server's signature; nil if it didn't send it.
	Event          jsontext.Value
	MembersOmitted bool
	ServersInRoom  []string
}

// maxServersInRoom bounds the list of servers in an answer.
const maxServersInRoom = 100_000

// SendJoin joins. The state before the join and its auth chain are handed over event by event as
// they arrive; an error from each ends the call with it. With omitMembers the server may leave
// memberships out, and says so.
func (c *Client) SendJoin(ctx context.Context, server, room, eventID string, join jsontext.Value, omitMembers bool, each Each) (Joined, error) {
	j := Joined{}
	q := url.Values{}
	if omitMembers {
		q.Set("omit_members", "true")
	}
	f := fields{
		"event":           into(&j.Event),
		"members_omitted": into(&j.MembersOmitted),
		"servers_in_room": texts(&j.ServersInRoom, maxServersInRoom),
		"state":           each.list(SectionState),
		"auth_chain":      each.list(SectionAuth),
	}
	err := c.do(ctx, server, call{method: http.MethodPut, path: v2("send_join", room, eventID), query: q, body: join,
		timeout: slow, limit: stateLimit, read: f.read}, nil)
	return j, err
}

// SendKnock knocks, and answers with the stripped state of the room.
func (c *Client) SendKnock(ctx context.Context, server, room, eventID string, knock jsontext.Value) ([]jsontext.Value, error) {
	var out struct {
		State []jsontext.Value `json:"knock_room_state"`
	}
	err := c.do(ctx, server, call{method: http.MethodPut, path: v1("send_knock", room, eventID), body: knock}, &out)
	return out.State, err
}

// SendLeave leaves.
func (c *Client) SendLeave(ctx context.Context, server, room, eventID string, leave jsontext.Value) error {
	return c.do(ctx, server, call{method: http.MethodPut, path: v2("send_leave", room, eventID), body: leave}, nil)
}

// Invite is an invitation to another server's user.
type Invite struct {
	Version string           `json:"room_version"`
	Event   jsontext.Value   `json:"event"`
	State   []jsontext.Value `json:"invite_room_state,omitempty"`
}

// SendInvite invites, and answers with the event that the other server has signed too. "Senders
// which receive a 400 or 404 response to this endpoint should retry using the v1 API as the server
// may be older, if the room version is "1" or "2"": we speak neither.
func (c *Client) SendInvite(ctx context.Context, server, room, eventID string, invite Invite) (jsontext.Value, error) {
	var out struct {
		Event jsontext.Value `json:"event"`
	}
	err := c.do(ctx, server, call{method: http.MethodPut, path: v2("invite", room, eventID), body: invite}, &out)
	return out.Event, err
}

// SendInviteV1 is SendInvite by the older endpoint, whose answer is [200, {"event": ...}].
func (c *Client) SendInviteV1(ctx context.Context, server, room, eventID string, invite jsontext.Value) (jsontext.Value, error) {
	var out []jsontext.Value
	err := c.do(ctx, server, call{method: http.MethodPut, path: v1("invite", room, eventID), body: invite}, &out)
	if err != nil {
		return nil, err
	}
	return secondEvent(out)
}

// ExchangeThirdPartyInvite asks a server in the room to make an invitation of one by a third party.
func (c *Client) ExchangeThirdPartyInvite(ctx context.Context, server, room string, invite jsontext.Value) error {
	return c.do(ctx, server, call{method: http.MethodPut, path: v1("exchange_third_party_invite", room), body: invite}, nil)
}
