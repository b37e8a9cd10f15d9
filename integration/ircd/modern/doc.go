// Package modern is an IRC server for tests that does what servers of today can do and those that Debian has
// cannot: SASL with SCRAM, labeled-response, draft/multiline, draft/chathistory, draft/message-redaction,
// draft/relaymsg, client tags (replies, reactions, typing), standard replies and STS. It answers as the
// specifications of IRCv3 have it, and where they leave a choice, as Ergo does: an answer of several lines to a command with a
// label is a labeled-response batch, unless it is one batch already, which then has the label.
//
// It is in the process of the test, and the test can have it misbehave: refuse, lose a connection, hold lines back.
package modern
