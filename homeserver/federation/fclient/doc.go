// Package fclient calls other servers: one typed method for each request of the server-server
// API, over connections that are shared and kept, with limits on time and size. Backoff is what is
// known of servers that don't answer; all calls share it.
//
// Events are handed through as raw JSON: what they are worth is judged elsewhere.
package fclient
