// Package discordtest is a stand-in for Discord: enough of its REST API (v10) and
// its gateway for tests of the bridge, in memory, with the rules that matter: who may
// do what, rate limits, intents, resuming, close codes.
//
// It shares no code with the bridge, so that both do not make the same mistake. It is
// for tests alone.
package discordtest
