// Package keys is the server's part in end-to-end encryption, for the users of this server:
// identity keys of devices, one-time and fallback keys, cross-signing keys and signatures,
// messages to devices, backups of room keys and dehydrated devices. The server hands these out; it
// can read none of what they protect.
//
// It speaks no HTTP: requests and responses are structs with the specification's JSON. Who asks
// has been authenticated by the caller. Keys are kept by package store.
package keys
