// Package presence knows who is there: online, unavailable (idle) or offline, with a status message
// and when they were last active. It lives in memory only; after a restart everybody is offline until
// they are heard of again.
//
// What a change costs is bounded: at most sync.Peers waiting clients are woken for it, and none in
// rooms with more active members than that; all others hear of it with their next answer. What is
// written to clients belongs to package sync, and to other servers to the federation.
package presence
