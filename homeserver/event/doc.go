// Package event holds room events as the homeserver handles them: persistent data units (PDUs)
// of room versions 3 to 12, parsed once at the edge and immutable from then on, together with
// the numeric ids under which the store knows them.
//
// Building, hashing, signing and redacting are those of maunium.net/go/mautrix/federation/pdu;
// this package adds the limits, the ids and the form that clients see. It knows nothing about
// where events are kept or whether they are allowed.
package event
