// Package stateres resolves the states of a fork into one: state resolution version 2 (room
// versions 2 to 11) and 2.1 (room version 12, MSC4297), on the store's numbers.
//
// The states are trees (package statetree): what they share is neither read nor compared, and
// the result is a list of changes to one of them. Events are loaded only if they take part in
// the conflict. Everything between is done with numbers and the links between events.
//
// Everything rests on one property of the numbers: an event's auth events have smaller numbers
// than the event. So one sweep from the greatest number down sees every event after all those
// that cite it, visits it once, and stops where all the states agree on what is below. A Source
// that breaks the property gets ErrOrder, and can't make the sweep loop.
//
// Where other implementations agree among themselves and the prose leaves room, this package
// goes with them, for a room is of use only while its servers agree:
//
//   - A power event of type m.room.power_levels or m.room.join_rules has an empty state key.
//   - Step 1 of version 2 reaches the conflicted events of an auth chain through conflicted events
//     alone. (In version 2.1 there is no difference: the conflicted subgraph closes all gaps.)
//   - The full auth chain of a state includes the events of the state.
//
// What is stored, which states a fork has and what becomes of the result are not decided here.
package stateres
