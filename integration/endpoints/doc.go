// Package endpoints calls every endpoint of the client-server API that the specification lists,
// and checks the answers with the specification's own schemas. It has tests only.
//
// testdata/spec holds the specification as data: endpoints.tsv lists the operations, and the
// OpenAPI files say what they take and answer. To build an endpoint, remove its line from missing
// (missing_test.go) and see that its scenario in scenarios_*_test.go shows a success: a scenario
// says who calls with what, and everything else (tokens, methods, broken bodies, bad identifiers,
// the schema of the answer) is checked of each operation alike.
package endpoints
