// Package outbound sends to other servers what concerns them: specification, server-server API,
// "Transactions". Nothing is queued for it: each server is a cursor over the log, and what is made
// for it durably besides (messages to devices) lies in the log too.
//
// What this server asks of others (joins, keys, media) doesn't belong here, nor what they ask of it.
package outbound
