// Package admin is the API for administrators that common tools use: Synapse's admin API, at
// /_synapse/admin. It follows the documented behaviour of that API, so that those tools work
// unchanged; what this server has no counterpart of is left out (404 M_UNRECOGNIZED).
//
// What must not live here: rules of rooms and accounts. The handlers ask the packages that have
// them; authentication and the form of errors are package client's, which also serves what differs
// from users' endpoints only in that everything is seen. Each change is told to the log: who did
// what to whom.
package admin
