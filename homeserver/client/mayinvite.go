package client

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/invitefilter"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// mayInvite refuses an invitation that the invited user does not want: specification, "Invite
// permission": "the user's homeserver MUST respond to the following endpoints with an HTTP 403
// status code, with the Matrix error code M_INVITE_BLOCKED, if the user is invited".
func (a *API) mayInvite(c *call, userID string) error {
	if userID == c.session.UserID || c.session.Service != nil && a.owns(c.session.Service, userID) {
		return nil // a bridge and its ghosts
	}
	user, err := a.o.Store.UserNID(c.ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	f, err := invitefilter.Load(c.ctx, a.o.Store, user)
	if err != nil {
		return err
	}
	if f.Judge(c.session.UserID) == invitefilter.Block {
		return mxerror.New(403, "M_INVITE_BLOCKED", "%s does not want this invitation.", clip(userID))
	}
	return nil
}

// mayLeave keeps somebody from turning the notices of the server down: specification, "Server
// Notices": "Attempting to reject the invite must result in a M_CANNOT_LEAVE_SERVER_NOTICE_ROOM
// error. Servers should not prevent the user leaving the room after joining".
func (a *API) mayLeave(ctx context.Context, user, room int64) error {
	have, err := a.o.Store.NoticeRoom(ctx, user)
	if errors.Is(err, store.ErrNotFound) || err == nil && have != room {
		return nil
	} else if err != nil {
		return err
	}
	m, err := a.o.Store.Membership(ctx, room, user)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if m.Membership == "invite" {
		return mxerror.New(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", "The invitation to the room with this server's notices can't be turned down.")
	}
	return nil
}
