// Package unread counts what users have not read: the events after their receipts that their push
// rules make a notification of, by room and thread.
//
// Nothing is counted when an event is sent. When somebody asks, the events that came since the
// last time are evaluated, and the result is kept as a memo, in memory with a bound and, after
// some work, in the database. A memo is only a short cut: whatever does not fit it (other rules, a
// receipt in the middle of what was summed up) makes the count begin anew from the receipts, so
// that counts can't stick.
//
// The rules that count are those at the time of asking, and so are the number of members of the
// room; power levels and names are those at the event. How far the receipts reach is for Marks,
// which pushers and /notifications use too. Notifying anybody is for package pushers.
package unread
