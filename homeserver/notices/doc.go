// Package notices sends messages of the server itself to its users: specification, "Server
// Notices". Each user has one room for them, made when it is first needed. That its invitation
// can't be turned down is seen to by the client API.
package notices
