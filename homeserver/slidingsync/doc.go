// Package slidingsync answers the sync of MSC4186, simplified sliding sync: a client names windows on
// its list of rooms, and single rooms, and is sent what is new in these.
//
// What a client has been sent is remembered for each connection, in memory and with bounds. When it
// is lost (a restart, too many connections) the client is told M_UNKNOWN_POS and starts afresh. Of each
// connection the state before and after the last answer are kept, so that a request can be repeated.
//
// What is in the log, who wakes whom, and what a user may see is package sync's.
package slidingsync
