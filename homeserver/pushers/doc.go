// Package pushers tells people's phones, by way of push gateways, their browsers, by Web Push, and
// their mailboxes that there is something new: specification, "Push Notifications" and the push
// gateway API, and MSC4174.
//
// It follows the log with an index of the rooms that users with pushers are in; nobody else costs
// anything. A user for whom there may be news is put into a queue, once, and a bounded number of
// workers serve the users in it: what is new and unread is looked up in the store (package
// unread), from the position that each pusher has noted. So a restart loses nothing; at most the
// notification that was being sent is sent twice, which gateways recognise by its event id.
//
// What must not live here: what is a notification (package push), what is unread (package
// unread), HTTP handlers of clients, and how mail is delivered.
package pushers
