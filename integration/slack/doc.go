// Package slack tests the Slack bridge end to end: the real binary with its homeserver,
// a Matrix client, and a stand-in of Slack.
package slack
