// Package joins takes this server's users into rooms that live elsewhere, and out of them:
// specification, server-server API, "Joining Rooms", "Knocking upon a room", "Inviting to a room"
// and "Leaving Rooms (Rejecting Invites)". It speaks with other servers and checks what they answer;
// what becomes of it is for package room.
//
// Clients' requests don't belong here, nor does anything that other servers ask of this one.
package joins
