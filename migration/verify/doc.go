// Package verify compares an export with the rooms that it has become: it makes all events of the
// export once more, as run does, and looks for each of them on the server instead of sending it.
//
// What must not live here: anything that changes a server.
package verify
