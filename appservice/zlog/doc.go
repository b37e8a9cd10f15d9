// Package zlog gives libraries that log with zerolog a logger that ends in a
// slog handler, without what must never be logged: secrets and the contents of
// messages.
package zlog
