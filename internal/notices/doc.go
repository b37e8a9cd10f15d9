// Command notices writes THIRD_PARTY_NOTICES: every Go module that is linked into
// landbridge, with its version and the texts of its licence as they lie in the module
// cache. "make notices" runs it in the root of the repository.
//
// What must not live here: anything that the program itself needs.
package main
