// Package exporter reads what this server holds of a community, or of one person, for package export.
//
// It reads what is committed, beside everything else that the server does, and changes nothing. It is asked by
// administrators over the console's socket (Handler), and by people for their own data.
//
// What must not live here: how an export looks; that is package export's.
package exporter
