// Package api talks to Discord: the REST API over discordgo, with its rate limits, and the gateway with its shards and
// its resuming. discordgo's own connection to the gateway resumes where it began instead of where Discord says, cannot
// be ended from outside, and fails on numbers that come as strings; so that is here (shard.go).
//
// discordgo's addresses are variables of its package. They are left alone; requests
// are sent elsewhere, if configured, in the transport of a session.
//
// Data are handed on as package wire has them. What they mean for Matrix is not
// decided here.
package api
