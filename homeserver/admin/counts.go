package admin

import (
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// sent counts what a user has done to memberships since from_ts.
func (a *Admin) sent(c client.AdminCall) (invites, joined int64, err error) {
	if c.Query().Get("from_ts") == "" {
		return 0, 0, mxerror.MissingParam("Missing integer query parameter 'from_ts'")
	}
	since, err := c.Number("from_ts", 0)
	if err != nil {
		return 0, 0, err
	}
	if err := checkUser(c.Param(0)); err != nil {
		return 0, 0, err
	}
	user, err := a.o.Store.UserNID(c.Context(), c.Param(0))
	if errors.Is(err, store.ErrNotFound) {
		return 0, 0, nil
	} else if err != nil {
		return 0, 0, err
	}
	return a.o.Store.MembershipsSet(c.Context(), user, since)
}

// sentInvites is GET v1/users/{userId}/sent_invite_count.
func (a *Admin) sentInvites(c client.AdminCall) (any, error) {
	n, _, err := a.sent(c)
	return object{"invite_count": n}, err
}

// roomsJoined is GET v1/users/{userId}/cumulative_joined_room_count: also those that were left again.
func (a *Admin) roomsJoined(c client.AdminCall) (any, error) {
	_, n, err := a.sent(c)
	return object{"cumulative_joined_room_count": n}, err
}
