// Package linechat is an example of a bridge module, complete and small, to begin one's own with. See
// docs/write-a-module.md.
//
// Its network is a server on TCP: everybody who is connected gets every line, "CHANNEL NICK TEXT", and may send
// such lines. The server does not send a line back to who sent it. The bridge is one connection for all: people of
// Matrix are told apart by the nick in their lines, those of the network are ghosts.
package linechat
