// Package model is a community that is to be moved, in words that fit all networks: people,
// channels, messages, files. Readers of exports make it, and plan, run and verify work on it.
//
// What must not live here: anything of one network, and anything of Matrix beyond message types.
package model
