// Package desk keeps the migrations that are prepared and carried out by pages: each has a folder with its
// export, its mapping, and what was found and done. One is worked on at a time; a restart of the server
// stops the work, and it can be gone on with.
//
// What must not live here: pages, and what an export or a server is (see packages model and run).
package desk
