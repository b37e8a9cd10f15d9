// Package accounts knows who may use the server: accounts, passwords, devices, access tokens,
// signing up, interactive authentication, and how often somebody may ask.
//
// It speaks no HTTP: callers hand it parsed requests and get values or errors, of package
// mxerror where a client may see them. What accounts are is kept by package store.
package accounts
