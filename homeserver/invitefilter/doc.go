// Package invitefilter tells whose invitations a user wants: specification, "Invite permission",
// and the lists of users and servers of MSC4155. It reads the user's account data and judges;
// refusing and hiding invitations is up to who asks.
package invitefilter
