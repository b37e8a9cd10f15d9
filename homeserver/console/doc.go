// Package console is what the commands for administrators on the machine itself ask of a running
// server: JSON over HTTP on a socket in the data folder. Whoever may open the socket may do
// everything.
//
// What must not live here: anything that is reached over the network. It asks nobody who they are.
package console
