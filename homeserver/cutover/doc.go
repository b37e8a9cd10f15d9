// Package cutover ends a bridge without ending the community: it announces it, closes the old side, takes in what was
// said last, and takes the bridge out of the rooms, which stay as they are with all that is in them, owned by
// administrators. It can be undone until it is confirmed; then the bot leaves.
//
// What is wanted and what has been reached is in the database, for each room too, with what was there before. A step that
// was cut off is done again at the next start; each can be done any number of times.
//
// What must not live here: anything of one network, and of bridges more than the interface Bridges says.
package cutover
