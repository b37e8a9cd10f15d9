// Package appservices is the homeserver's side of the application-service API: it tells each
// registered service what concerns it, and asks services about users and rooms that might exist.
//
// Every service has one goroutine that owns a cursor over the store's log. It reads on from the
// cursor, picks what the registration's namespaces make the service's business, and hands it
// over in transactions, one at a time, in the order of the log. The range of a transaction is
// stored before it is sent and its number is its name, so a retry, also after a crash, is the
// same transaction; the cursor moves when the service has answered. A service that was away for
// a day finds everything in the log, and nobody else waits for it.
//
// Services are reached through an http.RoundTripper: a real one for those with a url, a direct
// call for those that live in this process. This package does not know the difference.
package appservices
