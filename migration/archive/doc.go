// Package archive reads exports, which are ZIP files or folders that strangers have made: nothing
// outside is ever opened, sizes are bounded by what was looked at and not by what the file claims,
// and text in another encoding than UTF-8 is made readable.
//
// What must not live here: anything that knows what is in an export.
package archive
