// Package identity asks identity servers whose an address is, and has them remember whom an invitation waits
// for or to which account an address belongs: the Identity Service API, version 2, as homeservers use it.
// Which servers are asked is for the administrator to say; what becomes of the answers is for the client API.
package identity
