// Package keyring has the signing keys of servers: our own with their rotation, and those of
// others, which are fetched, checked, remembered and, as a notary, passed on. Specification,
// server-server API, "Retrieving server keys".
//
// Where keys of others are stored and how other servers are asked is said by two interfaces, Cache
// and Fetcher.
package keyring
