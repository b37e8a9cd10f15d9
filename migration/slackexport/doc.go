// Package slackexport reads exports of Slack: of a workspace, of an organisation (Enterprise Grid),
// and the exports and dumps of slackdump; public channels alone or with private ones and messages.
//
// Messages become HTML by the same code as in the live bridge (bridges/slack/format) and are called as it
// calls them, so that it goes on where an export ends. What can't be read is reported with its place,
// and the rest is read. Addresses of files hold the token of the export: they are model.Secret.
//
// What must not live here: anything of Matrix rooms, and requests to Slack.
package slackexport
