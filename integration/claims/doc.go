// Package claims has people of a bridged network claim accounts, and a community move for good, on the whole
// program: bridge, server, pages in a browser, and clients' /sync.
package claims
