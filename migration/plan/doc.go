// Package plan says what a migration will make, before it is made: the names, the people and the rooms
// (Mapping, which the administrator edits), how much there is and how long it will take, and what can't be
// carried over (Report, for the terminal and as a page).
//
// What must not live here: anything that changes a server.
package plan
