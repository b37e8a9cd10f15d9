// Package migration tests migrations with the real binary: exports that are brought in, cut off, taken
// over by a bridge, and compared.
package migration
