// Package format turns Discord's markdown into Matrix's HTML and back.
//
// It knows nothing of connections or of the bridge's database: names and ids of
// people, roles, channels and emoji are looked up through what the caller gives.
package format
