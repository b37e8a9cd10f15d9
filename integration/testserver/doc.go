// Package testserver runs the real landbridge binary as a child process: on free ports of the
// loopback interface, with its data in a temporary folder, to be stopped, killed and started
// again. It is for tests and measurements alone.
//
// A package of tests that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }
//
// which builds the binary once, always without cgo, as it is shipped. The environment variable
// LANDBRIDGE names a binary to use instead.
package testserver
