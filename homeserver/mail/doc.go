// Package mail sends messages to e-mail addresses: the client's side of SMTP with TLS and
// authentication, and the texts of the messages.
//
// What must not live here: why a message is sent, and what the links in it do. That is package
// accounts.
package mail
