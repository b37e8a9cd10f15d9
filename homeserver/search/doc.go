// Package search is the index of what was said in rooms without encryption.
//
// The index is a SQLite file of its own, beside either kind of database, and holds nothing that
// can't be made anew: it may be deleted. It follows the log with a cursor that is stored in the
// same file, at a pace that leaves the machine to others, unless somebody searches: a search waits
// until what was there when it began is in the index. It keeps words only, no texts; what is found
// is read from the store.
//
// The index finds candidates. Who may see what is not decided here: callers check each hit.
package search
