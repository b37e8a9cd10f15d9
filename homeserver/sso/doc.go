// Package sso lets people log in with OpenID Connect providers: it sends them there, receives them
// back, checks what the provider says, and finds or makes their accounts.
//
// What must not live here: pages and cookies, which are package client's, and tokens and accounts,
// which are package accounts'.
package sso
