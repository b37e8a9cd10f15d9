// Package console is the administrators' pages: how the server does, and what can be done about its
// users, rooms, files, tokens, reports, peers, bridges and backups.
//
// Whoever is signed in as an administrator may use them. What changes something comes by a form that
// this server has shown (package page), is written into the audit log with its outcome, and is asked
// about once more if it can't be undone. Changes are made by the administrators' API (Backend.Admin),
// so there is one place where they are made; what is shown is read from the store, in pages that
// begin behind a key, so that each is as quick with 100,000 users as with ten.
//
// What must not live here: rules of what administrators may do to whom; those are the API's.
package console
