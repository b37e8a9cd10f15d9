// Package community has what bridges of every kind of network share where one bridge serves a community: the
// mapping of remote channels to rooms (Mapping), what follows from it for what a bridge may do in a room (Guard), and
// the comparison of what is wanted with what is there (Diff).
//
// What must not live here: anything that knows a network or a life of a bridge; the host (package appservice) brings
// both together.
package community
