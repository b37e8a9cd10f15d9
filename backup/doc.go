// Package backup copies a data folder while a server works on it, to one file, and makes a data
// folder of such a file.
//
// # What makes a copy of several databases consistent
//
// The homeserver and each bridge have a database of their own, and each has acknowledged things to
// the others. Copies from different moments would contradict each other: a message that the
// homeserver counts as delivered and the bridge never saw is lost. So for a few milliseconds all
// writers are held (Source.Hold, and the write lock of each bridge's database), and a read
// transaction is begun on every database. Then the writers go on; the read transactions go on
// showing that one moment, and the pages of the databases are read through them at leisure.
// SQLite's write-ahead logs grow meanwhile.
//
// Media files never change, and are copied afterwards: of those that the databases know, at most
// what was deleted in the meantime is missing.
//
// # The file
//
// A tar archive, compressed with zstd:
//
//	about.json      what the rest is
//	config.yaml     the configuration file, if there is one
//	homeserver.db   the homeserver's database
//	data/...        what else the data folder has: the signing key, the bridges
//	media/...       files that people sent
//	SHA256SUMS      of all of these, as sha256sum -c reads it
//
// SHA256SUMS comes last: a file without it was cut short.
//
// What must not live here: anything that knows the homeserver or a bridge. Nothing of the data is
// looked into except the databases' own bookkeeping.
package backup
