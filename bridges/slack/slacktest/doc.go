// Package slacktest is a stand-in of Slack for tests: a stateful Web API, files, and
// Socket Mode or the Events API, in one process.
//
// Tests act as people with the methods of Server (Say, Edit, React, ...), which do what
// the clients of those people would: they change the workspace and tell apps of it. The
// app under test gets what Slack gives apps, by HTTP and WebSocket. Shapes are those of
// Slack's own samples.
package slacktest
