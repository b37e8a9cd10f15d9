package client

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/registration"
)

// TiedTo tells whether an account of this server belongs to somebody on the network of a bridge, as that person has
// shown; see package claims.
type TiedTo func(ctx context.Context, service, account string) (bool, error)

// tiedRoutes are what a bridge may do as an account that is tied to somebody of its network: say what they said,
// and be where they are. It is no login: nothing of the account itself can be read or changed.
var tiedRoutes = map[string][]string{
	http.MethodPut: {"/rooms/{roomId}/send/{eventType}/{txnId}", "/rooms/{roomId}/redact/{eventId}/{txnId}",
		"/rooms/{roomId}/state/{eventType}/{stateKey...}"},
	http.MethodPost: {"/rooms/{roomId}/join", "/rooms/{roomId}/leave", "/join/{roomIdOrAlias}"},
}

// actsFor tells whether a service may do this as an account outside of its namespaces: a bridge in this process,
// for an account that is tied to somebody of its network, in a room where its bot is. Of states it may send the
// account's own membership alone.
func (a *API) actsFor(c *call, rt *route, reg *registration.Registration, userID string) (bool, error) {
	if a.o.Tied == nil || reg.Module == "" || reg.URL != "" || len(c.params) == 0 {
		return false, nil
	}
	allowed := false
	for _, p := range tiedRoutes[c.r.Method] {
		allowed = allowed || strings.HasSuffix(rt.pattern, p)
	}
	if !allowed || strings.Contains(rt.pattern, "/state/") && (len(c.params) < 3 || c.params[1] != "m.room.member" || c.params[2] != userID) {
		return false, nil
	}
	if ok, err := a.o.Tied(c.ctx, reg.ID, userID); err != nil || !ok {
		return false, err
	}
	user, err := a.o.Store.UserNID(c.ctx, userID)
	if err != nil {
		return false, err
	}
	account, err := a.o.Store.Account(c.ctx, user)
	if err != nil {
		return false, err
	}
	if account.DeactivatedTS != 0 || account.Locked || account.Suspended {
		return false, mxerror.Forbidden("The account %s is closed.", clip(userID))
	}
	bot, err := a.o.Store.UserNID(c.ctx, reg.SenderID(a.o.ServerName))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	r, err := a.o.Store.RoomByID(c.ctx, c.params[0])
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	m, err := a.o.Store.Membership(c.ctx, r.NID, bot)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && m.Membership == "join", err
}
