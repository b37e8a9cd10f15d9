// Package e2e goes through the client-server API of the real server from outside: what each
// endpoint does, and what it answers to wrong requests.
package e2e
