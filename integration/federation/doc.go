// Package federation has the real binary share rooms with another implementation of a homeserver,
// Synapse, as it comes from the Python package index (requirements.txt names the versions), and with others of its
// own kind. Every server is on the loopback interface, its name is its address, and a certificate authority
// that the test makes vouches for all of them.
package federation
