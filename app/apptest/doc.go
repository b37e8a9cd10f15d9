// Package apptest is for the authors of modules: the whole of Landbridge, homeserver and bridges, in the
// process of a test, and people with Matrix clients. What a module does is seen where it counts, in /sync.
//
// For faults of the homeserver, crashes and the like, package appservice/appservicetest has a homeserver in
// memory that does as it is told.
package apptest
