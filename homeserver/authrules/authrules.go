// Package authrules applies the authorisation rules of the room versions. The rules themselves
// are maunium.net/go/mautrix/federation/eventauth; this package is the one place that calls it,
// so that what an event of a stranger can do to it is dealt with once.
//
// Which state an event is checked against is for the callers to say.
package authrules

import (
	"fmt"

	"maunium.net/go/mautrix/federation/eventauth"
	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Authorize tells whether the rules allow an event, over the auth events given: those of the
// event itself, or those that a state has for it. Where auth is nil they are asked for by id.
// getEvents also has to know the create event of a room that is named after it. Refusals wrap
// eventauth.AuthFailError.
//
// What the rules can't be applied to is refused: eventauth panics on some power levels, e.g. when
// a user is removed whose level is that of the sender, which rule 10.9 forbids: "For each entry
// being changed in, or removed from, the users property, other than the sender's own entry: If
// the current value is greater than or equal to the sender's current power level, reject."
func Authorize(v event.Version, e *pdu.PDU, auth []*pdu.PDU, getEvents eventauth.GetEventsFunc, getKey pdu.GetKeyFunc) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = eventauth.AuthFailError{Index: "?", Message: "the event's content or that of the state before it is not valid", Wrapped: fmt.Errorf("%v", p)}
		}
	}()
	third, ok := isThirdParty(e)
	if third && !ok {
		return eventauth.ErrThirdPartyInviteMissingFields
	}
	if err = eventauth.Authorize(v, e, auth, getEvents, getKey); third {
		err = thirdParty(e, auth, getEvents, err)
	}
	return err
}
