// Package format converts messages between Slack and Matrix.
//
// Everything goes through Slack's own model of a formatted message, the rich_text
// block (richtext.go): Block Kit (blocks.go), attachments (attachments.go) and mrkdwn
// (mrkdwn.go) are read into it, and it is shown as Matrix HTML (html.go); Matrix HTML
// (fromhtml.go) is read into it, too, and sent as it is, with mrkdwn
// (tomrkdwn.go) for where Slack shows only text.
//
// Nothing here knows of connections, databases or the bridge framework: who people,
// channels and custom emoji are, the caller says.
package format
