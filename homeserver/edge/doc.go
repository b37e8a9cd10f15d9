// Package edge is what every request to the homeserver passes first, whichever API it is for: it
// gives it an id, answers CORS, recovers from panics, compresses answers, sets time limits on slow
// connections and writes the access log. It knows nothing of Matrix beyond the form of an error;
// routing, authentication and limits of bodies belong to the APIs.
package edge
