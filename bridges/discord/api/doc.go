// Package api talks to Discord over discordgo: the REST API with its rate limits,
// and the gateway with its resuming.
//
// discordgo's addresses are variables of its package. They are left alone; requests
// are sent elsewhere, if configured, in the transport of a session.
//
// Data are handed on as package wire has them. What they mean for Matrix is not
// decided here.
package api
