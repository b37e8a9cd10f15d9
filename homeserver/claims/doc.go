// Package claims makes people of bridged networks users of this server: offers by which they claim an
// account, the ties between the two, the way of the account into the rooms in which the person is, the
// messages by which they are invited and reminded, and the pages on which they do it.
//
// A tie is made by the person alone: who opens an offer's address, or types its code, has got it from the
// bridge's bot on their network, and who says a code to the bot has got it from a page where they are signed
// in. While there is a tie, the bridge may act as the account in the rooms that it bridges (see
// client.Options.Tied); what the person says on the network is said here by themselves.
//
// What must not live here: anything of one network, and of bridges more than the interface Bridges says.
package claims
