// Package diag reads YAML written by people and says precisely what is wrong with it.
//
// Here live the [Problem] (file, line, column, key, what is wrong, what would be
// right), the bounded reading of one YAML document with [Parse], and the search for
// the key that was meant ([Nearest]). Packages config and registration share it.
//
// What a key means, which keys exist and which values are right stays with the
// package that owns the format: nothing here knows Matrix or Landbridge.
package diag
