// Package inbound answers other servers: the server-server API. Requests are verified, servers that
// a room's access control list keeps out are refused, and what they send is taken in: a lane for
// each room checks events, fetches what is missing before them and hands them to the room's actor.
//
// What a room's state is and whether an event is allowed is decided below: by packages room,
// stateres and authrules. Calls to other servers go through package fclient, behind an interface.
package inbound
