// Package oauth is the OAuth 2.0 API of the specification, and the pages on which people sign in and
// up, allow clients into their accounts, and look after these.
//
// The protocol is for clients: metadata, registration of clients, the authorization code and device
// grants, refresh and revocation. Accounts, devices and tokens are those of package accounts, so what
// came by this API is seen and ended by the other one too. Authorization codes and device codes are
// in the store for minutes, so who is in the middle of logging in when the server restarts goes on.
//
// What must not live here: layout, cookies and headers of pages, which are package page's, and rules
// of accounts, which are package accounts'.
package oauth
