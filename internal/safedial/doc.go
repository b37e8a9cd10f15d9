// Package safedial connects to addresses that strangers name: other servers, push gateways, pages
// to preview. It refuses those that lead back into our own machine or network, so that nobody can
// use the server to reach what only the server can see.
//
// The check is made on the address that is about to be connected to, after names were resolved,
// so a name that resolves to something else the second time gains nothing. It covers redirects,
// since each connection is dialled. A proxy is dialled like anything else: transports that use
// this package must not take one from the environment, for it would dial in their place.
//
// No HTTP lives here.
package safedial
