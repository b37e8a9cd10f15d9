// Package synapse runs a Synapse from PyPI for tests, for clients and application services alone: it
// listens on loopback, keeps everything in the test's folder, and does not federate.
package synapse
