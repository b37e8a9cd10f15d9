package client

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// parameter is one of a route's pattern.
var parameter = regexp.MustCompile(`\{[^}]*\}`)

// endpoint is a route's method and path without the version, and without the names of parameters.
func endpoint(method, pattern string) string {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if rest, ok := strings.CutPrefix(pattern, "/_matrix/client/"); ok {
		version, path, _ := strings.Cut(rest, "/")
		if version == "unstable" {
			_, path, _ = strings.Cut(path, "/")
		}
		pattern = "/" + path
	} else if rest, ok := strings.CutPrefix(pattern, "/_matrix/media/"); ok {
		_, path, _ := strings.Cut(rest, "/")
		pattern = "/media/" + path
	}
	return method + " " + parameter.ReplaceAllString(pattern, "{}")
}

// may applies what the specification says of guests, locked and suspended users.
func (a *API) may(c *call, rt *route, s *Session) error {
	if !s.Guest && !s.Locked && !s.Suspended {
		return nil
	}
	what := endpoint(c.r.Method, rt.pattern)
	if s.Locked && what != "POST /logout" && what != "POST /logout/all" {
		return s.Usable()
	}
	if s.Guest && (rt.access == user || c.r.Method == http.MethodPost) && !guestMay(what, c.params) {
		return guestForbidden("Guests may not do this: make an account first.")
	}
	if s.Suspended {
		return a.suspendedMay(c, s, what)
	}
	return nil
}

func guestForbidden(message string) error {
	return mxerror.New(403, "M_GUEST_ACCESS_FORBIDDEN", "%s", message)
}

// guestMay tells what guests may do: specification, "Guest access", "Client behaviour". Joining by
// alias, filters and logging out are there beside the specification's list, as without them little
// of that list could be used.
func guestMay(what string, params []string) bool {
	switch what {
	// "for retrieving events and associated media"
	case "GET /rooms/{}/state", "GET /rooms/{}/context/{}", "GET /rooms/{}/event/{}",
		"GET /rooms/{}/state/{}/{}", "GET /rooms/{}/state/{}",
		"GET /rooms/{}/messages", "GET /rooms/{}/members", "GET /rooms/{}/initialSync", "GET /sync", "GET /events",
		"GET /media/download/{}/{}", "GET /media/download/{}/{}/{}",
		"GET /media/thumbnail/{}/{}":
		return true
	// "for sending events"
	case "POST /rooms/{}/join", "POST /rooms/{}/leave", "PUT /rooms/{}/send/{}/{}",
		"PUT /sendToDevice/{}/{}":
		return true
	case "PUT /rooms/{}/state/{}", "PUT /rooms/{}/state/{}/{}":
		return params[1] != "m.room.member" // joining has an endpoint of its own, which asks whether guests may
	// "for their own account maintenance": "Guest users may only modify their display name"
	case "PUT /profile/{}/{}", "DELETE /profile/{}/{}":
		return params[1] == "displayname"
	case "GET /devices", "GET /devices/{}", "PUT /devices/{}", "GET /account/whoami":
		return true
	// "for end-to-end encryption"
	case "POST /keys/upload", "POST /keys/query", "POST /keys/claim":
		return true
	case "POST /join/{}", "POST /user/{}/filter", "GET /user/{}/filter/{}", "GET /capabilities",
		"POST /logout", "POST /logout/all", "POST /refresh", "GET /joined_rooms", "GET /pushrules/":
		return true
	}
	return false
}

// suspendedMay refuses what the specification recommends to forbid to suspended users, and what is
// like it: "Joining or knocking on rooms. Accepting or sending invites. Sending messages to rooms.
// Changing profile data. Redacting other users' events". It wants them to "change or add admin
// contacts, but not remove".
func (a *API) suspendedMay(c *call, s *Session, what string) error {
	switch what {
	case "PUT /rooms/{}/redact/{}/{}":
		return a.ownEvent(c, s, c.params[1])
	case "PUT /rooms/{}/send/{}/{}":
		if c.params[1] != "m.room.redaction" {
			return accounts.Suspended()
		}
		content, err := c.peek()
		if err != nil {
			return err
		}
		return a.ownEvent(c, s, gjson.GetBytes(content, "redacts").String())
	case "PUT /rooms/{}/state/{}/{}":
		content, err := c.peek()
		if err != nil {
			return err
		}
		if c.params[1] == "m.room.member" && c.params[2] == s.UserID && gjson.GetBytes(content, "membership").String() == "leave" {
			return nil
		}
		return accounts.Suspended()
	case "POST /createRoom", "POST /join/{}", "POST /rooms/{}/join", "POST /knock/{}", "POST /rooms/{}/invite",
		"POST /rooms/{}/kick", "POST /rooms/{}/ban", "POST /rooms/{}/unban", "POST /rooms/{}/upgrade",
		"PUT /rooms/{}/state/{}", "PUT /rooms/{}/typing/{}", "PUT /presence/{}/status",
		"PUT /rooms/{}/delayed_event/{}/{}",
		"PUT /profile/{}/{}", "DELETE /profile/{}/{}", "PATCH /profile/{}", "PUT /profile/{}",
		"PUT /directory/room/{}", "DELETE /directory/room/{}", "PUT /directory/list/room/{}",
		"POST /media/upload", "PUT /media/upload/{}/{}", "POST /account/3pid/delete", "POST /account/3pid/unbind",
		"POST /user/{}/openid/request_token", "POST /login/get_token":
		return accounts.Suspended()
	}
	return nil
}

// ownEvent refuses to redact what others have sent.
func (a *API) ownEvent(c *call, s *Session, id string) error {
	e, err := a.o.Store.ClientEvent(c.ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && string(e.Sender) != s.UserID {
		return accounts.Suspended()
	}
	return err
}

// peek reads the body, and leaves it there.
func (c *call) peek() ([]byte, error) {
	raw, err := c.rawBody()
	if err != nil {
		return nil, err
	}
	c.r.Body = io.NopCloser(bytes.NewReader(raw))
	return raw, nil
}

// guestMayJoin applies: "Servers MUST only allow guest users to join rooms if the
// m.room.guest_access state event is present on the room, and has the guest_access value can_join."
func (a *API) guestMayJoin(c *call, r store.RoomName) error {
	if !c.session.Guest {
		return nil
	}
	ok, err := a.o.Guests.Welcome(c.ctx, r.NID)
	if err == nil && !ok {
		return guestForbidden("Guests may not join this room.")
	}
	return err
}
