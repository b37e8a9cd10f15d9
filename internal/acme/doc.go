// Package acme has certificates made for this server by an authority that speaks ACME (RFC 8555), such as Let's Encrypt,
// keeps them in a folder and renews them. It knows nothing of Matrix and opens no addresses: who serves them is the
// caller's to say.
package acme
